//! Days and times between the server's fields, Arrow's numbers and text.

use mysql_async::Value as Bind;

/// Days since 1970-01-01 of a day that the calendar has; `None` for one such as 2024-00-15 or 2024-02-30.
pub(super) fn days(year: u16, month: u8, day: u8) -> Option<i32> {
    let (year, month, day) = (i32::from(year), i32::from(month), i32::from(day));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    // A year that begins in March has its leap day at the end
    // (https://howardhinnant.github.io/date_algorithms.html#days_from_civil).
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Microseconds of a time of day.
pub(super) fn micros(hour: u8, minute: u8, second: u8, fraction: u32) -> i64 {
    let seconds = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    seconds * 1_000_000 + i64::from(fraction)
}

/// Reads a day, or a day and a time, in ISO 8601: a `T` or a space between them, `Z` behind them if `zoned`. What the server's
/// types do not reach is `None`. The year before 0001 may be written 0000 or `0001-… BC`, as cursors are.
pub(super) fn parse(text: &str, with_time: bool) -> Option<Bind> {
    let text = text.trim();
    let (text, before) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let at = text.find(['T', ' ']).unwrap_or(text.len());
    let (date, rest) = text.split_at(at);
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    let day = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    let year = match (before, year) {
        (false, year) => u16::try_from(year).ok()?,
        (true, 1) => 0,
        (true, _) => return None,
    };
    if parts.next().is_some() || days(year, month, day).is_none() {
        return None;
    }
    let Some(clock) = rest.get(1..).filter(|_| !rest.is_empty()) else {
        return Some(Bind::Date(year, month, day, 0, 0, 0, 0));
    };
    if !with_time {
        return None;
    }
    let (hour, minute, second, fraction) = time_of_day(clock.strip_suffix('Z').unwrap_or(clock))?;
    let hour = u8::try_from(hour).ok().filter(|hour| *hour < 24)?;
    Some(Bind::Date(year, month, day, hour, minute, second, fraction))
}

/// Reads a length of time: hours up to 838, minutes, seconds and a fraction, a sign in front at will.
pub(super) fn parse_time(text: &str) -> Option<Bind> {
    let text = text.trim();
    let (negative, clock) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (hours, minute, second, fraction) = time_of_day(clock)?;
    if hours > 838 {
        return None;
    }
    Some(Bind::Time(negative, hours / 24, u8::try_from(hours % 24).ok()?, minute, second, fraction))
}

/// The text of a length of time as the server writes it, `digits` of them behind the seconds.
pub(super) fn write_time(value: &Bind, digits: u8, out: &mut String) -> Option<()> {
    let Bind::Time(negative, days, hour, minute, second, fraction) = *value else { return None };
    if negative {
        out.push('-');
    }
    let hours = days.checked_mul(24)?.checked_add(u32::from(hour))?;
    pad(hours, 2, out);
    clock(minute, second, fraction, digits, out);
    Some(())
}

/// The text of a day, or of a day and a time, as the server writes it, whether a calendar has it or not.
pub(super) fn write(value: &Bind, digits: Option<u8>, out: &mut String) -> Option<()> {
    let Bind::Date(year, month, day, hour, minute, second, fraction) = *value else { return None };
    pad(u32::from(year), 4, out);
    out.push('-');
    pad(u32::from(month), 2, out);
    out.push('-');
    pad(u32::from(day), 2, out);
    if let Some(digits) = digits {
        out.push(' ');
        pad(u32::from(hour), 2, out);
        clock(minute, second, fraction, digits, out);
    }
    Some(())
}

fn clock(minute: u8, second: u8, fraction: u32, digits: u8, out: &mut String) {
    out.push(':');
    pad(u32::from(minute), 2, out);
    out.push(':');
    pad(u32::from(second), 2, out);
    if digits > 0 {
        out.push('.');
        let end = out.len() + usize::from(digits);
        pad(fraction, 6, out);
        out.truncate(end);
    }
}

/// Appends a number, zeros in front up to `width` digits.
fn pad(number: u32, width: usize, out: &mut String) {
    let digits = number.to_string();
    for _ in digits.len()..width {
        out.push('0');
    }
    out.push_str(&digits);
}

/// `hh:mm:ss` with a fraction at will; hours may have three digits.
fn time_of_day(text: &str) -> Option<(u32, u8, u8, u32)> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let hours = parts.next()?;
    let hours = digits(hours, if hours.len() == 3 { 3 } else { 2 })?;
    let minute = u8::try_from(digits(parts.next()?, 2)?).ok().filter(|minute| *minute < 60)?;
    let second = match parts.next() {
        Some(second) => u8::try_from(digits(second, 2)?).ok().filter(|second| *second < 60)?,
        None => 0,
    };
    if parts.next().is_some() || !(1..=6).contains(&fraction.len()) {
        return None;
    }
    let missing = u32::try_from(6 - fraction.len()).ok()?;
    let fraction = digits(fraction, fraction.len())? * 10_u32.pow(missing);
    Some((hours, minute, second, fraction))
}

/// A number of exactly so many digits.
fn digits(text: &str, width: usize) -> Option<u32> {
    let fits = text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::{Moment, Years};

    #[test]
    fn days_are_counted_over_the_whole_range_and_no_others() {
        for (date, expected) in [
            ((1970, 1, 1), Some(0)),
            ((1969, 12, 31), Some(-1)),
            ((2000, 2, 29), Some(11_016)),
            ((0, 1, 1), Some(-719_528)),
            ((9999, 12, 31), Some(2_932_896)),
            ((1900, 2, 29), None),
            ((2024, 2, 31), None),
            ((2024, 0, 15), None),
            ((2024, 2, 0), None),
            ((0, 0, 0), None),
            ((2024, 13, 1), None),
        ] {
            let (year, month, day) = date;
            assert_eq!(days(year, month, day), expected, "{date:?}");
        }
    }

    #[test]
    fn moments_are_read_as_the_server_binds_them() {
        for (text, time, expected) in [
            ("2024-02-29", true, Some(Bind::Date(2024, 2, 29, 0, 0, 0, 0))),
            ("2024-02-29T23:59:59.5", true, Some(Bind::Date(2024, 2, 29, 23, 59, 59, 500_000))),
            ("2024-02-29 23:59:59.000001Z", true, Some(Bind::Date(2024, 2, 29, 23, 59, 59, 1))),
            ("0001-01-01 BC", false, Some(Bind::Date(0, 1, 1, 0, 0, 0, 0))),
            ("2024-02-29T00:00:00", false, None),
            ("2023-02-29", true, None),
            ("0000-00-00", true, None),
            ("10000-01-01", true, None),
            ("today", true, None),
            ("2024-02-29T24:00:00", true, None),
            ("2024-02-29T1:00:00", true, None),
        ] {
            assert_eq!(parse(text, time), expected, "{text}");
        }
        for (text, expected) in [
            ("838:59:59", Some(Bind::Time(false, 34, 22, 59, 59, 0))),
            ("-00:00:00.000001", Some(Bind::Time(true, 0, 0, 0, 0, 1))),
            ("839:00:00", None),
            ("1:00:00", None),
            ("noon", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }

    #[test]
    fn what_no_calendar_has_is_written_as_the_server_writes_it() {
        let of = |value: Bind, digits| {
            let mut out = String::new();
            write(&value, digits, &mut out).unwrap();
            out
        };
        assert_eq!(of(Bind::Date(0, 0, 0, 0, 0, 0, 0), None), "0000-00-00");
        assert_eq!(of(Bind::Date(0, 0, 0, 0, 0, 0, 0), Some(0)), "0000-00-00 00:00:00");
        assert_eq!(
            of(Bind::Date(2024, 0, 15, 1, 2, 3, 40_000), Some(3)),
            "2024-00-15 01:02:03.040"
        );
    }

    proptest! {
        #[test]
        fn every_day_is_the_day_that_arrow_writes(year in 0_u16..=9_999, month in 1_u8..=12, day in 1_u8..=28) {
            let mut out = Vec::new();
            Moment::Date(days(year, month, day).unwrap()).write(Years::Era, &mut out);
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(parse(&text, false), Some(Bind::Date(year, month, day, 0, 0, 0, 0)));
        }

        #[test]
        fn every_length_of_time_is_read_back(negative: bool, hours in 0_u32..=838, minute in 0_u8..60, second in 0_u8..60, fraction in 0_u32..1_000_000) {
            let value = Bind::Time(negative, hours / 24, u8::try_from(hours % 24).unwrap(), minute, second, fraction);
            let mut out = String::new();
            write_time(&value, 6, &mut out).unwrap();
            prop_assert_eq!(parse_time(&out), Some(value));
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            drop(parse(&text, true));
            drop(parse_time(&text));
        }
    }
}
