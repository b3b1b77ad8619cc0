//! How is an interval written? As an ISO 8601 duration: months, days and microseconds are kept apart, as the server does.

use std::io::Write as _;

/// Appends `P1Y2M3DT4H5M6.789S` of a binary interval (microseconds, days, months).
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let read = || {
        let (micros, rest) = bytes.split_first_chunk::<8>()?;
        let (days, rest) = rest.split_first_chunk::<4>()?;
        let months = rest.try_into().ok()?;
        Some((i64::from_be_bytes(*micros), i32::from_be_bytes(*days), i32::from_be_bytes(months)))
    };
    let (micros, days, months) = read().ok_or("not an interval in the server's binary form")?;
    match (micros, days, months) {
        (i64::MAX, i32::MAX, i32::MAX) => out.extend_from_slice(b"infinity"),
        (i64::MIN, i32::MIN, i32::MIN) => out.extend_from_slice(b"-infinity"),
        (0, 0, 0) => out.extend_from_slice(b"PT0S"),
        _ => duration(micros, days, months, out),
    }
    Ok(())
}

fn duration(micros: i64, days: i32, months: i32, out: &mut Vec<u8>) {
    out.push(b'P');
    part(i64::from(months) / 12, b'Y', out);
    part(i64::from(months) % 12, b'M', out);
    part(i64::from(days), b'D', out);
    if micros == 0 {
        return;
    }
    out.push(b'T');
    part(micros / HOUR, b'H', out);
    part(micros % HOUR / MINUTE, b'M', out);
    let rest = micros % MINUTE;
    if rest == 0 {
        return;
    }
    if rest < 0 {
        out.push(b'-');
    }
    let (seconds, fraction) = (rest.unsigned_abs() / SECOND, rest.unsigned_abs() % SECOND);
    write!(out, "{seconds}").expect("a vector takes every byte");
    if fraction > 0 {
        write!(out, ".{fraction:06}").expect("a vector takes every byte");
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    out.push(b'S');
}

fn part(number: i64, unit: u8, out: &mut Vec<u8>) {
    if number != 0 {
        write!(out, "{number}").expect("a vector takes every byte");
        out.push(unit);
    }
}

const SECOND: u64 = 1_000_000;
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(micros: i64, days: i32, months: i32) -> String {
        let mut bytes = micros.to_be_bytes().to_vec();
        bytes.extend(days.to_be_bytes());
        bytes.extend(months.to_be_bytes());
        let mut out = Vec::new();
        text(&bytes, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn parts_that_are_zero_are_left_out() {
        assert_eq!(of(14_706_789_000, 3, 14), "P1Y2M3DT4H5M6.789S");
        assert_eq!(of(0, 0, 0), "PT0S");
        assert_eq!(of(0, 1, 0), "P1D");
        assert_eq!(of(HOUR, 0, 0), "PT1H");
        assert_eq!(of(-500_000, 0, 0), "PT-0.5S");
        assert_eq!(of(-3_661_000_001, -1, -13), "P-1Y-1M-1DT-1H-1M-1.000001S");
        assert_eq!(of(1, 0, 1), "P1MT0.000001S");
        assert_eq!(of(i64::MIN, 0, 0), "PT-2562047788H-54.775808S");
        assert_eq!(of(i64::MIN, i32::MIN, i32::MIN), "-infinity");
        assert!(
            text(&[0; 15], &mut Vec::new()).is_err() && text(&[0; 17], &mut Vec::new()).is_err()
        );
    }
}
