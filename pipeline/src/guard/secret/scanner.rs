//! Which texts of a column hold a secret, and of which kind?

use std::sync::LazyLock;

use aho_corasick::packed::{self, Searcher};
use aho_corasick::{AhoCorasick, Input, MatchKind, Span, StartKind};
use arrow_array::StringArray;

use super::{api_key, hash, pem, telling, token};
use crate::guard::{json, texts};

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::guard) enum SecretKind {
    /// What a password is checked against.
    PasswordHash,
    /// A JSON web token.
    Jwt,
    /// A private key.
    PrivateKey,
    /// A key of a well-known service.
    ApiKey,
    /// Something random in a place whose name tells.
    Credential,
}

impl SecretKind {
    pub(in crate::guard) const ALL: [Self; 5] =
        [Self::PasswordHash, Self::Jwt, Self::PrivateKey, Self::ApiKey, Self::Credential];

    /// Returns the word of manifest and notes.
    pub(in crate::guard) const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordHash => "password-hash",
            Self::Jwt => "jwt",
            Self::PrivateKey => "private-key",
            Self::ApiKey => "api-key",
            Self::Credential => "credential",
        }
    }
}

/// Looks for secrets in one column.
#[derive(Debug)]
pub(in crate::guard) struct Columns {
    /// Values are JSON.
    is_json: bool,
    /// The column's name tells.
    tells: bool,
}

/// What was found in a column.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::guard) struct Secrets {
    /// How many texts hold each kind; a JSON text counts for each of its strings.
    pub(in crate::guard) counts: [u64; SecretKind::ALL.len()],
    /// Rows, and what is left of them.
    pub(in crate::guard) texts: Vec<(usize, String)>,
}

impl Columns {
    pub(in crate::guard) fn new(name: &str, is_json: bool) -> Self {
        Self { is_json, tells: telling::tells(name) }
    }

    /// Looks for secrets; what was found comes with the texts that stand in their place.
    pub(in crate::guard) fn look(&self, column: &StringArray) -> Secrets {
        let mut found = Secrets::default();
        if texts::longest(column) < SHORTEST {
            return found;
        }
        let next = |bytes: &[u8], from: usize| match (self.tells, self.is_json) {
            (true, _) => Some(from),
            (false, true) => first(&JSON_SIGNS, bytes, from),
            (false, false) => beginning(bytes, from),
        };
        texts::candidates(column, next, |row, text| {
            let mut see = |name: &str, text: &str| {
                let kind = self.kind(name, text)?;
                if let Some(count) = found.counts.get_mut(kind as usize) {
                    *count += 1;
                }
                Some(MARKER.to_owned())
            };
            let other = if self.is_json { json::rewrite(text, see) } else { see("", text) };
            found.texts.extend(other.map(|other| (row, other)));
        });
        found
    }

    /// Says what kind of secret is in a text; `name` is that of its member, if it is one of JSON.
    fn kind(&self, name: &str, text: &str) -> Option<SecretKind> {
        let mut from = 0;
        let mut judge = Judge::default();
        while let Some(found) = SIGNS.find(Input::new(text).range(from..)) {
            if let Some((kind, sign)) = KINDS.get(found.pattern().as_usize()) {
                let at = found.start();
                let is_one = match kind {
                    SecretKind::PasswordHash => judge.hashes.is_hash(sign, text, at),
                    SecretKind::Jwt => judge.tokens.is_token(text, at),
                    SecretKind::PrivateKey => judge.private_keys.is_private_key(sign, text),
                    SecretKind::ApiKey => judge.api_keys.is_key(sign, text, at),
                    SecretKind::Credential => false,
                };
                if is_one {
                    return Some(*kind);
                }
            }
            // Signs may lie in each other.
            from = found.start() + 1;
        }
        let tells = self.tells || (self.is_json && telling::tells(name));
        (tells && telling::is_random(text)).then_some(SecretKind::Credential)
    }
}

/// Returns where a sign may begin, at a place or behind it.
fn beginning(bytes: &[u8], from: usize) -> Option<usize> {
    match &*BEGINNINGS {
        Some(found) => {
            found.find_in(bytes, Span::from(from..bytes.len())).map(|begun| begun.start())
        }
        None => first(&SIGNS, bytes, from),
    }
}

fn first(signs: &AhoCorasick, bytes: &[u8], from: usize) -> Option<usize> {
    signs.find(Input::new(bytes).range(from..)).map(|sign| sign.start())
}

/// Judges the signs of one text. Whose text it is may have written anything: what was walked over for one sign is not walked over again
/// for the next, so that the work stays linear.
#[derive(Debug, Default)]
struct Judge {
    hashes: hash::Hashes,
    tokens: token::Tokens,
    private_keys: pem::PrivateKeys,
    api_keys: api_key::Keys,
}

/// Every sign and what it is a sign of.
static KINDS: LazyLock<Vec<(SecretKind, &'static str)>> = LazyLock::new(|| {
    let of = |kind| move |sign: &&'static str| (kind, *sign);
    let mut kinds = Vec::new();
    kinds.extend(hash::SIGNS.iter().map(of(SecretKind::PasswordHash)));
    kinds.extend(token::SIGNS.iter().map(of(SecretKind::Jwt)));
    kinds.extend(pem::SIGNS.iter().map(of(SecretKind::PrivateKey)));
    kinds.extend(api_key::signs().map(|sign| (SecretKind::ApiKey, sign)));
    kinds
});

/// Finds signs in texts.
static SIGNS: LazyLock<AhoCorasick> =
    LazyLock::new(|| finder(KINDS.iter().map(|(_, sign)| *sign), false));

/// Finds what all signs begin with, in many bytes at once: most of what an export reads holds nothing of it, and the automaton of all
/// signs took a fifth of an export's time. `None` where the processor cannot do so.
static BEGINNINGS: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    let mut beginnings: Vec<&[u8]> = KINDS
        .iter()
        .map(|(_, sign)| sign.as_bytes().get(..BEGINNING).unwrap_or_default())
        .collect();
    beginnings.sort_unstable();
    beginnings.dedup();
    packed::Config::new().builder().extend(beginnings).build()
});

/// Finds JSON texts that are worth a look: those with a sign, a name that may tell, or an escaped character that could hide either.
static JSON_SIGNS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let signs = KINDS.iter().map(|(_, sign)| *sign);
    finder(signs.chain(telling::STEMS.iter().copied()).chain(["\\u00"]), true)
});

fn finder(signs: impl Iterator<Item = &'static str>, in_any_case: bool) -> AhoCorasick {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .start_kind(StartKind::Unanchored)
        .ascii_case_insensitive(in_any_case)
        .build(signs)
        .expect("a few short words are within every limit")
}

/// No sign is shorter.
const BEGINNING: usize = 3;
/// No secret is shorter: a Slack token has a sign of five bytes and ten letters.
const SHORTEST: usize = 15;
/// What stands in the place of a secret.
pub(in crate::guard) const MARKER: &str = "[secret withheld]";

/// Returns every sign.
#[cfg(test)]
pub(super) fn every_sign() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(_, sign)| *sign)
}

/// Says what is in a text of a column whose name tells nothing.
#[cfg(test)]
pub(super) fn kind_of(text: &str) -> Option<SecretKind> {
    Columns { is_json: false, tells: false }.kind("", text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_sign_has_a_beginning() {
        for sign in every_sign() {
            assert!(sign.len() >= BEGINNING, "{sign}");
            for pad in 0..70 {
                let text = format!("{}{sign}", "é-".repeat(pad));
                assert_eq!(beginning(text.as_bytes(), 0), Some(3 * pad), "{sign}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_sign_is_passed_over(text in "[a-z0-9$_. ]{0,80}", sign in 0_usize..1_000, at in 0_usize..80, from in 0_usize..40) {
            let (_, sign) = KINDS[sign % KINDS.len()];
            let mut text = text;
            text.insert_str(at.min(text.len()), sign);
            let from = from.min(text.len());
            let begun = beginning(text.as_bytes(), from);
            if let Some(found) = first(&SIGNS, text.as_bytes(), from) {
                prop_assert!(begun.is_some_and(|begun| (from..=found).contains(&begun)));
            }
        }
    }
}
