//! What do the tests of the `mysql` silo need? A private MariaDB server with a certificate, and its own client as the other reader.
//!
//! A shell keeps the server: it ends it when the test's end of the pipe closes, however the test ended. The binaries must be
//! there; without them the tests fail.

#![expect(clippy::panic, reason = "a test that cannot go on fails")]

use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use antumbra_pipeline::silo::mysql::{Limits, MysqlSilo};
use antumbra_pipeline::silo::{SectionSource, SectionSpec, Session, Silo};

/// A server of its own; stopped and removed when dropped.
pub(crate) struct MyServer {
    keeper: Child,
    /// Where `ca.pem` and `other.pem`, an authority that did not sign the server's certificate, are.
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
}

impl MyServer {
    pub(crate) fn start() -> Self {
        // Free now; nobody else on the machine is likely to take it in the next second.
        let port =
            TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh", &port])
            .current_dir("/")
            // Whoever kills the test's group leaves the keeper alive to end the server.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell for the private MariaDB server");
        let mut said = String::new();
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().map_while(Result::ok).find(|line| {
            said.push_str(line);
            said.push('\n');
            line.starts_with("ready ")
        });
        let Some(ready) = ready else {
            panic!("no private MariaDB server (install mariadb-server):\n{said}");
        };
        let dir = ready.trim_start_matches("ready ").into();
        Self { keeper, dir, port: port.parse().unwrap() }
    }

    /// A URL with the password in it.
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("mysql://owner:{PASSWORD}@127.0.0.1:{}/shop{rest}", self.port)
    }

    pub(crate) fn silo(&self) -> MysqlSilo {
        silo(&self.url(""))
    }

    pub(crate) async fn session(&self) -> Box<dyn Session> {
        self.silo().connect().await.unwrap()
    }

    /// Runs statements with the server's own client and returns what it prints: columns parted by tabs, as they are.
    pub(crate) fn run(&self, sql: &str) -> String {
        let mut client = Command::new("mariadb")
            .args(["--no-defaults", "--batch", "--skip-column-names", "--raw"])
            .args(["--default-character-set=utf8mb4", "--user=root", "shop"])
            .arg(format!("--socket={}", self.dir.join("s").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the client of the server");
        let mut input = client.stdin.take().unwrap();
        input.write_all(b"set sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';\n").unwrap();
        input.write_all(sql.as_bytes()).unwrap();
        drop(input);
        let ended = client.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{said}");
        String::from_utf8(ended.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    /// Waits until a statement answers `expected`.
    pub(crate) async fn wait_for(&self, sql: &str, expected: &str) {
        let mut found = String::new();
        for _ in 0..600 {
            found = self.run(sql);
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{sql}: {found:?} and never {expected:?}");
    }

    fn say(&mut self, word: &str) {
        if let Some(mut pipe) = self.keeper.stdin.take() {
            drop(writeln!(pipe, "{word}"));
        }
    }
}

impl Drop for MyServer {
    fn drop(&mut self) {
        self.say("stop");
        drop(self.keeper.wait());
    }
}

pub(crate) fn silo(url: &str) -> MysqlSilo {
    MysqlSilo::new(url, LIMITS).unwrap()
}

/// All rows of a table.
pub(crate) fn all(name: &str) -> SectionSpec {
    let mut section = crate::pg_server::whole(crate::pg_server::table(name));
    section.source = SectionSource::Table { parts: vec![name.to_owned()], matches: vec![] };
    section
}

pub(crate) const PASSWORD: &str = "canary-password";
pub(crate) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(20),
    statement: Duration::from_secs(60),
    lock: Duration::from_secs(10),
};

/// Makes a server on port `$1`, says `ready` with its directory, and ends it with its standard input.
const KEEPER: &str = r#"
exec 2>&1
trap '' PIPE
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v mariadbd >/dev/null || { echo "no mariadbd"; exit 1; }
dir=$(mktemp -d) && chmod 755 "$dir" && cd "$dir" || exit 1
trap 'cd /; rm -rf "$dir"' EXIT
me=$(id -un)
mariadb-install-db --no-defaults --user="$me" --datadir="$dir/data" --auth-root-authentication-method=normal --skip-test-db > init.log || { cat init.log; exit 1; }
for ca in ca other; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$ca" \
    -keyout $ca.key -out $ca.pem 2>/dev/null || exit 1
done
for who in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$who -keyout $who.key -out $who.csr 2>/dev/null || exit 1
  printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' > ext
  openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $who.pem 2>/dev/null || exit 1
done
mariadbd --no-defaults --user="$me" --datadir="$dir/data" --socket="$dir/s" --port="$1" --bind-address=127.0.0.1 \
  --pid-file="$dir/pid" --skip-name-resolve --innodb-flush-log-at-trx-commit=0 --character-set-server=utf8mb4 \
  --ssl-ca="$dir/ca.pem" --ssl-cert="$dir/server.pem" --ssl-key="$dir/server.key" > server.log 2>&1 < /dev/null &
pid=$!
until mariadb-admin --no-defaults --socket="$dir/s" --user=root ping >/dev/null 2>&1; do
  kill -0 $pid 2>/dev/null || { cat server.log; exit 1; }
  sleep 0.05
done
mariadb --no-defaults --socket="$dir/s" --user=root -e "
  create database shop character set utf8mb4;
  create user owner@'%' identified by 'canary-password'; grant all on *.* to owner@'%';
  create user careful@'%' identified by 'canary-password' require x509; grant select on shop.* to careful@'%'" || exit 1
echo "ready $dir"
read -r word
[ "$word" = crash ] && kill -KILL $pid || kill -TERM $pid
wait $pid
"#;
