//! How does a transaction begin and end, and is the connection behind it still the one it was?
//!
//! A connection is kept from one session to the next with the statements prepared on it. Behind a pooler the next transaction may run
//! on another connection of the server's, where a statement of that name is somebody else's, so each transaction is asked first which
//! connection this is and what is prepared on it; one that is not as it was left is never used. A new line on which something is
//! prepared already is a pooler's: what has a name of our driver's is taken away there, and nothing is left behind any more.

use std::sync::Arc;

use tokio_postgres::{Client, Error, SimpleQueryMessage};

use super::marks::Marks;
use super::silo::Limits;

/// What a transaction said when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Began {
    /// The process and its prepared statements. `None`: the server does not tell, and the connection is not kept.
    pub(super) mark: Option<String>,
    /// What other sessions of the same server read the same rows by.
    pub(super) snapshot: Option<Snapshot>,
}

/// A snapshot that a transaction exports for as long as it lives.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// Letters that need no quoting.
    name: String,
    /// When that server was started: no other server's snapshot of the same name is meant.
    server: String,
    /// What the catalogue says in it, for all who read it.
    pub(super) marks: Arc<Marks>,
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.server == other.server
    }
}

impl Eq for Snapshot {}

/// Begins a transaction in one round trip. All settings end with it: nothing is left to whom a pooler gives the line next.
/// The snapshot is taken by it, or is the one that is given.
pub(super) async fn begin(
    client: &Client,
    limits: Limits,
    of: Option<&Snapshot>,
) -> Result<Began, Error> {
    let import = of.map(|of| format!("set transaction snapshot '{}'; ", of.name));
    let sql = format!(
        "{BEGIN}{}{}select {MARK}, pg_catalog.pg_postmaster_start_time()::text, {}; savepoint antumbra",
        import.unwrap_or_default(),
        settings(limits),
        if of.is_some() { "null" } else { "pg_catalog.pg_export_snapshot()" },
    );
    let said = client.simple_query(&sql).await?;
    let [mark, server, name] = last_row(&said);
    let snapshot = match (of, name, server) {
        (Some(of), _, Some(server)) if server == of.server => Some(of.clone()),
        (None, Some(name), Some(server)) if is_plain(&name) => {
            Some(Snapshot { name, server, marks: Arc::default() })
        }
        _ => None,
    };
    Ok(Began { mark, snapshot })
}

impl Began {
    /// Says whether anything is prepared on the connection.
    pub(super) fn has_statements(&self) -> bool {
        self.mark.as_deref().and_then(|mark| mark.split(' ').nth(1)).is_some_and(|n| n != "0")
    }
}

/// Takes away statements that have a name of our driver's, and returns how the connection is then marked. Whoever else uses such names
/// behind a pooler cannot count on them either.
pub(super) async fn clear(client: &Client) -> Result<Option<String>, Error> {
    let found = client.simple_query(OURS).await?;
    let names = found.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    // Their letters need no quoting.
    let sql: String = names.map(|name| format!("deallocate {name}; ")).collect();
    let said = client.simple_query(&format!("{sql}select {MARK}, null, null")).await?;
    let [mark, _, _] = last_row(&said);
    Ok(mark)
}

/// As [`begin`], with nothing that some systems lack.
pub(super) async fn begin_plain(client: &Client, limits: Limits) -> Result<Began, Error> {
    client.batch_execute(&format!("{BEGIN}{}savepoint antumbra", local(limits))).await?;
    // It takes the snapshot, too.
    match client.batch_execute(&format!("{NEWER}; savepoint antumbra")).await {
        Err(error) if error.as_db_error().is_some() => client.batch_execute(ROLL_BACK).await?,
        done => done?,
    }
    Ok(Began { mark: None, snapshot: None })
}

/// Ends a transaction and says how it leaves the connection.
pub(super) async fn end(client: &Client) -> Result<Option<String>, Error> {
    let said = client.simple_query(&format!("select {MARK}, null, null; rollback")).await?;
    let [mark, _, _] = last_row(&said);
    Ok(mark)
}

/// Ends a transaction on a connection that is not used any more.
pub(super) async fn leave(client: &Client) -> Result<(), Error> {
    client.batch_execute("rollback").await
}

fn settings(limits: Limits) -> String {
    format!("{}{NEWER}; ", local(limits))
}

fn local(limits: Limits) -> String {
    format!(
        "set local default_transaction_read_only = on; \
         set local statement_timeout = {}; set local lock_timeout = {}; \
         set local idle_in_transaction_session_timeout = 0; set local client_min_messages = error; \
         set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601'; \
         set local extra_float_digits = 3; set local bytea_output = 'hex'; \
         set local standard_conforming_strings = on; ",
        limits.statement.as_millis(),
        limits.lock.as_millis(),
    )
}

fn last_row<const N: usize>(said: &[SimpleQueryMessage]) -> [Option<String>; N] {
    let row = said.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) if row.len() == N => Some(row),
        _ => None,
    });
    std::array::from_fn(|place| row?.try_get(place).ok().flatten().map(str::to_owned))
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

const BEGIN: &str = "begin isolation level repeatable read read only; ";
/// What older servers do not have.
const NEWER: &str = "select set_config(name, case name when 'transaction_timeout' then '0' else '10000' end, true) \
     from pg_catalog.pg_settings where name in ('transaction_timeout', 'client_connection_check_interval')";
/// A statement that was prepared anew, by whomever, is later than the latest; one that is gone is missing.
const MARK: &str = "(select pg_catalog.concat_ws(' ', pg_catalog.pg_backend_pid(), count(*), \
     extract(epoch from max(prepare_time))) from pg_catalog.pg_prepared_statements)";
const OURS: &str = "select name from pg_catalog.pg_prepared_statements where name operator(pg_catalog.~) '^s[0-9]{1,18}$'";
pub(super) const ROLL_BACK: &str = "rollback to savepoint antumbra";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_whether_anything_is_prepared() {
        let began = |mark: Option<&str>| Began { mark: mark.map(str::to_owned), snapshot: None };
        assert!(began(Some("4711 2 1790000000.5")).has_statements());
        assert!(!began(Some("4711 0")).has_statements());
        assert!(!began(None).has_statements());
    }

    #[test]
    fn names_that_would_need_quoting_are_no_snapshots() {
        assert!(is_plain("00000003-0000001B-1"));
        assert!(!is_plain("") && !is_plain("1'; drop table x; --"));
    }
}
