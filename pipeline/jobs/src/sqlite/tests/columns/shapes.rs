//! Which shapes does a plain value have? None has room for a sentence, an address or a name that a person typed.

use rusqlite::types::Value;
use uuid::Uuid;

use crate::facts::{ACTIONS, Fact};
use crate::sqlite::flushes;

/// The shape of a plain value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// The 16 bytes of a random UUID.
    Id,
    /// The same as text.
    IdText,
    /// Microseconds since 1970.
    Time,
    /// A number that is not negative.
    Count,
    /// 0 or 1.
    Flag,
    /// One word of a list.
    Word(&'static [&'static str]),
    /// A JSON array of words of a list.
    Words(&'static [&'static str]),
    /// 1 to 64 of `A–Z a–z 0–9 _ . -`.
    Slug,
    /// Slugs with `/` between them, or `*`.
    Path,
    /// A media type.
    MediaType,
    /// Who did something, as `Actor` prints it.
    Actor,
    /// A worker's id.
    Worker,
    /// 32 bytes.
    Digest,
    /// A key of the ring.
    KeyId,
    /// A wrapped key.
    Envelope,
    /// A flush index.
    Flushes,
    /// An error's fixed word.
    Code,
    /// What happened, in the audit log's words.
    Event,
    /// A line of the timeline.
    Note,
    /// A JSON object of facts, each of the shape that some action declares for its name.
    Facts,
}

impl Shape {
    pub(super) fn fits(self, value: &Value) -> bool {
        match value {
            Value::Integer(number) => match self {
                Self::Flag => matches!(number, 0 | 1),
                Self::Time | Self::Count => *number >= 0,
                _ => false,
            },
            Value::Blob(bytes) => match self {
                Self::Id => Uuid::from_slice(bytes).is_ok_and(|id| is_random(&id)),
                Self::Digest => bytes.len() == 32,
                Self::Envelope => antumbra_crypto::envelope_key_id(bytes).is_ok(),
                Self::Flushes => flushes::unpack(bytes).is_ok(),
                _ => false,
            },
            Value::Text(text) => self.fits_text(text),
            _ => false,
        }
    }

    fn fits_text(self, text: &str) -> bool {
        match self {
            Self::IdText => Uuid::try_parse(text).is_ok_and(|id| is_random(&id)),
            Self::Word(list) => list.contains(&text),
            Self::Words(list) => serde_json::from_str::<Vec<String>>(text)
                .is_ok_and(|words| words.iter().all(|word| list.contains(&word.as_str()))),
            Self::Slug => is_slug(text),
            Self::Path => text == "*" || text.split('/').all(is_slug),
            Self::MediaType => text.split('/').count() == 2 && text.split('/').all(is_slug),
            Self::Actor => match text.split_once(':') {
                Some(("api-key" | "grant", id)) => Uuid::try_parse(id).is_ok(),
                Some(_) => false,
                None => matches!(text, "operator" | "system") || Self::Worker.fits_text(text),
            },
            Self::Worker => {
                text.strip_prefix("worker-").is_some_and(|id| id.len() == 32 && is_hex(id))
            }
            Self::KeyId => Fact::KeyId.fits(text),
            Self::Code => all(text, |b| b.is_ascii_lowercase() || b == b'_'),
            Self::Event => {
                text.split('.').count() == 2
                    && text.split('.').all(|word| Self::Code.fits_text(word))
            }
            Self::Note => is_note(text),
            Self::Facts => serde_json::from_str::<std::collections::BTreeMap<String, String>>(text)
                .is_ok_and(|facts| facts.iter().all(|(name, fact)| is_fact(name, fact))),
            _ => false,
        }
    }
}

fn is_note(text: &str) -> bool {
    let fixed = [
        "recorded",
        "released",
        "packaging",
        "ready",
        "downloaded",
        "cancelled",
        "expired",
        "expired: its objects are lost",
        "key destroyed",
        "forgotten: key destroyed, data deleted",
    ];
    let worker = |rest: &str| Shape::Worker.fits_text(rest);
    fixed.contains(&text)
        || text.strip_prefix("leased by ").is_some_and(worker)
        || text.strip_prefix("resumed by ").is_some_and(worker)
        || text.strip_prefix("failed: ").is_some_and(|code| Shape::Code.fits_text(code))
        || text
            .strip_prefix("plan stored: ")
            .and_then(|rest| rest.strip_suffix(" sections"))
            .is_some_and(|count| count.parse::<u32>().is_ok())
}

fn is_fact(name: &str, fact: &str) -> bool {
    let mut declared = ACTIONS.iter().flat_map(|(_, facts)| facts.iter());
    declared.any(|(known, shape)| *known == name && shape.fits(fact))
}

fn is_random(id: &Uuid) -> bool {
    id.get_variant() == uuid::Variant::RFC4122 && matches!(id.get_version_num(), 4 | 7)
}

fn is_slug(text: &str) -> bool {
    all(text, |b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn all(text: &str, fits: impl FnMut(u8) -> bool) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shape_takes_what_a_person_types() {
        for shape in [
            Shape::Id,
            Shape::IdText,
            Shape::Time,
            Shape::Count,
            Shape::Flag,
            Shape::Word(&["A"]),
            Shape::Words(&["A"]),
            Shape::Slug,
            Shape::Path,
            Shape::MediaType,
            Shape::Actor,
            Shape::Worker,
            Shape::Digest,
            Shape::KeyId,
            Shape::Envelope,
            Shape::Flushes,
            Shape::Code,
            Shape::Event,
            Shape::Note,
            Shape::Facts,
        ] {
            for typed in [
                "",
                "Ada Lovelace",
                "ada@example.com",
                "+49 30 1234567",
                "please, \u{1f600}",
                "api-key:ada",
                "worker ada",
                "failed: no route to ada@example.com",
                "{\"file\":\"ada@example.com\"}",
                "{\"name\":\"ada\"}",
                "[\"ada\"]",
            ] {
                assert!(!shape.fits(&Value::Text(typed.to_owned())), "{shape:?} takes {typed}");
                let bytes = Value::Blob(format!("\u{ff}{typed}").into_bytes());
                // Offsets have no mark to know them by: any bytes may be some.
                let offsets = matches!(shape, Shape::Flushes);
                assert!(offsets || !shape.fits(&bytes), "{shape:?} takes the bytes of {typed}");
            }
        }
    }
}
