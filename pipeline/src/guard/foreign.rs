//! Is there an e-mail address in a person's rows that is none of the person's?

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Input, StartKind};
use arrow_array::StringArray;
use percent_encoding::percent_decode_str;

use super::{json, texts};
use crate::Value;
use crate::silo::Identifiers;

/// Looks for addresses of other people.
///
/// Every known identifier that is built like an address is the person's, whatever its name and case. Where none is known every
/// address is somebody else's: nobody can tell. Addresses that only look like the person's are not theirs.
#[derive(Debug)]
pub(super) struct Foreign {
    /// In lower case.
    own: Vec<String>,
}

/// What was found in a column.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    /// How many texts hold an address of somebody else; a JSON text counts for each of its strings.
    pub(super) count: u64,
    /// Rows, and their texts without these addresses.
    pub(super) texts: Vec<(usize, String)>,
}

impl Foreign {
    pub(super) fn new(known: &Identifiers) -> Self {
        let own = known.values().flatten().filter_map(|value| match value {
            Value::Text(text) if text.contains('@') => Some(text.trim().to_lowercase()),
            _ => None,
        });
        Self { own: own.collect() }
    }

    /// Says whether an address of the person is known.
    pub(super) fn knows_any(&self) -> bool {
        !self.own.is_empty()
    }

    /// Looks for addresses in a column.
    pub(super) fn look(&self, column: &StringArray, is_json: bool) -> Addresses {
        let mut found = Addresses::default();
        let next = |bytes: &[u8], from: usize| match is_json {
            true => JSON_SIGNS.find(Input::new(bytes).range(from..)).map(|sign| sign.start()),
            false => at_sign(bytes, from),
        };
        texts::candidates(column, next, |row, text| {
            let mut see = |text: &str| {
                let other = self.without(text)?;
                found.count += 1;
                Some(other)
            };
            let other = if is_json { json::rewrite(text, |_, text| see(text)) } else { see(text) };
            found.texts.extend(other.map(|other| (row, other)));
        });
        found
    }

    /// Returns a text without the addresses of others; `None` if there are none.
    fn without(&self, text: &str) -> Option<String> {
        if self.own.iter().any(|own| own == text) {
            return None;
        }
        let mut out = String::new();
        let mut copied = 0;
        let mut from = 0;
        while let Some(sign) = SIGNS.find(Input::new(text).range(from..)) {
            from = sign.end();
            let Some((start, end)) = address(text, copied, sign.start(), from) else { continue };
            from = end;
            let address = text.get(start..end).unwrap_or_default();
            let is_own = match text.get(sign.range()) {
                Some(ENCODED) => self.is_own(&percent_decode_str(address).decode_utf8_lossy()),
                _ => self.is_own(address),
            };
            if is_own {
                continue;
            }
            out.push_str(text.get(copied..start).unwrap_or_default());
            out.push_str(MARKER);
            copied = end;
        }
        if copied == 0 {
            return None;
        }
        out.push_str(text.get(copied..).unwrap_or_default());
        Some(out)
    }

    fn is_own(&self, address: &str) -> bool {
        self.own.iter().any(|own| own.eq_ignore_ascii_case(address))
            || (!address.is_ascii() && {
                let address = address.to_lowercase();
                self.own.contains(&address)
            })
    }
}

/// Returns where the next at sign is, written in whatever way, at a place or behind it. Many bytes are looked at in one step.
fn at_sign(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(from..)?;
        let at = memchr::memchr3(b'@', b'%', WIDE, rest)?;
        let here = rest.get(at..)?;
        if AT.iter().any(|sign| here.starts_with(sign.as_bytes())) {
            return Some(from + at);
        }
        from += at + 1;
    }
}

/// Says whether two parts are the name and the domain of one address, with nothing beside it.
pub(super) fn is_address(name: &str, domain: &str) -> bool {
    !name.is_empty()
        && name.chars().all(is_of_name)
        && domain.chars().all(is_of_domain)
        && domain_len(domain) == Some(domain.len())
}

/// Returns where the address around an at sign begins and ends; it begins nowhere before `floor`.
fn address(text: &str, floor: usize, at: usize, behind: usize) -> Option<(usize, usize)> {
    let name = last(text.get(floor..at)?, LONGEST_NAME);
    let start = at - name_len(name);
    let end = behind + domain_len(text.get(behind..)?)?;
    let before = last(text.get(..start)?, LONGEST_NAME);
    (start < at && !is_password_of_url(before)).then_some((start, end))
}

/// Returns how many bytes at the end of a text are the name of an address, in quotes or not.
fn name_len(text: &str) -> usize {
    let quoted = text.strip_suffix('"').and_then(|text| {
        let name = text.rsplit_once('"').map(|(_, name)| name)?;
        (!name.is_empty() && !name.contains(char::is_control)).then_some(name.len() + 2)
    });
    quoted.unwrap_or_else(|| {
        text.chars().rev().take_while(|c| is_of_name(*c)).map(char::len_utf8).sum()
    })
}

/// Returns how many bytes at the beginning of a text are the domain of an address: up to the last label that can be a top domain. A
/// number of the network in brackets is one too.
fn domain_len(text: &str) -> Option<usize> {
    if let Some(literal) = text.strip_prefix('[') {
        let of = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':');
        let len = literal.bytes().take(LONGEST_LITERAL).take_while(|byte| of(byte)).count();
        let is_number = literal.get(..len).is_some_and(|number| number.contains(['.', ':']));
        return (is_number && literal.as_bytes().get(len) == Some(&b']')).then_some(len + 2);
    }
    let len: usize = text.chars().take_while(|c| is_of_domain(*c)).map(char::len_utf8).sum();
    let mut domain = text.get(..len)?;
    loop {
        let (host, label) = domain.rsplit_once('.')?;
        if host.is_empty() {
            return None;
        }
        // As in a file's name: `bob@example.org-2024`.
        let top = if label.starts_with("xn--") {
            label
        } else {
            label.split('-').next().unwrap_or(label)
        };
        if top.starts_with("xn--") || is_top(top) {
            return Some(host.len() + 1 + top.trim_end_matches('-').len());
        }
        domain = host;
    }
}

fn is_top(label: &str) -> bool {
    label.chars().nth(1).is_some() && label.chars().all(|c| c.is_alphabetic() || !c.is_ascii())
}

/// `https://user:password@host` holds no address. Without a colon there is no password, and `sip://bob@host` is one.
fn is_password_of_url(before: &str) -> bool {
    let is_end =
        |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\'' | '/' | '?' | '#');
    before.rfind(is_end).is_some_and(|at| {
        let (scheme, user) = before.split_at_checked(at + 1).unwrap_or_default();
        scheme.ends_with("://") && user.contains(':')
    })
}

/// Returns the end of a text, of so many bytes at most.
fn last(text: &str, most: usize) -> &str {
    text.get(text.ceil_char_boundary(text.len().saturating_sub(most))..).unwrap_or_default()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || ".!#$%&*+-/=?^_`{|}~".contains(c) && !"/=?&".contains(c)
        || is_letter(c)
}

fn is_of_domain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '.' || c == '-' || is_letter(c)
}

/// Says whether a character beyond ASCII is part of a word: everything but white space and punctuation, what has no width included.
fn is_letter(c: char) -> bool {
    let is_punctuation = matches!(c,
        '\u{a0}'..='\u{bf}' | '\u{2000}'..='\u{200a}' | '\u{2010}'..='\u{205f}' | '\u{3000}'..='\u{303f}'
        | '\u{fe50}'..='\u{fe6f}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}'
        | '\u{ff5b}'..='\u{ff65}');
    !c.is_ascii() && !c.is_whitespace() && !c.is_control() && !is_punctuation
}

/// Finds at signs, those of full width, small ones and percent-encoded ones too.
static SIGNS: LazyLock<AhoCorasick> = LazyLock::new(|| finder(&AT));
/// In JSON an at sign may be escaped.
static JSON_SIGNS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let [sign, encoded, wide, small] = AT;
    finder(&[sign, encoded, wide, small, "\\"])
});

fn finder(signs: &[&str]) -> AhoCorasick {
    AhoCorasick::builder()
        .start_kind(StartKind::Unanchored)
        .build(signs)
        .expect("a few short words are within every limit")
}

const AT: [&str; 4] = ["@", ENCODED, "\u{ff20}", "\u{fe6b}"];
const ENCODED: &str = "%40";
/// What the wide and the small one begin with.
const WIDE: u8 = 0xef;
/// Bytes that are looked at before an at sign. Names of addresses have 64 at most; a longer one is cut.
const LONGEST_NAME: usize = 256;
/// Bytes between the brackets of a number of the network.
const LONGEST_LITERAL: usize = 64;
/// What stands in the place of an address.
const MARKER: &str = "[address withheld]";

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign() -> Foreign {
        let value = |text: &str| Value::Text(text.to_owned());
        Foreign::new(
            &[
                ("email".to_owned(), vec![value("Ada@Example.org"), value("söl@bücher.example")]),
                ("customer_id".to_owned(), vec![Value::Integer(7), value("p-1")]),
            ]
            .into(),
        )
    }

    fn left(text: &str) -> Option<String> {
        foreign().without(text)
    }

    #[test]
    fn the_persons_own_addresses_are_left_in_every_case() {
        for text in [
            "ada@example.org",
            "ADA@EXAMPLE.ORG",
            "Write to Ada <ada@example.org>.",
            "mailto:ada@example.org?subject=x",
            "\"ada@example.org\",",
            "SÖL@BÜCHER.example",
            "ada@example.org.",
            "no address",
            "",
            "@",
            "a@",
            "@b.org",
            "a@b",
            "https://user:pass@host.example/x",
            "postgres://u:p@db.example/shop",
            "ada%40example.org",
            "/u/ADA%40Example.org/x",
            "ada@example.org.2024-01-01",
            "bob@[x]",
            "bob@[]",
            "50%40.5",
            "\"\"@example.org",
            "v1@2.3",
            "@ada at noon",
            "5@8.30",
            "“ada@example.org”",
            "＠",
        ] {
            assert_eq!(left(text), None, "{text}");
        }
    }

    #[test]
    fn every_at_sign_is_found_where_it_is() {
        for (place, sign) in AT.iter().enumerate() {
            assert!(matches!(sign.as_bytes(), [b'@' | b'%' | WIDE, ..]), "{place}");
            let text = format!("50% é\u{ff01}{sign}{sign}");
            let first = text.len() - 2 * sign.len();
            assert_eq!(at_sign(text.as_bytes(), 0), Some(first), "{sign}");
            assert_eq!(at_sign(text.as_bytes(), first + 1), Some(first + sign.len()), "{sign}");
            assert_eq!(at_sign(text.as_bytes(), first + sign.len() + 1), None, "{sign}");
        }
    }

    #[test]
    fn addresses_of_others_go_and_the_rest_stays() {
        for (text, expected) in [
            ("bob@example.org", "[address withheld]"),
            (
                "to bob.x+1@mail.example.org, cc ada@example.org!",
                "to [address withheld], cc ada@example.org!",
            ),
            ("a@b.org c@d.org", "[address withheld] [address withheld]"),
            ("mailto:bob@example.org", "mailto:[address withheld]"),
            ("https://x.example/u?to=bob@example.org", "https://x.example/u?to=[address withheld]"),
            ("xada@example.org", "[address withheld]"),
            ("ada@example.org.evil.example", "[address withheld]"),
            ("ada@example.orgs", "[address withheld]"),
            ("bob@xn--bcher-kva.xn--p1ai.", "[address withheld]."),
            ("“bob@example.org”", "“[address withheld]”"),
            ("?to=bob%40example.org&x", "?to=[address withheld]&x"),
            ("a%2540b%40c.org", "[address withheld]"),
            ("cc \"bob smith\"@example.org.", "cc [address withheld]."),
            ("sip://bob@example.org", "sip://[address withheld]"),
            ("postgres://bob@db.example/shop", "postgres://[address withheld]/shop"),
            ("https://a:b@c.example/bob@example.org", "https://a:b@c.example/[address withheld]"),
            ("https://a:b@c.example,bob@example.org", "https://a:b@c.example,[address withheld]"),
            ("bob@example.org.2024-01-01", "[address withheld].2024-01-01"),
            ("bob@example.org-2024", "[address withheld]-2024"),
            ("bob@[1.2.3.4]", "[address withheld]"),
            ("bob@[IPv6:2001:db8::1]!", "[address withheld]!"),
        ] {
            assert_eq!(left(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn addresses_that_only_look_like_the_persons_are_others() {
        for text in [
            // A Cyrillic a, a zero-width space, a combining mark, a wide at sign, a small one.
            "\u{430}da@example.org",
            "ada\u{200b}@example.org",
            "ada\u{301}@example.org",
            "ada\u{ff20}example.org",
            "ada\u{fe6b}example.org",
            "ada@ex\u{430}mple.org",
        ] {
            assert_eq!(left(text).as_deref(), Some("[address withheld]"), "{text:?}");
        }
    }

    #[test]
    fn many_addresses_in_one_word_are_all_found() {
        for (piece, left_of) in
            [("bob@x.org,", "[address withheld],"), ("x:ada@example.org,", "x:ada@example.org,")]
        {
            let text = piece.repeat(20_000);
            let expected = (piece != left_of).then(|| left_of.repeat(20_000));
            assert_eq!(left(&text), expected);
        }
        // A name is looked at for so far and no further.
        let long = format!("{}@example.org", "x".repeat(10_000));
        assert!(left(&long).is_some_and(|left| left.len() < long.len()));
    }

    #[test]
    fn strings_of_json_are_looked_into() {
        let column = StringArray::from(vec![
            Some(
                r#"{"from":"ada@example.org","to":["bob@example.org","x"],"eve\u0040example.org":1}"#,
            ),
            None,
            Some(r#"{"from":"ada@example.org"}"#),
            Some(r#"["bob\u0040example.org"]"#),
        ]);
        let found = foreign().look(&column, true);
        assert_eq!(found.count, 3);
        let rows: Vec<usize> = found.texts.iter().map(|(row, _)| *row).collect();
        assert_eq!(rows, [0, 3]);
        let first = &found.texts.first().unwrap().1;
        assert!(first.contains(r#""to":["[address withheld]","x"]"#), "{first}");
    }

    #[test]
    fn without_a_known_address_every_address_is_somebody_elses() {
        let foreign = Foreign::new(&Identifiers::new());
        assert!(foreign.without("ada@example.org").is_some());
    }
}
