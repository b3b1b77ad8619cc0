//! How are rows narrowed to a window and to filters?

use arrow_schema::{DataType, TimeUnit};
use jiff::{Timestamp, tz::TimeZone};

use super::column::Source;
use super::link::Server;
use super::proof::Moment;
use super::select::{Rows, Sql, find};
use crate::silo::{ColumnType, SectionSpec};
use crate::sql::quote;
use crate::{SiloError, Value};

/// Narrows to the section's window (half-open, NULL outside) and to its filters.
pub(super) fn narrow(
    server: &mut Server<'_>,
    rows: &mut Rows,
    section: &SectionSpec,
    columns: &[Source],
) -> Result<(), SiloError> {
    if let Some(window) = &section.window {
        let column = find(columns, &window.column)?;
        let name = server.dialect.quote(&column.name)?;
        let limits = [(window.start, ">=", "windowStart"), (window.end, "<", "windowEnd")];
        for (at, compare, parameter) in limits {
            if let Some(at) = at {
                let limit = limit(server, at, column)?;
                rows.only(Sql::of(
                    format!("{name} {compare} {limit}"),
                    format!("{} {compare} :{parameter}", quote(&column.name)),
                ));
            }
        }
    }
    for filter in &section.filters {
        let values: Vec<Value> = filter.values.iter().cloned().map(Value::Text).collect();
        rows.holding(find(columns, &filter.column)?, &values, &filter.field, server.dialect)?;
    }
    Ok(())
}

/// A limit in the column's type. A day begins at midnight in UTC, and numbers are seconds since 1970: of both, the first one at or
/// behind the limit separates them as the limit itself does.
fn limit(server: &mut Server<'_>, at: Timestamp, column: &Source) -> Result<String, SiloError> {
    let unfit = |why: &str| {
        let what = format!("time column {} is {}, {why}", column.name, column.declared);
        SiloError::Settings { what }
    };
    match (column.kind, &column.data_type) {
        (ColumnType::Integer, _) => Ok(format!("({})", up(at, SECOND))),
        (ColumnType::Date, _) => {
            let written = written(up(at, DAY), DAY);
            Moment::Day.expression(server, written.get(..10).unwrap_or_default())
        }
        (_, DataType::Timestamp(unit, zone)) => {
            if *unit == TimeUnit::Nanosecond && at.as_nanosecond() % MICRO != 0 {
                return Err(unfit("which is not compared with parts of a microsecond"));
            }
            let kind = if zone.is_some() { Moment::Utc } else { Moment::Wall };
            kind.expression(server, &written(up(at, MICRO), MICRO))
        }
        _ => Err(unfit("which is no time: take a query that casts it")),
    }
}

/// How many units of so many nanoseconds are before `at`, an unfinished one included.
fn up(at: Timestamp, unit: i128) -> i128 {
    (at.as_nanosecond() + unit - 1).div_euclid(unit)
}

/// The moment in UTC with six digits; before the first and behind the last year that databases write with four digits, those.
fn written(units: i128, unit: i128) -> String {
    let at = units.checked_mul(unit).and_then(|nanos| Timestamp::from_nanosecond(nanos).ok());
    let at = at.unwrap_or(Timestamp::MAX).to_zoned(TimeZone::UTC).datetime();
    if at.year() < 1 {
        return "0001-01-01 00:00:00.000000".to_owned();
    }
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.subsec_nanosecond() / 1_000
    )
}

const MICRO: i128 = 1_000;
const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_inside_a_unit_leaves_that_unit_before_it() {
        for (at, unit, expected) in [
            ("2026-01-01T00:00:00Z", DAY, "2026-01-01 00:00:00.000000"),
            ("2026-01-01T00:00:00.000000001Z", DAY, "2026-01-02 00:00:00.000000"),
            ("1969-12-31T00:00:00.5Z", DAY, "1970-01-01 00:00:00.000000"),
            ("2026-01-01T01:02:03.000000001Z", MICRO, "2026-01-01 01:02:03.000001"),
            ("2026-01-01T01:02:03.000001Z", MICRO, "2026-01-01 01:02:03.000001"),
            ("-000001-01-01T00:00:00Z", MICRO, "0001-01-01 00:00:00.000000"),
        ] {
            assert_eq!(written(up(at.parse().unwrap(), unit), unit), expected, "{at}");
        }
        assert_eq!(up("1969-12-31T23:59:59.5Z".parse().unwrap(), SECOND), 0);
    }
}
