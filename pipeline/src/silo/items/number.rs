//! Which type holds a JSON number exactly, as it was written?
//!
//! All functions take a number token of JSON ([RFC 8259 section 6](https://www.rfc-editor.org/rfc/rfc8259#section-6)).

use crate::text;

/// Returns a number that is whole and has 64 bits, however it is spelled (`5`, `5.0`, `5e2`); minus zero is none.
pub(super) fn integer(token: &str) -> Option<i64> {
    if let Ok(number) = token.parse::<i64>() {
        return (number != 0 || !token.starts_with('-')).then_some(number);
    }
    i64::try_from(unscaled(token, 0)?).ok().filter(|number| *number != 0 || !token.starts_with('-'))
}

/// Returns the float that is written as the number. One between two shortest forms is written as one of them, and the other is none.
pub(super) fn real(token: &str) -> Option<f64> {
    let (float, number) = parse(token)?;
    // A decimal of so few digits always comes back, and nothing has to be written to know it.
    let short = number.count() <= 15 && (-290..290).contains(&number.exponent);
    (short || Number::of(&written(float)?)?.equals(&number)).then_some(float)
}

/// As [`real`]; also the float that Rust's formatting, where it is between two shortest forms, writes as the number; and the one that,
/// written with as many digits (17 at most), is the number: so programs in C write floats.
pub(super) fn declared_real(token: &str) -> Option<f64> {
    if let Some(float) = real(token) {
        return Some(float);
    }
    let (float, number) = parse(token)?;
    let digits = number.count();
    let is = |form: String| Some(Number::of(&form)?.equals(&number));
    let same = (1..=17).contains(&digits)
        && (is(format!("{float:e}"))? || is(format!("{float:.*e}", digits - 1))?);
    same.then_some(float)
}

/// Returns a float as every format writes it.
fn written(float: f64) -> Option<String> {
    let mut out = Vec::new();
    text::number::real(float, "", &mut out);
    String::from_utf8(out).ok()
}

/// Returns the number times 10^`scale`, if that is whole and has 128 bits.
pub(super) fn unscaled(token: &str, scale: i8) -> Option<i128> {
    let number = Number::of(token)?;
    let count = i64::try_from(number.count()).ok()?;
    if count == 0 {
        return Some(0);
    }
    let zeros = number.exponent.checked_sub(count)?.checked_add(i64::from(scale))?;
    if count > 38 || !(0..=38).contains(&zeros) {
        return None;
    }
    let mut digits: i128 = 0;
    for digit in number.digits() {
        digits = digits.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let value = digits.checked_mul(10_i128.checked_pow(u32::try_from(zeros).ok()?)?)?;
    Some(if number.negative { -value } else { value })
}

/// Says whether two number tokens are the same decimal.
#[cfg(test)]
pub(super) fn same(one: &str, other: &str) -> bool {
    match (Number::of(one), Number::of(other)) {
        (Some(one), Some(other)) => one.equals(&other),
        _ => one == other,
    }
}

fn parse(token: &str) -> Option<(f64, Number<'_>)> {
    let float: f64 = token.parse().ok()?;
    float.is_finite().then_some((float, Number::of(token)?))
}

/// A decimal: 0.`digits` · 10^`exponent`, the digits without zeros at either end.
struct Number<'a> {
    negative: bool,
    /// Digits before and behind the point, with their zeros.
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

impl<'a> Number<'a> {
    /// `None` if its exponent is beyond all reason.
    fn of(token: &'a str) -> Option<Self> {
        let (negative, rest) = match token.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, token),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        let whole = whole.trim_start_matches('0');
        // Without a digit before the point, zeros behind it move the point; without one behind, zeros before it do.
        let (whole, fraction, point) = match (whole, fraction) {
            ("", "") => return Some(Self { negative, whole, fraction, exponent: 0 }),
            ("", fraction) => {
                let kept = fraction.trim_start_matches('0');
                (whole, kept, -i64::try_from(fraction.len() - kept.len()).ok()?)
            }
            (whole, "") => {
                (whole.trim_end_matches('0'), fraction, i64::try_from(whole.len()).ok()?)
            }
            (whole, fraction) => (whole, fraction, i64::try_from(whole.len()).ok()?),
        };
        Some(Self { negative, whole, fraction, exponent: i64::from(exponent) + point })
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.bytes().chain(self.fraction.bytes())
    }

    const fn count(&self) -> usize {
        self.whole.len() + self.fraction.len()
    }

    fn equals(&self, other: &Number<'_>) -> bool {
        self.negative == other.negative
            && self.exponent == other.exponent
            && self.digits().eq(other.digits())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whole_numbers_are_whole_however_spelled() {
        for (token, expected) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("-5e2", Some(-500)),
            ("0.5e1", Some(5)),
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("-0", None),
            ("-0.0", None),
            ("5.5", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("1e400", None),
            ("1e99999999999", None),
        ] {
            assert_eq!(integer(token), expected, "{token}");
        }
    }

    #[test]
    fn floats_that_would_be_rounded_are_none() {
        for token in [
            "0.1",
            "-0.0",
            "1e300",
            "5e-324",
            "0.30000000000000004",
            "100000000000000000000",
            "1.50",
        ] {
            assert!(real(token).is_some(), "{token}");
        }
        for token in
            ["9007199254740993", "0.1000000000000000055", "1e400", "4e-324", "1.1000000000000001"]
        {
            assert_eq!(real(token), None, "{token}");
        }
        assert_eq!(declared_real("1.1000000000000001"), Some(1.1));
        assert_eq!(declared_real("0.10000000000000001"), Some(0.1));
        assert_eq!(declared_real("9007199254740993"), None);
        assert_eq!(declared_real("1e400"), None);
    }

    /// As far from ….12 as from ….13: Python and JavaScript write the one, Rust's formatting writes the other.
    #[test]
    fn a_float_between_two_shortest_forms_is_the_one_that_is_written() {
        let float = 175_816_378_939_959.0 + 0.125;
        assert_eq!(written(float).unwrap(), "175816378939959.12");
        assert_eq!(real("175816378939959.12"), Some(float));
        assert_eq!(real("175816378939959.13"), None);
        for token in ["175816378939959.12", "175816378939959.13", "1.7581637893995912e14"] {
            assert_eq!(declared_real(token), Some(float), "{token}");
        }
        assert_eq!(declared_real("175816378939959.11"), None);
    }

    #[test]
    fn decimals_are_exact_or_none() {
        for (token, scale, expected) in [
            ("12.3", 2, Some(1230)),
            ("-12.30", 1, Some(-123)),
            ("12.345", 2, None),
            ("1e3", 0, Some(1000)),
            ("0.00", 2, Some(0)),
            (
                "99999999999999999999999999999999999999",
                0,
                Some(99_999_999_999_999_999_999_999_999_999_999_999_999),
            ),
            ("1e40", 0, None),
        ] {
            assert_eq!(unscaled(token, scale), expected, "{token}");
        }
    }

    proptest! {
        #[test]
        fn a_float_comes_back_as_it_was_written(float in any::<f64>().prop_filter("finite", |float| float.is_finite())) {
            let token = serde_json::to_string(&float).unwrap();
            prop_assert_eq!(real(&token).map(f64::to_bits), Some(float.to_bits()));
            let long = format!("{float:.16e}");
            prop_assert_eq!(declared_real(&long).map(f64::to_bits), Some(float.to_bits()));
        }

        #[test]
        fn what_is_taken_is_the_same_decimal(token in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
            if let Some(float) = real(&token) {
                prop_assert!(same(&token, &serde_json::to_string(&float).unwrap()));
            }
            if let Some(whole) = integer(&token) {
                prop_assert!(same(&token, &whole.to_string()));
            }
            if let Some(unscaled) = unscaled(&token, 3).filter(|unscaled| *unscaled != 0) {
                let spelled = format!("{unscaled}e-3");
                prop_assert!(same(&token, &spelled));
            }
        }
    }
}
