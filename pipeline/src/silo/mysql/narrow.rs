//! How are rows narrowed to a window and to filters? By the type of the column, so that an index on it is of use.

use jiff::{Timestamp, tz::TimeZone};
use mysql_async::Value as Bind;

use super::column::{Decode, Source};
use super::name::quote;
use super::select::Rows;
use crate::silo::{SectionSpec, Window};
use crate::{SiloError, Value};

/// Narrows to the section's window (half-open, NULL and days without a month outside) and to its filters.
pub(super) fn narrow(
    rows: &mut Rows,
    section: &SectionSpec,
    columns: &[Source],
) -> Result<(), SiloError> {
    if let Some(window) = &section.window {
        let column = find(columns, &window.column)?;
        let name = quote(&column.name);
        let limits = [(window.start, ">=", "windowStart"), (window.end, "<", "windowEnd")];
        for (at, compare, parameter) in limits {
            if let Some(at) = at {
                let (mark, bind) = limit(at, column, window)?;
                let shown = format!("{name} {compare} :{parameter}");
                rows.narrow(format!("{name} {compare} {mark}"), shown, bind);
            }
        }
        if column.has_days() && (window.start.is_some() || window.end.is_some()) {
            rows.only(format!("month({name}) > 0"));
        }
    }
    for filter in &section.filters {
        let values: Vec<Value> = filter.values.iter().cloned().map(Value::Text).collect();
        rows.holding(find(columns, &filter.column)?, &values, &filter.field)?;
    }
    Ok(())
}

/// Finds a column that settings name.
pub(super) fn find<'a>(columns: &'a [Source], name: &str) -> Result<&'a Source, SiloError> {
    let missing = || SiloError::Missing { what: format!("column {name}") };
    columns.iter().find(|column| column.name == name).ok_or_else(missing)
}

/// A limit in the column's type. A day begins at midnight in UTC, and numbers are seconds since 1970: of both, the first one at or
/// behind the limit separates them as the limit itself does.
fn limit(
    at: Timestamp,
    column: &Source,
    window: &Window,
) -> Result<(&'static str, Bind), SiloError> {
    Ok(match column.decode {
        Decode::DateTime { .. } | Decode::Timestamp { .. } => ("?", moment(up(at, 1_000), 1_000)),
        Decode::Date => ("cast(? as date)", moment(up(at, DAY), DAY)),
        Decode::Integer { .. } | Decode::Unsigned => {
            ("?", Bind::Int(i64::try_from(up(at, SECOND)).unwrap_or(i64::MAX)))
        }
        Decode::Decimal { .. } => {
            let since = at.as_duration();
            let sign = if since.is_negative() { "-" } else { "" };
            let (seconds, nanos) =
                (since.as_secs().unsigned_abs(), since.subsec_nanos().unsigned_abs());
            (
                "cast(? as decimal(30,9))",
                Bind::Bytes(format!("{sign}{seconds}.{nanos:09}").into_bytes()),
            )
        }
        _ => {
            let what = format!(
                "time column {} is {}, which is no time: take a query that casts it",
                window.column, column.declared
            );
            return Err(SiloError::Settings { what });
        }
    })
}

/// How many units of so many nanoseconds are before `at`, an unfinished one included.
fn up(at: Timestamp, unit: i128) -> i128 {
    (at.as_nanosecond() + unit - 1).div_euclid(unit)
}

/// The fields of a moment in UTC; before the server's first and behind its last, those.
fn moment(units: i128, unit: i128) -> Bind {
    let at = units.checked_mul(unit).and_then(|nanos| Timestamp::from_nanosecond(nanos).ok());
    let at = at.unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC).datetime();
    let Ok(year) = u16::try_from(at.year()) else { return Bind::Date(0, 1, 1, 0, 0, 0, 0) };
    let field = |field: i8| u8::try_from(field).unwrap_or(0);
    let micros = u32::try_from(at.subsec_nanosecond() / 1_000).unwrap_or(0);
    Bind::Date(
        year,
        field(at.month()),
        field(at.day()),
        field(at.hour()),
        field(at.minute()),
        field(at.second()),
        micros,
    )
}

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    fn column(decode: Decode) -> Source {
        Source {
            name: "at".to_owned(),
            declared: "int".to_owned(),
            decode,
            collation: None,
            native: false,
            loose: false,
        }
    }

    fn of(at: &str, decode: Decode) -> Bind {
        let window = Window { column: "at".to_owned(), start: None, end: None };
        limit(at.parse().unwrap(), &column(decode), &window).unwrap().1
    }

    #[test]
    fn a_limit_inside_a_unit_leaves_that_unit_before_it() {
        for (at, decode, expected) in [
            ("2026-01-01T00:00:00Z", Decode::Date, Bind::Date(2026, 1, 1, 0, 0, 0, 0)),
            ("2026-01-01T00:00:00.000000001Z", Decode::Date, Bind::Date(2026, 1, 2, 0, 0, 0, 0)),
            ("1969-12-31T00:00:00.5Z", Decode::Date, Bind::Date(1970, 1, 1, 0, 0, 0, 0)),
            (
                "2026-01-01T01:02:03.000000001Z",
                Decode::DateTime { digits: 0 },
                Bind::Date(2026, 1, 1, 1, 2, 3, 1),
            ),
            ("1969-12-31T23:59:59.5Z", Decode::Unsigned, Bind::Int(0)),
            ("-000001-01-01T00:00:00Z", Decode::Date, Bind::Date(0, 1, 1, 0, 0, 0, 0)),
            (
                "1969-12-31T23:59:59.5Z",
                Decode::Decimal { precision: 20, scale: 6 },
                Bind::Bytes(b"-0.500000000".to_vec()),
            ),
        ] {
            assert_eq!(of(at, decode), expected, "{at}");
        }
    }

    #[test]
    fn what_is_no_time_has_no_window() {
        let window = Window { column: "at".to_owned(), start: None, end: None };
        for decode in [Decode::Year, Decode::Time { digits: 0 }, Decode::Single] {
            assert!(limit(Timestamp::UNIX_EPOCH, &column(decode), &window).is_err());
        }
    }
}
