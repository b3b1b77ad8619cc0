//! Is there a key of a well-known service? Each has a beginning of its own, and a number of letters behind it.

use super::run::Run;

/// Says how a service writes its keys.
struct Form {
    sign: &'static str,
    /// Letters behind the sign: so many at least, and at most if the form has one length.
    least: usize,
    most: usize,
    of: Kind,
}

/// Which letters a key is written with.
#[derive(Clone, Copy)]
enum Kind {
    Upper,
    Word,
    Dashed,
    Dotted,
    Base64,
    Letters,
}

impl Kind {
    const ALL: usize = 6;

    const fn of(self) -> fn(u8) -> bool {
        match self {
            Self::Upper => is_upper,
            Self::Word => is_word,
            Self::Dashed => is_dashed,
            Self::Dotted => is_dotted,
            Self::Base64 => is_base64,
            Self::Letters => is_letter,
        }
    }
}

const FORMS: &[Form] = &[
    // AWS: long-lived and temporary.
    Form { sign: "AKIA", least: 16, most: 16, of: Kind::Upper },
    Form { sign: "ASIA", least: 16, most: 16, of: Kind::Upper },
    Form { sign: "AIza", least: 35, most: 35, of: Kind::Dashed },
    Form { sign: "ya29.", least: 20, most: MANY, of: Kind::Dashed },
    Form { sign: "sk_live_", least: 16, most: MANY, of: Kind::Word },
    Form { sign: "rk_live_", least: 16, most: MANY, of: Kind::Word },
    Form { sign: "sk_test_", least: 16, most: MANY, of: Kind::Word },
    Form { sign: "whsec_", least: 24, most: MANY, of: Kind::Base64 },
    Form { sign: "ghp_", least: 36, most: MANY, of: Kind::Word },
    Form { sign: "gho_", least: 36, most: MANY, of: Kind::Word },
    Form { sign: "ghu_", least: 36, most: MANY, of: Kind::Word },
    Form { sign: "ghs_", least: 36, most: MANY, of: Kind::Word },
    Form { sign: "ghr_", least: 36, most: MANY, of: Kind::Word },
    Form { sign: "github_pat_", least: 22, most: MANY, of: Kind::Word },
    Form { sign: "glpat-", least: 20, most: MANY, of: Kind::Dashed },
    Form { sign: "xoxa-", least: 10, most: MANY, of: Kind::Dashed },
    Form { sign: "xoxb-", least: 10, most: MANY, of: Kind::Dashed },
    Form { sign: "xoxe-", least: 10, most: MANY, of: Kind::Dashed },
    Form { sign: "xoxp-", least: 10, most: MANY, of: Kind::Dashed },
    Form { sign: "xoxr-", least: 10, most: MANY, of: Kind::Dashed },
    Form { sign: "xoxs-", least: 10, most: MANY, of: Kind::Dashed },
    Form { sign: "xapp-", least: 10, most: MANY, of: Kind::Dashed },
    Form { sign: "SG.", least: 60, most: MANY, of: Kind::Dotted },
    Form { sign: "npm_", least: 36, most: 36, of: Kind::Word },
    Form { sign: "shpat_", least: 32, most: 32, of: Kind::Word },
    Form { sign: "shpss_", least: 32, most: 32, of: Kind::Word },
    Form { sign: "dop_v1_", least: 64, most: 64, of: Kind::Word },
    Form { sign: "sk-proj-", least: 20, most: MANY, of: Kind::Dashed },
    Form { sign: "sk-ant-", least: 20, most: MANY, of: Kind::Dashed },
    // Hugging Face: letters without digits.
    Form { sign: "hf_", least: 34, most: 34, of: Kind::Letters },
];

/// Returns what keys begin with.
pub(super) fn signs() -> impl Iterator<Item = &'static str> {
    FORMS.iter().map(|form| form.sign)
}

/// Judges the signs of one text, in the order in which they stand in it.
#[derive(Debug, Default)]
pub(super) struct Keys {
    runs: [Run; Kind::ALL],
}

impl Keys {
    /// Says whether a key begins at a sign: a word of its own, as long as such keys are, with a digit in it or, where keys have none,
    /// with letters of both cases.
    pub(super) fn is_key(&mut self, sign: &str, text: &str, at: usize) -> bool {
        let Some(form) = FORMS.iter().find(|form| form.sign == sign) else { return false };
        if !begins_word(text.get(..at).unwrap_or_default()) {
            return false;
        }
        let Some(run) = self.runs.get_mut(form.of as usize) else { return false };
        let (len, has_digit) = run.from(text, at + sign.len(), form.of.of());
        let key = text.get(at + sign.len()..).and_then(|rest| rest.get(..len));
        let has_both = || {
            key.is_some_and(|key| {
                key.contains(|c: char| c.is_ascii_uppercase())
                    && key.contains(|c: char| c.is_ascii_lowercase())
            })
        };
        let is_mixed = matches!(form.of, Kind::Letters);
        (form.least..=form.most).contains(&len) && (has_digit || (is_mixed && has_both()))
    }
}

/// Says whether no word goes on behind a text. A percent-encoded character ends one.
fn begins_word(before: &str) -> bool {
    let is_inside = before.bytes().next_back().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let encoded = before.len().checked_sub(3).and_then(|at| before.get(at..));
    !is_inside
        || encoded.is_some_and(|text| {
            text.strip_prefix('%')
                .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        })
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const fn is_dashed(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

const fn is_dotted(byte: u8) -> bool {
    is_dashed(byte) || byte == b'.'
}

const fn is_base64(byte: u8) -> bool {
    is_dashed(byte) || matches!(byte, b'+' | b'/' | b'=')
}

/// Keys that have no one length.
const MANY: usize = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> bool {
        let mut keys = Keys::default();
        signs().any(|sign| text.match_indices(sign).any(|(at, _)| keys.is_key(sign, text, at)))
    }

    /// Keys are put together here, so that no scanner takes this file for a leak.
    fn key(sign: &str, len: usize) -> String {
        format!("{sign}{}", "A1B2C3D4".repeat(len / 8 + 1).get(..len).unwrap())
    }

    #[test]
    fn every_form_is_known_wherever_a_word_begins() {
        for form in FORMS {
            let key = key(form.sign, form.least);
            for text in
                [key.clone(), format!("k={key};"), format!("x%3A{key}"), format!("\"{key}\"")]
            {
                assert!(found(&text), "{text}");
            }
            assert!(!found(&format!("Z{key}")), "{key}");
            assert!(!found(&self::key(form.sign, form.least - 1)), "{key}");
            assert!(!found(&format!("{}{}", form.sign, "a".repeat(form.least))), "{key}");
        }
        assert!(!found(&key("AIza", 36)));
        assert!(found(&format!("hf_{}", "aBcDeFgHiJkLmNoPqQ".repeat(2).get(..34).unwrap())));
        assert!(found(&format!("sk-ant-{}", key("api03-", 40))));
    }

    #[test]
    fn words_that_begin_alike_are_none() {
        for text in [
            "AKIA",
            "ghp_ is a prefix",
            "SG.1",
            "the sk_live_ keys",
            "ASIA 2024 TOUR",
            "xoxo-love-you-1",
        ] {
            assert!(!found(text), "{text}");
        }
    }
}
