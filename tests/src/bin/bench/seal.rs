//! `seal`: how fast does one thread seal and open 1 GiB in memory through the whole stream format, and as one message?
//!
//! Both sides count processor time of one thread, as `openssl speed` does: what else runs on the machine slows caches and clock
//! of either, but takes no turn from either.

use std::fs;
use std::hint::black_box;
use std::io::BufRead;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use antumbra_crypto::message::MessageSealer;
use antumbra_crypto::stream::{DataKey, HEADER_LEN, Opener, Reader, Sealer, sealed_len};
use antumbra_crypto::{Context as Place, Secret32};
use antumbra_e2e::run;
use anyhow::{Context, ensure};

use crate::figures::{Figure, Measured};
use crate::measure::Bench;
use crate::report::Yardstick;
use crate::seal_ranges::Ranges;

/// What is sealed, and the room it is sealed in.
#[derive(Debug)]
pub(crate) struct Seal {
    key: DataKey,
    place: Place,
    plain: Vec<u8>,
    /// Room for the sealed stream, kept so that no run pays for fresh memory.
    sealed: Mutex<Vec<u8>>,
    ranges: Ranges,
    openssl: String,
}

impl Bench for Seal {
    async fn prepare() -> anyhow::Result<Self> {
        let openssl = run(Path::new(OPENSSL), Path::new("/"), &["version"])?.ok()?;
        let key = DataKey::generate()?;
        let plain = noise(LEN);
        let ranges = Ranges::prepare(&key, &plain).await?;
        let sealed = Mutex::new(vec![0; usize::try_from(sealed_len(LEN as u64)?)?]);
        let place = Place::new("antumbra/object").with("tenant").with("job").with("object");
        Ok(Self { key, place, plain, sealed, ranges, openssl: openssl.trim().to_owned() })
    }

    async fn ours(&self) -> anyhow::Result<Measured> {
        let streams = self.streams()?;
        let reads = self.ranges.read().await?;
        Ok(Measured([streams, reads.figures()].concat()))
    }

    async fn yardstick(&self) -> anyhow::Result<Measured> {
        let sealing = openssl(&[])?;
        let opening = openssl(&["-decrypt"])?;
        Ok(Measured(vec![
            speed("seal", sealing),
            speed("open", opening),
            speed("read", opening),
            speed("message", sealing),
        ]))
    }

    fn described(&self) -> Yardstick {
        Yardstick {
            name: format!(
                "openssl speed -evp aes-256-gcm -bytes 65536, with -decrypt for open and read; {}",
                self.openssl
            ),
            less: "keys, header, chunks, copies; it works on the same 64 KiB again and again",
        }
    }
}

impl Seal {
    /// One thread, no store.
    fn streams(&self) -> anyhow::Result<Vec<Figure>> {
        let (len, took) = timed(|| self.seal_in_pieces())?;
        ensure!(len == sealed_len(LEN as u64)?, "{len} bytes is not the length of the stream");
        let seal = speed("seal", rate(took));

        let mut sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        self.fill(&mut sealed)?;
        let (len, took) = timed(|| self.read_to_end(&sealed))?;
        ensure!(len == LEN, "{len} bytes were read");
        let read = speed("read", rate(took));
        let ((), took) = timed(|| self.open_in_place(&mut sealed))?;
        let open = speed("open", rate(took));
        ensure!(self.is_open(&sealed)?, "what was opened is not what was sealed");
        Ok(vec![seal, open, read, speed("message", self.message(sealed)?)])
    }

    /// As the pipeline does: pieces as the encoders make them, and every finished chunk goes away.
    fn seal_in_pieces(&self) -> anyhow::Result<u64> {
        let mut sealer = Sealer::new(&self.key, &self.place)?;
        let (mut chunk, mut len) = (Vec::new(), 0);
        for piece in self.plain.chunks(PIECE) {
            sealer.push(piece, &mut chunk)?;
            len += gone(&mut chunk);
        }
        sealer.finish(&mut chunk)?;
        Ok(len + gone(&mut chunk))
    }

    /// Makes the stream that is opened; not measured.
    fn fill(&self, sealed: &mut Vec<u8>) -> anyhow::Result<()> {
        sealed.clear();
        let mut sealer = Sealer::new(&self.key, &self.place)?;
        sealer.push(&self.plain, sealed)?;
        Ok(sealer.finish(sealed)?)
    }

    fn read_to_end(&self, sealed: &[u8]) -> anyhow::Result<usize> {
        let mut reader = Reader::new(sealed, &self.key, &self.place);
        let mut len = 0;
        loop {
            let ready = black_box(reader.fill_buf()?).len();
            if ready == 0 {
                return Ok(len);
            }
            len += ready;
            reader.consume(ready);
        }
    }

    /// As the bundle's reader does: each chunk where it lies.
    fn open_in_place(&self, sealed: &mut [u8]) -> anyhow::Result<()> {
        let opener = self.opener(sealed)?;
        for index in 0..opener.chunk_count() {
            let range = opener.chunk_cipher_range(index);
            let chunk = sealed.get_mut(usize::try_from(range.start)?..usize::try_from(range.end)?);
            black_box(opener.open_chunk(index, chunk.context("a chunk beyond the end")?)?);
        }
        Ok(())
    }

    /// Whether every chunk holds its plaintext now; not measured.
    fn is_open(&self, sealed: &[u8]) -> anyhow::Result<bool> {
        let opener = self.opener(sealed)?;
        let mut rest = &*self.plain;
        for index in 0..opener.chunk_count() {
            let held = opener.chunk_plain_range(index);
            let (part, later) = rest.split_at(usize::try_from(held.end - held.start)?);
            let start = usize::try_from(opener.chunk_cipher_range(index).start)?;
            if sealed.get(start..start + part.len()) != Some(part) {
                return Ok(false);
            }
            rest = later;
        }
        Ok(rest.is_empty())
    }

    fn opener(&self, sealed: &[u8]) -> anyhow::Result<Opener> {
        let header = sealed.get(..HEADER_LEN).context("no header")?;
        Ok(Opener::new(&self.key, &self.place, header, sealed.len() as u64)?)
    }

    fn message(&self, mut buffer: MutexGuard<'_, Vec<u8>>) -> anyhow::Result<f64> {
        buffer.truncate(LEN);
        let (tag, took) = timed(|| {
            let mut sealer = MessageSealer::new(&Secret32::generate()?, [0; 12], b"");
            for piece in buffer.chunks_mut(PIECE) {
                sealer.seal(piece)?;
            }
            Ok(sealer.finish())
        })?;
        black_box(tag);
        Ok(rate(took))
    }
}

/// What a store would take.
fn gone(chunk: &mut Vec<u8>) -> u64 {
    let len = black_box(&*chunk).len() as u64;
    chunk.clear();
    len
}

/// Runs something on this thread and counts the nanoseconds of processor time that it took.
fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, u64)> {
    let before = thread_cpu_nanos()?;
    let result = work()?;
    let took = thread_cpu_nanos()? - before;
    ensure!(took > 0, "the kernel keeps no account of this thread's processor time");
    Ok((result, took))
}

fn thread_cpu_nanos() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_whitespace().next().context("schedstat is empty")?;
    first.parse().context("schedstat")
}

/// Bytes in a nanosecond are GB in a second.
#[expect(clippy::cast_precision_loss, reason = "a measured amount, shown with three digits")]
fn rate(nanos: u64) -> f64 {
    LEN as f64 / nanos as f64
}

fn speed(name: &'static str, value: f64) -> Figure {
    Figure { name, unit: "GB/s", value }
}

/// Asks openssl for its speed in GB/s of processor time.
fn openssl(more: &[&str]) -> anyhow::Result<f64> {
    let args = ["speed", "-mr", "-seconds", "1", "-bytes", "65536"];
    let args = [&args, more, &["-evp", "aes-256-gcm"]].concat();
    let said = run(Path::new(OPENSSL), Path::new("/"), &args)?.ok()?;
    // `+F:25:AES-256-GCM:3337724207.41`
    let number = said.lines().find_map(|line| line.strip_prefix("+F:")?.rsplit(':').next());
    let bytes: f64 = number.context("openssl named no speed")?.trim().parse()?;
    Ok(bytes / 1e9)
}

/// Bytes that look like nothing: xorshift from a fixed seed.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

const OPENSSL: &str = "openssl";
const LEN: usize = 1 << 30;
/// What the pipeline hands over at once.
const PIECE: usize = 64 << 10;
