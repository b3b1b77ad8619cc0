//! What do the tests of the `postgres` silo need? A private server with a certificate, and readers of Arrow batches.
//!
//! A shell keeps the server: it ends it when the test's end of the pipe closes, however the test ended. The binaries must be
//! there; without them the tests fail. PostgreSQL refuses root, so as root everything runs as the user `postgres`.

#![expect(clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use antumbra_pipeline::silo::postgres::{Limits, PostgresSilo};
use antumbra_pipeline::silo::{
    Batches, Cursor, Identifiers, SectionSource, SectionSpec, Session, Shape, Silo,
};
use antumbra_pipeline::{SiloError, Value};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_util::task::TaskTracker;

/// A server of its own; stopped and removed when dropped.
pub(crate) struct PgServer {
    keeper: Child,
    /// Where `ca.pem` and `other.pem`, an authority that did not sign the server's certificate, are. Clients have certificates of the
    /// names `certified` and `stranger`, and one for `certified` that the other authority signed: `outsider.pem`.
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
}

impl PgServer {
    pub(crate) fn start() -> Self {
        // Free now; nobody else on the machine is likely to take it in the next second.
        let port =
            TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
        let mut command = if user() == "root" {
            let mut su = Command::new("su");
            su.args(["postgres", "-s", "/bin/sh", "-c", &format!("set -- {port}\n{KEEPER}")]);
            su
        } else {
            let mut sh = Command::new("sh");
            sh.args(["-c", KEEPER, "sh", &port]);
            sh
        };
        let mut keeper = command
            .current_dir("/")
            // Whoever kills the test's group leaves the keeper alive to end the server.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell for the private PostgreSQL server");
        let mut said = String::new();
        let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().map_while(Result::ok).find(|line| {
            said.push_str(line);
            said.push('\n');
            line.starts_with("ready ")
        });
        let Some(ready) = ready else {
            panic!("no private PostgreSQL server (install its server binaries):\n{said}");
        };
        let dir = ready.trim_start_matches("ready ").into();
        Self { keeper, dir, port: port.parse().unwrap() }
    }

    /// A URL with the password in it.
    pub(crate) fn url(&self, rest: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/postgres{rest}", self.port)
    }

    pub(crate) fn silo(&self) -> PostgresSilo {
        silo(&self.url(""))
    }

    pub(crate) async fn session(&self) -> Box<dyn Session> {
        self.silo().connect().await.unwrap()
    }

    /// A session that may write.
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(""), NoTls).await.unwrap();
        TaskTracker::new().spawn(connection);
        client
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap();
    }

    /// The first column of the first row, as text.
    pub(crate) async fn ask(&self, sql: &str) -> String {
        let found = self.client().await.simple_query(sql).await.unwrap();
        let row = found.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        row.unwrap_or_default()
    }

    /// Waits until a statement answers `expected`.
    pub(crate) async fn wait_for(&self, sql: &str, expected: &str) {
        let mut found = String::new();
        for _ in 0..1_500 {
            found = self.ask(sql).await;
            if found == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{sql}: {found:?} and never {expected:?}");
    }

    /// Stops the server at once, as if the machine had lost power.
    pub(crate) fn crash(&mut self) {
        self.say("crash");
        self.keeper.wait().unwrap();
    }

    fn say(&mut self, word: &str) {
        if let Some(mut pipe) = self.keeper.stdin.take() {
            drop(writeln!(pipe, "{word}"));
        }
    }
}

impl Drop for PgServer {
    fn drop(&mut self) {
        self.say("stop");
        drop(self.keeper.wait());
    }
}

pub(crate) fn silo(url: &str) -> PostgresSilo {
    PostgresSilo::new(url, LIMITS).unwrap()
}

pub(crate) fn table(name: &str) -> SectionSpec {
    spec(SectionSource::Table {
        parts: name.split('.').map(str::to_owned).collect(),
        matches: vec![("email".to_owned(), "email".to_owned())],
    })
}

pub(crate) fn query(sql: &str) -> SectionSpec {
    spec(SectionSource::Query { sql: sql.to_owned() })
}

fn spec(source: SectionSource) -> SectionSpec {
    SectionSpec {
        silo: "shop".to_owned(),
        datapoint: "t".to_owned(),
        source,
        tenant_wide: false,
        key: vec![],
        window: None,
        filters: vec![],
        columns: vec![],
    }
}

pub(crate) fn keyed(mut section: SectionSpec, key: &[&str]) -> SectionSpec {
    section.key = key.iter().map(|name| (*name).to_owned()).collect();
    section
}

pub(crate) fn whole(mut section: SectionSpec) -> SectionSpec {
    section.tenant_wide = true;
    section
}

pub(crate) fn known(name: &str, values: &[&str]) -> Identifiers {
    let values = values.iter().map(|text| Value::Text((*text).to_owned())).collect();
    [(name.to_owned(), values)].into()
}

pub(crate) fn ada() -> Identifiers {
    known("email", &["ada@example.com"])
}

/// Describes a section and reads it to its end.
pub(crate) async fn read(
    session: &mut dyn Session,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<(Shape, Vec<RecordBatch>), SiloError> {
    let shape = session.describe(section, known).await?;
    let batches = session.read(section, known, &shape, None).await?;
    Ok((shape, drain(batches).await?))
}

/// Reads what is behind a key.
pub(crate) async fn read_after(
    session: &mut dyn Session,
    section: &SectionSpec,
    shape: &Shape,
    cursor: Cursor,
) -> Result<Vec<RecordBatch>, SiloError> {
    drain(session.read(section, &ada(), shape, Some(cursor)).await?).await
}

pub(crate) async fn drain(mut batches: Batches) -> Result<Vec<RecordBatch>, SiloError> {
    let mut all = Vec::new();
    while let Some(batch) = batches.next().await? {
        all.push(batch);
    }
    Ok(all)
}

/// Every column by its name, each cell as text: numbers in Arrow's own units, NULL as `None`.
pub(crate) fn cells(
    shape: &Shape,
    batches: &[RecordBatch],
) -> BTreeMap<String, Vec<Option<String>>> {
    let column = |index: usize| {
        let cells = batches.iter().flat_map(|batch| {
            (0..batch.num_rows()).map(|row| cell(batch.column(index), row)).collect::<Vec<_>>()
        });
        cells.collect()
    };
    let names = shape.columns.iter().map(|column| column.name.clone());
    names.enumerate().map(|(index, name)| (name, column(index))).collect()
}

/// One column of all rows.
pub(crate) fn column(shape: &Shape, batches: &[RecordBatch], name: &str) -> Vec<String> {
    let cells = cells(shape, batches).remove(name).unwrap();
    cells.into_iter().map(|cell| cell.unwrap_or_else(|| "NULL".to_owned())).collect()
}

pub(crate) fn cell(array: &dyn Array, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => array.as_primitive::<Float32Type>().value(row).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => format!("{:02x?}", array.as_binary::<i32>().value(row)),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).to_string(),
        DataType::Time64(TimeUnit::Microsecond) => {
            array.as_primitive::<Time64MicrosecondType>().value(row).to_string()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
        }
        other => panic!("no cells of {other}"),
    })
}

fn user() -> String {
    let said = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
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
bin=$(ls -d /usr/lib/postgresql/*/bin /usr/local/pgsql/bin 2>/dev/null | sort -V | tail -1)
[ -x "$bin/initdb" ] || bin=$(pg_config --bindir)
[ -x "$bin/initdb" ] || { echo "no initdb in $bin"; exit 1; }
dir=$(mktemp -d) && chmod 755 "$dir" && cd "$dir" || exit 1
trap 'cd /; rm -rf "$dir"' EXIT
echo canary-password > pw
"$bin/initdb" -D data --no-sync -A scram-sha-256 -U postgres --pwfile=pw -E UTF8 --locale=C.UTF-8 > init.log || { cat init.log; exit 1; }
for ca in ca other; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$ca" \
    -keyout $ca.key -out $ca.pem 2>/dev/null || exit 1
done
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr 2>/dev/null || exit 1
printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' > ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem 2>/dev/null || exit 1
printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n' > client.ext
for name in certified stranger outsider; do
  signer=ca && [ $name = outsider ] && signer=other
  cn=$name && [ $name = outsider ] && cn=certified
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$cn -keyout $name.key -out $name.csr 2>/dev/null || exit 1
  openssl x509 -req -in $name.csr -CA $signer.pem -CAkey $signer.key -CAcreateserial -days 2 -extfile client.ext -out $name.pem 2>/dev/null || exit 1
done
chmod 600 server.key
{ echo "hostssl all certified 127.0.0.1/32 scram-sha-256 clientcert=verify-full"; echo "hostnossl all certified all reject"; cat data/pg_hba.conf; } > hba
mv hba data/pg_hba.conf
"$bin/postgres" -D data -c listen_addresses=127.0.0.1 -p "$1" -k "$dir" -c fsync=off -c ssl=on -c max_connections=40 \
  -c ssl_ca_file="$dir/ca.pem" -c ssl_cert_file="$dir/server.pem" -c ssl_key_file="$dir/server.key" > server.log 2>&1 < /dev/null &
pid=$!
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$1"; do
  kill -0 $pid 2>/dev/null || { cat server.log; exit 1; }
  sleep 0.05
done
echo "ready $dir"
read -r word
[ "$word" = crash ] && kill -QUIT $pid || kill -INT $pid
wait $pid
"#;
