//! Is a value a text of a type? One that is not can equal nothing in a column of that type, and the server would refuse the
//! statement for it.

use std::net::IpAddr;

use tokio_postgres::types::{Kind, Type};

use crate::Value;
use crate::text::{Moment, Years, number};

/// Returns the text that the server reads as `value`; `None` if the type has no such value. Types that are not known here take
/// every text.
pub(super) fn text(value: &Value, kind: &Type) -> Option<String> {
    let kind = base(kind);
    if *kind == Type::BYTEA {
        let bytes = match value {
            Value::Bytes(bytes) => bytes.as_slice(),
            Value::Text(text) => text.as_bytes(),
            Value::Integer(_) | Value::Real(_) => return None,
        };
        return Some(hex(bytes));
    }
    let text = match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Real(bits) => real(f64::from_bits(*bits)),
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok()?,
    };
    // No text of the server has one.
    if text.contains('\0') {
        return None;
    }
    of_kind(text, kind)
}

/// The type that a domain narrows.
pub(super) fn base(mut kind: &Type) -> &Type {
    while let Kind::Domain(inner) = kind.kind() {
        kind = inner;
    }
    kind
}

fn of_kind(text: String, kind: &Type) -> Option<String> {
    let trimmed = text.trim();
    if let Kind::Enum(words) = kind.kind() {
        return words.contains(&text).then_some(text);
    }
    let fits = match *kind {
        Type::INT2 => return integer(text, i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::INT4 => return integer(text, i64::from(i32::MIN), i64::from(i32::MAX)),
        Type::INT8 => return integer(text, i64::MIN, i64::MAX),
        Type::OID => return integer(text, 0, i64::from(u32::MAX)),
        Type::BOOL => BOOLEANS.iter().any(|word| trimmed.eq_ignore_ascii_case(word)),
        Type::UUID => uuid(trimmed),
        Type::NUMERIC => decimal(trimmed),
        Type::FLOAT8 => float(trimmed, |digits| digits.parse::<f64>().ok()),
        Type::FLOAT4 => float(trimmed, |digits| digits.parse::<f32>().ok().map(f64::from)),
        Type::INET | Type::CIDR => address(trimmed),
        Type::DATE => return moment(trimmed, true, false),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => return moment(trimmed, true, true),
        Type::TIME => return moment(trimmed, false, true),
        _ => true,
    };
    fits.then_some(text)
}

/// A number that equals an integer, however it is written: `12.00` and `1.2e1` are 12.
fn integer(text: String, least: i64, most: i64) -> Option<String> {
    if let Ok(number) = text.trim_ascii().parse::<i64>() {
        return (least..=most).contains(&number).then_some(text);
    }
    let number = whole(text.trim())?;
    (least..=most).contains(&number).then(|| number.to_string())
}

/// The integer that a number with a point or an exponent equals.
fn whole(text: &str) -> Option<i64> {
    let (mantissa, exponent) = split(text)?;
    let (before, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{before}{behind}");
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() {
        return Some(0);
    }
    let zeros = i64::try_from(digits.len() - kept.len()).ok()?;
    let places = exponent.checked_add(zeros)?.checked_sub(i64::try_from(behind.len()).ok()?)?;
    // No integer has more than nineteen digits.
    let places = usize::try_from(places).ok().filter(|places| *places < 19)?;
    let sign = if text.starts_with('-') { "-" } else { "" };
    format!("{sign}{kept}{}", "0".repeat(places)).parse().ok()
}

/// Digits with a point and an exponent; so many of them that no number has more are refused.
fn decimal(text: &str) -> bool {
    if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    let Some((mantissa, exponent)) = split(text) else { return false };
    mantissa.len() <= 1_000 && exponent.unsigned_abs() <= 1_000
}

/// A number that the float type holds, not too large and not so small that it would be zero.
fn float(text: &str, parse: impl Fn(&str) -> Option<f64>) -> bool {
    if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return true;
    }
    let Some((mantissa, _)) = split(text) else { return false };
    parse(text).is_some_and(|number| {
        number.is_finite() && (number != 0.0 || !mantissa.bytes().any(|b| matches!(b, b'1'..=b'9')))
    })
}

/// Mantissa and exponent of a number.
fn split(text: &str) -> Option<(&str, i64)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().ok()?),
        None => (text, 0),
    };
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()))
        .then_some((unsigned, exponent))
}

/// 32 hex digits, a hyphen behind every fourth at will, braces around them at will.
fn uuid(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    let mut digits = 0;
    let mut hyphen = false;
    for byte in inner.bytes() {
        if byte == b'-' {
            if hyphen || digits == 0 || digits % 4 != 0 {
                return false;
            }
            hyphen = true;
        } else if byte.is_ascii_hexdigit() {
            digits += 1;
            hyphen = false;
        } else {
            return false;
        }
    }
    digits == 32 && !hyphen
}

fn address(text: &str) -> bool {
    let (address, mask) = text.split_once('/').unwrap_or((text, "0"));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    mask.bytes().all(|b| b.is_ascii_digit()) && mask.parse::<u8>().is_ok_and(|mask| mask <= most)
}

/// A day, a time or both in ISO 8601, as the text formats write them, the years as the server reads them. Words such as
/// `today` are no values.
fn moment(text: &str, day: bool, time: bool) -> Option<String> {
    if day && matches!(text, "infinity" | "-infinity") {
        return Some(text.to_owned());
    }
    let (text, before) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    if !day {
        return (!before && is_time(text, false)).then(|| text.to_owned());
    }
    let at = text.find(['T', ' ']).unwrap_or(text.len());
    let (date, rest) = text.split_at(at);
    let in_day = rest.get(1..).unwrap_or_default();
    if !(rest.is_empty() || time && is_time(in_day, true)) {
        return None;
    }
    let days = days(date, before)?;
    if time && days > LAST_DAY_OF_TIMESTAMPS {
        return None;
    }
    let mut out = Vec::new();
    Moment::Date(days).write(Years::Era, &mut out);
    let written = String::from_utf8(out).ok()?;
    let (digits, era) = match written.strip_suffix(" BC") {
        Some(digits) => (digits, " BC"),
        None => (written.as_str(), ""),
    };
    Some(format!("{digits}{rest}{era}"))
}

/// Days since 1970-01-01 of a day that there is and that the server's dates reach.
fn days(date: &str, before: bool) -> Option<i32> {
    let (negative, unsigned) = match date.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, date.strip_prefix('+').unwrap_or(date)),
    };
    let mut parts = unsigned.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if parts.next().is_some()
        || !(4..=7).contains(&year.len())
        || month.len() != 2
        || day.len() != 2
        || ![year, month, day].into_iter().all(digits)
        || before && negative
    {
        return None;
    }
    let (year, month, day) = (year.parse::<i64>().ok()?, month.parse().ok()?, day.parse().ok()?);
    let year = if negative {
        -year
    } else if before {
        1 - year
    } else {
        year
    };
    // The calendar repeats after 400 years of 146 097 days.
    let in_cycle = i16::try_from(year.rem_euclid(400) + 2000).ok()?;
    let there = jiff::civil::Date::new(in_cycle, month, day).ok()?;
    let since = there.since(jiff::civil::date(2000, 1, 1)).ok()?.get_days();
    let days = (year.div_euclid(400) - 5) * 146_097 + i64::from(since) + 10_957;
    i32::try_from(days).ok().filter(|days| (FIRST_DAY..=LAST_DAY).contains(days))
}

/// `hh:mm`, seconds and a fraction at will, and a zone where there may be one.
fn is_time(text: &str, zoned: bool) -> bool {
    let end = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let two = |text: &str, most: u8| {
        text.len() == 2
            && text.bytes().all(|b| b.is_ascii_digit())
            && text.parse::<u8>().is_ok_and(|number| number <= most)
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let hour = parts.next().unwrap_or_default();
    let minute = parts.next().unwrap_or_default();
    let second = parts.next();
    let whole_day = hour == "24" && minute == "00" && second.is_none_or(|second| second == "00");
    let in_day = two(hour, 23) && two(minute, 59) && second.is_none_or(|second| two(second, 59));
    let fraction_fits = (1..=6).contains(&fraction.len())
        && fraction.bytes().all(|b| b.is_ascii_digit())
        && !(whole_day && fraction.bytes().any(|b| b != b'0'));
    let zone_fits = zone.is_empty()
        || zoned
            && (zone == "Z"
                || zone.get(1..).is_some_and(|offset| {
                    let mut parts = offset.split(':');
                    parts.next().is_some_and(|hours| two(hours, 15))
                        && parts.next().is_none_or(|minutes| two(minutes, 59))
                        && parts.next().is_none()
                }));
    parts.next().is_none() && (whole_day || in_day) && fraction_fits && zone_fits
}

fn real(value: f64) -> String {
    let mut out = Vec::new();
    number::real(value, "", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2 + 2);
    out.push_str("\\x");
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    out
}

/// 4714-11-24 BC.
const FIRST_DAY: i32 = -2_440_588;
/// 5874897-12-31.
const LAST_DAY: i32 = 2_145_042_905;
/// 294276-12-31.
const LAST_DAY_OF_TIMESTAMPS: i32 = 106_762_939;
const BOOLEANS: [&str; 18] = [
    "true", "t", "tr", "tru", "false", "f", "fa", "fal", "fals", "yes", "y", "ye", "no", "n", "on",
    "off", "1", "0",
];
const WORDS: [&str; 7] = ["nan", "infinity", "-infinity", "+infinity", "inf", "-inf", "+inf"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str, kind: &Type) -> Option<String> {
        super::text(&Value::Text(text.to_owned()), kind)
    }

    #[test]
    fn texts_of_the_type_are_kept_and_others_are_not() {
        for (kind, good, bad) in [
            (
                Type::INT2,
                &["1", "-32768", " 7 ", "+7"][..],
                &["32768", "1.5", "1.05", "", "0x1", "1_0", "3276.8e1", "."][..],
            ),
            (Type::INT4, &["2147483647"], &["2147483648", "a@b"]),
            (
                Type::INT8,
                &["-9223372036854775808"],
                &[
                    "9223372036854775808",
                    "9223372036854775808.0",
                    "1e19",
                    "1e-1",
                    "1e9223372036854775807",
                ],
            ),
            (Type::OID, &["4294967295"], &["-1", "-1.0", "4294967296"]),
            (Type::BOOL, &["true", "F", "yes", "0"], &["2", "", "maybe", "o"]),
            (
                Type::UUID,
                &[
                    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                    "{A0EEBC999C0B4EF8BB6D6BB9BD380A11}",
                    "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
                ],
                &["a0eebc99", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", "", "{a"],
            ),
            (
                Type::NUMERIC,
                &["1.50", "-.5", "1e3", "NaN", "-Infinity"],
                &["1,5", ".", "", "1e9999", "e1"],
            ),
            (Type::FLOAT8, &["1e308", "0e-999", "inf"], &["1e309", "1e-400", "x", "infin", "1f"]),
            (Type::FLOAT4, &["0.1"], &["1e39", "1e-50"]),
            (Type::INET, &["10.0.0.1", "::1/64"], &["10.0.0", "10.0.0.1/33", "10.0.0.1/", "host"]),
        ] {
            for text in good {
                assert_eq!(of(text, &kind).as_deref(), Some(*text), "{kind}: {text}");
            }
            for text in bad {
                assert_eq!(of(text, &kind), None, "{kind}: {text}");
            }
        }
    }

    #[test]
    fn a_number_that_equals_an_integer_is_that_integer() {
        for (kind, text, number) in [
            (Type::INT2, "12.00", "12"),
            (Type::INT4, "12.0", "12"),
            (Type::INT4, " -12. ", "-12"),
            (Type::INT4, "+1.20e1", "12"),
            (Type::INT4, "1200e-2", "12"),
            (Type::INT4, "00012.0", "12"),
            (Type::INT4, "-0.0", "0"),
            (Type::INT8, "0e9223372036854775807", "0"),
            (Type::INT8, "-9223372036854775808.0", "-9223372036854775808"),
            (Type::OID, "4.294967295e9", "4294967295"),
        ] {
            assert_eq!(of(text, &kind).as_deref(), Some(number), "{kind}: {text}");
        }
        assert_eq!(text(&Value::Real(12.0_f64.to_bits()), &Type::INT2).as_deref(), Some("12"));
        assert_eq!(text(&Value::Real(12.5_f64.to_bits()), &Type::INT2), None);
    }

    #[test]
    fn moments_are_written_as_the_server_reads_them() {
        for (kind, text, written) in [
            (Type::DATE, "2024-02-29", Some("2024-02-29")),
            (Type::DATE, "2023-02-29", None),
            (Type::DATE, "-0043-03-15", Some("0044-03-15 BC")),
            (Type::DATE, "0044-03-15 BC", Some("0044-03-15 BC")),
            (Type::DATE, "0000-01-01", Some("0001-01-01 BC")),
            (Type::DATE, "+12345-01-01", Some("12345-01-01")),
            (Type::DATE, "5874898-01-01", None),
            (Type::DATE, "infinity", Some("infinity")),
            (Type::DATE, "today", None),
            (Type::DATE, "2024-02-29T00:00:00", None),
            (Type::TIME, "23:59:59.5", Some("23:59:59.5")),
            (Type::TIME, "24:00:00", Some("24:00:00")),
            (Type::TIME, "24:00:01", None),
            (Type::TIME, "infinity", None),
            (Type::TIMESTAMP, "2024-02-29T23:59:59.5", Some("2024-02-29T23:59:59.5")),
            (Type::TIMESTAMP, "-0043-03-15T12:00:00", Some("0044-03-15T12:00:00 BC")),
            (Type::TIMESTAMPTZ, "2024-02-29 23:59:59+02:00", Some("2024-02-29 23:59:59+02:00")),
            (Type::TIMESTAMPTZ, "2024-02-29T23:59:59.123456Z", Some("2024-02-29T23:59:59.123456Z")),
            (Type::TIMESTAMPTZ, "2024-02-29T23:59:61Z", None),
            (Type::TIMESTAMPTZ, "2024-02-29T", None),
        ] {
            assert_eq!(of(text, &kind).as_deref(), written, "{kind}: {text}");
        }
    }

    #[test]
    fn other_values_take_their_texts() {
        assert_eq!(text(&Value::Integer(7), &Type::TEXT).as_deref(), Some("7"));
        assert_eq!(text(&Value::Integer(70_000), &Type::INT2), None);
        assert_eq!(text(&Value::Real(0.5_f64.to_bits()), &Type::FLOAT8).as_deref(), Some("0.5"));
        assert_eq!(text(&Value::Bytes(vec![0, 255]), &Type::BYTEA).as_deref(), Some("\\x00ff"));
        assert_eq!(text(&Value::Bytes(vec![255]), &Type::TEXT), None);
        assert_eq!(of("a\0b", &Type::TEXT), None);
        assert_eq!(of("a\\b", &Type::BYTEA).as_deref(), Some("\\x615c62"));
    }

    proptest! {
        #[test]
        fn every_day_that_we_write_is_read(days in FIRST_DAY..=LAST_DAY) {
            for years in [Years::Iso, Years::Era] {
                let mut out = Vec::new();
                Moment::Date(days).write(years, &mut out);
                let written = String::from_utf8(out).unwrap();
                let mut era = Vec::new();
                Moment::Date(days).write(Years::Era, &mut era);
                prop_assert_eq!(of(&written, &Type::DATE), Some(String::from_utf8(era).unwrap()));
            }
        }

        #[test]
        fn an_integer_is_found_behind_zeros_and_exponents(number: i64, zeros in 0_usize..30) {
            let zeros = "0".repeat(zeros);
            for written in [format!("{number}.{zeros}"), format!("{number}{zeros}e-{}", zeros.len())] {
                let found = of(&written, &Type::INT8).and_then(|text| text.parse().ok());
                prop_assert_eq!(found, Some(number), "{}", written);
            }
            prop_assert_eq!(of(&format!("{number}.{zeros}1"), &Type::INT8), None);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            for kind in [Type::INT2, Type::INT8, Type::DATE, Type::TIMESTAMPTZ, Type::TIME, Type::UUID, Type::NUMERIC, Type::FLOAT4, Type::INET] {
                drop(of(&text, &kind));
            }
        }
    }
}
