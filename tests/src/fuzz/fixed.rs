//! The keys and places that all targets share.

use std::future::Future;
use std::io::Read as _;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll, Waker};

use antumbra_crypto::stream::{CHUNK_LEN, DataKey, Reader, Sealer};
use antumbra_crypto::{Context, Error, KeyRing, Root, Roots, Secret32, SecretBytes};

/// The key of all streams.
pub(super) fn stream_key() -> DataKey {
    DataKey::from_secret(fill(0x11))
}

/// The place of all streams.
pub(super) fn stream_place() -> Context {
    Context::new("antumbra/object").with("tenant").with("job").with("object")
}

/// The key in every envelope.
pub(super) fn wrapped_key() -> DataKey {
    DataKey::from_secret(fill(0x22))
}

/// The place of every envelope.
pub(super) fn envelope_place() -> Context {
    Context::new("antumbra/data-key").with("tenant").with("job")
}

/// The root of the fixed ring.
pub(super) fn roots() -> Roots {
    Roots::new(Arc::new(FixedRoot))
}

/// The fixed ring: three keys, of which one is retired and one is active.
pub(super) fn ring() -> &'static KeyRing {
    static RING: OnceLock<KeyRing> = OnceLock::new();
    RING.get_or_init(|| {
        now(KeyRing::open(RING_FILE, &roots())).expect("the recorded ring opens with its root")
    })
}

/// Waits for a future that waits for nothing.
pub(super) fn now<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a root in memory answers at once"),
    }
}

/// Bytes that follow from their place alone: whatever opens has to be a beginning of them. At most [`LONGEST`].
pub(super) fn pattern(len: usize) -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let whole = PATTERN.get_or_init(|| {
        let words =
            (0_u64..).flat_map(|word| word.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
        words.take(LONGEST).collect()
    });
    whole.get(..len).expect("nothing longer was ever sealed")
}

/// Seals bytes as a stream.
pub(super) fn sealed(plain: &[u8], key: &DataKey, place: &Context) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut sealer = Sealer::new(key, place)?;
    sealer.push(plain, &mut out)?;
    sealer.finish(&mut out)?;
    Ok(out)
}

/// Wraps as a stream does, which is as good a seal as any other.
#[derive(Debug)]
struct FixedRoot;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl Root for FixedRoot {
    fn id(&self) -> &str {
        "fuzz:1"
    }

    fn wrap<'a, 'b, 'c, 'f>(
        &'a self,
        secret: &'b SecretBytes,
        context: &'c Context,
    ) -> Answer<'f, Vec<u8>>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        Self: 'f,
    {
        Box::pin(std::future::ready(sealed(secret.expose(), &root_key(), context)))
    }

    fn unwrap<'a, 'b, 'c, 'f>(
        &'a self,
        wrapped: &'b [u8],
        context: &'c Context,
    ) -> Answer<'f, SecretBytes>
    where
        'a: 'f,
        'b: 'f,
        'c: 'f,
        Self: 'f,
    {
        let mut secret = Vec::new();
        let read = Reader::new(wrapped, &root_key(), context).read_to_end(&mut secret);
        let opened = read.map(|_| SecretBytes::new(secret)).map_err(|_| Error::Authentication);
        Box::pin(std::future::ready(opened))
    }
}

fn root_key() -> DataKey {
    DataKey::from_secret(fill(0x33))
}

fn fill(byte: u8) -> Secret32 {
    Secret32::from_slice(&[byte; 32]).expect("32 bytes")
}

/// The longest plaintext: two chunks and a bit.
pub(super) const LONGEST: usize = 2 * CHUNK_LEN + 1000;
/// As `record-corpora` wrote it.
const RING_FILE: &[u8] = include_bytes!("../../fuzz/corpus/ring_file/fixed.json");
