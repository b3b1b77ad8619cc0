//! What JSON is a binary array? Arrays in arrays, `null` for NULL; where its indices begin is not told.
//!
//! The form is `array_send`'s: dimensions, a flag, the element's type; length and first index of each dimension; then each element
//! with its length, -1 for NULL.

use super::column::Decode;
use super::scalar::{self, MALFORMED};

/// Appends the array; its elements are of the form `element`.
pub(super) fn json(bytes: &[u8], element: &Decode, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let mut rest = Rest(bytes);
    let count = rest.length()?;
    rest.length()?;
    rest.word()?;
    let mut lengths = Vec::new();
    for _ in 0..count.min(MOST_DIMENSIONS + 1) {
        lengths.push(rest.length()?);
        rest.word()?;
    }
    if lengths.len() > MOST_DIMENSIONS || lengths.contains(&0) {
        return Err(MALFORMED);
    }
    if lengths.is_empty() {
        out.extend_from_slice(b"[]");
    } else {
        level(&lengths, element, &mut rest, out)?;
    }
    if rest.0.is_empty() { Ok(()) } else { Err(MALFORMED) }
}

/// Appends one dimension; there are no more levels than dimensions, at most six.
fn level(
    lengths: &[usize],
    element: &Decode,
    rest: &mut Rest<'_>,
    out: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let Some((length, inner)) = lengths.split_first() else {
        return match rest.element()? {
            Some(bytes) => scalar::write_json(bytes, element, out),
            None => {
                out.extend_from_slice(b"null");
                Ok(())
            }
        };
    };
    out.push(b'[');
    for index in 0..*length {
        if index > 0 {
            out.push(b',');
        }
        level(inner, element, rest, out)?;
    }
    out.push(b']');
    Ok(())
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn word(&mut self) -> Result<i32, &'static str> {
        let (word, rest) = self.0.split_first_chunk::<4>().ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(i32::from_be_bytes(*word))
    }

    fn length(&mut self) -> Result<usize, &'static str> {
        usize::try_from(self.word()?).map_err(|_| MALFORMED)
    }

    fn element(&mut self) -> Result<Option<&'a [u8]>, &'static str> {
        let length = self.word()?;
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| MALFORMED)?;
        let (element, rest) = self.0.split_at_checked(length).ok_or(MALFORMED)?;
        self.0 = rest;
        Ok(Some(element))
    }
}

/// More the server does not have.
const MOST_DIMENSIONS: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(lengths: &[i32], elements: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut word = |number: i32| bytes.extend(number.to_be_bytes());
        word(i32::try_from(lengths.len()).unwrap());
        word(1);
        word(25);
        for length in lengths {
            word(*length);
            word(1);
        }
        for element in elements {
            match element {
                None => bytes.extend((-1_i32).to_be_bytes()),
                Some(element) => {
                    bytes.extend(i32::try_from(element.len()).unwrap().to_be_bytes());
                    bytes.extend_from_slice(element);
                }
            }
        }
        bytes
    }

    #[test]
    fn dimensions_nest_and_nulls_stay() {
        let mut out = Vec::new();
        json(&sent(&[], &[]), &Decode::Text, &mut out).unwrap();
        let two = sent(&[2, 2], &[Some(b"a\""), None, Some(b""), Some(b"\n")]);
        json(&two, &Decode::Text, &mut out).unwrap();
        json(&sent(&[1], &[Some(&[0, 7])]), &Decode::Int2, &mut out).unwrap();
        assert_eq!(std::str::from_utf8(&out).unwrap(), r#"[][["a\"",null],["","\n"]][7]"#);
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused() {
        let whole = sent(&[2], &[Some(b"a"), Some(b"b")]);
        for end in 0..whole.len() {
            assert!(json(&whole[..end], &Decode::Text, &mut Vec::new()).is_err(), "{end}");
        }
        let longer = [&whole[..], b"x"].concat();
        assert!(json(&longer, &Decode::Text, &mut Vec::new()).is_err());
        assert!(json(&sent(&[1; 7], &[None]), &Decode::Text, &mut Vec::new()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = json(&bytes, &Decode::Int4, &mut Vec::new());
        }
    }
}
