//! The keys of the `adbc` silo: the driver and what it is told.

use crate::{AdbcSilo, path::child, report::Report, silo::SiloTable, value::clip};

/// Checks the keys of an `adbc` silo. `None` if there is no driver; the report then says so.
pub(crate) fn check_adbc(
    table: &SiloTable,
    path: &[String],
    report: &mut Report,
) -> Option<AdbcSilo> {
    let at = child(path, "driver");
    let driver = report.required(table.driver.clone(), &at, DRIVER);
    if driver.as_ref().is_some_and(String::is_empty) {
        report.misfit(&at, DRIVER, "\"\"");
    }
    if let Some(entrypoint) = &table.entrypoint
        && !is_symbol(entrypoint)
    {
        report.misfit(&child(path, "entrypoint"), "the name of a function", &clip(entrypoint));
    }
    for (key, names) in [
        ("options", table.options.keys().collect::<Vec<_>>()),
        ("secret_options", table.secret_options.keys().collect()),
    ] {
        for name in names {
            if name.is_empty() || name.contains(char::is_control) {
                let at = child(&child(path, key), name);
                report.misfit(&at, "the name of an option", &clip(name));
            }
        }
    }
    for (name, value) in &table.options {
        let at = child(&child(path, "options"), name);
        let lower = name.to_ascii_lowercase();
        if table.secret_options.contains_key(name) {
            report.misfit(&at, "each option once", "it in `secret_options` too");
        } else if SECRETIVE.iter().any(|word| lower.contains(word)) || names_a_user(value) {
            report.misfit(
                &at,
                "an option without secrets (they stand in `secret_options`)",
                "one (not shown)",
            );
        } else if value.contains('\0') {
            report.misfit(&at, "a text without NUL", "another (not shown)");
        }
    }
    Some(AdbcSilo {
        driver: driver?.into(),
        entrypoint: table.entrypoint.clone(),
        options: table.options.clone().into_iter().collect(),
        secret_options: table.secret_options.clone().into_iter().collect(),
    })
}

/// A URL with a user has a password beside it.
fn names_a_user(value: &str) -> bool {
    let authority = value.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next());
    authority.flatten().is_some_and(|authority| authority.contains('@'))
}

fn is_symbol(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

const DRIVER: &str = "the path of a driver's shared library";
const SECRETIVE: [&str; 6] =
    ["authorization", "credential", "password", "private_key", "secret", "token"];
