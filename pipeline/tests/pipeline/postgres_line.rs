//! The line to the server: its snapshot, its limits, how it is encrypted, how it ends.

use std::time::Duration;

use antumbra_crypto::Retry;
use antumbra_pipeline::SiloError;
use antumbra_pipeline::silo::Silo;
use antumbra_pipeline::silo::postgres::{Limits, PostgresSilo};

use crate::pg_server::{
    LIMITS, PASSWORD, PgServer, ada, column, drain, keyed, query, read, silo, table, whole,
};
use crate::room::block_on;

const ROWS: &str = "create table t (id int primary key, email text, pad text);
    insert into t select g, 'ada@example.com', repeat('x', 1000) from generate_series(1, 60000) g; analyze t;";

#[test]
fn postgres_sessions_read_one_snapshot_and_end_what_they_began() {
    let server = PgServer::start();
    block_on(server.run(ROWS));
    block_on(one_snapshot(&server));
    block_on(limits(&server));
    block_on(back_pressure(&server));
    block_on(what_is_dropped_is_cancelled(&server));
}

#[test]
fn postgres_that_goes_away_is_unavailable_and_never_an_end() {
    let mut server = PgServer::start();
    block_on(server.run(ROWS));
    block_on(async {
        // A backend that is ended by an administrator, while nothing is read from the line.
        let mut session = server.session().await;
        let shape = session.describe(&table("t"), &ada()).await.unwrap();
        let mut batches = session.read(&table("t"), &ada(), &shape, None).await.unwrap();
        assert!(batches.next().await.unwrap().is_some());
        server.wait_for(WAITS_FOR, "ClientWrite").await;
        let ended = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'antumbra'";
        assert_eq!(server.ask(ended).await, "1");
        assert_unavailable(&drain(batches).await.unwrap_err());
        assert_unavailable(&session.describe(&table("t"), &ada()).await.unwrap_err());
        // A new session of the same silo is as good as the first.
        let mut session = server.session().await;
        let mut batches = session.read(&table("t"), &ada(), &shape, None).await.unwrap();
        assert!(batches.next().await.unwrap().is_some());
        // The whole server, in the middle of a read.
        server.crash();
        assert_unavailable(&drain(batches).await.unwrap_err());
        assert_unavailable(&session.describe(&table("t"), &ada()).await.unwrap_err());
        assert_unavailable(&server.silo().connect().await.err().unwrap());
    });
}

#[test]
fn postgres_over_tls_believes_whom_it_is_told_to() {
    let server = PgServer::start();
    block_on(async {
        server.run(ROWS).await;
        let (ca, other) = (server.dir.join("ca.pem"), server.dir.join("other.pem"));
        let (ca, other) = (ca.display(), other.display());
        let encrypted =
            "select ssl::text from pg_stat_ssl where pid = pg_backend_pid() and :email <> ''";
        // The certificate is for `localhost`.
        let named = server.url("").replace("127.0.0.1", "localhost");
        let address = server.url("");
        for (url, expected) in [
            (format!("{named}?sslmode=verify-full&sslrootcert={ca}"), Ok("true")),
            (format!("{address}?sslmode=verify-ca&sslrootcert={ca}"), Ok("true")),
            (format!("{address}?sslmode=require"), Ok("true")),
            (format!("{address}?sslmode=require&channel_binding=require"), Ok("true")),
            (format!("{address}?sslmode=require&sslrootcert={ca}"), Ok("true")),
            (address.clone(), Ok("false")),
            (format!("{address}?sslmode=verify-full&sslrootcert={ca}"), Err("not valid for name")),
            (format!("{named}?sslmode=verify-full&sslrootcert={other}"), Err("UnknownIssuer")),
            (format!("{named}?sslmode=verify-ca&sslrootcert={other}"), Err("UnknownIssuer")),
            (format!("{address}?sslmode=require&sslrootcert={other}"), Err("UnknownIssuer")),
        ] {
            let made = silo(&url);
            match (made.connect().await, expected) {
                (Ok(mut session), Ok(expected)) => {
                    let (shape, batches) =
                        read(session.as_mut(), &query(encrypted), &ada()).await.unwrap();
                    assert_eq!(column(&shape, &batches, "ssl"), [expected], "{url}");
                }
                (Err(error), Err(expected)) => {
                    assert!(error.to_string().contains(expected), "{url}: {error}");
                    assert_eq!(error.retry(), Retry::Operator);
                    assert!(!format!("{error} {error:?} {made:?}").contains(PASSWORD));
                }
                (found, _) => panic!("{url}: {:?}", found.err()),
            }
        }
        // Statements are cancelled over lines that are encrypted, too.
        let mut session =
            silo(&format!("{named}?sslmode=verify-full&sslrootcert={ca}")).connect().await.unwrap();
        let shape = session.describe(&whole(table("t")), &ada()).await.unwrap();
        let mut batches = session.read(&whole(table("t")), &ada(), &shape, None).await.unwrap();
        assert!(batches.next().await.unwrap().is_some());
        drop(batches);
        assert_eq!(session.describe(&whole(table("t")), &ada()).await.unwrap(), shape);
    });
}

#[test]
fn postgres_that_asks_for_a_certificate_gets_the_one_of_the_url() {
    let server = PgServer::start();
    block_on(async {
        server.run(&format!("create role certified login password '{PASSWORD}'")).await;
        let dir = server.dir.display();
        let url = server.url("").replace("//postgres:", "//certified:");
        let url = format!("{url}?sslmode=verify-ca&sslrootcert={dir}/ca.pem");
        let shown = |name: &str| format!("{url}&sslcert={dir}/{name}.pem&sslkey={dir}/{name}.key");
        let mut session = silo(&shown("certified")).connect().await.unwrap();
        let who = query(
            "select client_dn from pg_stat_ssl where pid = pg_backend_pid() and :email <> ''",
        );
        let (shape, batches) = read(session.as_mut(), &who, &ada()).await.unwrap();
        assert_eq!(column(&shape, &batches, "client_dn"), ["/CN=certified"]);
        // No certificate, that of another, one of another authority, a key that is another's.
        for url in [url.clone(), shown("stranger"), shown("outsider")] {
            let error = silo(&url).connect().await.err().unwrap();
            assert!(!format!("{error} {error:?}").contains(PASSWORD));
        }
        let mixed = format!("{url}&sslcert={dir}/certified.pem&sslkey={dir}/stranger.key");
        assert!(PostgresSilo::new(&mixed, LIMITS).unwrap_err().contains("sslkey does not fit"));
    });
}

async fn one_snapshot(server: &PgServer) {
    let mut session = server.session().await;
    let mut later = server.session().await;
    let count = query("select count(*)::int as n, current_setting('transaction_isolation') as i, current_setting('transaction_read_only') as r,
        current_setting('application_name') as a, current_setting('default_transaction_read_only') as d from t where email = :email");
    server.run("insert into t values (0, 'ada@example.com', '')").await;
    // Its snapshot was taken when it was connected.
    let (shape, batches) = read(session.as_mut(), &count, &ada()).await.unwrap();
    let one = |name: &str| column(&shape, &batches, name).remove(0);
    assert_eq!(one("n"), "60000");
    assert_eq!(
        (one("i"), one("r"), one("d")),
        ("repeatable read".into(), "on".into(), "on".into())
    );
    assert_eq!(one("a"), "antumbra");
    server.run("delete from t where id = 0").await;
    let shape = later.describe(&table("t"), &ada()).await.unwrap();
    let mut batches = later.read(&table("t"), &ada(), &shape, None).await.unwrap();
    let mut rows = batches.next().await.unwrap().unwrap().num_rows();
    server.run("insert into t values (60001, 'ada@example.com', '')").await;
    rows += drain(batches).await.unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>();
    assert_eq!(rows, 60_000);
    server.run("delete from t where id = 60001").await;
}

async fn limits(server: &PgServer) {
    let short =
        Limits { statement: Duration::from_secs(2), lock: Duration::from_millis(300), ..LIMITS };
    let silo = PostgresSilo::new(&server.url(""), short).unwrap();
    let mut session = silo.connect().await.unwrap();
    let error =
        read(session.as_mut(), &query("select pg_sleep(30), :email"), &ada()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot be opened: canceled, or longer than statement_timeout (57014)"
    );
    assert_eq!(error.retry(), Retry::Later);
    let holder = server.client().await;
    holder.batch_execute("begin; lock table t in access exclusive mode").await.unwrap();
    let error = session.describe(&table("t"), &ada()).await.unwrap_err();
    assert!(error.to_string().contains("lock"), "{error}");
    assert_eq!(error.retry(), Retry::Later);
    holder.batch_execute("rollback").await.unwrap();
    assert!(session.describe(&table("t"), &ada()).await.is_ok());
}

/// A reader that waits leaves the rows on the server.
async fn back_pressure(server: &PgServer) {
    let mut session = server.session().await;
    let shape = session.describe(&table("t"), &ada()).await.unwrap();
    let mut batches = session.read(&table("t"), &ada(), &shape, None).await.unwrap();
    let first = batches.next().await.unwrap().unwrap();
    server.wait_for(WAITS_FOR, "ClientWrite").await;
    // 60 MB were asked for; a few went over the line.
    let rest = drain(batches).await.unwrap();
    let rows = rest.iter().map(|batch| batch.num_rows()).sum::<usize>() + first.num_rows();
    assert_eq!(rows, 60_000);
    // Nothing is read from the line meanwhile. A reader who goes then leaves a session that goes on.
    let mut batches = session.read(&table("t"), &ada(), &shape, None).await.unwrap();
    assert!(batches.next().await.unwrap().is_some());
    server.wait_for(WAITS_FOR, "ClientWrite").await;
    drop(batches);
    let (_, all) = read(session.as_mut(), &table("t"), &ada()).await.unwrap();
    assert_eq!(all.iter().map(|batch| batch.num_rows()).sum::<usize>(), 60_000);
    // A session that goes leaves no statement.
    let mut batches = session.read(&table("t"), &ada(), &shape, None).await.unwrap();
    assert!(batches.next().await.unwrap().is_some());
    server.wait_for(WAITS_FOR, "ClientWrite").await;
    drop(session);
    assert_unavailable(&drain(batches).await.unwrap_err());
    server.wait_for(LINES, "0").await;
}

async fn what_is_dropped_is_cancelled(server: &PgServer) {
    let running = "select count(*) from pg_stat_activity where application_name = 'antumbra' and state = 'active'";
    server.wait_for(LINES, "0").await;
    let sleeps = query("select pg_sleep(600), :email");
    let slow = query("select pg_sleep(600), id from t where email in (:email)");
    // Batches that are dropped: the session goes on.
    let mut session = server.session().await;
    let shape = session.describe(&sleeps, &ada()).await.unwrap();
    let batches = session.read(&sleeps, &ada(), &shape, None).await.unwrap();
    server.wait_for(running, "1").await;
    drop(batches);
    server.wait_for(running, "0").await;
    assert!(session.describe(&table("t"), &ada()).await.unwrap().keyed);
    // Many rows that nobody takes are not sent to their end.
    let whole_table = session.describe(&table("t"), &ada()).await.unwrap();
    let mut batches = session.read(&table("t"), &ada(), &whole_table, None).await.unwrap();
    assert!(batches.next().await.unwrap().is_some());
    drop(batches);
    assert!(session.describe(&table("t"), &ada()).await.unwrap().keyed);
    // A call that nobody waits for any more: the next one cleans up.
    let probing = keyed(slow.clone(), &["id"]);
    let known = ada();
    let abandoned =
        tokio::time::timeout(Duration::from_millis(500), session.describe(&probing, &known));
    assert!(abandoned.await.is_err());
    server.wait_for(running, "1").await;
    assert!(session.describe(&table("t"), &ada()).await.unwrap().keyed);
    // The session itself, while a statement runs.
    let batches = session.read(&sleeps, &ada(), &shape, None).await.unwrap();
    server.wait_for(running, "1").await;
    drop(session);
    drop(batches);
    server.wait_for(LINES, "0").await;
    let mut session = server.session().await;
    let abandoned =
        tokio::time::timeout(Duration::from_millis(500), session.describe(&probing, &known));
    assert!(abandoned.await.is_err());
    drop(session);
    server.wait_for(LINES, "0").await;
}

/// What a statement of the silo waits for.
const WAITS_FOR: &str = "select wait_event from pg_stat_activity where application_name = 'antumbra' and state = 'active'";
/// How many connections the silo has.
const LINES: &str = "select count(*) from pg_stat_activity where application_name = 'antumbra'";

fn assert_unavailable(error: &SiloError) {
    assert!(matches!(error, SiloError::Unavailable { .. }), "{error:?}");
    assert_eq!(error.retry(), Retry::Later);
    assert!(!format!("{error} {error:?}").contains(PASSWORD));
}
