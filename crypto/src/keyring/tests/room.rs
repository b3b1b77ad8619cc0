//! Roots that wrap with the crate's own envelope, can be switched off, and count.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use serde_json::Value;

use crate::keyring::envelope;
use crate::keyring::kek::Kek;
use crate::stream::DataKey;
use crate::{Context, Error, KeyRing, Retry, Root, Roots, Secret32, SecretBytes};

pub(super) const NOW: &str = "2026-01-02T03:04:05Z";

pub(super) struct TestRoot {
    key: Kek,
    /// Wraps anew at each rewrap, as a vault whose key was rotated.
    has_versions: bool,
    /// Wraps something else than what it was given.
    is_broken: bool,
    is_down: AtomicBool,
    unwraps: AtomicUsize,
}

impl TestRoot {
    pub(super) fn new(name: &str, byte: u8) -> Self {
        Self {
            key: Kek { id: name.to_owned(), secret: Secret32::from_slice(&[byte; 32]).unwrap() },
            has_versions: false,
            is_broken: false,
            is_down: AtomicBool::new(false),
            unwraps: AtomicUsize::new(0),
        }
    }

    pub(super) fn with_versions(self) -> Self {
        Self { has_versions: true, ..self }
    }

    pub(super) fn broken(self) -> Self {
        Self { is_broken: true, ..self }
    }

    pub(super) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(super) fn unwraps(&self) -> usize {
        self.unwraps.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), Error> {
        if !self.is_down.load(Ordering::SeqCst) {
            return Ok(());
        }
        let root = self.key.id.clone();
        Err(Error::Root { root, retry: Retry::Later, source: "down".into() })
    }
}

impl fmt::Debug for TestRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key.id)
    }
}

#[async_trait]
impl Root for TestRoot {
    fn id(&self) -> &str {
        &self.key.id
    }

    async fn wrap(&self, secret: &SecretBytes, context: &Context) -> Result<Vec<u8>, Error> {
        self.check()?;
        let other = [0; 32];
        let secret = if self.is_broken { other.as_slice() } else { secret.expose() };
        envelope::seal(&self.key, secret, context)
    }

    async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<SecretBytes, Error> {
        self.check()?;
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        envelope::open(std::slice::from_ref(&self.key), wrapped, context)
    }

    async fn rewrap(&self, wrapped: &[u8], context: &Context) -> Result<Vec<u8>, Error> {
        let secret = self.unwrap(wrapped, context).await?;
        if self.has_versions { self.wrap(&secret, context).await } else { Ok(wrapped.to_vec()) }
    }
}

pub(super) fn roots(root: TestRoot) -> (Roots, Arc<TestRoot>) {
    let root = Arc::new(root);
    (Roots::new(root.clone()), root)
}

/// A fresh ring, its file as JSON, and its root.
pub(super) async fn ring() -> (KeyRing, Value, Roots, Arc<TestRoot>) {
    let (roots, root) = roots(TestRoot::new("test-root", 1));
    let (ring, file) = KeyRing::create(&roots, NOW).await.unwrap();
    (ring, serde_json::from_slice(&file).unwrap(), roots, root)
}

pub(super) async fn open(file: &Value, roots: &Roots) -> Result<KeyRing, Error> {
    KeyRing::open(&serde_json::to_vec(file).unwrap(), roots).await
}

/// Turns one bit of bytes in base64: the last of the tag, where they end in one.
pub(super) fn spoil(base64: &mut Value) {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut bytes = STANDARD.decode(base64.as_str().unwrap()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    *base64 = STANDARD.encode(bytes).into();
}

pub(super) fn place() -> Context {
    Context::new("p").with("job")
}

/// A fresh data key, its secret and its envelope.
pub(super) async fn wrapped(ring: &KeyRing) -> ([u8; 32], Vec<u8>) {
    let key = DataKey::generate().unwrap();
    let wrapped = ring.wrap(&key, &place()).await.unwrap();
    assert_eq!(wrapped.key_id, ring.active_id());
    (*key.secret().expose(), wrapped.bytes)
}

pub(super) async fn unwrapped(ring: &KeyRing, envelope: &[u8]) -> [u8; 32] {
    *ring.unwrap(envelope, &place()).await.unwrap().secret().expose()
}

pub(super) fn unknown_key(error: &Error) -> &str {
    match error {
        Error::UnknownKey { id } => id,
        other => panic!("not an unknown key: {other}"),
    }
}
