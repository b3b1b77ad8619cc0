//! What do all sides read? Two tables of a server of the bench's own, one customer in them.

use antumbra_e2e::{House, Postgres};

/// The server.
#[derive(Debug)]
pub(super) struct Source {
    server: Postgres,
    datapoints: String,
}

impl Source {
    /// Starts it and settles the house on it, the events to be read in so many parts if that is said.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub(super) fn start(house: &House, partitions: Option<u32>) -> anyhow::Result<Self> {
        let server = Postgres::start(OPTIONS)?;
        // The events are the last of the datapoints.
        let partitions = partitions.map(|parts| format!("partitions = {parts}\n"));
        let datapoints = format!("{DATAPOINTS}{}", partitions.unwrap_or_default());
        server.settle(house, &datapoints)?;
        Ok(Self { server, datapoints })
    }

    /// Makes both tables anew, with `rows` events.
    ///
    /// # Errors
    /// What the server refused.
    pub(super) fn fill(&self, house: &House, rows: u64) -> anyhow::Result<()> {
        self.server.sql("drop table if exists events; drop table if exists customers")?;
        self.server.sql(TABLES)?;
        self.server.sql(&EVENTS.replace("ROWS", &rows.to_string()))?;
        self.server.sql("create index on events (customer_id)")?;
        self.server.sql("vacuum (analyze) events")?;
        self.server.settle(house, &self.datapoints)
    }

    /// Returns its URL.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }
}

/// What the yardsticks read.
pub(super) const QUERY: &str = "select * from events where customer_id = 1 order by id";

/// The customer that everybody exports.
pub(super) const EMAIL: &str = "bench@example.test";

const OPTIONS: &str = "shared_buffers = 256MB\nmax_wal_size = 4GB\njit = off\nautovacuum = off";

const TABLES: &str = "
create table customers (id bigint primary key, email text, name text, phone text, address text, created_at timestamptz);
insert into customers values
    (1, 'bench@example.test', 'Bench Customer', '+00 000 0000', 'Street 1, 00000 Town', '2020-01-01T00:00:00Z');
create table events (id bigint primary key, customer_id bigint, email text, kind text, ip text, ua text, payload text,
    amount numeric(12,2), ts timestamptz)";

/// About 242 bytes a row, the same in every run. The payload is as random as hexadecimal is.
const EVENTS: &str = "
insert into events select i, 1, 'bench@example.test',
    (array['view', 'click', 'cart', 'order', 'search'])[1 + i % 5],
    '10.' || i % 7 || '.' || i / 251 % 256 || '.' || i % 251,
    'Mozilla/5.0 (X11; Linux x86_64; rv:' || 100 + i % 37 || '.0) Gecko/20100101 Firefox/' || 100 + i % 37 || '.0',
    md5(i::text) || md5('a' || i) || md5('b' || i),
    (i * 7919 % 1000000) / 100.0,
    timestamptz '2020-01-01T00:00:00Z' + i * interval '17.123457 seconds'
from generate_series(1::bigint, ROWS::bigint) as i";

const DATAPOINTS: &str = r#"[[silo.datapoint]]
name = "customers"
table = "customers"
match = { email = "email" }
provides = { customer_id = "id" }
key = ["id"]

[[silo.datapoint]]
name = "events"
table = "events"
match = { customer_id = "customer_id" }
key = ["id"]
"#;
