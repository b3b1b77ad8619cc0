//! Sessions of the `postgres` silo beside and after one another: one snapshot, one connection used again, nothing remembered that has
//! changed.

use antumbra_pipeline::SiloError;
use antumbra_pipeline::silo::postgres::PostgresSilo;
use antumbra_pipeline::silo::{Identifiers, Session, Silo};

use crate::pg_server::{PgServer, ada, cells, column, drain, known, query, read, table, whole};
use crate::room::block_on;

const ROWS: &str = "create table t (id int primary key, email text, pad text);
    insert into t select g, 'ada@example.com', 'p' from generate_series(1, 3) g; analyze t;";

#[test]
fn postgres_sessions_beside_one_another_read_one_snapshot() {
    let server = PgServer::start();
    block_on(async {
        server.run(ROWS).await;
        let silo = server.silo();
        let mut first = silo.connect().await.unwrap();
        server.run("insert into t values (4, 'ada@example.com', 'p'), (5, 'bob', 'p')").await;
        let mut second = first.beside().await.unwrap().unwrap();
        let mut third = second.beside().await.unwrap().unwrap();
        let mut later = silo.connect().await.unwrap();
        for (session, rows) in [(&mut first, 3), (&mut second, 3), (&mut third, 3), (&mut later, 4)]
        {
            assert_eq!(ids(session.as_mut(), &ada()).await.len(), rows);
            assert_eq!(session.count_whole(&table("t"), &ada()).await.unwrap(), Some(rows as u64));
        }
        assert_eq!(later.count_whole(&whole(table("t")), &ada()).await.unwrap(), Some(5));
        // Two at a time, which one session cannot.
        let shape = first.describe(&table("t"), &ada()).await.unwrap();
        let known = ada();
        let section = table("t");
        let mut one = first.read(&section, &known, &shape, None).await.unwrap();
        let mut two = second.read(&section, &known, &shape, None).await.unwrap();
        let (one, two) = (one.next().await.unwrap().unwrap(), two.next().await.unwrap().unwrap());
        assert_eq!(one, two);
        // The snapshot goes with the session that took it; the others keep it, and nobody joins any more.
        drop(first);
        server.wait_for(IN_TRANSACTION, "3").await;
        assert!(second.beside().await.unwrap().is_none());
        assert_eq!(ids(second.as_mut(), &ada()).await.len(), 3);
        let mut fresh = silo.connect().await.unwrap();
        assert_eq!(ids(fresh.as_mut(), &ada()).await.len(), 4);
    });
}

#[test]
fn postgres_connections_are_used_again_when_their_session_ended_well() {
    let server = PgServer::start();
    block_on(async {
        server.run(ROWS).await;
        let silo = server.silo();
        let first = pid(&silo).await;
        server.wait_for(WAITING, "1").await;
        assert_eq!(pid(&silo).await, first);
        server.wait_for(WAITING, "1").await;
        // The next one reads a snapshot of its own, and the rows of whom it is asked for.
        server.run("insert into t values (4, 'bob@example.com', 'p')").await;
        let mut session = silo.connect().await.unwrap();
        assert_eq!(ids(session.as_mut(), &ada()).await, ["1", "2", "3"]);
        assert_eq!(ids(session.as_mut(), &known("email", &["bob@example.com"])).await, ["4"]);
        // One whose statement still runs is not kept.
        let sleeps = query("select pg_sleep(600), :email");
        let shape = session.describe(&sleeps, &ada()).await.unwrap();
        let batches = session.read(&sleeps, &ada(), &shape, None).await.unwrap();
        server.wait_for(RUNNING, "1").await;
        drop(session);
        drop(batches);
        server.wait_for(LINES, "0").await;
        let second = pid(&silo).await;
        assert_ne!(second, first);
        // One that the server ends while it waits is replaced.
        server.wait_for(WAITING, "1").await;
        server.ask(&format!("select pg_terminate_backend({second})")).await;
        assert_ne!(pid(&silo).await, second);
        // The last goes with the silo.
        drop(silo);
        server.wait_for(LINES, "0").await;
    });
}

#[test]
fn postgres_tables_that_change_between_sessions_are_described_as_they_are() {
    let server = PgServer::start();
    block_on(async {
        server.run(ROWS).await;
        let silo = server.silo();
        let mut changes = vec![("select 1", vec!["id", "email", "pad"], true)];
        changes.push((
            "alter table t add column extra int default 7",
            vec!["id", "email", "pad", "extra"],
            true,
        ));
        changes.push((
            "alter table t alter column extra type text",
            vec!["id", "email", "pad", "extra"],
            true,
        ));
        changes.push(("alter table t drop column pad", vec!["id", "email", "extra"], true));
        changes.push(("alter table t drop constraint t_pkey", vec!["id", "email", "extra"], false));
        for (change, columns, keyed) in changes {
            server.run(change).await;
            for _ in 0..2 {
                let mut session = silo.connect().await.unwrap();
                let (shape, batches) = read(session.as_mut(), &table("t"), &ada()).await.unwrap();
                let names: Vec<&str> = shape.columns.iter().map(|column| &*column.name).collect();
                assert_eq!((names, shape.keyed), (columns.clone(), keyed), "{change}");
                assert_eq!(cells(&shape, &batches)["id"].len(), 3, "{change}");
                drop(session);
                server.wait_for(WAITING, "1").await;
            }
        }
        // A column that is matched and gone is told as such, and the session goes on.
        server.run("alter table t rename column email to mail").await;
        let mut session = silo.connect().await.unwrap();
        let error = session.describe(&table("t"), &ada()).await.unwrap_err();
        assert!(error.to_string().contains("column email is missing"), "{error}");
        server.run("alter table t rename column mail to email").await;
        assert_eq!(ids(session.as_mut(), &ada()).await.len(), 3);
    });
}

/// What is remembered holds in a snapshot; a table that is changed after it, before anything of it was read, is told by its types.
#[test]
fn postgres_table_that_changes_behind_the_snapshot_is_not_taken_for_what_it_was() {
    let server = PgServer::start();
    block_on(async {
        server.run(ROWS).await;
        let silo = server.silo();
        let mut session = silo.connect().await.unwrap();
        let (shape, _) = read(session.as_mut(), &table("t"), &ada()).await.unwrap();
        drop(session);
        server.wait_for(WAITING, "1").await;
        // The connection that waited has the statement; another one prepares it.
        let mut session = silo.connect().await.unwrap();
        let mut other = silo.connect().await.unwrap();
        server.run("alter table t alter column pad type bytea using pad::bytea").await;
        let batches = session.read(&table("t"), &ada(), &shape, None).await.unwrap();
        let error = drain(batches).await.unwrap_err();
        assert!(error.to_string().contains("0A000"), "{error}");
        let refused = other.read(&table("t"), &ada(), &shape, None).await;
        assert_eq!(refused.err(), Some(SiloError::ShapeChanged));
        let now = other.describe(&table("t"), &ada()).await.unwrap();
        assert!(now.columns != shape.columns, "{now:?}");
    });
}

/// A section that is known costs two statements, and none is prepared again but the one that asks for the columns.
#[test]
fn postgres_sections_that_are_known_cost_few_statements() {
    let server = PgServer::start();
    block_on(async {
        server.run(ROWS).await;
        let silo = server.silo();
        let mut prepared = Vec::new();
        for _ in 0..3 {
            let mut session = silo.connect().await.unwrap();
            read(session.as_mut(), &table("t"), &ada()).await.unwrap();
            let counting =
                query("select count(*)::int as n from pg_prepared_statements where :email <> ''");
            let (shape, batches) = read(session.as_mut(), &counting, &ada()).await.unwrap();
            prepared.push(column(&shape, &batches, "n").remove(0));
            drop(session);
            server.wait_for(WAITING, "1").await;
        }
        assert_eq!(prepared[1], prepared[2], "{prepared:?}");
    });
}

async fn ids(session: &mut dyn Session, known: &Identifiers) -> Vec<String> {
    let (shape, batches) = read(session, &table("t"), known).await.unwrap();
    column(&shape, &batches, "id")
}

async fn pid(silo: &PostgresSilo) -> String {
    let mut session = silo.connect().await.unwrap();
    let asked = query("select pg_backend_pid() as pid where :email <> ''");
    let (shape, batches) = read(session.as_mut(), &asked, &ada()).await.unwrap();
    column(&shape, &batches, "pid").remove(0)
}

const LINES: &str = "select count(*) from pg_stat_activity where application_name = 'antumbra'";
const WAITING: &str =
    "select count(*) from pg_stat_activity where application_name = 'antumbra' and state = 'idle'";
const RUNNING: &str = "select count(*) from pg_stat_activity where application_name = 'antumbra' and state = 'active'";
const IN_TRANSACTION: &str = "select count(*) from pg_stat_activity where application_name = 'antumbra' and state = 'idle in transaction'";
