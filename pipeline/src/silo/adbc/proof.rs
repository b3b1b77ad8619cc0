//! How does a database write a moment? As the first of some ways by which it answers with that very moment.

use super::cell::{Cell, cell};
use super::fault;
use super::link::Server;
use super::select::Sql;
use crate::SiloError;

/// Kinds of moments, by what a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Moment {
    Day,
    /// On a wall clock.
    Wall,
    /// In UTC.
    Utc,
}

impl Moment {
    /// Returns the expression of a moment of this kind, written `YYYY-MM-DD` or `YYYY-MM-DD HH:MM:SS.FFFFFF` in UTC. Nobody's value is
    /// in it.
    pub(super) fn expression(
        self,
        server: &mut Server<'_>,
        written: &str,
    ) -> Result<String, SiloError> {
        let dialect = server.dialect;
        match dialect.moment(self, || self.find(server))? {
            Some(form) => Ok(form.replace("{}", written)),
            None => Err(fault::settings(
                "the database writes moments in no way that is known: a window cannot be taken of it",
            )),
        }
    }

    fn find(self, server: &mut Server<'_>) -> Result<Option<&'static str>, SiloError> {
        let (forms, written): (&[&'static str], _) = match self {
            Self::Day => (&DAYS, "2001-02-03"),
            Self::Wall => (&WALL, "2001-02-03 04:05:06.789012"),
            Self::Utc => (&UTC, "2001-02-03 04:05:06.789012"),
        };
        for form in forms {
            let sql = Sql::text(format!("select {} as v", form.replace("{}", written)));
            match server.try_first(&sql) {
                Ok(Some(batch)) if self.is_proven(cell(batch.column(0), 0)) => {
                    return Ok(Some(form));
                }
                Ok(_) | Err(antumbra_adbc::Error::Stream) => {}
                Err(error) if error.retry() => return Err(fault::running(&error)),
                Err(_) => {}
            }
            // Where a refusal ends a transaction, what comes next would be refused for that.
            server.settle();
        }
        Ok(None)
    }

    fn is_proven(self, value: Cell<'_>) -> bool {
        match (self, value) {
            (Self::Day, Cell::Date(days)) => days == 11_356,
            (Self::Wall | Self::Utc, Cell::Moment { value, unit, zoned }) => {
                zoned == (self == Self::Utc)
                    && value.checked_mul(unit) == Some(981_173_106_789_012_000)
            }
            _ => false,
        }
    }
}

const DAYS: [&str; 2] = ["date '{}'", "cast('{}' as date)"];
const WALL: [&str; 4] =
    ["timestamp_ntz '{}'", "timestamp '{}'", "cast('{}' as timestamp)", "datetime '{}'"];
const UTC: [&str; 3] = [
    "timestamp '{}+00:00'",
    "cast('{}+00:00' as timestamp with time zone)",
    "cast('{}+00:00' as timestamp)",
];
