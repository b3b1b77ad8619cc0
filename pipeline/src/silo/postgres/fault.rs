//! Which of our errors is an error of PostgreSQL?
//!
//! The server's words quote values (`invalid input syntax for type integer: "…"`), so they are passed on only where nothing but
//! names can be in them: when a statement is prepared, nothing is bound yet. Elsewhere the SQLSTATE and its name stand for them.

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::SiloError;

/// Maps an error of preparing a statement. Of names and syntax the server's own words are kept.
pub(super) fn preparing(error: &Error) -> SiloError {
    let Some(said) = error.as_db_error() else { return broken(error) };
    let code = said.code().code();
    match code {
        "42P01" | "3F000" => SiloError::Missing { what: named(said, "a table") },
        "42703" => SiloError::Missing { what: named(said, "a column") },
        // Of a name that somebody else has given a statement behind the same pooler; the next line has another one.
        "42P05" => running(error),
        _ if code.starts_with("42") || code.starts_with("0A") => {
            SiloError::Query { reason: format!("{} ({code})", said.message()) }
        }
        _ => running(error),
    }
}

/// Maps an error of running a statement, without the server's words.
pub(super) fn running(error: &Error) -> SiloError {
    let Some(said) = error.as_db_error() else { return broken(error) };
    let code = said.code().code();
    let reason = in_words(code);
    match code {
        // The last three: of a statement that was prepared earlier; it is prepared anew at the next try.
        "57014" | "55P03" | "25P03" | "25P04" | "0A000" | "26000" | "42P05" => {
            SiloError::Unavailable { reason }
        }
        "XX001" | "XX002" => SiloError::Corrupt { reason },
        // Names of tables: those of settings are known, so nobody has to read them here.
        "42P01" | "42703" | "3F000" => SiloError::Missing { what: reason },
        _ if PASSING.contains(&code.get(..2).unwrap_or_default()) => {
            SiloError::Unavailable { reason }
        }
        _ => SiloError::Query { reason },
    }
}

/// Maps an error of connecting. Login and certificates are for the operator; everything else may pass.
pub(super) fn connecting(error: &Error) -> SiloError {
    if let Some(said) = error.as_db_error() {
        let code = said.code().code();
        return match code {
            "3D000" => SiloError::Missing { what: "the database".to_owned() },
            _ if code.starts_with("28") => SiloError::Settings {
                what: format!("the server refused the login: {}", in_words(code)),
            },
            _ => running(error),
        };
    }
    if let Some(tls) = source::<rustls::Error>(error) {
        let what = format!("the server's certificate or TLS was refused: {tls}");
        return match tls {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                SiloError::Settings { what }
            }
            _ => SiloError::Unavailable { reason: what },
        };
    }
    let said = error.to_string();
    match said.as_str() {
        // What stands behind is ours or the driver's: no server was asked for its words.
        "error performing TLS handshake" | "authentication error" | "invalid configuration" => {
            let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            SiloError::Settings { what: format!("{said}: {why}") }
        }
        _ => broken(error),
    }
}

/// Says whether the server does not know something that PostgreSQL knows.
pub(super) fn is_lacking(error: &Error) -> bool {
    let code = error.code().map(|code| code.code()).unwrap_or_default();
    code.starts_with("42") || code.starts_with("0A")
}

/// The server did not answer, or the line broke.
fn broken(error: &Error) -> SiloError {
    let reason = match source::<std::io::Error>(error) {
        Some(io) => format!("{error}: {}", io.kind()),
        None => error.to_string(),
    };
    SiloError::Unavailable { reason }
}

/// Finds an error of a kind among the sources, also inside an I/O error, which hides its own.
fn source<T: std::error::Error + 'static>(error: &Error) -> Option<&T> {
    let mut next = std::error::Error::source(error);
    while let Some(here) = next {
        if let Some(found) = here.downcast_ref() {
            return Some(found);
        }
        if let Some(io) = here.downcast_ref::<std::io::Error>()
            && let Some(found) = io.get_ref().and_then(|inner| inner.downcast_ref())
        {
            return Some(found);
        }
        next = here.source();
    }
    None
}

/// The name in a message such as `relation "shop.orders" does not exist`, whatever the server's language.
fn named(said: &DbError, what: &str) -> String {
    let kind = what.trim_start_matches("a ");
    let message = said.message();
    let quoted = message
        .split_once(['"', '«', '„', '“'])
        .and_then(|(_, rest)| rest.split_once(['"', '»', '“', '”']))
        .map(|(name, _)| name.trim());
    match (quoted, message.split_whitespace().nth(1)) {
        (Some(name), _) => format!("{kind} {name}"),
        // `column t.x does not exist`
        (None, Some(name)) if name.contains('.') => format!("{kind} {name}"),
        _ => format!("{what} of the statement"),
    }
}

/// A SQLSTATE with its name ([list](https://www.postgresql.org/docs/current/errcodes-appendix.html)).
fn in_words(code: &str) -> String {
    let name = NAMES.iter().find(|(known, _)| *known == code).or_else(|| {
        let class = code.get(..2)?;
        NAMES.iter().find(|(known, _)| *known == class)
    });
    match name {
        Some((_, name)) => format!("{name} ({code})"),
        None => format!("it failed while it ran ({code})"),
    }
}

/// Classes whose errors may pass: connection, rollback (a conflict with recovery on a standby), resources, intervention, system.
const PASSING: [&str; 5] = ["08", "40", "53", "57", "58"];

const NAMES: [(&str, &str); 45] = [
    ("57014", "canceled, or longer than statement_timeout"),
    ("55P03", "a lock was not available within lock_timeout"),
    ("25P03", "idle in transaction for too long"),
    ("25P04", "the transaction took too long"),
    ("25006", "it writes, and the session only reads"),
    ("57P01", "the server is shutting down"),
    ("57P02", "the server crashed"),
    ("57P03", "the server cannot be connected to now"),
    ("57P04", "the database was dropped"),
    ("57P05", "idle session timeout"),
    ("53300", "too many connections"),
    ("53100", "disk full"),
    ("53200", "out of memory"),
    ("28P01", "invalid password"),
    ("28000", "invalid authorization specification"),
    ("42501", "permission denied"),
    ("42P05", "a prepared statement of that name was there already"),
    ("42P01", "a table of the statement"),
    ("42703", "a column of the statement"),
    ("42883", "no such function or operator"),
    ("40001", "serialization failure or conflict with recovery"),
    ("22P02", "invalid text representation"),
    ("22P05", "untranslatable character"),
    ("22003", "numeric value out of range"),
    ("22007", "invalid datetime format"),
    ("22008", "datetime field overflow"),
    ("22012", "division by zero"),
    ("22021", "character not in repertoire"),
    ("2200M", "invalid XML document"),
    ("2200N", "invalid XML content"),
    ("P0001", "an exception was raised"),
    ("XX000", "internal error"),
    ("XX001", "data corrupted"),
    ("XX002", "index corrupted"),
    ("08", "connection exception"),
    ("21", "cardinality violation"),
    ("22", "data exception"),
    ("25", "invalid transaction state"),
    ("26", "invalid SQL statement name"),
    ("3F", "a schema of the statement"),
    ("40", "transaction rollback"),
    ("42", "syntax error or access rule violation"),
    ("53", "insufficient resources"),
    ("54", "program limit exceeded"),
    ("58", "system error"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names_and_unknown_ones_their_class() {
        assert_eq!(in_words("22P02"), "invalid text representation (22P02)");
        assert_eq!(in_words("22ZZZ"), "data exception (22ZZZ)");
        assert_eq!(in_words("F0000"), "it failed while it ran (F0000)");
    }

    #[test]
    fn exact_codes_stand_before_classes() {
        let first_class = NAMES.iter().position(|(code, _)| code.len() == 2).unwrap();
        assert!(NAMES.iter().skip(first_class).all(|(code, _)| code.len() == 2));
    }
}
