//! What does the job store's file say, read from outside?

use std::fmt::Write as _;

use rusqlite::{Connection, OpenFlags};

use crate::House;

/// A read-only look into the store of a house.
#[derive(Debug)]
pub struct StoreView {
    connection: Connection,
}

/// A job, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its id, as UUID text: also the folder of its objects.
    pub id: String,
    /// Its state.
    pub state: String,
    /// How many leases it had.
    pub fence: u32,
}

impl StoreView {
    /// Opens the store's file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(house: &House) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(house.path("data/antumbra.db"), flags)?;
        Ok(Self { connection })
    }

    /// Returns every job, oldest first.
    ///
    /// # Errors
    /// The database's.
    pub fn jobs(&self) -> anyhow::Result<Vec<JobRow>> {
        let mut select =
            self.connection.prepare("select id, state, fence from jobs order by created_at")?;
        let rows = select.query_map([], |row| {
            Ok(JobRow {
                id: uuid(&row.get::<_, Vec<u8>>(0)?),
                state: row.get(1)?,
                fence: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts the rows of a table.
    ///
    /// # Errors
    /// The database's.
    pub fn count(&self, table: &str) -> anyhow::Result<u64> {
        let sql = format!("select count(*) from {table}");
        let count: i64 = self.connection.query_row(&sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count)?)
    }

    /// Returns the names of the objects that segments lie in, each once.
    ///
    /// # Errors
    /// The database's.
    pub fn objects(&self) -> anyhow::Result<Vec<String>> {
        self.texts("select distinct object from segments order by object")
    }

    /// Returns the first column of a query.
    ///
    /// # Errors
    /// The database's.
    pub fn texts(&self, sql: &str) -> anyhow::Result<Vec<String>> {
        let mut select = self.connection.prepare(sql)?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the first column of a query, as bytes.
    ///
    /// # Errors
    /// The database's.
    pub fn blobs(&self, sql: &str) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut select = self.connection.prepare(sql)?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn uuid(bytes: &[u8]) -> String {
    let text = hex(bytes);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
