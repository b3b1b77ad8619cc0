//! Which values belong to a person, whatever type a file gives them?

use std::collections::HashSet;

use crate::Value;
use crate::silo::Identifiers;
use crate::text::number;

/// Values to look for, in every form they may have in a file.
///
/// A number and a text are the same if the text is how the number is written: `12` is 12, `012` is not.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Wanted {
    integers: HashSet<i64>,
    texts: HashSet<String>,
    reals: Vec<f64>,
    bytes: HashSet<Vec<u8>>,
    uuids: HashSet<[u8; 16]>,
}

impl Wanted {
    /// Takes the values of an identifier; e-mail addresses also in lower case, which most systems store.
    pub(super) fn of_identifier(identifier: &str, known: &Identifiers) -> Self {
        let mut wanted = Self::default();
        for value in known.get(identifier).into_iter().flatten() {
            wanted.add(value);
            if let (Value::Text(text), "email") = (value, identifier) {
                wanted.add_text(&text.to_lowercase());
            }
        }
        wanted
    }

    /// Takes the values of a scope field.
    pub(super) fn of_texts(texts: &[String]) -> Self {
        let mut wanted = Self::default();
        texts.iter().for_each(|text| wanted.add_text(text));
        wanted
    }

    pub(super) fn is_empty(&self) -> bool {
        self.integers.is_empty()
            && self.texts.is_empty()
            && self.reals.is_empty()
            && self.bytes.is_empty()
    }

    pub(super) fn has_text(&self, text: &str) -> bool {
        self.texts.contains(text)
    }

    pub(super) fn has_integer(&self, number: i64) -> bool {
        self.integers.contains(&number)
    }

    pub(super) fn has_real(&self, number: f64) -> bool {
        self.reals.contains(&number)
    }

    pub(super) fn has_bytes(&self, bytes: &[u8]) -> bool {
        self.bytes.contains(bytes)
    }

    /// A UUID: letters are the same in both cases.
    pub(super) fn has_uuid(&self, bytes: &[u8]) -> bool {
        bytes.try_into().is_ok_and(|bytes: [u8; 16]| self.uuids.contains(&bytes))
    }

    /// A number as a file writes it: `12`, `12.50`, `1e3`.
    pub(super) fn has_number(&self, text: &str) -> bool {
        if self.texts.contains(text) {
            return true;
        }
        if let Ok(number) = text.parse::<i64>() {
            return self.integers.contains(&number);
        }
        // Only where a double holds it: two long numbers that round to the same are not the same.
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        digits <= 15 && text.parse::<f64>().is_ok_and(|number| self.has_real(number))
    }

    /// Says whether a whole number from `least` to `most` is wanted.
    pub(super) fn has_integer_within(&self, least: i64, most: i64) -> bool {
        self.integers.iter().any(|number| (least..=most).contains(number))
    }

    /// Says whether a text from `least` to `most`, by its bytes, is wanted.
    pub(super) fn has_bytes_within(&self, least: &[u8], most: &[u8]) -> bool {
        let within = |bytes: &[u8]| least <= bytes && bytes <= most;
        self.bytes.iter().any(|bytes| within(bytes))
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Integer(number) => {
                self.integers.insert(*number);
                self.add_written(|out| number::integer(*number, out));
            }
            Value::Real(bits) => {
                let real = f64::from_bits(*bits);
                self.reals.push(real);
                self.add_written(|out| number::real(real, "", out));
            }
            Value::Text(text) => self.add_text(text),
            Value::Bytes(bytes) => {
                self.bytes.insert(bytes.clone());
                self.uuids.extend(<[u8; 16]>::try_from(&bytes[..]));
            }
        }
    }

    fn add_written(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        self.add_text(&String::from_utf8_lossy(&out));
    }

    fn add_text(&mut self, text: &str) {
        if let Ok(number) = text.parse::<i64>()
            && number.to_string() == text
        {
            self.integers.insert(number);
        }
        if let Ok(real) = text.parse::<f64>() {
            let mut written = Vec::new();
            number::real(real, "", &mut written);
            let exact = text.parse::<i64>().is_ok_and(|n| n.unsigned_abs() <= 1 << 53);
            if real.is_finite() && (written == text.as_bytes() || exact) {
                self.reals.push(real);
            }
        }
        self.bytes.insert(text.as_bytes().to_vec());
        self.uuids.extend(uuid(text));
        self.texts.insert(text.to_owned());
    }
}

/// Reads a UUID in its usual form: 32 digits and four hyphens. Spec: RFC 9562 §4.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let hyphens = [8, 13, 18, 23];
    let placed = text.bytes().enumerate().all(|(at, byte)| hyphens.contains(&at) == (byte == b'-'));
    if text.len() != 36 || !placed {
        return None;
    }
    let mut digits =
        text.bytes().filter(|byte| *byte != b'-').map(|byte| char::from(byte).to_digit(16));
    let mut bytes = [0; 16];
    for byte in &mut bytes {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    Some(bytes)
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, values: &[Value]) -> Wanted {
        Wanted::of_identifier(name, &[(name.to_owned(), values.to_vec())].into())
    }

    #[test]
    fn a_text_is_a_number_only_as_the_number_is_written() {
        let twelve = wanted("id", &[Value::Text("12".to_owned())]);
        assert!(twelve.has_text("12") && twelve.has_integer(12) && twelve.has_number("12"));
        assert!(twelve.has_real(12.0) && twelve.has_number("12.0") && twelve.has_number("1.2e1"));
        assert!(!twelve.has_text("012") && !twelve.has_text("12 ") && !twelve.has_number("12.5"));
        let zeros = wanted("id", &[Value::Text("012".to_owned())]);
        assert!(zeros.has_text("012") && !zeros.has_integer(12) && !zeros.has_text("12"));
        assert!(!zeros.has_number("12"));
        let number = wanted("id", &[Value::Integer(-7)]);
        assert!(number.has_text("-7") && number.has_integer(-7) && number.has_bytes(b"-7"));
    }

    #[test]
    fn long_numbers_are_not_rounded_into_one_another() {
        let long = wanted("id", &[Value::Text("9007199254740993".to_owned())]);
        assert!(long.has_integer(9_007_199_254_740_993));
        assert!(!long.has_number("9007199254740992.0") && !long.has_integer(9_007_199_254_740_992));
        let longer = wanted("id", &[Value::Text("18446744073709551615".to_owned())]);
        assert!(longer.has_number("18446744073709551615"));
        assert!(!longer.has_number("18446744073709551616"));
    }

    #[test]
    fn an_e_mail_is_found_in_lower_case_too() {
        let mail = [Value::Text("Ada@Example.com".to_owned())];
        assert!(wanted("email", &mail).has_text("ada@example.com"));
        assert!(!wanted("login", &mail).has_text("ada@example.com"));
        assert!(wanted("email", &[]).is_empty());
        assert!(!format!("{:?}", wanted("email", &mail)).contains("Ada"));
    }

    #[test]
    fn a_uuid_is_the_same_in_both_cases() {
        let text = "0123abCD-4567-89ab-cdef-0123456789AB";
        let bytes = [
            1, 0x23, 0xab, 0xcd, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89,
            0xab,
        ];
        assert!(wanted("id", &[Value::Text(text.to_owned())]).has_uuid(&bytes));
        assert!(wanted("id", &[Value::Bytes(bytes.to_vec())]).has_uuid(&bytes));
        for text in [
            "0123abcd456789abcdef0123456789ab",
            "0123abcd-4567-89ab-cdef-0123456789ag",
            "0123abcd-4567-89abc-def-0123456789ab",
            "é",
        ] {
            assert!(wanted("id", &[Value::Text(text.to_owned())]).uuids.is_empty(), "{text}");
        }
    }

    #[test]
    fn ranges_hold_what_is_between_their_ends() {
        let some = wanted("id", &[Value::Text("m".to_owned()), Value::Integer(5)]);
        assert!(some.has_integer_within(5, 5) && some.has_integer_within(1, 9));
        assert!(!some.has_integer_within(6, 9));
        assert!(some.has_bytes_within(b"a", b"z") && !some.has_bytes_within(b"n", b"z"));
    }
}
