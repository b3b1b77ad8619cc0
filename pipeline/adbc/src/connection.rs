//! What is asked of a connection?

use std::fmt;

use adbc_core::options::{OptionConnection, OptionValue};
use adbc_core::{Connection as _, Optionable as _, Statement as _};
use adbc_driver_manager::ManagedConnection;
use arrow_array::RecordBatch;

use crate::{Error, Statement, keys};

/// A connection, used by one thread at a time.
pub struct Connection {
    connection: ManagedConnection,
}

impl Connection {
    pub(crate) const fn new(connection: ManagedConnection) -> Self {
        Self { connection }
    }

    /// Makes a statement ready to run. The row of `parameters`, if there is one, is bound column by column to its places.
    ///
    /// # Errors
    /// All but [`Error::Library`] and [`Error::Stream`].
    pub fn statement(
        &mut self,
        sql: &str,
        parameters: Option<RecordBatch>,
    ) -> Result<Statement, Error> {
        let make = || {
            let mut statement = self.connection.new_statement()?;
            statement.set_sql_query(sql)?;
            if let Some(parameters) = parameters {
                statement.prepare()?;
                statement.bind(parameters)?;
            }
            Ok(statement)
        };
        make().map(Statement::new).map_err(|error| Error::of(&error))
    }

    /// Begins a transaction, so that all that is read from now on belongs together; `false` if the driver has none.
    pub fn begin(&mut self) -> bool {
        let off = OptionValue::String("false".to_owned());
        self.connection.set_option(OptionConnection::AutoCommit, off).is_ok()
    }

    /// Ends the transaction, if there is one, and begins another: after an error, databases take nothing more in the old one.
    ///
    /// # Errors
    /// All but [`Error::Library`] and [`Error::Stream`].
    pub fn begin_again(&mut self) -> Result<(), Error> {
        self.connection.rollback().map_err(|error| Error::of(&error))
    }

    /// Returns the sets of columns of a table that are unique and never NULL, as far as the driver says: those of its primary key, and
    /// of unique constraints over columns that cannot be NULL.
    ///
    /// `parts` are catalogue, schema and table, or the last of them. If several tables have the name, what all of them promise.
    ///
    /// # Errors
    /// All but [`Error::Library`]; [`Error::Unsupported`] from a driver that knows no constraints.
    pub fn keys(&self, parts: &[String]) -> Result<Vec<Vec<String>>, Error> {
        keys::of(&self.connection, parts)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}
