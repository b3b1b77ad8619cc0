//! What a silo's type needs, and what it has no use for.

use std::time::Duration;

use crate::{
    SecretRef, SiloKind,
    path::child,
    report::Report,
    silo::{
        SiloTable, adbc_table::check_adbc, files_table::check_files, http_table::check_http,
        table::defaults,
    },
    value::{Period, SiloType, clip},
};

/// Checks the keys that belong to types. `None` if what the type needs is not there; the report then says so.
pub(crate) fn check_kind(
    table: &SiloTable,
    path: &[String],
    report: &mut Report,
) -> Option<SiloKind> {
    if table.path.as_ref().is_some_and(|place| place.as_os_str().is_empty()) {
        report.misfit(&child(path, "path"), PATH, "\"\"");
    }
    if table.ca.as_ref().is_some_and(String::is_empty) {
        report.misfit(&child(path, "ca"), "a path", "\"\"");
    }
    let of = report.required(table.r#type, &child(path, "type"), TYPES)?;
    check_strangers(table, of, path, report);
    match of {
        SiloType::Sqlite => {
            let place = report.required(table.path.clone(), &child(path, "path"), PATH);
            Some(SiloKind::Sqlite {
                path: place?,
                busy_timeout: table.busy_timeout.unwrap_or(defaults::BUSY_TIMEOUT),
            })
        }
        SiloType::Postgres => {
            let server = check_server(table, A_MILLISECOND, path, report);
            server.map(|server| SiloKind::Postgres {
                url: server.url,
                connect_timeout: server.connect,
                statement_timeout: server.statement,
                lock_timeout: server.lock,
            })
        }
        SiloType::Mysql => {
            let server = check_server(table, A_SECOND, path, report);
            server.map(|server| SiloKind::Mysql {
                url: server.url,
                connect_timeout: server.connect,
                statement_timeout: server.statement,
                lock_timeout: server.lock,
            })
        }
        SiloType::Http => check_http(table, path, report).map(Box::new).map(SiloKind::Http),
        SiloType::Files => check_files(table, path, report).map(Box::new).map(SiloKind::Files),
        SiloType::Adbc => check_adbc(table, path, report).map(Box::new).map(SiloKind::Adbc),
    }
}

/// Reports keys of other types: they would be ignored, and whoever wrote them meant something by them.
fn check_strangers(table: &SiloTable, of: SiloType, path: &[String], report: &mut Report) {
    for (key, owners) in table.present() {
        if !owners.contains(&of) {
            let owners: Vec<String> =
                owners.iter().map(|owner| format!("{:?}", owner.as_str())).collect();
            let expected = format!("`{key}` only where type = {}", owners.join(" or "));
            report.misfit(&child(path, key), &expected, &format!("{:?}", of.as_str()));
        }
    }
}

/// What all servers of SQL need.
struct Server {
    url: SecretRef,
    connect: Period,
    statement: Period,
    lock: Period,
}

/// Servers count locks in a unit of their own: `shortest` and its name.
fn check_server(
    table: &SiloTable,
    shortest: (Duration, &str),
    path: &[String],
    report: &mut Report,
) -> Option<Server> {
    let url = report.required(table.url.clone(), &child(path, "url"), URL);
    let statement = table.statement_timeout.unwrap_or(defaults::STATEMENT_TIMEOUT);
    let lock = table.lock_timeout.unwrap_or(defaults::LOCK_TIMEOUT);
    check_timeout(statement, A_MILLISECOND, &child(path, "statement_timeout"), report);
    check_timeout(lock, shortest, &child(path, "lock_timeout"), report);
    let connect = table.connect_timeout.unwrap_or(defaults::CONNECT_TIMEOUT);
    Some(Server { url: url?, connect, statement, lock })
}

/// The server counts in whole units in 32 bits, and takes nought for "no limit".
fn check_timeout(
    period: Period,
    (shortest, name): (Duration, &str),
    path: &[String],
    report: &mut Report,
) {
    if !(shortest..=LONGEST).contains(&period.duration()) {
        let expected = format!("a length of time from \"{name}\" to \"24 days\"");
        report.misfit(path, &expected, &clip(&period.to_string()));
    }
}

const TYPES: &str = r#""sqlite", "postgres", "mysql", "http", "files" or "adbc""#;
const PATH: &str = "the path of a database file";
const URL: &str = "where the URL is, such as { credential = \"shop.url\" }";
const A_MILLISECOND: (Duration, &str) = (Duration::from_millis(1), "1ms");
const A_SECOND: (Duration, &str) = (Duration::from_secs(1), "1s");
const LONGEST: Duration = Duration::from_secs(24 * 24 * 60 * 60);
