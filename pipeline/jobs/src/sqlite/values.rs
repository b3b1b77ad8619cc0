//! How are our types kept in columns?

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::{
    ApiKeyId, Family, FenceToken, GrantId, InvalidId, JobId, JobState, RequestId, RequestStatus,
    ScopeKind, SectionState, StoreError, TenantId, WorkerId,
};

/// Cuts a time to what a column keeps, so that what a call returns equals what the next one reads.
pub(super) fn whole_micros(at: Timestamp) -> Timestamp {
    from_micros(at.as_microsecond()).unwrap_or(at)
}

/// Reads microseconds. Jiff's own constructor refuses the last second of its range, which [`Timestamp::MAX`] is in.
fn from_micros(micros: i64) -> Result<Timestamp, jiff::Error> {
    let (second, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let nanosecond = i32::try_from(fraction * 1000).expect("less than a second in nanoseconds");
    Timestamp::new(second, nanosecond)
}

/// A time, kept as microseconds since 1970. What is finer is cut off.
pub(super) struct Micros(pub(super) Timestamp);

impl ToSql for Micros {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_microsecond().into())
    }
}

impl FromSql for Micros {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        from_micros(i64::column_result(value)?).map(Self).map_err(FromSqlError::other)
    }
}

/// A list of words, kept as a JSON array.
pub(super) struct Words(pub(super) Vec<String>);

impl ToSql for Words {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text = serde_json::to_string(&self.0)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        Ok(text.into())
    }
}

impl FromSql for Words {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

macro_rules! uuid_column {
    ($($id:ty: $bytes:expr, $from:expr;)+) => {$(
        impl ToSql for $id {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let bytes: fn(&Self) -> &[u8; 16] = $bytes;
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(bytes(self))))
            }
        }

        impl FromSql for $id {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).map($from)
            }
        }
    )+};
}

uuid_column! {
    RequestId: Self::as_bytes, Self::from_bytes;
    JobId: Self::as_bytes, Self::from_bytes;
    GrantId: |id| id.0.as_bytes(), |bytes| Self(uuid::Uuid::from_bytes(bytes));
    ApiKeyId: |id| id.0.as_bytes(), |bytes| Self(uuid::Uuid::from_bytes(bytes));
}

macro_rules! word_column {
    ($($word:ty),+) => {$(
        impl ToSql for $word {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl FromSql for $word {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let text = value.as_str()?;
                Self::ALL
                    .into_iter()
                    .find(|word| word.as_str() == text)
                    .ok_or_else(|| FromSqlError::other(InvalidId { expected: "a known word" }))
            }
        }
    )+};
}

word_column!(Family, JobState, RequestStatus, ScopeKind, SectionState);

impl ToSql for TenantId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for TenantId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::new(value.as_str()?).map_err(FromSqlError::other)
    }
}

impl ToSql for WorkerId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for WorkerId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        String::column_result(value).map(Self::from_stored)
    }
}

impl ToSql for FenceToken {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for FenceToken {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u64::column_result(value).map(Self)
    }
}

impl From<rusqlite::Error> for StoreError {
    /// A column of the wrong shape means an altered store; the rest is the database's trouble. Neither message holds a bound
    /// value.
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => {
                Self::Corrupt { what: "column", source: Some(Box::new(error)) }
            }
            _ => Self::Database(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_read_back_to_the_microsecond() {
        let odd: Timestamp = "1969-12-31T23:59:59.999999Z".parse().unwrap();
        for at in [Timestamp::MIN, odd, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            let cut = whole_micros(at);
            assert_eq!(from_micros(cut.as_microsecond()).unwrap(), cut);
            assert!(at.duration_since(cut).unsigned_abs() < std::time::Duration::from_micros(1));
        }
        assert_eq!(whole_micros(odd), odd);
    }

    #[test]
    fn a_time_beyond_the_calendar_is_refused() {
        assert!(from_micros(i64::MAX).is_err());
        assert!(from_micros(i64::MIN).is_err());
    }
}
