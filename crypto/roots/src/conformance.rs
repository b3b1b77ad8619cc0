//! What every root must do, as checks that panic with what failed.
//!
//! Any implementation runs them, with as many roots as it has kinds of keys: a local key in a unit
//! test, a KMS in a test that starts one. They wrap some hundred small secrets and leave nothing
//! behind.

#![expect(clippy::panic, reason = "a check that fails stops its test")]

use antumbra_crypto::{Context, Error, Retry, Root, SecretBytes};
use futures::future::join_all;

/// Checks one root.
///
/// # Panics
///
/// If the root breaks a promise of [`Root`].
pub async fn every(root: &dyn Root) {
    round_trips(root).await;
    context_binds(root).await;
    altered_bytes_are_refused(root).await;
    cut_bytes_are_refused(root).await;
    wraps_of_one_secret_differ(root).await;
    generated_key_is_what_unwraps(root).await;
    rewrapped_key_is_the_same(root).await;
    concurrent_calls_do_not_meet(root).await;
    debug_shows_no_secret(root).await;
}

/// Checks that two roots with different keys refuse each other's wraps and have different ids.
///
/// # Panics
///
/// If one opens what the other wrapped.
pub async fn strangers(a: &dyn Root, b: &dyn Root) {
    assert_ne!(a.id(), b.id(), "ids of different keys");
    for (wrapper, opener) in [(a, b), (b, a)] {
        let wrapped = wrap(wrapper, &secret(32), &place()).await;
        refused(opener, &wrapped, &place(), "a stranger's wrap").await;
    }
}

/// 185 is the length of a P-384 key in PKCS #8, the longest that a ring holds.
async fn round_trips(root: &dyn Root) {
    let lens = (1..=64).chain([185, 1024]);
    for len in lens {
        let secret = secret(len);
        let wrapped = wrap(root, &secret, &place()).await;
        assert_eq!(open(root, &wrapped, &place()).await, secret.expose(), "{len} bytes come back");
    }
}

async fn context_binds(root: &dyn Root) {
    let wrapped = wrap(root, &secret(32), &place()).await;
    for (other, what) in [
        (Context::new("antumbra/conformance").with("b"), "another field"),
        (Context::new("antumbra/elsewhere").with("a"), "another purpose"),
        (Context::new("antumbra/conformance"), "a field less"),
        (place().with(""), "a field more"),
        (Context::new("antumbra/conformancea").with(""), "a byte in another field"),
    ] {
        match root.unwrap(&wrapped, &other).await {
            Err(Error::Authentication) => {}
            outcome => panic!("context with {what}: {outcome:?}"),
        }
    }
    let long = place().with([b'x'; 1000]);
    let wrapped = wrap(root, &secret(32), &long).await;
    assert_eq!(open(root, &wrapped, &long).await, secret(32).expose(), "long context");
}

async fn altered_bytes_are_refused(root: &dyn Root) {
    let wrapped = wrap(root, &secret(32), &place()).await;
    for at in 0..wrapped.len() {
        for bit in [0x01, 0x80] {
            let mut bad = wrapped.clone();
            if let Some(byte) = bad.get_mut(at) {
                *byte ^= bit;
            }
            refused(root, &bad, &place(), &format!("byte {at} altered by {bit:#04x}")).await;
        }
    }
}

async fn cut_bytes_are_refused(root: &dyn Root) {
    let wrapped = wrap(root, &secret(32), &place()).await;
    for len in 0..wrapped.len() {
        let short = wrapped.get(..len).unwrap_or_default();
        refused(root, short, &place(), &format!("cut to {len} bytes")).await;
    }
    let long = [wrapped.as_slice(), b"A"].concat();
    refused(root, &long, &place(), "a byte more").await;
    refused(root, &[0xff; 64], &place(), "noise").await;
}

async fn wraps_of_one_secret_differ(root: &dyn Root) {
    let first = wrap(root, &secret(32), &place()).await;
    let second = wrap(root, &secret(32), &place()).await;
    assert_ne!(first, second, "two wraps of one secret");
}

async fn generated_key_is_what_unwraps(root: &dyn Root) {
    let (key, wrapped) = root.generate(&place()).await.expect("a key is generated");
    assert_eq!(open(root, &wrapped, &place()).await, key.expose(), "generated key");
    let (other, _) = root.generate(&place()).await.expect("another key is generated");
    assert_ne!(key.expose(), other.expose(), "two generated keys");
    refused(root, &wrapped, &place().with("x"), "a generated key elsewhere").await;
}

async fn rewrapped_key_is_the_same(root: &dyn Root) {
    let wrapped = wrap(root, &secret(32), &place()).await;
    let again = root.rewrap(&wrapped, &place()).await.expect("a wrap is wrapped anew");
    assert_eq!(open(root, &again, &place()).await, secret(32).expose(), "rewrapped key");
    assert_eq!(open(root, &wrapped, &place()).await, secret(32).expose(), "the wrap before");
    refused(root, &again, &place().with("x"), "a rewrapped key elsewhere").await;
    let moved = root.rewrap(&wrapped, &place().with("x")).await;
    assert!(moved.is_err(), "rewrap with another context: {moved:?}");
}

async fn concurrent_calls_do_not_meet(root: &dyn Root) {
    let secrets: Vec<_> = (1..=16).map(secret).collect();
    let places: Vec<_> = (0..16_u8).map(|n| place().with([n])).collect();
    let pairs = || secrets.iter().zip(&places);
    let wraps = join_all(pairs().map(|(secret, place)| wrap(root, secret, place))).await;
    // Each twice, so that a root with a memory is asked while it asks.
    let opened = wraps.iter().zip(&places).chain(wraps.iter().zip(&places));
    let opened = join_all(opened.map(|(wrapped, place)| open(root, wrapped, place))).await;
    for (opened, secret) in opened.iter().zip(secrets.iter().chain(&secrets)) {
        assert_eq!(opened, secret.expose(), "concurrent unwraps");
    }
    let id = root.id().to_owned();
    assert!(!id.is_empty() && id.is_ascii() && !id.contains(char::is_whitespace), "id: {id:?}");
}

async fn debug_shows_no_secret(root: &dyn Root) {
    let marked = SecretBytes::from_slice(b"conformance-marker-of-a-secret");
    let wrapped = wrap(root, &marked, &place()).await;
    let opened = root.unwrap(&wrapped, &place()).await.expect("a wrap is unwrapped");
    let text = format!("{root:?} {opened:?}");
    assert!(!text.contains("conformance-marker"), "Debug: {text}");
}

async fn wrap(root: &dyn Root, secret: &SecretBytes, context: &Context) -> Vec<u8> {
    match root.wrap(secret, context).await {
        Ok(wrapped) => wrapped,
        Err(error) => panic!("wrap of {} bytes: {error:?}", secret.len()),
    }
}

async fn open(root: &dyn Root, wrapped: &[u8], context: &Context) -> Vec<u8> {
    match root.unwrap(wrapped, context).await {
        Ok(secret) => secret.expose().to_vec(),
        Err(error) => panic!("unwrap: {error:?}"),
    }
}

/// A refusal is for good: bytes that are wrong must not be tried again.
async fn refused(root: &dyn Root, wrapped: &[u8], context: &Context, what: &str) {
    match root.unwrap(wrapped, context).await {
        Err(error) if error.retry() != Retry::Later => {}
        outcome => panic!("{what} was not refused: {outcome:?}"),
    }
}

fn place() -> Context {
    Context::new("antumbra/conformance").with("a")
}

fn secret(len: usize) -> SecretBytes {
    SecretBytes::new((0..=250).cycle().take(len).collect())
}
