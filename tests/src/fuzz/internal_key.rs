//! The gateway key in its header, and the list of hashes that says who is let in.

use antumbra_crypto::InternalKeys;

/// Takes the bytes before the first newline for the list and the rest for what a client presents.
///
/// # Panics
/// When anybody is let in whose hash is not listed, or somebody is not whose hash is.
pub fn internal_key(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let (list, presented) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(keys) = InternalKeys::parse(list) else { return false };
    let entries: Vec<&str> = list.split(',').map(str::trim).collect();
    assert!(entries.iter().all(|entry| entry.len() == 44), "base64 of 32 bytes has one form");
    let admitted = keys.admits(presented);
    let hash = InternalKeys::hash(presented).ok();
    let listed = hash.is_some_and(|hash| entries.contains(&&*hash));
    assert_eq!(admitted, listed, "let in exactly if listed");
    assert!(!keys.admits(""), "nobody is let in with nothing");
    let shown = format!("{keys:?}");
    assert!(entries.iter().all(|entry| !shown.contains(entry)), "a hash was shown");
    admitted
}
