//! The file of the key ring.

use antumbra_crypto::{Error, KeyInfo, KeyRing, KeyState};

use super::fixed::{self, now};

/// Opens the bytes as a ring, and changes it in each way that there is.
///
/// # Panics
/// When a ring of other service keys opens, when it has not one active key, when what a change wrote does not open again as what it was,
/// or when an error shows a wrapped key.
pub fn ring_file(data: &[u8]) -> bool {
    let ring = match now(KeyRing::open(data, &fixed::roots())) {
        Ok(ring) => ring,
        Err(error) => {
            shows_nothing(&error, data);
            return false;
        }
    };
    assert!(ring.is_of_same_installation(fixed::ring()), "a ring was forged");
    let before = ring.keys();
    one_is_active(&before, ring.active_id());

    let Ok((rotated, file)) = now(ring.rotated("2026-01-01T00:00:00Z")) else { return true };
    let after = reopened(&rotated, &file);
    assert_eq!(after.len(), before.len() + 1);
    for key in &before {
        let state = match key.state {
            KeyState::Active => KeyState::Readable,
            other => other,
        };
        let kept = after.iter().find(|other| other.id == key.id).expect("no key is lost");
        assert_eq!((kept.state, &kept.created), (state, &key.created));
    }

    if let Ok(Some((rewrapped, file))) = now(rotated.rewrapped()) {
        let after = reopened(&rewrapped, &file);
        let active = after.iter().find(|key| key.state == KeyState::Active);
        let needed: u32 = after.iter().map(|key| key.services).sum();
        assert_eq!(active.map(|key| key.services), Some(needed), "all service keys are under it");
        for key in &after {
            if key.state == KeyState::Readable
                && let Ok((retired, file)) = rewrapped.retired(&key.id)
            {
                let left = reopened(&retired, &file);
                let gone = left.iter().find(|other| other.id == key.id).expect("it is listed");
                assert_eq!((gone.state, &gone.root), (KeyState::Retired, &None));
            }
        }
        assert!(matches!(rewrapped.retired(rewrapped.active_id()), Err(Error::KeyNeeded { .. })));
    }
    true
}

/// Opens what a change wrote; it is what the change returned.
fn reopened(changed: &KeyRing, file: &[u8]) -> Vec<KeyInfo> {
    let again = now(KeyRing::open(file, &fixed::roots())).expect("what is written opens");
    assert!(again.is_of_same_installation(changed));
    assert_eq!(again.keys(), changed.keys());
    one_is_active(&again.keys(), again.active_id());
    again.keys()
}

fn one_is_active(keys: &[KeyInfo], active: &str) {
    let mut found = keys.iter().filter(|key| key.state == KeyState::Active);
    assert_eq!(found.next().map(|key| &*key.id), Some(active));
    assert!(found.next().is_none(), "two keys are active");
}

/// Errors are logged; wrapped keys are not. The name of a key or root that is not held is what the operator has to know.
fn shows_nothing(error: &Error, file: &[u8]) {
    if matches!(error, Error::UnknownKey { .. }) {
        return;
    }
    let said = format!("{error} {error:?}");
    let file = String::from_utf8_lossy(file);
    let mut words = said.split(|at: char| !at.is_ascii_alphanumeric() && !"+/=".contains(at));
    let quoted = words.find(|word| word.len() > LONGEST_NAME && file.contains(*word));
    assert_eq!(quoted, None, "quoted from the file");
}

/// Ids of keys are this long at most.
const LONGEST_NAME: usize = 64;
