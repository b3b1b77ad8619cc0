//! Is there a JSON web token? Parts of base64url behind each other, the first a header.

use std::io;

use serde::Deserialize;

use super::run::steps;

/// What headers begin with: `{`, perhaps white space, `"`.
pub(super) const SIGNS: &[&str] = &["eyJ", "eyA", "ewo", "ew0", "ewk"];

/// Judges the signs of one text, in the order in which they stand in it.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// The part that was looked at last.
    start: usize,
    behind: usize,
    /// Whether a dot, a payload and another dot follow it.
    is_header: bool,
    /// Bytes of headers that were parsed.
    parsed: usize,
}

impl Tokens {
    /// Says whether a token begins at a sign: a header that names its algorithm, and two more parts, which may be empty (a detached
    /// payload, no signature). White space in it does not count. Spec: RFC 7515 §3.1, RFC 7516 §3.1.
    ///
    /// Headers that lie in each other could be parsed again and again; a text that is made to look like that counts as a token.
    pub(super) fn is_token(&mut self, text: &str, at: usize) -> bool {
        if !(self.start..self.behind).contains(&at) {
            self.start = at;
            self.behind = part(text, at);
            let payload = self.behind + 1;
            let is_dot = |at: usize| text.as_bytes().get(at) == Some(&b'.');
            self.is_header = is_dot(self.behind) && is_dot(part(text, payload));
        }
        if !self.is_header {
            return false;
        }
        let header = text.as_bytes().get(at..self.behind).unwrap_or_default();
        let mut header = Decoder { bytes: header, read: 0, bits: 0, waiting: 0 };
        let is_one = serde_json::from_reader::<_, Header>(&mut header).is_ok();
        steps::count(header.read);
        self.parsed += header.read;
        is_one || self.parsed > MOST_PARSED.saturating_mul(text.len().max(LONGEST))
    }
}

/// Returns where a part of a token ends.
fn part(text: &str, at: usize) -> usize {
    let part = text.as_bytes().get(at..).unwrap_or_default();
    let of = |byte: u8| is_base64url(byte) || byte.is_ascii_whitespace();
    let len = part.iter().take_while(|byte| of(**byte)).count();
    steps::count(len);
    at + len
}

/// Decodes as much of a header as is asked for: most of what has a sign is no JSON a few bytes on.
struct Decoder<'h> {
    bytes: &'h [u8],
    read: usize,
    /// Bits that are no whole byte yet.
    bits: u32,
    waiting: u32,
}

impl Decoder<'_> {
    /// Returns the next byte; at the end there is none.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        while self.waiting < 8 {
            let Some(letter) = self.bytes.get(self.read) else {
                // No byte ends after one letter more.
                return if self.waiting == 6 {
                    Err(io::ErrorKind::InvalidData.into())
                } else {
                    Ok(None)
                };
            };
            self.read += 1;
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                b'0'..=b'9' => letter - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => continue,
            };
            if self.read > LONGEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.bits = (self.bits << 6 | u32::from(value)) & 0x3fff;
            self.waiting += 6;
        }
        self.waiting -= 8;
        Ok(u8::try_from(self.bits >> self.waiting & 0xff).ok())
    }
}

impl io::Read for Decoder<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        for (len, place) in out.iter_mut().enumerate() {
            match self.byte()? {
                Some(byte) => *place = byte,
                None => return Ok(len),
            }
        }
        Ok(out.len())
    }
}

/// What every header has.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "alg")]
    _algorithm: String,
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Longer headers, white space included, are none.
const LONGEST: usize = 16 << 10;
/// How often each byte of a text may be parsed.
const MOST_PARSED: usize = 16;

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    fn is_token(text: &str) -> bool {
        Tokens::default().is_token(text, 0)
    }

    fn token(header: &str) -> String {
        let part = |text: &str| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.{}", part(header), part(r#"{"sub":"1"}"#), part("signature"))
    }

    #[test]
    fn headers_are_parsed_however_they_are_written() {
        for header in [
            r#"{"alg":"HS256","typ":"JWT"}"#,
            r#"{ "typ" : "JWT", "alg" : "none" }"#,
            "{\n  \"alg\": \"ES384\"\n}",
            "{\r\n\"alg\":\"dir\",\"enc\":\"A256GCM\"}",
            "{\t\"alg\":\"HS256\"}",
        ] {
            let token = token(header);
            assert!(SIGNS.iter().any(|sign| token.starts_with(sign)), "{token}");
            assert!(is_token(&token), "{header}");
            let folded: String = token.chars().flat_map(|c| [c, '\n']).collect();
            assert!(is_token(&folded), "{header}");
        }
        let detached = token(r#"{"alg":"HS256"}"#);
        let (header, rest) = detached.split_once('.').unwrap();
        let signature = rest.split_once('.').unwrap().1;
        assert!(is_token(&format!("{header}..{signature}, and more")));
        assert!(is_token(&format!("{header}.e30.")));
        assert!(!is_token(header) && !is_token(&format!("{header}.abc")));
    }

    #[test]
    fn what_only_begins_alike_is_none() {
        for header in
            ["{\"a\":1}", "{\"alg\":1}", "{\"alg\":\"HS256\"", "{\"x\":\"y\",\"z\":\"alg\"}"]
        {
            assert!(!is_token(&token(header)), "{header}");
        }
        for text in ["eyJ", "eyJust.a.sentence", "eyeJ.", "ewo.. ", "ew0rk.is.done"] {
            assert!(!is_token(text), "{text}");
        }
    }
}
