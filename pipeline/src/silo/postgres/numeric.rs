//! What number is a binary `numeric`? Groups of four decimal digits, kept exactly.
//!
//! The form is `numeric_send`'s: count of groups, weight of the first (a power of 10 000), sign, digits behind the point, groups.

/// A number as it came.
struct Numeric<'a> {
    groups: &'a [u8],
    weight: i16,
    sign: Sign,
    /// Digits behind the point.
    scale: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Positive,
    Negative,
    NotANumber,
    Infinity,
    NegativeInfinity,
}

/// Returns the unscaled value of a number in a column of a precision and a scale.
pub(super) fn unscaled(bytes: &[u8], precision: u8, scale: i8) -> Result<i128, &'static str> {
    let numeric = Numeric::read(bytes).ok_or(MALFORMED)?;
    if !matches!(numeric.sign, Sign::Positive | Sign::Negative) {
        return Err("not a number that a decimal holds: NaN or infinity");
    }
    let total = match numeric.short(scale) {
        Some(total) => total,
        None => numeric.long(scale)?,
    };
    if POWERS.get(usize::from(precision)).is_some_and(|limit| total >= *limit) {
        return Err(TOO_LONG);
    }
    Ok(if numeric.sign == Sign::Negative { -total } else { total })
}
/// Appends all digits, as the server writes them.
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let numeric = Numeric::read(bytes).ok_or(MALFORMED)?;
    match numeric.sign {
        Sign::NotANumber => out.extend_from_slice(b"NaN"),
        Sign::Infinity => out.extend_from_slice(b"Infinity"),
        Sign::NegativeInfinity => out.extend_from_slice(b"-Infinity"),
        Sign::Positive | Sign::Negative => numeric.digits(out),
    }
    Ok(())
}

impl<'a> Numeric<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (head, groups) = bytes.split_at_checked(8)?;
        let word = |at: usize| Some([*head.get(at)?, *head.get(at + 1)?]);
        let sign = match u16::from_be_bytes(word(4)?) {
            0x0000 => Sign::Positive,
            0x4000 => Sign::Negative,
            0xc000 => Sign::NotANumber,
            0xd000 => Sign::Infinity,
            0xf000 => Sign::NegativeInfinity,
            _ => return None,
        };
        let count = usize::from(u16::from_be_bytes(word(0)?));
        let weight = i16::from_be_bytes(word(2)?);
        let scale = u16::from_be_bytes(word(6)?);
        let numeric = Self { groups, weight, sign, scale };
        let whole = groups.len() == count * 2 && numeric.groups().all(|(_, group)| group < 10_000);
        (whole && numeric.has_its_scale()).then_some(numeric)
    }

    /// Says whether no digit stands behind the last one that it says it has: it would be lost as text.
    fn has_its_scale(&self) -> bool {
        let groups = self.groups.as_chunks::<2>().0;
        let last = i32::from(self.weight) + 1 - i32::try_from(groups.len()).unwrap_or(i32::MAX);
        let beyond = |(index, group): (i32, &[u8; 2])| {
            let digits = (-i32::from(self.scale) - (last + index) * 4).min(4);
            let power = u32::try_from(digits).ok().filter(|digits| *digits > 0);
            power.map(|digits| u16::from_be_bytes(*group).is_multiple_of(10_u16.pow(digits)))
        };
        (0..).zip(groups.iter().rev()).map_while(beyond).all(|zeros| zeros)
    }

    /// The groups, each with its power of 10 000.
    fn groups(&self) -> impl Iterator<Item = (i32, u16)> + use<'a> {
        let weight = i32::from(self.weight);
        let groups = self.groups.as_chunks::<2>().0;
        (0..).zip(groups).map(move |(index, group)| (weight - index, u16::from_be_bytes(*group)))
    }

    /// The unscaled value of a number of up to sixteen digits, as nearly all are: in one machine word up to the last step.
    fn short(&self, scale: i8) -> Option<i128> {
        let groups = self.groups.as_chunks::<2>().0;
        let places = i32::try_from(groups.len()).ok().filter(|places| *places <= 4)?;
        let mut word: u64 = 0;
        for group in groups {
            word = word * 10_000 + u64::from(u16::from_be_bytes(*group));
        }
        let exponent = (i32::from(self.weight) - places + 1) * 4 + i32::from(scale);
        match u32::try_from(exponent) {
            Ok(up) => {
                let power = POWERS.get(usize::try_from(up).ok()?).filter(|_| up <= 22)?;
                Some(i128::from(word) * power)
            }
            Err(_) => {
                let power = 10_u64.checked_pow(exponent.unsigned_abs())?;
                word.is_multiple_of(power).then(|| i128::from(word / power))
            }
        }
    }

    /// The same of any number.
    fn long(&self, scale: i8) -> Result<i128, &'static str> {
        let mut total: i128 = 0;
        for (exponent, group) in self.groups() {
            let exponent = exponent * 4 + i32::from(scale);
            let group = i128::from(group);
            let part = if let Ok(up) = u32::try_from(exponent) {
                10_i128.checked_pow(up).and_then(|power| group.checked_mul(power))
            } else {
                // Its last digits are beyond the scale: they must be zeros.
                let power = 10_i128.checked_pow(exponent.unsigned_abs());
                power.filter(|power| group % power == 0).map(|power| group / power)
            };
            total = part.and_then(|part| total.checked_add(part)).ok_or(TOO_LONG)?;
        }
        Ok(total)
    }

    fn digits(&self, out: &mut Vec<u8>) {
        if self.sign == Sign::Negative {
            out.push(b'-');
        }
        let start = out.len();
        let mut groups = self.groups().peekable();
        for power in (0..=i32::from(self.weight)).rev() {
            let group = groups.next_if(|(here, _)| *here == power).map_or(0, |(_, group)| group);
            four(group, out);
        }
        // The first group has no zeros before it; a whole part there always is.
        let zeros = out.iter().skip(start).take_while(|digit| **digit == b'0').count();
        out.drain(start..start + zeros);
        if out.len() == start {
            out.push(b'0');
        }
        if self.scale == 0 {
            return;
        }
        out.push(b'.');
        let point = out.len();
        let scale = usize::from(self.scale);
        let mut power = -1;
        while out.len() - point < scale {
            let group = groups.next_if(|(here, _)| *here == power).map_or(0, |(_, group)| group);
            four(group, out);
            power -= 1;
        }
        out.truncate(point + scale);
    }
}

fn four(group: u16, out: &mut Vec<u8>) {
    for power in [1_000, 100, 10, 1] {
        let digit = group / power % 10;
        out.push(b'0' + u8::try_from(digit).expect("the rest of a division by ten is below ten"));
    }
}

/// Powers of ten, up to the digits of the longest decimal.
const POWERS: [i128; 39] = {
    let mut powers = [1; 39];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};
const MALFORMED: &str = "not a numeric in the server's binary form";
const TOO_LONG: &str = "more digits than its column declares";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(groups: &[u16], weight: i16, sign: u16, scale: u16) -> Vec<u8> {
        let mut bytes = u16::try_from(groups.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(scale.to_be_bytes());
        groups.iter().for_each(|group| bytes.extend(group.to_be_bytes()));
        bytes
    }

    fn written(bytes: &[u8]) -> String {
        let mut out = b"x".to_vec();
        text(bytes, &mut out).unwrap();
        String::from_utf8(out).unwrap().split_off(1)
    }

    #[test]
    fn groups_stand_where_their_weight_says() {
        for (groups, weight, sign, scale, digits) in [
            (&[][..], 0, 0, 0, "0"),
            (&[], 0, 0, 2, "0.00"),
            (&[19, 9900], 0, 0x4000, 2, "-19.99"),
            (&[1], 1, 0, 0, "10000"),
            (&[1, 0, 5000], 1, 0, 1, "10000.5"),
            (&[1], -2, 0, 8, "0.00000001"),
            (&[1000], -2, 0, 5, "0.00001"),
            (&[12], 3, 0, 0, "12000000000000"),
            (&[], 0, 0xc000, 0, "NaN"),
            (&[], 0, 0xf000, 0, "-Infinity"),
        ] {
            assert_eq!(written(&sent(groups, weight, sign, scale)), digits);
        }
    }

    #[test]
    fn digits_behind_the_last_that_a_number_says_it_has_are_no_number() {
        for (groups, weight, scale) in
            [(&[1, 2345, 6703][..], 1, 2), (&[1], -1, 3), (&[1], -2, 4), (&[1], 0, 0)]
        {
            let bytes = sent(groups, weight, 0, scale);
            let all = (groups, weight) == (&[1][..], 0);
            assert_eq!(text(&bytes, &mut Vec::new()).is_ok(), all, "{groups:?}");
            assert_eq!(unscaled(&bytes, 38, 10).is_ok(), all, "{groups:?}");
        }
    }

    #[test]
    fn a_decimal_holds_what_its_column_declares_and_no_more() {
        assert_eq!(unscaled(&sent(&[19, 9900], 0, 0x4000, 2), 12, 2), Ok(-1999));
        assert_eq!(unscaled(&sent(&[19, 9900], 0, 0, 2), 12, 4), Ok(199_900));
        assert_eq!(unscaled(&sent(&[1], 9, 0, 0), 38, 0), Ok(10_i128.pow(36)));
        assert_eq!(unscaled(&sent(&[19, 9950], 0, 0, 3), 12, 2), Err(TOO_LONG));
        assert_eq!(unscaled(&sent(&[100], 0, 0, 0), 2, 0), Err(TOO_LONG));
        assert_eq!(unscaled(&sent(&[1], 30, 0, 0), 38, 0), Err(TOO_LONG));
        assert!(unscaled(&sent(&[], 0, 0xc000, 0), 12, 2).is_err());
        assert_eq!(unscaled(&sent(&[10_000], 0, 0, 0), 12, 2), Err(MALFORMED));
        assert_eq!(unscaled(&[0, 1], 12, 2), Err(MALFORMED));
    }

    proptest! {
        #[test]
        fn both_forms_agree(number in -10_i128.pow(38) + 1..10_i128.pow(38), scale in 0_u16..=38) {
            let scale_digits = usize::from(scale);
            let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale_digits + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale_digits);
            let whole = format!("{:0>width$}", whole, width = whole.len().div_ceil(4) * 4);
            let fraction = format!("{:0<width$}", fraction, width = fraction.len().div_ceil(4) * 4);
            let groups: Vec<u16> = format!("{whole}{fraction}").as_bytes().chunks(4)
                .map(|four| std::str::from_utf8(four).unwrap().parse().unwrap()).collect();
            let weight = i16::try_from(whole.len() / 4).unwrap() - 1;
            let bytes = sent(&groups, weight, if number < 0 { 0x4000 } else { 0 }, scale);
            let scale = i8::try_from(scale).unwrap();
            prop_assert_eq!(unscaled(&bytes, 38, scale), Ok(number));
            let numeric = Numeric::read(&bytes).unwrap();
            prop_assert_eq!(numeric.long(scale), Ok(number.abs()));
            let text = written(&bytes);
            prop_assert_eq!(text.replace('.', "").parse::<i128>().unwrap(), number);
            prop_assert_eq!(text.split_once('.').map_or(0, |(_, fraction)| fraction.len()), scale_digits);
        }

        #[test]
        fn short_ways_end_where_long_ones_do(
            groups in prop::collection::vec(prop_oneof![Just(0_u16), Just(1), Just(9_999), 0_u16..10_000], 0..6),
            weight in -12_i16..12,
            scale in 0_i8..=38,
        ) {
            // More digits behind the point than any of these has.
            let bytes = sent(&groups, weight, 0, 80);
            let numeric = Numeric::read(&bytes).unwrap();
            if let Some(total) = numeric.short(scale) {
                prop_assert_eq!(numeric.long(scale), Ok(total));
            }
        }

        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = unscaled(&bytes, 38, 10);
            let _ = text(&bytes, &mut Vec::new());
        }
    }
}
