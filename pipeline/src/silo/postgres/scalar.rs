//! What value do the server's bytes hold? One form for each type that is read in binary.

use crate::text::{Moment, Years, json, minify_json, number};

use super::column::Decode;
use super::{array, interval, numeric};

pub(super) fn boolean(bytes: &[u8]) -> Result<bool, &'static str> {
    match bytes {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(MALFORMED),
    }
}

/// Whole numbers of any width.
pub(super) fn integer(bytes: &[u8], decode: &Decode) -> Result<i64, &'static str> {
    Ok(match decode {
        Decode::Int2 => i64::from(i16::from_be_bytes(whole(bytes)?)),
        Decode::Int4 => i64::from(i32::from_be_bytes(whole(bytes)?)),
        Decode::Oid => i64::from(u32::from_be_bytes(whole(bytes)?)),
        _ => i64::from_be_bytes(whole(bytes)?),
    })
}

pub(super) fn single(bytes: &[u8]) -> Result<f32, &'static str> {
    Ok(f32::from_be_bytes(whole(bytes)?))
}

pub(super) fn real(bytes: &[u8]) -> Result<f64, &'static str> {
    Ok(f64::from_be_bytes(whole(bytes)?))
}

/// Days since 1970-01-01; the server's infinite days are the extremes, as here.
pub(super) fn date(bytes: &[u8]) -> Result<i32, &'static str> {
    match i32::from_be_bytes(whole(bytes)?) {
        infinite @ (i32::MAX | i32::MIN) => Ok(infinite),
        days => days.checked_add(EPOCH_DAYS).ok_or("a day beyond those that can be told"),
    }
}

/// Microseconds since midnight.
pub(super) fn time(bytes: &[u8]) -> Result<i64, &'static str> {
    Ok(i64::from_be_bytes(whole(bytes)?))
}

/// Microseconds since 1970-01-01; the server counts from 2000, and so reaches 30 years further.
pub(super) fn timestamp(bytes: &[u8]) -> Result<i64, &'static str> {
    match i64::from_be_bytes(whole(bytes)?) {
        infinite @ (i64::MAX | i64::MIN) => Ok(infinite),
        micros => micros.checked_add(EPOCH_MICROS).filter(|micros| *micros != i64::MAX).ok_or(
            "a moment after the year 294247, which cannot be told in microseconds since 1970",
        ),
    }
}

/// Hands the text of a value to `keep`; only for what becomes text or JSON.
pub(super) fn text<T>(
    bytes: &[u8],
    decode: &Decode,
    scratch: &mut Vec<u8>,
    keep: impl FnOnce(&str) -> T,
) -> Result<T, &'static str> {
    match decode {
        Decode::Text => return Ok(keep(utf8(bytes)?)),
        Decode::Json => return Ok(keep(&minified(bytes)?)),
        Decode::Jsonb => return Ok(keep(&minified(jsonb(bytes)?)?)),
        _ => {}
    }
    scratch.clear();
    match decode {
        Decode::Uuid => uuid(whole(bytes)?, scratch),
        Decode::Interval => interval::text(bytes, scratch)?,
        Decode::Numeric => numeric::text(bytes, scratch)?,
        Decode::Array(element) => array::json(bytes, element, scratch)?,
        _ => return Err(MALFORMED),
    }
    Ok(keep(utf8(scratch)?))
}

/// Appends a value as the JSON format writes it in a column of its own.
pub(super) fn write_json(
    bytes: &[u8],
    decode: &Decode,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let quoted = |moment: Moment, out: &mut Vec<u8>| {
        out.push(b'"');
        moment.write(Years::Iso, out);
        out.push(b'"');
    };
    match decode {
        Decode::Boolean => {
            out.extend_from_slice(if boolean(bytes)? { b"true" } else { b"false" });
        }
        Decode::Int2 | Decode::Int4 | Decode::Int8 | Decode::Oid => {
            number::integer(integer(bytes, decode)?, out);
        }
        Decode::Single => number::single(single(bytes)?, "\"", out),
        Decode::Real => number::real(real(bytes)?, "\"", out),
        Decode::Decimal { precision, scale } => {
            let unscaled = numeric::unscaled(bytes, *precision, *scale)?;
            // Beyond 15 digits a reader's double would not hold it.
            let quote: &[u8] = if *precision > 15 { b"\"" } else { b"" };
            out.extend_from_slice(quote);
            number::decimal(unscaled, *scale, out);
            out.extend_from_slice(quote);
        }
        Decode::Bytes => number::base64(bytes, out),
        Decode::Date => quoted(Moment::Date(date(bytes)?), out),
        Decode::Time => quoted(Moment::Time(time(bytes)?), out),
        Decode::Timestamp => quoted(Moment::Timestamp(timestamp(bytes)?), out),
        Decode::TimestampTz => quoted(Moment::TimestampTz(timestamp(bytes)?), out),
        Decode::Json => out.extend_from_slice(minified(bytes)?.as_bytes()),
        Decode::Jsonb => out.extend_from_slice(minified(jsonb(bytes)?)?.as_bytes()),
        Decode::Text => json::string(utf8(bytes)?, out),
        Decode::Uuid | Decode::Interval | Decode::Numeric => {
            let mut scratch = Vec::new();
            text(bytes, decode, &mut scratch, |text| json::string(text, out))?;
        }
        Decode::Array(_) => return Err(MALFORMED),
    }
    Ok(())
}

fn utf8(bytes: &[u8]) -> Result<&str, &'static str> {
    std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8")
}

fn minified(bytes: &[u8]) -> Result<String, &'static str> {
    minify_json(utf8(bytes)?).ok_or("JSON that is nested too deeply, or is none")
}

/// The first byte is the version of the form.
fn jsonb(bytes: &[u8]) -> Result<&[u8], &'static str> {
    match bytes.split_first() {
        Some((1, rest)) => Ok(rest),
        _ => Err(MALFORMED),
    }
}

fn uuid(bytes: [u8; 16], out: &mut Vec<u8>) {
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        for digit in [byte >> 4, byte & 15] {
            out.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        }
    }
}

fn whole<const N: usize>(bytes: &[u8]) -> Result<[u8; N], &'static str> {
    bytes.try_into().map_err(|_| MALFORMED)
}

pub(super) const MALFORMED: &str = "not in the server's binary form of its type";
/// Days from 1970-01-01 to 2000-01-01, the server's day 0.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_infinite_ones_and_the_first_and_last_moments() {
        assert_eq!(date(&i32::MAX.to_be_bytes()), Ok(i32::MAX));
        assert_eq!(date(&0_i32.to_be_bytes()), Ok(EPOCH_DAYS));
        assert_eq!(timestamp(&i64::MIN.to_be_bytes()), Ok(i64::MIN));
        assert_eq!(timestamp(&0_i64.to_be_bytes()), Ok(EPOCH_MICROS));
        assert_eq!(
            timestamp(&(-211_813_488_000_000_000_i64).to_be_bytes()),
            Ok(-210_866_803_200_000_000)
        );
        assert!(timestamp(&9_223_371_331_199_999_999_i64.to_be_bytes()).is_err());
        assert!(timestamp(&(i64::MAX - EPOCH_MICROS).to_be_bytes()).is_err());
    }

    #[test]
    fn bytes_of_another_length_are_refused() {
        for decode in [Decode::Int2, Decode::Int4, Decode::Int8, Decode::Oid] {
            assert_eq!(integer(&[1; 3], &decode), Err(MALFORMED));
        }
        assert_eq!(boolean(&[2]), Err(MALFORMED));
        let mut scratch = Vec::new();
        assert_eq!(text(&[0; 15], &Decode::Uuid, &mut scratch, |_| ()), Err(MALFORMED));
        assert_eq!(text(b"\x02{}", &Decode::Jsonb, &mut scratch, |_| ()), Err(MALFORMED));
        assert!(text(b"\xff", &Decode::Text, &mut scratch, |_| ()).is_err());
    }

    #[test]
    fn a_uuid_has_its_hyphens() {
        let bytes: Vec<u8> = (0xa0..0xb0).collect();
        let mut scratch = Vec::new();
        let written = text(&bytes, &Decode::Uuid, &mut scratch, str::to_owned).unwrap();
        assert_eq!(written, "a0a1a2a3-a4a5-a6a7-a8a9-aaabacadaeaf");
    }
}
