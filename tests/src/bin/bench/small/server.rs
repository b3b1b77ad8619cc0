//! Where are the people? In sixty tables of one PostgreSQL server, about ten rows of each person in each.

use std::fmt::Write as _;

use antumbra_e2e::{House, Postgres};

/// A filled server.
pub(super) struct Server {
    server: Postgres,
}

impl Server {
    /// Starts a server and fills it.
    pub(super) fn filled(subjects: u32) -> anyhow::Result<Self> {
        let server = Postgres::start("shared_buffers = 256MB\nmax_connections = 200")?;
        let mut sql = format!(
            "create table people (id bigint primary key, email text not null unique, loyalty text not null unique, name text);
             insert into people select n, 'person' || n || '@example.org', 'AP-' || lpad(n::text, 6, '0'), 'Person ' || n
             from generate_series(1, {subjects}) n;\n"
        );
        for table in tables() {
            let _infallible = writeln!(
                sql,
                "create table {table} (id bigint primary key, person bigint not null, kind text, note text,
                     amount numeric(12, 2), at timestamptz);
                 insert into {table} select n, 1 + n % {subjects}, 'kind ' || n % 7, md5(n::text), n / 100.0,
                     timestamptz '2025-01-01' + n * interval '1 minute'
                 from generate_series(1, {subjects} * {ROWS}) n;
                 create index on {table} (person);"
            );
        }
        sql.push_str("analyze;");
        server.sql(&sql)?;
        Ok(Self { server })
    }

    /// Writes a house's settings.
    pub(super) fn settle(&self, house: &House) -> anyhow::Result<()> {
        let mut datapoints = String::from(PEOPLE);
        for table in tables() {
            let _infallible = write!(
                datapoints,
                "\n[[silo.datapoint]]\nname = \"{table}\"\ntable = \"{table}\"\nmatch = {{ person = \"customer_id\" }}\n\
                 key = [\"id\"]\n"
            );
        }
        self.server.settle(house, &datapoints)
    }

    pub(super) fn url(&self) -> String {
        self.server.url()
    }

    /// Has every statement written into the log, or none again.
    pub(super) fn log_statements(&self, all: bool) -> anyhow::Result<()> {
        let what = if all { "all" } else { "none" };
        // The second is no part of the first's transaction.
        self.server.sql(&format!("alter system set log_statement = '{what}'"))?;
        self.server.sql("select pg_reload_conf()")?;
        Ok(())
    }

    /// Returns how many statements clients sent, as far as the log has them.
    pub(super) fn logged_statements(&self) -> anyhow::Result<usize> {
        let log = self.server.log()?;
        let of_client =
            |line: &&str| line.contains("LOG:  statement: ") || line.contains("LOG:  execute ");
        Ok(log.lines().filter(of_client).count())
    }
}

/// The tables beside the people themselves.
fn tables() -> impl Iterator<Item = String> {
    (1..DATAPOINTS).map(|number| format!("table_{number:02}"))
}

/// All datapoints, the people themselves included.
pub(super) const DATAPOINTS: u32 = 60;
/// Rows of a person in a table.
const ROWS: u32 = 10;

const PEOPLE: &str = r#"[[silo.datapoint]]
name = "people"
table = "people"
match = { email = "email", loyalty = "coreIdentifier" }
provides = { customer_id = "id" }
key = ["id"]
"#;
