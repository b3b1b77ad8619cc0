//! Is there a password hash? Crypt and PHC strings, and the forms of LDAP, Django, Werkzeug and SCRAM.

use super::run::steps;

/// What hashes begin with, or hold near their beginning. Every form that is known here has one of these.
pub(super) const SIGNS: &[&str] = &[
    "$1$",
    "$2a$",
    "$2b$",
    "$2x$",
    "$2y$",
    "$5$",
    "$6$",
    "$7$",
    "$y$",
    "$gy$",
    "$apr1$",
    "$md5",
    "$sha1$",
    "$P$",
    "$H$",
    "$S$",
    "argon2",
    "scrypt$",
    "scrypt:",
    "pbkdf2",
    "SCRAM-SHA-",
    "{SSHA",
    "{SHA",
    "{SMD5}",
    "{MD5}",
    "{CRYPT}",
];

/// Judges the signs of one text, in the order in which they stand in it.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    /// Up to here no string of parameters, salt and hash begins.
    none_before: usize,
}

impl Hashes {
    /// Says whether a hash begins at a sign.
    pub(super) fn is_hash(&mut self, sign: &str, text: &str, at: usize) -> bool {
        let rest = text.as_bytes().get(at + sign.len()..).unwrap_or_default();
        match sign {
            "$2a$" | "$2b$" | "$2x$" | "$2y$" => {
                until(rest, b'$', 2).is_some_and(|(cost, rest)| {
                    cost.len() == 2
                        && cost.iter().all(u8::is_ascii_digit)
                        && has(rest, 53, is_crypt)
                })
            }
            // A salt, then the hash.
            "$1$" | "$apr1$" => salted(rest, 22),
            "$5$" => salted(after_rounds(rest), 43),
            "$6$" => salted(after_rounds(rest), 86),
            "$sha1$" => until(rest, b'$', NUMBER).is_some_and(|(_, rest)| salted(rest, 28)),
            // The salt may end in two signs.
            "$md5" => until(rest, b'$', ROUNDS.len() + NUMBER).is_some_and(|(_, rest)| {
                until(rest, b'$', SALT).is_some_and(|(salt, hash)| {
                    let hash = hash.strip_prefix(b"$").unwrap_or(hash);
                    salt.iter().all(|byte| is_crypt(*byte)) && has(hash, 22, is_crypt)
                })
            }),
            "$P$" | "$H$" => has(rest, 31, is_crypt),
            "$S$" => has(rest, 52, is_crypt),
            "$7$" | "$y$" | "$gy$" => {
                let rest = rest.get(..LONGEST_CRYPT).unwrap_or(rest);
                let of = |byte: u8| is_crypt(byte) || byte == b'$';
                let len = rest.iter().take_while(|byte| of(**byte)).count();
                steps::count(len);
                len >= 40 && rest.iter().take(len).any(|byte| *byte == b'$')
            }
            "{SMD5}" | "{MD5}" | "{CRYPT}" => has(rest, 20, is_base64),
            "{SSHA" | "{SHA" => {
                until(rest, b'}', SCHEME).is_some_and(|(_, rest)| has(rest, 20, is_base64))
            }
            _ => self.is_of_parts(rest, text.len() - rest.len()),
        }
    }

    /// Says whether parameters, salt and hash follow, in some number of parts. Where they do not, they do not behind any later place of
    /// the same run either.
    fn is_of_parts(&mut self, rest: &[u8], at: usize) -> bool {
        if at < self.none_before {
            return false;
        }
        let len = rest.iter().take_while(|byte| is_phc(**byte)).count();
        steps::count(len);
        self.none_before = at + len;
        let run = rest.get(..len).unwrap_or_default();
        let parts = run.split(|byte| matches!(byte, b'$' | b':')).filter(|part| !part.is_empty());
        parts.clone().nth(1).is_some() && parts.map(<[u8]>::len).max().unwrap_or(0) >= 20
    }
}

/// Passes over `rounds=5000$`.
fn after_rounds(text: &[u8]) -> &[u8] {
    match text.strip_prefix(ROUNDS.as_bytes()) {
        Some(rest) => until(rest, b'$', NUMBER).map_or(b"", |(_, rest)| rest),
        None => text,
    }
}

/// Says whether a salt of crypt and a hash of `len` characters follow.
fn salted(text: &[u8], len: usize) -> bool {
    until(text, b'$', SALT).is_some_and(|(salt, hash)| {
        salt.iter().all(|byte| is_crypt(*byte)) && has(hash, len, is_crypt)
    })
}

/// Splits at the first byte of a kind, if no more than `most` stand before it.
fn until(text: &[u8], byte: u8, most: usize) -> Option<(&[u8], &[u8])> {
    let at = text.iter().take(most + 1).position(|other| *other == byte);
    steps::count(at.unwrap_or(most));
    let at = at?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Says whether so many bytes of a kind stand at the beginning.
fn has(text: &[u8], len: usize, of: impl Fn(u8) -> bool) -> bool {
    let found = text.iter().take(len).take_while(|byte| of(**byte)).count();
    steps::count(found);
    found == len
}

fn is_crypt(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'/'
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'.' | b'$')
}

fn is_phc(byte: u8) -> bool {
    is_base64(byte) || matches!(byte, b',' | b'-' | b'_' | b':')
}

/// What stands before a number of rounds, and the digits it has at most.
const ROUNDS: &str = "rounds=";
const NUMBER: usize = 16;
/// Letters of a salt.
const SALT: usize = 64;
/// Letters of a scheme's name behind its sign, as in `{SSHA512}`.
const SCHEME: usize = 16;
/// Letters of a hash of yescrypt behind its sign: parameters, a salt of 86, a hash of 43.
const LONGEST_CRYPT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// Says whether any sign of the text begins a hash.
    fn found(text: &str) -> bool {
        SIGNS.iter().any(|sign| {
            let mut hashes = Hashes::default();
            text.match_indices(sign).any(|(at, _)| hashes.is_hash(sign, text, at))
        })
    }

    #[test]
    fn every_form_is_known() {
        let b64 = |len: usize| "Ab9./".repeat(len / 5 + 1)[..len].to_owned();
        for hash in [
            format!("$2b$12${}", b64(53)),
            format!("{{bcrypt}}$2a$10${}", b64(53)),
            format!("bcrypt_sha256$$2y$10${}", b64(53)),
            format!("$1$salt${}", b64(22)),
            format!("$apr1$salt${}", b64(22)),
            format!("$5$rounds=5000$salt${}", b64(43)),
            format!("$6$saltsalt${}", b64(86)),
            format!("$sha1$40000$jtNX3nZ2${}", b64(28)),
            format!("$md5,rounds=904$Vc3VgyFx$${}", b64(22)),
            format!("$md5$Vc3VgyFx${}", b64(22)),
            format!("$P$B{}", b64(30)),
            format!("$S$D{}", b64(51)),
            format!("$7$CU..../....{}${}", b64(22), b64(43)),
            format!("$y$j9T${}${}", b64(22), b64(43)),
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b27wOFqi9w1Ce8vR4iNVeg".to_owned(),
            "argon2$argon2i$v=19$m=512,t=2,p=2$aI2R0hpDyLm3$4KHA8q9P1kwFJUf6FnC3ng".to_owned(),
            "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBs".to_owned(),
            "scrypt:32768:8:1$rNxC9f5U$5a1c0b1e8f2d4c6a7b9e0f1d2c3b4a59687766554433221100".to_owned(),
            "pbkdf2_sha256$260000$salt$C0mqd1CKvf4gbpC5HlGQF3gEAoZwoqU6bYY8PIhz2fM=".to_owned(),
            "pbkdf2:sha256:260000$saltsalt$9d5b2f0c8a7e6d5c4b3a29181706f5e4d3c2b1a0".to_owned(),
            "$pbkdf2-sha512$25000$c2FsdA$C0mqd1CKvf4gbpC5HlGQF3gEAoZwoqU6bYY8PIhz2fM".to_owned(),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=".to_owned(),
            "{SSHA}pQ7Tl2KeoiWGPlZqQxSrmfPwDl2dU0aBc".to_owned(),
            "{SSHA512}pQ7Tl2KeoiWGPlZqQxSrmfPwDl2dU0aBc".to_owned(),
        ] {
            assert!(found(&hash), "{hash}");
            assert!(found(&format!("old hash: {hash}, new one for $5")), "{hash}");
        }
    }

    #[test]
    fn a_hash_behind_words_of_its_own_scheme_is_found() {
        let hash = "argon2id$v=19$c29tZXNhbHQ$RdescudvJCsgt3ub+b27wOFqi9w1Ce8vR4iNVeg";
        assert!(found(&format!("argon2 argon2:{hash}")));
        assert!(!found(&"argon2,".repeat(10_000)) && found(&format!("argon2{hash}")));
    }

    #[test]
    fn prices_names_and_parts_are_none() {
        for text in [
            "$1$ off, $5$ and $6$",
            "$1$2$3",
            "$2a$10$short",
            "$2a$xx$",
            "$argon2id",
            "we use argon2 and pbkdf2 here",
            "pbkdf2$1$2",
            "scrypt: a key derivation function",
            "{SSHA} is a scheme",
            "SCRAM-SHA-256 with 4096 iterations",
            "$P$",
            "$y$",
            "$5$rounds=5000$",
            "",
        ] {
            assert!(!found(text), "{text}");
        }
    }
}
