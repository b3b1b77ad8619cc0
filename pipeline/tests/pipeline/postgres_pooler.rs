//! Behind a pooler that gives the server's connections from transaction to transaction, where statements of others are prepared.

#![expect(clippy::panic, reason = "a test that cannot go on fails")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use antumbra_crypto::Retry;
use antumbra_pipeline::silo::Silo;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_util::task::TaskTracker;

use crate::pg_server::{PASSWORD, PgServer, ada, column, query, read, silo, table};
use crate::room::block_on;

#[test]
fn postgres_behind_a_pooler_is_read_whatever_is_prepared_there() {
    let server = PgServer::start();
    let pooler = Pooler::before(&server);
    block_on(async {
        server.run("create table t (id int primary key, email text); insert into t values (1, 'ada@example.com')").await;
        // What a process left that was killed: names as the driver gives them, from the first on.
        let other = pooler.client().await;
        let left: String = (0..400).map(|n| format!("prepare s{n} as select {n}; ")).collect();
        other.batch_execute(&format!("{left}prepare another as select 1")).await.unwrap();
        let silo = silo(&pooler.url());
        for _ in 0..3 {
            let mut session = silo.connect().await.unwrap();
            let (shape, batches) = read(session.as_mut(), &table("t"), &ada()).await.unwrap();
            assert_eq!(column(&shape, &batches, "id"), ["1"]);
        }
        // Nothing of ours is left to others, and theirs is.
        let names = "select coalesce(string_agg(name, ' '), '') from pg_prepared_statements";
        let mut found = String::new();
        for _ in 0..500 {
            found = first(&other, names).await;
            if found == "another" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(found, "another");
    });
}

#[test]
fn postgres_silo_that_began_before_anything_was_prepared_goes_on() {
    let server = PgServer::start();
    let pooler = Pooler::before(&server);
    block_on(async {
        server.run("create table t (id int primary key, email text); insert into t values (1, 'ada@example.com')").await;
        let (one, two) = (silo(&pooler.url()), silo(&pooler.url()));
        for _ in 0..3 {
            for silo in [&one, &two] {
                let mut session = silo.connect().await.unwrap();
                let (shape, batches) = read(session.as_mut(), &table("t"), &ada()).await.unwrap();
                assert_eq!(column(&shape, &batches, "id"), ["1"]);
            }
        }
    });
}

#[test]
fn postgres_statement_of_a_name_that_is_taken_is_tried_again_later() {
    let server = PgServer::start();
    block_on(async {
        server
            .run(
                "create table t (id int primary key, email text);
                 create function take() returns int language plpgsql as $$ begin
                   for n in 0..999 loop
                     if not exists (select from pg_prepared_statements where name = 's' || n) then
                       execute format('prepare s%s as select 1', n);
                     end if;
                   end loop;
                   return 1; end $$;",
            )
            .await;
        let mut session = server.session().await;
        read(session.as_mut(), &query("select take() as a, :email as b"), &ada()).await.unwrap();
        let error = session.describe(&table("t"), &ada()).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Later, "{error}");
        assert!(error.to_string().contains("42P05"), "{error}");
    });
}

async fn first(client: &Client, sql: &str) -> String {
    let found = client.simple_query(sql).await.unwrap();
    let row = found.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    row.unwrap_or_default()
}

/// `PgBouncer`, with one connection to the server for all transactions; ended when dropped.
struct Pooler {
    keeper: Child,
    port: u16,
}

impl Pooler {
    fn before(server: &PgServer) -> Self {
        // Free now; nobody else on the machine is likely to take it in the next second.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let script = format!("set -- {port} {}\n{KEEPER}", server.port);
        let root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        // It refuses to be root's.
        let mut command = if root {
            let mut su = Command::new("su");
            su.args(["postgres", "-s", "/bin/sh", "-c", &script]);
            su
        } else {
            let mut sh = Command::new("sh");
            sh.args(["-c", &script]);
            sh
        };
        let mut keeper = command
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell for the pooler");
        let mut said = String::new();
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().map_while(Result::ok).find(|line| {
            said.push_str(line);
            said.push('\n');
            line == "ready"
        });
        if ready.is_none() {
            panic!("no pooler (install pgbouncer):\n{said}");
        }
        Self { keeper, port }
    }

    fn url(&self) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
        TaskTracker::new().spawn(connection);
        client
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

/// Starts it on port `$1` before the server on port `$2`, says `ready`, and ends it with its standard input.
const KEEPER: &str = r#"
exec 2>&1
trap '' PIPE
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v pgbouncer >/dev/null || { echo "no pgbouncer"; exit 1; }
dir=$(mktemp -d) && cd "$dir" || exit 1
trap 'cd /; rm -rf "$dir"' EXIT
cat > ini <<END
[databases]
postgres = host=127.0.0.1 port=$2 dbname=postgres user=postgres password=canary-password
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $1
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = extra_float_digits
END
pgbouncer ini > log 2>&1 < /dev/null &
pid=$!
until grep -q 'listening on 127.0.0.1' log; do
  kill -0 $pid 2>/dev/null || { cat log; exit 1; }
  sleep 0.05
done
echo ready
read -r word
kill -TERM $pid
wait $pid
"#;
