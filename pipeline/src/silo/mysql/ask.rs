//! How is a statement run whose answer is small, or prepared whose answer is not?

use mysql_async::prelude::Queryable;
use mysql_async::{Params, Row, Statement, Value};

use super::fault;
use super::link::Server;
use crate::SiloError;

/// Prepares a statement with as many parameters as there are values for.
pub(super) async fn prepare(
    server: &mut Server,
    sql: &str,
    parameters: usize,
) -> Result<Statement, SiloError> {
    if is_misread(sql) {
        let what = "the query has a backslash, and a colon before a word that is no parameter: take one of them out of its texts";
        return Err(SiloError::Settings { what: what.to_owned() });
    }
    let statement = server.conn.prep(sql).await.map_err(|error| fault::preparing(&error))?;
    if usize::from(statement.num_params()) != parameters {
        let what = "the query has a parameter by place: write `:name`, not `?`".to_owned();
        return Err(SiloError::Settings { what });
    }
    Ok(statement)
}

/// Runs a statement and returns its rows, which are few.
pub(super) async fn rows(
    server: &mut Server,
    sql: &str,
    binds: Vec<Value>,
) -> Result<Vec<Row>, SiloError> {
    let statement = prepare(server, sql, binds.len()).await?;
    let found: mysql_async::Result<Vec<Row>> =
        server.conn.exec(&statement, parameters(binds)).await;
    found.map_err(|error| fault::running(&error))
}

/// Runs a statement that has one row.
pub(super) async fn one(
    server: &mut Server,
    sql: &str,
    binds: Vec<Value>,
) -> Result<Option<Row>, SiloError> {
    Ok(rows(server, sql, binds).await?.into_iter().next())
}

pub(super) fn parameters(binds: Vec<Value>) -> Params {
    if binds.is_empty() { Params::Empty } else { Params::Positional(binds) }
}

/// The whole number at a place of a row; nought for NULL and for what is none.
pub(super) fn number(row: &Row, place: usize) -> u64 {
    match row.as_ref(place) {
        Some(Value::Int(number)) => u64::try_from(*number).unwrap_or(0),
        Some(Value::UInt(number)) => *number,
        Some(Value::Bytes(digits)) => {
            std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
        }
        _ => 0,
    }
}

/// The text at a place of a row; `None` for NULL.
pub(super) fn text(row: &Row, place: usize) -> Option<String> {
    match row.as_ref(place) {
        Some(Value::Bytes(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Some(Value::Int(number)) => Some(number.to_string()),
        Some(Value::UInt(number)) => Some(number.to_string()),
        _ => None,
    }
}

/// The driver looks for parameters by name in every statement and takes a backslash for an escape, which it is not in our sessions:
/// it could take a piece of a text for a parameter.
fn is_misread(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    bytes.contains(&b'\\')
        && bytes.windows(2).any(|pair| matches!(pair, [b':', b'a'..=b'z' | b'_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_the_driver_would_change_is_noticed() {
        assert!(is_misread(r"select 'x\', 'a:b'"));
        assert!(!is_misread(r"select 'x\', 'a: b'"));
        assert!(!is_misread("select 'a:b'"));
    }
}
