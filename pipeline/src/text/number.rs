//! Numbers and bytes as text.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Appends a whole number.
pub(crate) fn integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(Digits::of(value.unsigned_abs()).text());
}

/// Returns two digits of a number below 100.
#[inline]
pub(crate) const fn pair(number: u64) -> [u8; 2] {
    // A byte holds them; what is asked for beyond 99 is not what it says, and no more than that.
    let [low, ..] = number.to_le_bytes();
    [b'0' + low / 10 % 10, b'0' + low % 10]
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
    if let Ok(small) = u64::try_from(unscaled.unsigned_abs()) {
        placed(Digits::of(small).text(), scale, out);
        return;
    }
    let start = out.len();
    write!(out, "{}", unscaled.unsigned_abs()).expect("a vector takes every byte");
    let digits = out.split_off(start);
    placed(&digits, scale, out);
}

/// Appends digits with their point, or zeros instead of it.
fn placed(digits: &[u8], scale: i8, out: &mut Vec<u8>) {
    let places = usize::from(scale.unsigned_abs());
    out.extend_from_slice(match digits.len().checked_sub(places) {
        Some(1..) if scale > 0 => digits.get(..digits.len() - places).unwrap_or_default(),
        _ if scale > 0 => b"0",
        _ => digits,
    });
    if scale < 0 && digits != b"0" {
        out.resize(out.len() + places, b'0');
    }
    if scale > 0 {
        out.push(b'.');
        out.resize(out.len() + places.saturating_sub(digits.len()), b'0');
        let from = digits.len().saturating_sub(places);
        out.extend_from_slice(digits.get(from..).unwrap_or_default());
    }
}

/// Appends bytes as base64 ([RFC 4648](https://www.rfc-editor.org/rfc/rfc4648#section-4) section 4, padded) in quotes.
pub(crate) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    base64_digits(bytes, out);
    out.push(b'"');
}

/// As [`base64()`], without the quotes.
pub(crate) fn base64_digits(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD
        .encode_slice(bytes, out.get_mut(start..).unwrap_or_default())
        .expect("the buffer was made as long as base64 of these bytes is");
    out.truncate(start + written);
}

/// The digits of a number, without leading zeros.
struct Digits {
    bytes: [u8; 20],
    from: usize,
}

impl Digits {
    fn of(mut number: u64) -> Self {
        let mut bytes = [b'0'; 20];
        let mut from = bytes.len();
        for two in bytes.as_rchunks_mut::<2>().1.iter_mut().rev() {
            *two = pair(number % 100);
            from -= if number < 10 { 1 } else { 2 };
            number /= 100;
            if number == 0 {
                break;
            }
        }
        Self { bytes, from }
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }
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
    fn whole_numbers_are_what_the_standard_library_writes() {
        let edges = (0..=19).flat_map(|power| {
            let ten = 10_u64.saturating_pow(power);
            [ten - 1, ten, ten + 1].map(u64::cast_signed)
        });
        for value in edges.chain([0, i64::MIN, i64::MAX, -1, -10, -99, -100]) {
            assert_eq!(text(|out| integer(value, out)), value.to_string());
        }
        assert_eq!(
            (0..100).map(|n| String::from_utf8(pair(n).to_vec()).unwrap()).collect::<String>(),
            (0..100).map(|n| format!("{n:02}")).collect::<String>()
        );
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
        fn any_whole_number_is_written(value: i64) {
            prop_assert_eq!(text(|out| integer(value, out)), value.to_string());
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
