//! How does a file become plain bytes for a reader that blocks?

use std::io::{self, BufReader, Read};

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use futures::TryStreamExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::runtime::Handle;
use tokio_util::io::StreamReader;
use tokio_util::sync::CancellationToken;

use super::fault;
use super::place::{Found, Place};
use crate::SiloError;
use crate::silo::BatchSender;

/// Says when nobody waits for what is read any more.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// When it is cancelled.
    Token(CancellationToken),
    /// When the receiver is gone.
    Receiver(BatchSender),
}

impl Stop {
    /// Waits for an answer on a blocking thread, unless nobody waits for it.
    pub(super) fn wait<T>(
        &self,
        handle: &Handle,
        answer: impl Future<Output = Result<T, SiloError>>,
    ) -> Result<T, SiloError> {
        handle.block_on(async {
            tokio::select! {
                biased;
                () = self.stopped() => Err(fault::unavailable("reading was interrupted")),
                answer = answer => answer,
            }
        })
    }

    pub(super) async fn stopped(&self) {
        match self {
            Self::Token(token) => token.cancelled().await,
            Self::Receiver(sender) => sender.closed().await,
        }
    }
}

/// The plain bytes of a file. Reads on a blocking thread only.
pub(super) type PlainBytes = BufReader<Blocking>;

/// Opens a file and decompresses it by the end of its name.
pub(super) fn open(
    place: &Place,
    found: &Found,
    handle: &Handle,
    stop: &Stop,
) -> Result<PlainBytes, SiloError> {
    let bytes = stop.wait(handle, place.open(found))?;
    let stored = StreamReader::new(bytes.map_err(fault::into_io));
    let inner: Box<dyn AsyncRead + Send + Unpin> = match compression(&found.name) {
        None => Box::new(stored),
        Some(Compression::Gzip) => {
            let mut decoder = GzipDecoder::new(stored);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        Some(Compression::Zstd) => {
            let window = DParameter::window_log_max(WINDOW_LOG);
            let mut decoder = ZstdDecoder::with_params(stored, &[window]);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
    };
    let blocking = Blocking { handle: handle.clone(), stop: stop.clone(), inner };
    Ok(BufReader::with_capacity(BUFFER, blocking))
}

/// Waits on its thread for each piece.
pub(super) struct Blocking {
    handle: Handle,
    stop: Stop,
    inner: Box<dyn AsyncRead + Send + Unpin>,
}

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (stop, inner) = (&self.stop, &mut self.inner);
        self.handle.block_on(async {
            tokio::select! {
                biased;
                () = stop.stopped() => Err(fault::into_io(fault::unavailable("reading was interrupted"))),
                read = inner.read(buffer) => read,
            }
        })
    }
}

impl std::fmt::Debug for Blocking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstd,
}

fn compression(name: &str) -> Option<Compression> {
    let (_, extension) = name.rsplit_once('.')?;
    if extension.eq_ignore_ascii_case("gz") {
        Some(Compression::Gzip)
    } else if extension.eq_ignore_ascii_case("zst") {
        Some(Compression::Zstd)
    } else {
        None
    }
}

const BUFFER: usize = 64 << 10;
/// What zstd needs memory for at most is 2 to this power, whatever a file asks for: 64 MiB.
const WINDOW_LOG: u32 = 26;
