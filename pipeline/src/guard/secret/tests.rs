//! Is the work linear in a text that somebody made to be much work, and is nothing missed for it?

use base64::Engine as _;
use proptest::prelude::*;

use super::run::steps;
use super::scanner::{every_sign, kind_of};

/// Much longer than what any sign looks at; work that is not linear costs thousands of steps a byte here.
const LARGE: usize = 128 << 10;
const SMALL: usize = 6 << 10;
/// Steps a byte may cost.
const MOST: usize = 40;

#[test]
fn any_sign_repeated_costs_work_that_is_linear() {
    let endings = ["", " ", "-", "--", "$", "a", "A1", "a.", "a$b", "\u{e4}"];
    for sign in every_sign() {
        for ending in endings {
            for end in ["", ".x.", "--PRIVATE"] {
                let piece = format!("{sign}{ending}");
                let text = piece.repeat(SMALL / piece.len()) + end;
                steps::taken();
                kind_of(&text);
                let steps = steps::taken();
                assert!(steps <= MOST * text.len(), "{piece} and {end}: {steps}");
            }
        }
    }
}

#[test]
fn the_worst_of_each_kind_costs_work_that_is_linear() {
    let nested = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(r#"{"a":[1,{"b":"#.repeat(6_000));
    let deep = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(r#"{"aaaa":"#.repeat(1_000));
    for text in [
        "--BEGIN ".repeat(LARGE / 8),
        "--BEGIN".to_owned() + &"a".repeat(LARGE),
        "argon2$".repeat(LARGE / 7),
        "xoxb-".repeat(LARGE / 5),
        "eyJ".repeat(LARGE / 3) + ".x.",
        format!("{nested}.x."),
        format!("{deep}.x. ").repeat(10),
    ] {
        steps::taken();
        kind_of(&text);
        let steps = steps::taken();
        assert!(steps <= MOST * text.len(), "{}: {steps}", &text[..24]);
    }
}

/// The same questions, asked of each sign alone.
mod reference {
    use super::*;

    fn run(text: &str, of: impl Fn(char) -> bool) -> usize {
        text.chars().take_while(|c| of(*c)).count()
    }

    fn is_alone(text: &str, at: usize) -> bool {
        !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric())
            || (at >= 3 && {
                let encoded = text.get(at - 3..at).unwrap_or_default();
                encoded.starts_with('%') && encoded[1..].chars().all(|c| c.is_ascii_hexdigit())
            })
    }

    fn is_slack(text: &str, at: usize) -> bool {
        let rest = &text[at + 5..];
        let len = run(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        len >= 10 && is_alone(text, at) && rest[..len].contains(|c: char| c.is_ascii_digit())
    }

    fn is_argon(text: &str, at: usize) -> bool {
        let rest = &text[at + 6..];
        let of = |c: char| c.is_ascii_alphanumeric() || "+/=.$,-_:".contains(c);
        let run = &rest[..run(rest, of)];
        let parts = run.split(['$', ':']).filter(|part| !part.is_empty());
        parts.clone().count() >= 2 && parts.map(str::len).max().unwrap_or(0) >= 20
    }

    fn is_token(text: &str, at: usize) -> bool {
        let plain: String = text[at..].chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let mut parts = plain.splitn(3, '.');
        let (Some(header), Some(payload), Some(_)) = (parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let is_part =
            |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        let header = is_part(header).then(|| {
            base64::engine::GeneralPurpose::new(
                &base64::alphabet::URL_SAFE,
                base64::engine::GeneralPurposeConfig::new()
                    .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
                    .with_decode_allow_trailing_bits(true),
            )
            .decode(header)
        });
        let header = header.and_then(Result::ok).unwrap_or_default();
        let header = serde_json::from_slice::<serde_json::Value>(&header).unwrap_or_default();
        is_part(payload) && header.get("alg").is_some_and(serde_json::Value::is_string)
    }

    fn is_armour(text: &str) -> bool {
        let letters: String =
            text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        letters.match_indices("BEGIN").any(|(at, _)| {
            let words = letters[at + 5..].split("-----").next().unwrap_or_default();
            let line: String = words.chars().filter(char::is_ascii_uppercase).take(64).collect();
            letters[..at].ends_with("--") && line.contains("PRIVATEKEY")
        })
    }

    pub(super) fn holds_one(text: &str) -> bool {
        let signs = |sign: &'static str| text.match_indices(sign).map(|(at, _)| at);
        signs("xoxb-").any(|at| is_slack(text, at))
            || signs("argon2").any(|at| is_argon(text, at))
            || ["eyJ", "eyA", "ewo", "ew0", "ewk"]
                .into_iter()
                .any(|sign| signs(sign).any(|at| is_token(text, at)))
            || ((text.contains("BEGIN") || text.contains("PRIVATE")) && is_armour(text))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn what_is_found_with_little_work_is_what_is_found_with_much(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "xoxb-", "argon2", "eyJ", "eyJhbGciOiJIUzI1NiJ9", "ewo", ".", "-", "--", "---", "BEGIN ",
                "PRIV", "ATE KEY", "PRIVATE", "$", ":", "ab12", "Q7", "x", " ", "%3A", "zzzzzzzzzz", "\u{e4}",
            ]),
            0..24,
        ),
    ) {
        let text = pieces.concat();
        prop_assert_eq!(kind_of(&text).is_some(), reference::holds_one(&text), "{}", text);
    }
}
