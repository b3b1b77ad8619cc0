//! Does a name tell that a secret is behind it, and does a value look random?

/// Says whether a column or member is named as secrets are: `password_hash`, `apiKey`, `REFRESH-TOKEN`, `authtoken`. Words count, not
/// letters: nothing is secret about a `secretary`. Of a long name the beginning is looked at.
pub(super) fn tells(name: &str) -> bool {
    let name = name.get(..name.floor_char_boundary(LONGEST_NAME)).unwrap_or_default();
    let mut plain = String::with_capacity(name.len());
    // Where in it words end.
    let mut ends = Vec::new();
    let mut before = ' ';
    let mut letters = name.chars().peekable();
    while let Some(c) = letters.next() {
        let is_next_lower = letters.peek().is_some_and(char::is_ascii_lowercase);
        let begins = c.is_ascii_uppercase() && (!before.is_ascii_uppercase() || is_next_lower);
        if begins || !c.is_ascii_alphabetic() {
            ends.push(plain.len());
        }
        if c.is_ascii_alphanumeric() {
            plain.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    ends.push(plain.len());
    let ends_in = |end: usize| {
        let word = plain.get(..end).unwrap_or_default();
        let word = word.strip_suffix('s').unwrap_or(word);
        LAST.iter().any(|last| word.ends_with(last))
    };
    ANYWHERE.iter().any(|word| plain.contains(word)) || ends.into_iter().any(ends_in)
}

/// What is, in some case, in every name that tells.
pub(super) const STEMS: &[&str] =
    &["pass", "pwd", "secret", "token", "credential", "api", "private", "access", "totp"];

/// Says whether a value looks random: one word of 16 characters or more, letters and digits or letters of both cases, hardly
/// any character more often than chance has it. E-mail addresses, URLs, moments and `WordsInCamelCase` do not.
pub(super) fn is_random(value: &str) -> bool {
    let value = value.trim();
    if value.len() < SHORTEST || value.len() > LONGEST || value.contains(char::is_whitespace) {
        return false;
    }
    if (value.contains('@') && value.contains('.')) || value.contains("://") {
        return false;
    }
    let count = |of: fn(&u8) -> bool| value.bytes().filter(of).count();
    let (lower, upper) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    let digits = count(u8::is_ascii_digit);
    let mixed = digits > 0 || (lower > 0 && upper > 0 && !is_of_words(value));
    lower + upper >= LETTERS && mixed && entropy(value.as_bytes()) >= BITS
}

/// Says whether every capital begins a word: two small letters follow.
fn is_of_words(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.iter().enumerate().filter(|(_, byte)| byte.is_ascii_uppercase()).all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_lowercase))
    })
}

/// Bits a byte, by how often each byte occurs.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    let share = |count: u32| f64::from(count) / total;
    counts
        .into_iter()
        .filter(|count| *count > 0)
        .map(|count| -share(count) * share(count).log2())
        .sum()
}

/// Words that tell wherever they are.
const ANYWHERE: [&str; 9] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "apikey",
    "privatekey",
    "accesskey",
    "secretkey",
    "totp",
];
/// Words that tell at the end of a word: others begin alike.
const LAST: [&str; 3] = ["secret", "token", "credential"];
/// Letters of a name that are looked at.
const LONGEST_NAME: usize = 256;
const SHORTEST: usize = 16;
const LONGEST: usize = 4 << 10;
const LETTERS: usize = 4;
const BITS: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_tell_in_every_spelling() {
        for name in [
            "password",
            "passwordHash",
            "USER_PASSWD",
            "api_key",
            "Api-Key",
            "refreshToken",
            "client_secret",
            "totp",
            "authtoken",
            "API_TOKENS",
            "APIToken",
            "tokenValue",
            "secret2",
            "clientSecretHash",
            "userCredentials",
            "secretkey",
        ] {
            assert!(tells(name), "{name}");
        }
        for name in [
            "id",
            "note",
            "passport",
            "key",
            "order_hash",
            "address",
            "",
            "secretary",
            "Secretary_Name",
            "tokenizer",
            "undersecretary",
        ] {
            assert!(!tells(name), "{name}");
        }
    }

    #[test]
    fn every_word_has_a_stem() {
        for word in ANYWHERE.into_iter().chain(LAST) {
            assert!(STEMS.iter().any(|stem| word.contains(stem)), "{word}");
        }
    }

    #[test]
    fn randomness_is_told_from_words_moments_and_addresses() {
        for value in [
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "JBSWY3DPEHPK3PXP",
            "x7Kq+9/2LmZpR4tVw8Yb",
            " 3f2a9c1e-7b64-4d0f-9a51-0c8e2d7b6f43 ",
            "xKqWmZpRtVwYbNcD",
        ] {
            assert!(is_random(value), "{value}");
        }
        for value in [
            "hunter2",
            "aaaaaaaaaaaaaaaaaaaaaa1",
            "2024-01-01T10:00:00Z",
            "jane.doe1990@example.org",
            "changed by support in 2023",
            "never-expiring-one",
            "12345678901234567890",
            "JohnJacobSmithson",
            "https://example.org/Reset/a8Xk29",
            "",
        ] {
            assert!(!is_random(value), "{value}");
        }
    }
}
