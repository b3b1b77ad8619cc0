//! What a silo's type needs, and what it has no use for.

use std::time::Duration;

use crate::{
    SiloKind,
    path::child,
    report::Report,
    silo::{SiloTable, table::defaults},
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
    let of = report.required(table.r#type, &child(path, "type"), r#""sqlite" or "postgres""#)?;
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
            let url = report.required(table.url.clone(), &child(path, "url"), URL);
            let statement = table.statement_timeout.unwrap_or(defaults::STATEMENT_TIMEOUT);
            let lock = table.lock_timeout.unwrap_or(defaults::LOCK_TIMEOUT);
            for (key, timeout) in [("statement_timeout", statement), ("lock_timeout", lock)] {
                check_milliseconds(timeout, &child(path, key), report);
            }
            Some(SiloKind::Postgres {
                url: url?,
                connect_timeout: table.connect_timeout.unwrap_or(defaults::CONNECT_TIMEOUT),
                statement_timeout: statement,
                lock_timeout: lock,
            })
        }
    }
}

/// Reports keys of other types: they would be ignored, and whoever wrote them meant something by them.
fn check_strangers(table: &SiloTable, of: SiloType, path: &[String], report: &mut Report) {
    let keys = [
        ("path", SiloType::Sqlite, table.path.is_some()),
        ("busy_timeout", SiloType::Sqlite, table.busy_timeout.is_some()),
        ("url", SiloType::Postgres, table.url.is_some()),
        ("connect_timeout", SiloType::Postgres, table.connect_timeout.is_some()),
        ("statement_timeout", SiloType::Postgres, table.statement_timeout.is_some()),
        ("lock_timeout", SiloType::Postgres, table.lock_timeout.is_some()),
    ];
    for (key, owner, there) in keys {
        if there && owner != of {
            let expected = format!("`{key}` only where type = {:?}", owner.as_str());
            report.misfit(&child(path, key), &expected, &format!("{:?}", of.as_str()));
        }
    }
}

/// The server counts whole milliseconds in 32 bits, and takes nought for "no limit".
fn check_milliseconds(period: Period, path: &[String], report: &mut Report) {
    if !(SHORTEST..=LONGEST).contains(&period.duration()) {
        report.misfit(
            path,
            r#"a length of time from "1ms" to "24 days""#,
            &clip(&period.to_string()),
        );
    }
}

const PATH: &str = "the path of a database file";
const URL: &str = "where the URL is, such as { credential = \"shop.url\" }";
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(24 * 24 * 60 * 60);
