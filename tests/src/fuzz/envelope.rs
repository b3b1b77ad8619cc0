//! A wrapped data key.

use antumbra_crypto::{Error, KeyState, envelope_key_id};

use super::fixed::{self, now};

/// Unwraps the bytes with the fixed ring.
///
/// # Panics
/// When anything but the one wrapped key comes out, when the key's name is read wrongly, or when an error says what it cannot be.
pub fn envelope(data: &[u8]) -> bool {
    let ring = fixed::ring();
    let named = envelope_key_id(data).ok();
    if let Some(id) = named {
        let len = u8::try_from(id.len()).expect("a name of at most 64 bytes");
        assert!((1..=64).contains(&len) && data.starts_with(&[&[1, len], id.as_bytes()].concat()));
    }
    let held = named
        .filter(|id| ring.keys().iter().any(|key| key.id == *id && key.state != KeyState::Retired));
    match now(ring.unwrap(data, &fixed::envelope_place())) {
        Ok(key) => {
            assert_eq!(key.secret().expose(), fixed::wrapped_key().secret().expose());
            assert!(held.is_some(), "unwrapped with a key that nobody named");
            let elsewhere = fixed::envelope_place().with("more");
            assert!(now(ring.unwrap(data, &elsewhere)).is_err(), "it opens elsewhere, too");
            true
        }
        Err(Error::UnknownKey { id }) => {
            assert!(named == Some(&*id) && held.is_none(), "`{id}` is held");
            false
        }
        Err(Error::Truncated | Error::Malformed { .. }) => false,
        Err(Error::Authentication) => {
            assert!(held.is_some(), "no key was there to say so");
            false
        }
        Err(error) => unreachable!("{error:?}"),
    }
}
