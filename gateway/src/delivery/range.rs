//! Which bytes does a `Range` header ask for? RFC 9110 §14.

use std::ops::Range;

use http::{HeaderMap, header};

/// What a `Range` header comes to, given the length of what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything: no header, several ranges, another unit, or no valid syntax, all of which a server may ignore.
    Whole,
    /// One range, cut to what exists; never empty.
    Part(Range<u64>),
    /// One range of which no byte exists.
    Nothing,
}

/// Reads the `Range` header.
pub(super) fn wanted(headers: &HeaderMap, len: u64) -> Wanted {
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Wanted::Whole };
    let Some((unit, set)) = value.to_str().ok().and_then(|text| text.split_once('=')) else {
        return Wanted::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else { return Wanted::Whole };
    match (number(first), number(last)) {
        (Bound::Absent, Bound::Number(count)) => suffix(count, len),
        (Bound::Number(first), Bound::Absent) => part(first, u64::MAX, len),
        (Bound::Number(first), Bound::Number(last)) if first <= last => part(first, last, len),
        _ => Wanted::Whole,
    }
}

fn part(first: u64, last: u64, len: u64) -> Wanted {
    if first >= len {
        return Wanted::Nothing;
    }
    Wanted::Part(first..last.saturating_add(1).min(len))
}

fn suffix(count: u64, len: u64) -> Wanted {
    if count == 0 || len == 0 {
        return Wanted::Nothing;
    }
    Wanted::Part(len.saturating_sub(count)..len)
}

/// One side of a range.
enum Bound {
    Absent,
    Number(u64),
    Junk,
}

/// Reads digits. More than 64 bits hold are as good as the largest number: nothing is that long.
fn number(text: &str) -> Bound {
    if text.is_empty() {
        Bound::Absent
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Bound::Number(text.parse().unwrap_or(u64::MAX))
    } else {
        Bound::Junk
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str, len: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, value.parse().unwrap());
        wanted(&headers, len)
    }

    #[test]
    fn one_range_is_cut_to_what_exists() {
        assert_eq!(of("bytes=0-0", 10), Wanted::Part(0..1));
        assert_eq!(of("bytes=0-", 10), Wanted::Part(0..10));
        assert_eq!(of("bytes=3-7", 10), Wanted::Part(3..8));
        assert_eq!(of("bytes=9-99", 10), Wanted::Part(9..10));
        assert_eq!(of("bytes=-3", 10), Wanted::Part(7..10));
        assert_eq!(of("bytes=-99", 10), Wanted::Part(0..10));
        assert_eq!(of("Bytes = 1-2", 10), Wanted::Part(1..3));
        assert_eq!(of("bytes=1-99999999999999999999999", 10), Wanted::Part(1..10));
        assert_eq!(of("bytes=0-18446744073709551615", 10), Wanted::Part(0..10));
    }

    #[test]
    fn a_range_without_a_byte_is_not_satisfiable() {
        for value in ["bytes=10-", "bytes=10-10", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(of(value, 10), Wanted::Nothing, "{value}");
        }
        assert_eq!(of("bytes=0-", 0), Wanted::Nothing);
        assert_eq!(of("bytes=-1", 0), Wanted::Nothing);
    }

    #[test]
    fn what_a_server_may_ignore_gets_everything() {
        for value in [
            "bytes=0-1,3-4",
            "bytes=5-4",
            "bytes=-",
            "bytes=a-b",
            "bytes",
            "items=0-1",
            "bytes=+1-2",
            "bytes=0x1-2",
            "bytes=",
        ] {
            assert_eq!(of(value, 10), Wanted::Whole, "{value}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(wanted(&headers, 10), Wanted::Whole);
        headers.append(header::RANGE, "bytes=0-1".parse().unwrap());
        headers.append(header::RANGE, "bytes=2-3".parse().unwrap());
        assert_eq!(wanted(&headers, 10), Wanted::Whole);
    }
}
