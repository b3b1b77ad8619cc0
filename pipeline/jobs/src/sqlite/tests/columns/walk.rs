//! What is wrong with the columns of a store? Each is read, and compared with what is declared of it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use rusqlite::types::Value;

use super::super::room::{CANARY, Room};
use super::declared::{Kind, TABLES, Table};
use super::everything;
use crate::facts::ACTIONS;
use crate::sqlite::sealing::Cell;
use crate::{Actor, AuditEvent, JobStore as _, TenantId};

#[tokio::test]
async fn every_column_is_declared_and_holds_what_it_says() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let keyed = everything::fill(&store, &room).await;
    assert_eq!(faults(&room, &keyed), Vec::<String>::new());
    room.assert_no_canary("while the store is open");
    store.verify_audit().await.unwrap();
    drop(store);
    room.assert_no_canary("after closing");
}

#[tokio::test]
async fn what_nobody_declared_or_sealed_is_found() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let keyed = everything::fill(&store, &room).await;
    for (sql, fault) in [
        ("ALTER TABLE requests ADD COLUMN nickname TEXT", "requests.nickname is not declared"),
        ("CREATE TABLE notes (id INTEGER PRIMARY KEY) STRICT", "notes is not declared"),
        (
            "UPDATE jobs SET failure_code = 'Ada Lovelace' WHERE failure_code NOT NULL",
            "jobs.failure_code",
        ),
        ("UPDATE timeline SET notes = 'asked by ada@example.com'", "timeline.notes"),
        ("UPDATE requests SET subject_type = 'Ada Lovelace'", "requests.subject_type"),
        ("UPDATE api_keys SET name = CAST('crm' AS BLOB)", "api_keys.name does not open"),
        ("UPDATE slices SET cursor = state", "slices.cursor does not open"),
        (
            "UPDATE requests SET subject_lookup = zeroblob(32)",
            "requests.subject_lookup is not keyed",
        ),
        ("UPDATE audit SET subject = 'ada'", "audit.subject is not keyed"),
        ("UPDATE audit SET facts = '{\"name\":\"Ada\"}'", "audit.facts"),
        ("UPDATE meta SET value = x'00' WHERE name = 'proof'", "meta.value does not open"),
        ("UPDATE jobs SET failure_message = NULL", "jobs.failure_message holds nothing"),
        ("DELETE FROM retired_keys", "retired_keys.key_id holds nothing"),
    ] {
        let connection = Connection::open(&room.path).unwrap();
        connection.execute_batch(&format!("SAVEPOINT before; {sql}")).unwrap();
        let found = faults_of(&connection, &room, &keyed);
        assert!(found.iter().any(|found| found.starts_with(fault)), "{sql}: {found:?}");
        connection.execute_batch("ROLLBACK TO before; RELEASE before").unwrap();
    }
    assert_eq!(faults(&room, &keyed), Vec::<String>::new());
}

#[tokio::test]
async fn the_store_that_is_looked_at_holds_every_fact_of_every_action() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    everything::fill(&store, &room).await;
    let mut written: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in store.audit_entries(u32::MAX).await.unwrap() {
        written.entry(entry.action).or_default().extend(entry.facts.into_keys());
    }
    let declared = ACTIONS.iter().map(|(action, facts)| {
        ((*action).to_owned(), facts.iter().map(|(name, _)| (*name).to_owned()).collect())
    });
    assert_eq!(written, declared.collect());
}

#[tokio::test]
#[should_panic(expected = "key.rotated: the fact name is not declared")]
async fn an_event_that_is_not_declared_is_not_written() {
    let room = Room::new().await;
    let store = room.open().unwrap();
    let event = AuditEvent {
        action: "key.rotated",
        actor: Actor::Operator,
        tenant: TenantId::new("acme").unwrap(),
        request: None,
        job: None,
        facts: [("name", CANARY.to_owned())].into(),
    };
    store.audit(event).await.unwrap();
}

#[test]
fn the_store_that_is_looked_at_holds_something_of_every_call() {
    let written = [include_str!("everything.rs"), include_str!("../room.rs")].concat();
    let calls = include_str!("../../../store.rs").split("async fn ").skip(1);
    let names: Vec<&str> = calls.map(|call| call.split('(').next().unwrap()).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(written.contains(&format!(".{name}(")), "nobody calls {name}");
    }
}

/// What is wrong with the columns of the room's store.
fn faults(room: &Room, keyed: &BTreeSet<Vec<u8>>) -> Vec<String> {
    faults_of(&Connection::open(&room.path).unwrap(), room, keyed)
}

fn faults_of(sql: &Connection, room: &Room, keyed: &BTreeSet<Vec<u8>>) -> Vec<String> {
    let mut faults = undeclared(sql);
    let mut sealed = Vec::new();
    for table in TABLES {
        let rows = read(sql, table);
        for (at, (column, kind)) in table.columns.iter().enumerate() {
            let place = format!("{}.{column}", table.name);
            let mut seen = false;
            for row in &rows {
                let value = &row.values[at];
                // A forgotten job's manifest is empty, the report is of no silo: there is nothing to seal.
                if matches!(value, Value::Null) || bytes_of(value).is_some_and(<[u8]>::is_empty) {
                    continue;
                }
                seen = true;
                match kind.of(row.name()) {
                    Kind::Sealed(name) => sealed.push(Sealed::new(&place, table, row, name, value)),
                    Kind::Keyed if keyed.contains(&bytes(value)) => {}
                    Kind::Keyed => faults.push(format!("{place} is not keyed: {value:?}")),
                    Kind::Plain(shape, _) if shape.fits(value) => {}
                    Kind::Plain(shape, why) => {
                        faults.push(format!("{place} ({why}) is not {shape:?}: {value:?}"));
                    }
                    Kind::Meta => faults.push(format!("{place} has a row that is not declared")),
                }
            }
            if !seen {
                faults.push(format!("{place} holds nothing"));
            }
        }
    }
    faults.extend(unsealed(room, &sealed));
    faults
}

/// Tables and columns that are there or declared, but not both.
fn undeclared(sql: &Connection) -> Vec<String> {
    let column = |sql: &Connection, query: &str| -> BTreeSet<String> {
        let mut statement = sql.prepare(query).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let found = column(sql, tables);
    let declared: BTreeSet<String> = TABLES.iter().map(|table| table.name.to_owned()).collect();
    let mut faults: Vec<String> = found
        .symmetric_difference(&declared)
        .map(|name| format!("{name} is not declared"))
        .collect();
    for table in TABLES {
        let query = format!("SELECT name FROM pragma_table_xinfo('{}')", table.name);
        let found = column(sql, &query);
        let declared = table.columns.iter().map(|(column, _)| (*column).to_owned()).collect();
        for name in found.symmetric_difference(&declared) {
            faults.push(format!("{}.{name} is not declared", table.name));
        }
    }
    faults
}

/// Sealed values that do not open for their place, or open for another.
fn unsealed(room: &Room, sealed: &[Sealed]) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, value) in sealed.iter().enumerate() {
        if room.sealing.open(&value.cell, &value.bytes).is_err() {
            faults.push(format!("{} does not open", value.place));
        }
        for other in sealed.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, o)| o) {
            if room.sealing.open(&other.cell, &value.bytes).is_ok() {
                faults.push(format!("{} opens as {}", value.place, other.place));
            }
        }
        let text = String::from_utf8_lossy(&value.bytes).to_lowercase();
        assert!(!text.contains(&CANARY.to_lowercase()), "{}", value.place);
    }
    faults
}

fn read(sql: &Connection, table: &Table) -> Vec<Row> {
    let columns = |names: &[&str]| {
        names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    };
    let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let query = format!("SELECT {} FROM {}", columns(&[table.key, &names].concat()), table.name);
    let mut statement = sql.prepare(&query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let keys = table.key.len();
    let rows = statement.query_map([], |row| {
        let all: Result<Vec<Value>, _> = (0..keys + names.len()).map(|at| row.get(at)).collect();
        all.map(|mut all| Row { values: all.split_off(keys), key: all })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// A row of a table: what names it, and every column.
struct Row {
    key: Vec<Value>,
    values: Vec<Value>,
}

impl Row {
    /// The row's key, where it is a word.
    fn name(&self) -> &str {
        match self.key.first() {
            Some(Value::Text(name)) => name,
            _ => "",
        }
    }
}

struct Sealed {
    place: String,
    cell: Cell,
    bytes: Vec<u8>,
}

impl Sealed {
    fn new(place: &str, table: &Table, row: &Row, name: &'static str, value: &Value) -> Self {
        let key: Vec<u8> = row.key.iter().flat_map(bytes).collect();
        let cell = Cell::new(table.name, &key, name);
        Self { place: place.to_owned(), cell, bytes: bytes(value) }
    }
}

fn bytes_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Blob(bytes) => Some(bytes),
        Value::Text(text) => Some(text.as_bytes()),
        _ => None,
    }
}

/// A value as it is written in the key of a row: a number has four bytes.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Blob(bytes) => bytes.clone(),
        Value::Text(text) => text.clone().into_bytes(),
        Value::Integer(number) => u32::try_from(*number).unwrap().to_be_bytes().to_vec(),
        other => panic!("{other:?} names no row"),
    }
}
