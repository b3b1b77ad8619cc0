//! How long may a peer take nothing of what is written to it?
//!
//! HTTP has no say in this: a client that stops reading fills the buffers between it and us, and then writing waits. It
//! would wait for ever, and keep one of the connections that are served at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::activity::Activity;

/// An IO whose writes fail with [`io::ErrorKind::TimedOut`] after `patience` without progress.
///
/// Progress is what the IO takes, a single byte suffices: slow peers are served, however long they take. What a kernel
/// buffers counts as taken. Reads wait as long as they like.
#[derive(Debug)]
pub(super) struct Impatient<IO> {
    io: IO,
    writing: Stall,
    flushing: Stall,
    activity: Option<Arc<Activity>>,
}

impl<IO> Impatient<IO> {
    /// Wraps an IO.
    pub(super) const fn new(io: IO, patience: Duration) -> Self {
        Self { io, writing: Stall::new(patience), flushing: Stall::new(patience), activity: None }
    }

    /// Also notes what the peer takes.
    pub(super) fn noting(mut self, activity: Arc<Activity>) -> Self {
        self.activity = Some(activity);
        self
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        if let (Some(activity), Poll::Ready(Ok(1..))) = (&self.activity, written) {
            activity.stamp();
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Impatient<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Impatient<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.note(&written);
        self.writing.bound(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, slices);
        self.note(&written);
        self.writing.bound(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(context);
        self.flushing.bound(context, flushed)
    }

    /// Bounded, too: closing flushes what a layer such as TLS still holds.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.io).poll_shutdown(context);
        self.flushing.bound(context, closed)
    }
}

/// Since when something is pending. A flush that has nothing to do must not excuse a write that waits, so each has one.
#[derive(Debug)]
struct Stall {
    patience: Duration,
    end: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    const fn new(patience: Duration) -> Self {
        Self { patience, end: None }
    }

    /// Passes on what is ready; turns what is pending for too long into an error.
    fn bound<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.end = None;
            return result;
        }
        let end = self.end.get_or_insert_with(|| Box::pin(sleep(self.patience)));
        end.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_ends_the_write() {
        let (peer, io) = tokio::io::duplex(16);
        let mut io = Impatient::new(io, PATIENCE);
        let start = Instant::now();
        let error = io.write_all(&[0; 17]).await.unwrap_err();
        assert_eq!((error.kind(), start.elapsed()), (io::ErrorKind::TimedOut, PATIENCE));
        drop(peer);
    }

    #[tokio::test(start_paused = true)]
    async fn flushes_without_work_do_not_excuse_a_write_that_waits() {
        let (peer, io) = tokio::io::duplex(16);
        let mut io = Impatient::new(io, PATIENCE);
        io.write_all(&[0; 16]).await.unwrap();
        let start = Instant::now();
        let ended = std::future::poll_fn(|context| {
            let written = Pin::new(&mut io).poll_write(context, &[0]);
            assert!(Pin::new(&mut io).poll_flush(context).is_ready());
            written
        });
        assert_eq!(ended.await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), PATIENCE);
        drop(peer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_byte_now_and_then_gets_everything() {
        let (mut peer, io) = tokio::io::duplex(1);
        let mut io = Impatient::new(io, PATIENCE);
        let start = Instant::now();
        let slowly = async {
            for byte in 0..5 {
                sleep(PATIENCE - Duration::from_secs(1)).await;
                assert_eq!(peer.read_u8().await.unwrap(), byte);
            }
        };
        let (written, ()) = tokio::join!(io.write_all(&[0, 1, 2, 3, 4]), slowly);
        written.unwrap();
        assert!(start.elapsed() > 4 * PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_peer_to_speak_is_not_bounded() {
        let (mut peer, io) = tokio::io::duplex(16);
        let mut io = Impatient::new(io, PATIENCE);
        let late = async {
            sleep(10 * PATIENCE).await;
            peer.write_u8(7).await.unwrap();
        };
        let (heard, ()) = tokio::join!(io.read_u8(), late);
        assert_eq!(heard.unwrap(), 7);
    }
}
