//! How does the `mysql` silo keep its line: encrypted as asked, read-only, in one snapshot, given up when nobody waits?

#![expect(clippy::panic, reason = "a test that cannot go on fails")]

use std::time::Duration;

use antumbra_pipeline::SiloError;
use antumbra_pipeline::silo::mysql::MysqlSilo;
use antumbra_pipeline::silo::{Identifiers, Silo};

use crate::my_server::{LIMITS, MyServer, PASSWORD, all, silo};
use crate::pg_server::{column, drain, keyed, query, read};
use crate::room::block_on;

#[test]
fn mysql_line_is_what_its_url_asks_for() {
    let server = MyServer::start();
    server.run("create table one (id int primary key); insert into one values (1);");
    block_on(encryption(&server));
    block_on(logins(&server));
}

#[test]
fn mysql_session_is_one_snapshot_that_only_reads_and_ends_with_its_job() {
    let server = MyServer::start();
    server.run(
        "create table s (id int primary key, t text); insert into s values (1, 'a'), (2, 'b');",
    );
    block_on(snapshot(&server));
    block_on(read_only(&server));
    block_on(given_up(&server));
    block_on(limits(&server));
}

async fn encryption(server: &MyServer) {
    let ciphered = keyed(
        query(
            "select 1 as id, variable_value as cipher from information_schema.session_status where variable_name = 'Ssl_cipher'",
        ),
        &["id"],
    );
    let file = |name: &str| server.dir.join(name).display().to_string();
    let (ca, other) = (file("ca.pem"), file("other.pem"));
    let local = format!("mysql://owner:{PASSWORD}@localhost:{}/shop", server.port);
    for (url, encrypted) in [
        (server.url(""), Some(false)),
        (server.url("?ssl-mode=disabled"), Some(false)),
        (server.url("?ssl-mode=required"), Some(true)),
        (server.url(&format!("?ssl-mode=REQUIRED&ssl-ca={other}")), None),
        (server.url(&format!("?ssl-mode=VERIFY_CA&ssl-ca={ca}")), Some(true)),
        (server.url(&format!("?ssl-mode=verify-ca&ssl-ca={other}")), None),
        // The certificate is for localhost, not for its address.
        (server.url(&format!("?ssl-mode=verify-identity&ssl-ca={ca}")), None),
        (server.url(&format!("?ssl-ca={ca}")), None),
        (format!("{local}?ssl-mode=verify-identity&ssl-ca={ca}"), Some(true)),
        (format!("{local}?ssl-mode=verify-identity&ssl-ca={other}"), None),
    ] {
        let connected = silo(&url).connect().await;
        match (connected, encrypted) {
            (Ok(mut session), Some(encrypted)) => {
                let (shape, batches) =
                    read(session.as_mut(), &ciphered, &Identifiers::new()).await.unwrap();
                assert_eq!(column(&shape, &batches, "cipher") != [""], encrypted, "{url}");
            }
            (Err(error), None) => {
                assert!(matches!(error, SiloError::Settings { .. }), "{url}: {error}");
                assert!(!error.to_string().contains(PASSWORD), "{error}");
            }
            (connected, _) => panic!("{url}: {:?}", connected.err()),
        }
    }
    let careful = format!("mysql://careful:{PASSWORD}@localhost:{}/shop?ssl-ca={ca}", server.port);
    assert!(silo(&careful).connect().await.is_err(), "it demands a certificate");
    let (certificate, key) = (file("client.pem"), file("client.key"));
    let careful = format!("{careful}&ssl-cert={certificate}&ssl-key={key}");
    silo(&careful).connect().await.unwrap();
}

async fn logins(server: &MyServer) {
    let port = server.port;
    for (url, what) in [
        (format!("mysql://owner:wrong@127.0.0.1:{port}/shop"), "refused the login"),
        (format!("mysql://nobody:{PASSWORD}@127.0.0.1:{port}/shop"), "refused the login"),
        (format!("mysql://owner:{PASSWORD}@127.0.0.1:{port}/nowhere"), "the database is missing"),
        (format!("mysql://owner:{PASSWORD}@127.0.0.1:1/shop"), "cannot be opened"),
    ] {
        let error = silo(&url).connect().await.err().unwrap();
        assert!(error.to_string().contains(what), "{error}");
        assert!(!error.to_string().contains(PASSWORD), "{error}");
    }
    let debug = format!("{:?}", server.silo());
    assert!(!debug.contains(PASSWORD) && !debug.contains("owner"), "{debug}");
    let socket = server.dir.join("s").display().to_string();
    silo(&format!("mysql://root@localhost/shop?socket={socket}")).connect().await.unwrap();
}

async fn snapshot(server: &MyServer) {
    let mut session = server.session().await;
    server.run("insert into s values (3, 'c'); update s set t = 'z' where id = 1;");
    for _ in 0..2 {
        let (shape, batches) =
            read(session.as_mut(), &all("s"), &Identifiers::new()).await.unwrap();
        assert_eq!(column(&shape, &batches, "t"), ["a", "b"]);
        // What is refused leaves the snapshot as it is.
        session.describe(&query("select nothing"), &Identifiers::new()).await.unwrap_err();
    }
    assert!(session.beside().await.unwrap().is_none());
    let mut later = server.session().await;
    let (shape, batches) = read(later.as_mut(), &all("s"), &Identifiers::new()).await.unwrap();
    assert_eq!(column(&shape, &batches, "t"), ["z", "b", "c"]);
}

async fn read_only(server: &MyServer) {
    server.run(
        "delimiter //
         create function writes() returns int begin insert into s values (99, 'x'); return 1; end//
         delimiter ;",
    );
    let mut session = server.session().await;
    let section = keyed(query("select writes() as id"), &["id"]);
    let error = match session.describe(&section, &Identifiers::new()).await {
        Err(error) => error,
        Ok(shape) => {
            let batches = session.read(&section, &Identifiers::new(), &shape, None).await.unwrap();
            drain(batches).await.unwrap_err()
        }
    };
    assert!(error.to_string().contains("only reads"), "{error}");
    assert_eq!(server.run("select count(*) from s where id = 99"), "0");
    let version = query(concat!(
        "select @",
        "@sql_mode as mode, @",
        "@time_zone as zone, @",
        "@session.tx_isolation as isolation"
    ));
    let (shape, batches) = read(session.as_mut(), &version, &Identifiers::new()).await.unwrap();
    assert_eq!(column(&shape, &batches, "mode"), ["NO_BACKSLASH_ESCAPES"]);
    assert_eq!(column(&shape, &batches, "zone"), ["+00:00"]);
    assert_eq!(column(&shape, &batches, "isolation"), ["REPEATABLE-READ"]);
}

const BUSY: &str = "select count(*) from information_schema.processlist where user = 'owner' and info like '%sleepy%' and info not like '%processlist%'";
const SLOW: &str = "select id, 1 as sleepy from s where sleep(300) = 0";
const OPEN: &str = "select count(*) from information_schema.processlist where user = 'owner'";

async fn given_up(server: &MyServer) {
    // Many rows, of which one is wanted: the session goes on.
    server.run("create table many (id int primary key, t varchar(100)) as select seq as id, repeat('x', 90) as t from seq_1_to_200000;");
    let mut session = server.session().await;
    let none = Identifiers::new();
    let shape = session.describe(&all("many"), &none).await.unwrap();
    let mut batches = session.read(&all("many"), &none, &shape, None).await.unwrap();
    assert!(batches.next().await.unwrap().is_some());
    drop(batches);
    let (shape, batches) = read(session.as_mut(), &all("s"), &none).await.unwrap();
    assert_eq!(column(&shape, &batches, "id").len(), 3);
    // A statement that takes long, and nobody waits for its first row.
    let swift = keyed(query("select id, 1 as sleepy from s"), &["id"]);
    let shape = session.describe(&swift, &none).await.unwrap();
    let slow = keyed(query(SLOW), &["id"]);
    let waiting = session.read(&slow, &none, &shape, None).await.unwrap();
    server.wait_for(BUSY, "1").await;
    drop(waiting);
    server.wait_for(BUSY, "0").await;
    let (shape, batches) = read(session.as_mut(), &all("s"), &none).await.unwrap();
    assert_eq!(column(&shape, &batches, "id").len(), 3);
    // A caller that goes away in the middle of a question takes the session with it, and the statement.
    {
        let asked = session.count_whole(&slow, &none);
        tokio::select! {
            _ = asked => panic!("it sleeps"),
            () = server.wait_for(BUSY, "1") => {}
        }
    }
    let error = session.describe(&all("s"), &none).await.unwrap_err();
    assert!(matches!(error, SiloError::Unavailable { .. }), "{error}");
    server.wait_for(BUSY, "0").await;
    drop(session);
    server.wait_for(OPEN, "0").await;
}

async fn limits(server: &MyServer) {
    let limits =
        antumbra_pipeline::silo::mysql::Limits { statement: Duration::from_millis(300), ..LIMITS };
    let silo = MysqlSilo::new(&server.url(""), limits).unwrap();
    let mut session = silo.connect().await.unwrap();
    let slow = keyed(query(SLOW), &["id"]);
    let error = session.count_whole(&slow, &Identifiers::new()).await.unwrap_err();
    assert_eq!(
        error,
        SiloError::Unavailable { reason: "longer than statement_timeout (1969)".to_owned() }
    );
    // The session outlives it.
    session.describe(&all("s"), &Identifiers::new()).await.unwrap();
}
