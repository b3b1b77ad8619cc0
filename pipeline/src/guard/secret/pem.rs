//! Is there a private key? Armour of PEM and PGP, bodies of OpenSSH keys, files of `PuTTY`, identities of age.

use memchr::memmem;

use super::run::steps;

/// What keys begin with or have in their first line.
pub(super) const SIGNS: &[&str] =
    &["BEGIN", "PRIVATE", "b3BlbnNzaC1rZXkt", "PuTTY-User-Key-File", "AGE-SECRET-KEY-1"];

/// Judges the signs of one text. What is asked of the whole text is asked once.
#[derive(Debug, Default)]
pub(super) struct PrivateKeys {
    has_armour: Option<bool>,
    has_lines: Option<bool>,
}

impl PrivateKeys {
    /// Says whether a text in which a sign was found holds a private key. White space in the first line of an armour does not count, nor
    /// do the letters that stand for it in JSON and shells.
    pub(super) fn is_private_key(&mut self, sign: &str, text: &str) -> bool {
        match sign {
            "BEGIN" | "PRIVATE" => *self.has_armour.get_or_insert_with(|| has_armour(text)),
            "PuTTY-User-Key-File" => {
                *self.has_lines.get_or_insert_with(|| text.contains("Private-"))
            }
            _ => true,
        }
    }
}

/// Looks for dashes, `BEGIN`, at most a few words, and `PRIVATE KEY`.
fn has_armour(text: &str) -> bool {
    let letters: Vec<u8> =
        text.bytes().filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'-').collect();
    steps::count(text.len());
    memmem::find_iter(&letters, BEGIN).any(|at| {
        let before = letters.get(..at).unwrap_or_default();
        before.ends_with(b"--") && is_of_key(letters.get(at + BEGIN.len()..).unwrap_or_default())
    })
}

/// Says whether the first line that begins here is that of a private key. It ends in dashes, or after some capital letters, of which the
/// next `BEGIN` has five: so a byte is walked over for a few lines at most.
fn is_of_key(behind: &[u8]) -> bool {
    let (mut line, mut dashes) = (Vec::with_capacity(LINE), 0);
    for byte in behind {
        steps::count(1);
        dashes = if *byte == b'-' { dashes + 1 } else { 0 };
        if dashes == DASHES || line.len() == LINE {
            break;
        }
        if byte.is_ascii_uppercase() {
            line.push(*byte);
        }
    }
    memmem::find(&line, b"PRIVATEKEY").is_some()
}

const BEGIN: &str = "BEGIN";
/// Dashes that end a first line.
const DASHES: usize = 5;
/// Letters of a first line.
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> bool {
        let mut keys = PrivateKeys::default();
        SIGNS.iter().any(|sign| text.contains(sign) && keys.is_private_key(sign, text))
    }

    #[test]
    fn armour_is_seen_through_white_space_and_escapes() {
        for key in [
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA",
            "see: -----BEGIN EC\n PRIVATE\tKEY-----",
            "-----BEGIN OPENSSH PRI\nVATE KEY-----",
            "-----BE GIN ENCRYPTED PRIVATE\u{a0}KEY-----",
            "----- BEGIN\\nPRIVATE\\r\\nKEY -----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ",
            "AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
            "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1",
        ] {
            assert!(found(key), "{key}");
        }
    }

    #[test]
    fn public_things_and_talk_about_keys_are_none() {
        for text in [
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----",
            "BEGIN with a PRIVATE KEY, then rotate it",
            "PRIVATE PROPERTY",
            "BEGIN TRANSACTION; -- PRIVATE",
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE----- my PRIVATE KEY is elsewhere",
        ] {
            assert!(!found(text), "{text}");
        }
    }
}
