//! How are rows narrowed to a window and to filters? By the type of the column, so that an index on it is of use.

use jiff::{SignedDuration, Timestamp};

use super::bind::Slot;
use super::column::{Decode, Source};
use super::select::Rows;
use crate::silo::{SectionSpec, Window};
use crate::sql::quote;
use crate::text::{Moment, Years};
use crate::{SiloError, Value};

/// Narrows to the section's window (half-open, NULL outside) and to its filters. `columns` are those of the rows.
pub(super) fn narrow(
    rows: &mut Rows,
    section: &SectionSpec,
    columns: &[Source],
) -> Result<(), SiloError> {
    if let Some(window) = &section.window {
        let column = find(columns, &window.column)?;
        let limits = [(window.start, ">=", "windowStart"), (window.end, "<", "windowEnd")];
        for (at, compare, name) in limits {
            if let Some(at) = at {
                let (text, cast) = limit(at, column, window)?;
                let column = quote(&window.column);
                rows.narrow(Slot::Exact(Some(text)), name, |mark| {
                    (
                        format!("{column} {compare} {mark}::{cast}"),
                        format!("{column} {compare} {mark}"),
                    )
                });
            }
        }
    }
    for filter in &section.filters {
        let source = find(columns, &filter.column)?;
        let (column, equals) = (quote(&source.name), source.equals());
        let values = filter.values.iter().cloned().map(Value::Text).collect();
        rows.narrow(Slot::Any(values), &filter.field, |mark| {
            (format!("{column} {equals} any({mark})"), format!("{column} in ({mark})"))
        });
    }
    Ok(())
}

/// Finds a column that settings name.
pub(super) fn find<'a>(columns: &'a [Source], name: &str) -> Result<&'a Source, SiloError> {
    let missing = || SiloError::Missing { what: format!("column {name}") };
    columns.iter().find(|column| column.name == name).ok_or_else(missing)
}

/// A limit as text of the column's type. A day begins at midnight in UTC, and numbers are seconds since 1970: of both, the first
/// one at or behind the limit separates them as the limit itself does.
fn limit(
    at: Timestamp,
    column: &Source,
    window: &Window,
) -> Result<(String, &'static str), SiloError> {
    let micros = || i64::try_from(up(at, 1_000)).unwrap_or(i64::MAX - 1);
    Ok(match column.decode {
        Decode::TimestampTz => (written(Moment::TimestampTz(micros())), "timestamptz"),
        Decode::Timestamp => (written(Moment::Timestamp(micros())), "timestamp"),
        Decode::Date => {
            let days = i32::try_from(up(at, DAY)).unwrap_or(i32::MAX - 1);
            (written(Moment::Date(days)), "date")
        }
        Decode::Int2 | Decode::Int4 | Decode::Int8 => (up(at, SECOND).to_string(), "int8"),
        Decode::Numeric | Decode::Decimal { .. } => (fraction(at.as_duration()), "numeric"),
        Decode::Single | Decode::Real => (fraction(at.as_duration()), "float8"),
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

fn written(moment: Moment) -> String {
    let mut out = Vec::new();
    moment.write(Years::Era, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// Seconds with all their digits.
fn fraction(since: SignedDuration) -> String {
    let sign = if since.is_negative() { "-" } else { "" };
    format!("{sign}{}.{:09}", since.as_secs().unsigned_abs(), since.subsec_nanos().unsigned_abs())
}

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_inside_a_day_leaves_that_day_before_it() {
        for (at, day) in [
            ("2026-01-01T00:00:00Z", "2026-01-01"),
            ("2026-01-01T00:00:00.000000001Z", "2026-01-02"),
            ("2025-12-31T23:59:59Z", "2026-01-01"),
            ("1969-12-31T23:59:59.5Z", "1970-01-01"),
            ("1969-12-31T00:00:00.5Z", "1970-01-01"),
            ("1969-12-31T00:00:00Z", "1969-12-31"),
            ("1969-12-30T23:59:59.999999999Z", "1969-12-31"),
        ] {
            let days = i32::try_from(up(at.parse().unwrap(), DAY)).unwrap();
            assert_eq!(written(Moment::Date(days)), day, "{at}");
        }
    }

    #[test]
    fn seconds_keep_their_fraction_and_sign() {
        let of = |at: &str| fraction(at.parse::<Timestamp>().unwrap().as_duration());
        assert_eq!(of("1970-01-01T00:00:01.5Z"), "1.500000000");
        assert_eq!(of("1969-12-31T23:59:59.5Z"), "-0.500000000");
    }
}
