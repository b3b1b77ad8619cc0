//! Numbers and bytes as text.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Appends a whole number.
pub(crate) fn integer(value: i64, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a vector takes every byte");
}

/// Appends a number with the fewest digits that read back as it; `quote` stands on both sides of a word that is no number
/// (`NaN`, `Infinity`, `-Infinity`).
pub(crate) fn real(value: f64, quote: &str, out: &mut Vec<u8>) {
    if value.is_finite() {
        serde_json::to_writer(out, &value)
            .expect("a float serialises, and a vector takes every byte");
    } else {
        word(value, quote, out);
    }
}

/// As [`real`], with the fewest digits that read back as this 32-bit float.
pub(crate) fn single(value: f32, quote: &str, out: &mut Vec<u8>) {
    if value.is_finite() {
        serde_json::to_writer(out, &value)
            .expect("a float serialises, and a vector takes every byte");
    } else {
        word(f64::from(value), quote, out);
    }
}

/// Appends `unscaled` · 10^-`scale` with all its digits: `scale` of them behind the point, one before it at least.
pub(crate) fn decimal(unscaled: i128, scale: i8, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let start = out.len();
    write!(out, "{}", unscaled.unsigned_abs()).expect("a vector takes every byte");
    let scale_len = usize::from(scale.unsigned_abs());
    if scale < 0 {
        if unscaled != 0 {
            out.resize(out.len() + scale_len, b'0');
        }
        return;
    }
    if scale_len == 0 {
        return;
    }
    let len = out.len() - start;
    if len <= scale_len {
        let zeros = scale_len + 1 - len;
        out.splice(start..start, std::iter::repeat_n(b'0', zeros));
    }
    out.insert(out.len() - scale_len, b'.');
}

/// Appends bytes as base64 ([RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-4) section 4, padded) in quotes.
pub(crate) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD
        .encode_slice(bytes, out.get_mut(start..).unwrap_or_default())
        .expect("the buffer was made as long as base64 of these bytes is");
    out.truncate(start + written);
    out.push(b'"');
}

fn word(value: f64, quote: &str, out: &mut Vec<u8>) {
    let word = match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    };
    write!(out, "{quote}{word}{quote}").expect("a vector takes every byte");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"before".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap().split_off(6)
    }

    #[test]
    fn decimals_have_all_their_digits() {
        for (unscaled, scale, expected) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (5, 2, "0.05"),
            (-5, 2, "-0.05"),
            (-1999, 2, "-19.99"),
            (100, 2, "1.00"),
            (7, 0, "7"),
            (123, -2, "12300"),
            (-1, -1, "-10"),
            (0, -2, "0"),
            (1, 38, "0.00000000000000000000000000000000000001"),
            (
                -99_999_999_999_999_999_999_999_999_999_999_999_999,
                0,
                "-99999999999999999999999999999999999999",
            ),
            (
                99_999_999_999_999_999_999_999_999_999_999_999_999,
                38,
                "0.99999999999999999999999999999999999999",
            ),
        ] {
            assert_eq!(text(|out| decimal(unscaled, scale, out)), expected);
        }
    }

    #[test]
    fn floats_are_short_and_words_are_quoted_as_asked() {
        assert_eq!(text(|out| single(0.1, "", out)), "0.1");
        assert_eq!(text(|out| single(f32::MAX, "", out)), "3.4028235e+38");
        assert_eq!(text(|out| single(-0.0, "", out)), "-0.0");
        assert_eq!(text(|out| single(f32::NAN, "\"", out)), "\"NaN\"");
        assert_eq!(text(|out| real(f64::NEG_INFINITY, "", out)), "-Infinity");
        assert_eq!(text(|out| real(5e-324, "", out)), "5e-324");
    }

    proptest! {
        #[test]
        fn floats_read_back(bits: u32, wide: u64) {
            let (narrow, wide) = (f32::from_bits(bits), f64::from_bits(wide));
            if narrow.is_finite() {
                let read: f32 = text(|out| single(narrow, "", out)).parse().unwrap();
                prop_assert_eq!(read.to_bits(), bits);
            }
            if wide.is_finite() {
                let read: f64 = text(|out| real(wide, "", out)).parse().unwrap();
                prop_assert_eq!(read.to_bits(), wide.to_bits());
            }
        }

        #[test]
        fn a_decimal_without_its_point_is_its_number(unscaled: i128, scale in 0_i8..=38) {
            let written = text(|out| decimal(unscaled, scale, out));
            let (whole, fraction) = written.split_once('.').unwrap_or((&written, ""));
            prop_assert_eq!(fraction.len(), usize::try_from(scale).unwrap());
            prop_assert_eq!(format!("{whole}{fraction}").parse::<i128>().unwrap(), unscaled);
        }
    }
}
