//! Which of our errors is an error of the server?
//!
//! The server's words quote values (`Incorrect DATE value: '…'`), so they are passed on only where nothing but names can be in them:
//! when a statement is prepared, nothing is bound yet. Elsewhere the error's number and its name stand for them.

use mysql_async::{DriverError, Error, IoError, ServerError, TlsError};

use crate::SiloError;

/// Maps an error of preparing a statement. Of names and syntax the server's own words are kept.
pub(super) fn preparing(error: &Error) -> SiloError {
    let Error::Server(said) = error else { return broken(error) };
    match said.code {
        1146 | 1051 => SiloError::Missing { what: named(said, "a table") },
        1049 => SiloError::Missing { what: named(said, "a database") },
        1054 => SiloError::Missing { what: named(said, "a column") },
        1060 => SiloError::Settings { what: format!("{} occurs twice", named(said, "a column")) },
        code if said.state.starts_with("42") || said.state.starts_with("0A") => {
            SiloError::Query { reason: format!("{} ({code})", said.message) }
        }
        _ => running(error),
    }
}

/// Maps an error of running a statement, without the server's words.
pub(super) fn running(error: &Error) -> SiloError {
    let Error::Server(said) = error else { return broken(error) };
    let reason = in_words(said);
    match said.code {
        // Names of tables: those of settings are known, so nobody has to read them here.
        1146 | 1049 | 1054 => SiloError::Missing { what: reason },
        126 | 127 | 145 | 1034 | 1035 | 1194 | 1195 | 1712 => SiloError::Corrupt { reason },
        code if PASSING.contains(&code) => SiloError::Unavailable { reason },
        _ if ["08", "40", "70"].contains(&said.state.get(..2).unwrap_or_default()) => {
            SiloError::Unavailable { reason }
        }
        _ => SiloError::Query { reason },
    }
}

/// Says whether all connections that the server, or the login, may have are counted as open.
pub(super) fn is_crowded(error: &Error) -> bool {
    matches!(error, Error::Server(said) if CROWDED.contains(&said.code))
}

/// Maps an error of connecting. Login and certificates are for the operator; everything else may pass.
pub(super) fn connecting(error: &Error) -> SiloError {
    match error {
        Error::Server(said) if said.code == 1049 => {
            SiloError::Missing { what: "the database".to_owned() }
        }
        Error::Server(said) if REFUSALS.contains(&said.code) => SiloError::Settings {
            what: format!("the server refused the login: {}", in_words(said)),
        },
        Error::Server(_) => running(error),
        Error::Driver(DriverError::NoClientSslFlagFromServer) => SiloError::Settings {
            what: "the server has no TLS, and clear text was not asked for".to_owned(),
        },
        Error::Driver(
            DriverError::UnknownAuthPlugin { .. }
            | DriverError::CleartextPluginDisabled
            | DriverError::MysqlOldPasswordDisabled,
        ) => SiloError::Settings {
            what: "the server asks for a kind of login that is not known or not safe (as MySQL does where there is no such user)".to_owned(),
        },
        _ => match refused_by_tls(error) {
            Some(error) => error,
            None => broken(error),
        },
    }
}

/// What TLS itself refused.
pub(super) fn tls(error: &Error) -> Option<&rustls::Error> {
    match error {
        Error::Io(IoError::Tls(TlsError::Tls(tls))) => Some(tls),
        Error::Io(IoError::Io(io)) => io.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn refused_by_tls(error: &Error) -> Option<SiloError> {
    match error {
        Error::Io(IoError::Tls(TlsError::InvalidDnsName(_))) => {
            let what = "url: its host is no name that a certificate can have".to_owned();
            return Some(SiloError::Settings { what });
        }
        Error::Io(IoError::Tls(TlsError::Pem(_) | TlsError::VerifierBuilderError(_))) => {
            let what = "url: its certificates cannot be used".to_owned();
            return Some(SiloError::Settings { what });
        }
        _ => {}
    }
    let tls = tls(error)?;
    let what = format!("the server's certificate or TLS was refused: {tls}");
    Some(match tls {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            SiloError::Settings { what }
        }
        _ => SiloError::Unavailable { reason: what },
    })
}

/// The server did not answer, or the line broke. The driver's own words may hold what came over the line.
fn broken(error: &Error) -> SiloError {
    let reason = match error {
        Error::Io(IoError::Io(io)) => format!("the line failed: {}", io.kind()),
        Error::Driver(DriverError::PacketTooLarge) => {
            return SiloError::Query {
                reason: "a row is larger than the protocol allows".to_owned(),
            };
        }
        Error::Driver(DriverError::LocalInfile(_)) => {
            return SiloError::Query { reason: "it asks for a file of this machine".to_owned() };
        }
        Error::Driver(
            DriverError::MixedParams
            | DriverError::StmtParamsMismatch { .. }
            | DriverError::StmtParamsNumberExceedsLimit { .. },
        ) => {
            let what = "the query has a parameter by place: write `:name`, not `?`".to_owned();
            return SiloError::Settings { what };
        }
        _ => "the line failed, or the server spoke another protocol".to_owned(),
    };
    SiloError::Unavailable { reason }
}

/// The first quoted name in a message such as `Table 'shop.orders' doesn't exist`, whatever the server's language.
fn named(said: &ServerError, what: &str) -> String {
    let kind = what.trim_start_matches("a ");
    let quoted = said.message.split_once('\'').and_then(|(_, rest)| rest.split_once('\''));
    match quoted {
        Some((name, _)) => format!("{kind} {name}"),
        None => format!("{what} of the statement"),
    }
}

/// An error's number with its name ([list](https://mariadb.com/kb/en/mariadb-error-codes/)).
fn in_words(said: &ServerError) -> String {
    let (code, state) = (said.code, &said.state);
    match NAMES.iter().find(|(known, _)| *known == code) {
        Some((_, name)) => format!("{name} ({code})"),
        None => format!("it failed while it ran ({code}, {state})"),
    }
}

/// Errors that may pass: limits, locks, shutdowns, space.
const PASSING: [u16; 22] = [
    1020, 1021, 1028, 1037, 1038, 1040, 1041, 1053, 1077, 1078, 1079, 1114, 1135, 1203, 1205, 1213,
    1226, 1317, 1637, 1969, 3024, 1412,
];
/// The login, or what the account may do.
const REFUSALS: [u16; 9] = [1044, 1045, 1129, 1130, 1251, 1698, 1862, 3118, 3159];

const NAMES: [(u16, &str); 45] = [
    (1020, "a record changed since it was read"),
    (1021, "disk full"),
    (1034, "an index is damaged"),
    (1037, "out of memory"),
    (1038, "out of memory for sorting: raise sort_buffer_size or set `key`"),
    (1040, "too many connections"),
    (1044, "access denied to the database"),
    (1045, "access denied: user or password"),
    (1049, "a database of the statement"),
    (1053, "the server is shutting down"),
    (1054, "a column of the statement"),
    (1104, "the server refuses to read so many rows (max_join_size)"),
    (1114, "a temporary table is full"),
    (1129, "the host is blocked after too many errors"),
    (1130, "the host may not connect"),
    (1142, "permission denied to a table"),
    (1143, "permission denied to a column"),
    (1146, "a table of the statement"),
    (1153, "a row is larger than max_allowed_packet"),
    (1203, "too many connections of the user"),
    (1205, "a lock was not available within lock_timeout"),
    (1213, "a deadlock"),
    (1226, "the user exceeded a limit"),
    (1227, "permission denied"),
    (1242, "a subquery has more than one row"),
    (1251, "the kind of login is not known"),
    (1267, "texts of collations that cannot be compared"),
    (1292, "an incorrect value"),
    (1317, "canceled"),
    (1345, "the server does not explain a view without the privilege SHOW VIEW"),
    (1356, "a view refers to what is not there or not allowed"),
    (1365, "division by zero"),
    (1370, "permission denied to a routine"),
    (1412, "a table was changed since the snapshot"),
    (1644, "an exception was raised"),
    (1690, "a number out of range"),
    (1698, "access denied"),
    (1712, "an index is damaged"),
    (1792, "it writes, and the session only reads"),
    (1862, "the password is expired"),
    (1969, "longer than statement_timeout"),
    (3024, "longer than statement_timeout"),
    (3118, "the account is locked"),
    (3159, "the server demands TLS"),
    (
        3988,
        "a letter that a column's character set does not have: write `:name collate utf8mb4_bin`",
    ),
];

/// What [`running`] says where a view is not explained.
pub(super) const UNSEEN_VIEW: &str =
    "the server does not explain a view without the privilege SHOW VIEW (1345)";

/// Of the server, of a user, of a login's own limit.
const CROWDED: [u16; 3] = [1040, 1203, 1226];

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16, state: &str, message: &str) -> Error {
        let (message, state) = (message.to_owned(), state.to_owned());
        Error::Server(ServerError { code, message, state })
    }

    #[test]
    fn running_errors_hold_nothing_that_the_server_said() {
        for (code, state) in [(1292, "22007"), (1644, "45000"), (9999, "HY000"), (1213, "40001")] {
            let error = running(&said(code, state, "Incorrect value: 'canary-5170'"));
            assert!(!error.to_string().contains("canary"), "{error}");
            assert!(error.to_string().contains(&code.to_string()), "{error}");
        }
        let odd = Error::Driver(DriverError::UnexpectedPacket { payload: b"canary-5171".to_vec() });
        assert!(!broken(&odd).to_string().contains("canary"));
    }

    #[test]
    fn names_of_tables_and_columns_are_found() {
        for (code, message, what) in [
            (1146, "Table 'shop.orders' doesn't exist", "table shop.orders is missing"),
            (1054, "Unknown column 'e' in 'where clause'", "column e is missing"),
            (1060, "Duplicate column name 'id'", "column id occurs twice"),
        ] {
            assert_eq!(preparing(&said(code, "42S02", message)).to_string(), what);
        }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        use antumbra_crypto::Retry;
        for code in [1040, 1205, 1213, 1317, 1969, 3024] {
            assert_eq!(running(&said(code, "HY000", "")).retry(), Retry::Later, "{code}");
        }
        assert_eq!(running(&said(1142, "42000", "")).retry(), Retry::Operator);
        assert_eq!(connecting(&said(1045, "28000", "")).retry(), Retry::Operator);
    }
}
