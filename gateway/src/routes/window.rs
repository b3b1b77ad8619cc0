//! Which stretch of time does a submitted body ask for?
//!
//! The compliance scope has `windowStart` and `windowEnd`; in Sombra bodies they are this gateway's own members. Together
//! they are half-open: the start is inside, the end is not. They narrow the datapoints that have a time column.

use jiff::Timestamp;

use super::fields::Field;
use crate::http::ApiError;

/// Reads start and end; each may be absent, which leaves that side open.
///
/// # Errors
/// When one is no RFC 3339 time with its zone, or the start is not before the end. The fault names the field.
pub(super) fn window(root: &Field<'_>) -> Result<(Option<Timestamp>, Option<Timestamp>), ApiError> {
    let start = root.get("windowStart")?.map(|field| moment(&field)).transpose()?;
    let Some(field) = root.get("windowEnd")? else { return Ok((start, None)) };
    let end = moment(&field)?;
    if start.is_some_and(|start| start >= end) {
        return Err(field.fault("must be after `windowStart`"));
    }
    Ok((start, Some(end)))
}

fn moment(field: &Field<'_>) -> Result<Timestamp, ApiError> {
    let text = field.text()?;
    // The parser takes more than RFC 3339: times without seconds, zones in brackets.
    let moment = if is_rfc_3339(text) { text.parse().ok() } else { None };
    moment.ok_or_else(|| field.fault(EXPECTED))
}

/// Says whether a text is built as RFC 3339 §5.6 says; not whether its month and hour exist.
fn is_rfc_3339(text: &str) -> bool {
    let Some((time, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
    };
    let known_zone = ["Z", "z", "+00:00", "-00:00"].iter().any(|shape| looks_like(zone, shape));
    known_zone && looks_like(&time.to_ascii_uppercase(), "0000-00-00T00:00:00")
}

/// Compares with a shape, in which a zero stands for any digit.
fn looks_like(text: &str, shape: &str) -> bool {
    let same = |(byte, shape): (u8, u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        other => byte == other,
    };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(same)
}

const EXPECTED: &str = "expected an RFC 3339 time with its zone, such as 2026-01-31T00:00:00Z";

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(body: &Value) -> Result<(Option<Timestamp>, Option<Timestamp>), String> {
        window(&Field::root(body).unwrap()).map_err(|error| error.message().to_owned())
    }

    fn at(text: &str) -> Option<Timestamp> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn each_side_may_be_open() {
        let (start, end) = ("2026-01-01T00:00:00+02:00", "2026-02-01T00:00:00.25z");
        let (first, last) = (at("2025-12-31T22:00:00Z"), at("2026-02-01T00:00:00.25Z"));
        for (body, expected) in [
            (json!({}), (None, None)),
            (json!({ "windowStart": null, "windowEnd": null }), (None, None)),
            (json!({ "windowStart": start }), (first, None)),
            (json!({ "windowEnd": end }), (None, last)),
            (json!({ "windowStart": start, "windowEnd": end }), (first, last)),
        ] {
            assert_eq!(read(&body), Ok(expected), "{body}");
        }
    }

    #[test]
    fn a_window_without_a_moment_in_it_is_a_fault_of_its_end() {
        // The same moment in two zones, and an end that only looks later.
        for end in
            ["2026-01-01T12:00:00Z", "2026-01-01T13:00:00+01:00", "2026-01-01T20:00:00+10:00"]
        {
            let body = json!({ "windowStart": "2026-01-01T12:00:00Z", "windowEnd": end });
            assert_eq!(read(&body), Err("`windowEnd`: must be after `windowStart`".to_owned()));
        }
    }

    #[test]
    fn what_is_no_time_with_a_zone_is_a_fault_of_its_field_and_not_repeated() {
        for text in [
            "",
            "jane@example.org",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00,5Z",
            "2026-01-01T00:00:00+02",
            "2026-01-01T00:00:00+02:00[Europe/Berlin]",
            "2026-13-01T00:00:00Z",
            "2026-01-01T25:00:00Z",
            "２026-01-01T00:00:00Z",
        ] {
            for name in ["windowStart", "windowEnd"] {
                assert_eq!(read(&json!({ name: text })), Err(format!("`{name}`: {EXPECTED}")));
            }
        }
        let number = read(&json!({ "windowStart": 7 }));
        assert_eq!(number, Err("`windowStart`: expected a string, found a number".to_owned()));
    }
}
