//! How many connections does a silo have, and what of those that wait?

use std::net::SocketAddr;
use std::time::Duration;

use antumbra_config::Sources;
use antumbra_pipeline::silo::postgres::{Limits, PostgresSilo};
use antumbra_pipeline::silo::{Silo as _, Silos};
use futures::future::{join_all, try_join_all};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::my_server::MyServer;
use crate::pg_server::{LIMITS, PASSWORD, PgServer, ada, table};
use crate::room::block_on;

#[test]
fn postgres_never_has_more_connections_than_it_may_have() {
    let server = PgServer::start();
    block_on(async {
        server.run("create table t (id int primary key, email text); insert into t values (1, 'ada@example.com')").await;
        server
            .run(&format!("create role narrow login connection limit 2 password '{PASSWORD}'; grant select on t to narrow"))
            .await;
        let url = server.url("").replace("//postgres:", "//narrow:");
        never_too_many(&silos("postgres", &url)).await;
    });
}

#[test]
fn mysql_never_has_more_connections_than_it_may_have() {
    let server = MyServer::start();
    server.run(&format!(
        "create table t (id int primary key, email varchar(80)); insert into t values (1, 'ada@example.com');
         create user narrow@'%' identified by '{PASSWORD}' with max_user_connections 2; grant select on shop.* to narrow@'%';"
    ));
    let url = server.url("").replace("//owner:", "//narrow:");
    block_on(never_too_many(&silos("mysql", &url)));
}

/// The login of the URL has two connections, as the settings say.
fn silos(kind: &str, url: &str) -> Silos {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("url"), url).unwrap();
    let text = format!(
        "[[silo]]\nname = \"shop\"\ntype = \"{kind}\"\nurl = {{ file = \"url\" }}\n[silo.limits]\nmax_connections = 2\n"
    );
    std::fs::write(dir.path().join("antumbra.toml"), text).unwrap();
    let sources = Sources {
        file: Some("antumbra.toml".into()),
        base: dir.path().to_owned(),
        ..Sources::default()
    };
    let settings = antumbra_config::load(&sources).unwrap().settings;
    Silos::open(&settings.silos, &[]).unwrap()
}

/// Whoever waits is let in when a session ends, and must find a connection then.
async fn never_too_many(silos: &Silos) {
    let silo = silos.get("shop").unwrap();
    let callers = (0..6).map(|_| async {
        for _ in 0..25 {
            let mut session = silo.connect().await?;
            session.describe(&table("t"), &ada()).await?;
        }
        Ok::<_, antumbra_pipeline::SiloError>(())
    });
    assert_eq!(try_join_all(callers).await.map(|all| all.len()), Ok(6));
}

#[test]
fn postgres_whose_old_lines_went_silent_is_connected_to_in_time() {
    let server = PgServer::start();
    block_on(async {
        let gate = Gate::before(server.port).await;
        let url =
            server.url("").replace(&format!(":{}/", server.port), &format!(":{}/", gate.port));
        let limits = Limits { connect: Duration::from_secs(9), ..LIMITS };
        let silo = PostgresSilo::new(&url, limits).unwrap();
        let sessions = join_all((0..6).map(|_| silo.connect())).await;
        let open = "select count(*) from pg_stat_activity where application_name = 'antumbra' and state like 'idle%'";
        server.wait_for(open, "6").await;
        drop(sessions);
        let idle = "select count(*) from pg_stat_activity where application_name = 'antumbra' and state = 'idle'";
        server.wait_for(idle, "6").await;
        gate.silence.send(()).await.unwrap();
        gate.silenced.cancelled().await;
        // One of them shows that nobody answers; three seconds for each would be too long.
        let mut session = silo.connect().await.unwrap();
        assert!(
            session
                .describe(&crate::pg_server::query("select 1 as a where :email <> ''"), &ada())
                .await
                .is_ok()
        );
    });
}

/// Stands before a server; lines that were opened before it was silenced never say a word again.
struct Gate {
    port: u16,
    silence: mpsc::Sender<()>,
    silenced: CancellationToken,
}

impl Gate {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (silence, mut asked) = mpsc::channel(1);
        let silenced = CancellationToken::new();
        let gate = Self {
            port: listener.local_addr().unwrap().port(),
            silence,
            silenced: silenced.clone(),
        };
        TaskTracker::new().spawn(async move {
            let lines = TaskTracker::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((line, _)) = accepted else { return };
                        let until = (!silenced.is_cancelled()).then(|| silenced.clone());
                        lines.spawn(carry(line, SocketAddr::from(([127, 0, 0, 1], port)), until));
                    }
                    said = asked.recv() => match said {
                        Some(()) => silenced.cancel(),
                        None => return,
                    },
                }
            }
        });
        gate
    }
}

async fn carry(mut line: TcpStream, server: SocketAddr, until: Option<CancellationToken>) {
    let Ok(mut beyond) = TcpStream::connect(server).await else { return };
    let carried = tokio::io::copy_bidirectional(&mut line, &mut beyond);
    let Some(until) = until else {
        drop(carried.await);
        return;
    };
    tokio::select! {
        _ = carried => return,
        () = until.cancelled() => {}
    }
    // Both ends stay open.
    std::future::pending::<()>().await;
}
