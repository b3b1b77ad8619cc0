//! What does every statement of a transaction have at hand?

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Params, Row};

use super::Sealing;
use super::values::whole_micros;
use crate::StoreError;

/// An open transaction with the keys and the time it runs at: one moment for everything it writes.
pub(super) struct Work<'a> {
    pub(super) sql: &'a Connection,
    pub(super) sealing: &'a Sealing,
    /// The id of this store file, as a writer of audit entries.
    pub(super) writer: &'a [u8; 16],
    pub(super) now: Timestamp,
}

impl Work<'_> {
    /// Runs a statement and returns how many rows it changed.
    pub(super) fn execute(
        &self,
        sql: &'static str,
        params: impl Params,
    ) -> Result<usize, StoreError> {
        Ok(self.sql.prepare_cached(sql)?.execute(params)?)
    }

    /// Returns the first row, if there is one.
    pub(super) fn first<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.sql.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    }

    /// Returns every row in the statement's order.
    pub(super) fn all<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.sql.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }

    /// Returns the time `ttl` from now; the end of time if that is later.
    pub(super) fn after(&self, ttl: Duration) -> Timestamp {
        let after =
            SignedDuration::try_from(ttl).ok().and_then(|ttl| self.now.checked_add(ttl).ok());
        whole_micros(after.unwrap_or(Timestamp::MAX))
    }
}
