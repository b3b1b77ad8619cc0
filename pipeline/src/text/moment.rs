//! Days and times as text, over the whole range that silos and Arrow have.
//!
//! ISO 8601 on the proleptic Gregorian calendar: `2024-02-29`, `23:59:59.5`, `2024-02-29T23:59:59.5`, with `Z` where the moment is
//! in UTC. The fraction has no zeros at its end and is left out when it is zero. A year outside 0000–9999 has a sign and at least
//! four digits; the year before 0001 is 0000, so the 44th year before Christ is `-0043`. Infinite moments are words.

use super::number::pair;

/// A day, a time or both, in Arrow's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Days since 1970-01-01; [`i32::MAX`] and [`i32::MIN`] are `infinity` and `-infinity`.
    Date(i32),
    /// Microseconds since midnight; a whole day is `24:00:00`.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00:00; [`i64::MAX`] and [`i64::MIN`] are `infinity` and `-infinity`.
    Timestamp(i64),
    /// As [`Timestamp`](Self::Timestamp), in UTC.
    TimestampTz(i64),
}

/// How years outside 0001–9999 are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Years {
    /// As ISO 8601 has them: `-0043-03-15`, `+12345-01-01`.
    Iso,
    /// As PostgreSQL reads them: `0044-03-15 BC`, `12345-01-01`.
    Era,
}

impl Moment {
    /// Returns the moment of a timestamp column's number.
    pub(crate) const fn at(micros: i64, zoned: bool) -> Self {
        if zoned { Self::TimestampTz(micros) } else { Self::Timestamp(micros) }
    }

    /// Appends the moment; never a comma, a quote or a backslash.
    pub(crate) fn write(self, years: Years, out: &mut Vec<u8>) {
        match self {
            Self::Date(i32::MAX) | Self::Timestamp(i64::MAX) | Self::TimestampTz(i64::MAX) => {
                out.extend_from_slice(b"infinity");
            }
            Self::Date(i32::MIN) | Self::Timestamp(i64::MIN) | Self::TimestampTz(i64::MIN) => {
                out.extend_from_slice(b"-infinity");
            }
            Self::Date(days) => date(i64::from(days), years, b"", None, out),
            Self::Time(micros) => time(micros, out),
            Self::Timestamp(micros) => timestamp(micros, years, b"", out),
            Self::TimestampTz(micros) => timestamp(micros, years, b"Z", out),
        }
    }
}

fn timestamp(micros: i64, years: Years, zone: &[u8], out: &mut Vec<u8>) {
    date(micros.div_euclid(DAY), years, zone, Some(micros.rem_euclid(DAY)), out);
}

/// Appends a day, the time of it and the zone; the era stands behind all of them.
fn date(days: i64, years: Years, zone: &[u8], micros: Option<i64>, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    let mut era: &[u8] = b"";
    match years {
        Years::Iso if year < 0 => out.push(b'-'),
        Years::Iso if year > 9_999 => out.push(b'+'),
        Years::Era if year < 1 => era = b" BC",
        _ => {}
    }
    let shown = if era.is_empty() { year } else { 1 - year };
    match u64::try_from(shown) {
        Ok(year @ 0..=9_999) => {
            let ([a, b], [c, d]) = (pair(year / 100), pair(year % 100));
            let ([e, f], [g, h]) = (two(month), two(day));
            out.extend_from_slice(&[a, b, c, d, b'-', e, f, b'-', g, h]);
        }
        _ => {
            digits(shown, 4, out);
            let ([e, f], [g, h]) = (two(month), two(day));
            out.extend_from_slice(&[b'-', e, f, b'-', g, h]);
        }
    }
    if let Some(micros) = micros {
        out.push(b'T');
        time(micros, out);
    }
    out.extend_from_slice(zone);
    out.extend_from_slice(era);
}

/// `micros` is from 0 to a whole day.
fn time(micros: i64, out: &mut Vec<u8>) {
    let seconds = micros.div_euclid(SECOND);
    let ([a, b], [c, d]) = (two(seconds / 3_600), two(seconds / 60 % 60));
    let [e, f] = two(seconds % 60);
    out.extend_from_slice(&[a, b, b':', c, d, b':', e, f]);
    let fraction = micros.rem_euclid(SECOND);
    if fraction == 0 {
        return;
    }
    let ([a, b], [c, d]) = (two(fraction / 10_000), two(fraction / 100 % 100));
    let [e, f] = two(fraction % 100);
    let text = [b'.', a, b, c, d, e, f];
    let end = text.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    out.extend_from_slice(text.get(..end).unwrap_or_default());
}

/// Returns two digits of a number from 0 to 99.
const fn two(number: i64) -> [u8; 2] {
    pair(number.unsigned_abs())
}

/// Appends a number without its sign, zeros in front up to `width` digits.
fn digits(number: i64, width: usize, out: &mut Vec<u8>) {
    let start = out.len();
    let mut left = number.unsigned_abs();
    while left > 0 || out.len() - start < width {
        out.push(
            b'0' + u8::try_from(left % 10).expect("the rest of a division by ten is below ten"),
        );
        left /= 10;
    }
    out.get_mut(start..).unwrap_or_default().reverse();
}

/// Year, month and day of a number of days since 1970-01-01
/// ([how](https://howardhinnant.github.io/date_algorithms.html#civil_from_days)).
const fn civil(days: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01: a year that begins in March has its leap day at the end.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400 * SECOND;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(moment: Moment, years: Years) -> String {
        let mut out = Vec::new();
        moment.write(years, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn days_have_their_dates_over_the_whole_range() {
        for (days, iso, era) in [
            (0, "1970-01-01", "1970-01-01"),
            (-1, "1969-12-31", "1969-12-31"),
            (11_016, "2000-02-29", "2000-02-29"),
            (-25_509, "1900-02-28", "1900-02-28"),
            (-25_508, "1900-03-01", "1900-03-01"),
            (2_932_896, "9999-12-31", "9999-12-31"),
            (2_932_897, "+10000-01-01", "10000-01-01"),
            (3_789_421, "+12345-01-31", "12345-01-31"),
            (-719_162, "0001-01-01", "0001-01-01"),
            (-719_163, "0000-12-31", "0001-12-31 BC"),
            (-719_528, "0000-01-01", "0001-01-01 BC"),
            (-719_529, "-0001-12-31", "0002-12-31 BC"),
            // The first and the last day PostgreSQL has.
            (-2_440_588, "-4713-11-24", "4714-11-24 BC"),
            (2_145_042_904, "+5874897-12-30", "5874897-12-30"),
            (2_145_042_905, "+5874897-12-31", "5874897-12-31"),
            (i32::MAX, "infinity", "infinity"),
            (i32::MIN, "-infinity", "-infinity"),
        ] {
            assert_eq!(text(Moment::Date(days), Years::Iso), iso, "{days}");
            assert_eq!(text(Moment::Date(days), Years::Era), era, "{days}");
        }
    }

    #[test]
    fn fractions_have_no_zeros_at_their_end() {
        for (micros, expected) in [
            (0, "00:00:00"),
            (1, "00:00:00.000001"),
            (500_000, "00:00:00.5"),
            (1_020, "00:00:00.00102"),
            (DAY - 1, "23:59:59.999999"),
            (DAY, "24:00:00"),
        ] {
            assert_eq!(text(Moment::Time(micros), Years::Iso), expected);
        }
    }

    #[test]
    fn zone_and_era_stand_behind_the_time() {
        let ides = -63_517_780_799_500_000;
        for (moment, iso, era) in [
            (Moment::Timestamp(-1), "1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999"),
            (Moment::TimestampTz(0), "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            (Moment::TimestampTz(ides), "-0043-03-15T12:00:00.5Z", "0044-03-15T12:00:00.5Z BC"),
            (
                Moment::Timestamp(i64::MAX - 1),
                "+294247-01-10T04:00:54.775806",
                "294247-01-10T04:00:54.775806",
            ),
            (
                Moment::Timestamp(i64::MIN + 1),
                "-290308-12-21T19:59:05.224193",
                "290309-12-21T19:59:05.224193 BC",
            ),
            (Moment::Timestamp(i64::MAX), "infinity", "infinity"),
            (Moment::TimestampTz(i64::MIN), "-infinity", "-infinity"),
        ] {
            assert_eq!(text(moment, Years::Iso), iso);
            assert_eq!(text(moment, Years::Era), era);
        }
    }

    proptest! {
        #[test]
        fn years_0001_to_9999_read_back_and_are_one_form(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
            let written = text(Moment::Timestamp(micros), Years::Iso);
            prop_assert_eq!(&written, &text(Moment::Timestamp(micros), Years::Era));
            let read: jiff::civil::DateTime = written.parse().unwrap();
            let utc = read.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
            prop_assert_eq!(utc.timestamp().as_microsecond(), micros);
            let (day, time) = written.split_once('T').unwrap();
            let days = i32::try_from(micros.div_euclid(DAY)).unwrap();
            prop_assert_eq!(day, text(Moment::Date(days), Years::Iso));
            prop_assert_eq!(time, text(Moment::Time(micros.rem_euclid(DAY)), Years::Iso));
        }

        #[test]
        fn days_follow_each_other(days in i32::MIN + 1..i32::MAX - 1) {
            let (first, second) = (civil(i64::from(days)), civil(i64::from(days) + 1));
            let leap = first.0 % 4 == 0 && (first.0 % 100 != 0 || first.0 % 400 == 0);
            let last = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][usize::try_from(first.1 - 1).unwrap()];
            let expected = match first {
                (year, 12, 31) => (year + 1, 1, 1),
                (year, month, day) if day == last => (year, month + 1, 1),
                (year, month, day) => (year, month, day + 1),
            };
            prop_assert_eq!(second, expected);
        }
    }
}
