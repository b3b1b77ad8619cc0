//! How do the bytes go out, and who remembers that they did?
//!
//! The body asks for the next piece only when the connection has room for it. A piece that fails its seal ends the body
//! with an error, which makes the server cut the connection: a client never takes a broken file for a whole one.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antumbra_bundle::ByteStream;
use antumbra_jobs::Download;
use antumbra_pipeline::BundleReader;
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::http::{ApiError, Body, BoxError, Shared};

/// What is about to be sent.
#[derive(Debug)]
pub(crate) struct Sending {
    /// How many bytes the stream must yield, exactly.
    pub(crate) len: u64,
    /// The record of it; `sent` and `complete` are filled in when the body ends.
    pub(crate) download: Download,
    /// Nothing is left out: a whole file or the whole zip.
    pub(crate) whole: bool,
}

/// Pulls the first pieces and returns the body that sends them and the rest.
///
/// They are pulled before there is a status line, so that a bundle that cannot be read is an error in shape and not a cut
/// answer. The very first may be a header of zip or gzip, which proves nothing, so some collected data comes with it.
/// From then on the download is recorded, however the body ends.
///
/// # Errors
/// What the first pieces end with.
pub(crate) async fn send(
    shared: Arc<Shared>,
    mut stream: ByteStream,
    sending: Sending,
) -> Result<Body, ApiError> {
    let reader = shared.engine().reading(sending.download.job);
    let mut head = VecDeque::new();
    let mut pulled = 0;
    while pulled < sending.len.min(PROOF) {
        let piece = stream.next().await.ok_or_else(|| ApiError::internal(Mismatch))??;
        pulled += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        head.push_back(piece);
    }
    Ok(Body::new(Outgoing {
        shared,
        head,
        stream,
        sending,
        sent: 0,
        _reader: reader,
        unreported: false,
    }))
}

/// A body on its way out. Dropped at its end, whatever the end was; records the download then.
struct Outgoing {
    shared: Arc<Shared>,
    head: VecDeque<Bytes>,
    stream: ByteStream,
    sending: Sending,
    sent: u64,
    /// Keeps the sweeper from what is still to be sent.
    _reader: BundleReader,
    /// A piece went out since the last crash point.
    unreported: bool,
}

impl Outgoing {
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        if let Some(piece) = self.head.pop_front() {
            return Poll::Ready(Some(Ok(piece)));
        }
        let next = ready!(Pin::new(&mut self.stream).poll_next(context));
        Poll::Ready(next.map(|piece| piece.map_err(BoxError::from)))
    }

    /// Lets a test stop the daemon after a piece.
    fn crash_point(&mut self) {
        if std::mem::take(&mut self.unreported) {
            antumbra_pipeline::crash_point("deliver.body");
        }
    }

    fn left(&self) -> u64 {
        self.sending.len.saturating_sub(self.sent)
    }
}

impl HttpBody for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut();
        body.crash_point();
        let frame = match ready!(body.next(context)) {
            Some(Ok(piece)) => {
                let len = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                if len > body.left() {
                    Some(Err(BoxError::from(Mismatch)))
                } else {
                    body.unreported = true;
                    body.sent += len;
                    Some(Ok(Frame::data(piece)))
                }
            }
            Some(Err(error)) => Some(Err(error)),
            None if body.left() > 0 => Some(Err(BoxError::from(Mismatch))),
            None => None,
        };
        if let Some(Err(error)) = &frame {
            tracing::warn!(%error, job = %body.sending.download.job, sent = body.sent, "download cut");
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.crash_point();
        let mut download = self.sending.download.clone();
        download.sent = self.sent;
        download.complete = self.sending.whole && self.left() == 0;
        let store = Arc::clone(self.shared.store());
        // A body may be dropped where nothing can be awaited. The tracker keeps the daemon until this is written.
        self.shared.tasks().spawn(async move {
            let job = download.job;
            if let Err(error) = store.record_download(download).await {
                tracing::warn!(%job, code = error.code(), %error, "download not recorded");
            }
        });
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("sending", &self.sending)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

/// A stream is shorter or longer than its record says.
#[derive(Debug, thiserror::Error)]
#[error("the stream's length is not the recorded one")]
struct Mismatch;

/// More than the headers of zip and gzip take.
const PROOF: u64 = 4096;

#[cfg(test)]
mod tests {
    use antumbra_bundle::BundleError;
    use antumbra_jobs::{Actor, GRANT_BUNDLE, GrantId, JobId, JobState};
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::http::testing::{Rig, file};

    const PIECES: [&[u8]; 3] = [&[b'1'; 5000], b"two", b"three"];

    fn corrupt() -> BundleError {
        BundleError::Corrupt { what: "a piece".to_owned() }
    }

    /// Makes a published job and starts sending pieces of its bundle.
    async fn sending(
        pieces: Vec<Result<Bytes, BundleError>>,
        len: u64,
        whole: bool,
    ) -> (Rig, JobId, Result<Body, ApiError>) {
        let rig = Rig::new().await;
        let key = rig.api_key("acme", &antumbra_jobs::Scope::ALL).await;
        rig.submit(&key, "a@example.org").await;
        let job = rig.publish(vec![file("shop/orders.json", "JSON", "application/json", 10)]).await;
        let download = Download {
            job,
            file: GRANT_BUNDLE.to_owned(),
            actor: Actor::Grant(GrantId(uuid::Uuid::nil())),
            start: 0,
            sent: 0,
            complete: false,
        };
        let stream = futures::stream::iter(pieces).boxed();
        let body = send(Arc::clone(&rig.shared), stream, Sending { len, download, whole }).await;
        (rig, job, body)
    }

    fn pieces() -> Vec<Result<Bytes, BundleError>> {
        PIECES.iter().map(|piece| Ok(Bytes::from_static(piece))).collect()
    }

    /// Waits for the record; returns the job's state and what the audit log says was sent and whether completely.
    async fn recorded(rig: &Rig, job: JobId) -> (JobState, Vec<(String, String)>) {
        rig.shared.tasks().close();
        rig.shared.tasks().wait().await;
        let entries = rig.store().audit_entries(10).await.unwrap();
        let downloads = entries.iter().filter(|entry| entry.action == "bundle.downloaded");
        let facts = downloads.map(|entry| {
            let fact = |name: &str| entry.facts.get(name).cloned().unwrap_or_default();
            (fact("sent"), fact("complete"))
        });
        (rig.store().job(job).await.unwrap().state, facts.collect())
    }

    fn one(sent: &str, complete: &str) -> Vec<(String, String)> {
        vec![(sent.to_owned(), complete.to_owned())]
    }

    #[tokio::test]
    async fn a_whole_download_is_recorded_as_complete_and_delivers() {
        let (rig, job, body) = sending(pieces(), 5008, true).await;
        let body = body.unwrap();
        assert_eq!(body.size_hint().exact(), Some(5008));
        assert_eq!(body.collect().await.unwrap().to_bytes(), PIECES.concat());
        assert_eq!(recorded(&rig, job).await, (JobState::Delivered, one("5008", "true")));
    }

    #[tokio::test]
    async fn a_range_is_never_complete_even_if_it_is_everything() {
        let (rig, job, body) = sending(pieces(), 5008, false).await;
        body.unwrap().collect().await.unwrap();
        assert_eq!(recorded(&rig, job).await, (JobState::Ready, one("5008", "false")));
    }

    #[tokio::test]
    async fn a_client_that_leaves_is_recorded_with_what_it_got() {
        let (rig, job, body) = sending(pieces(), 5008, true).await;
        let mut body = body.unwrap();
        body.frame().await.unwrap().unwrap();
        body.frame().await.unwrap().unwrap();
        drop(body);
        assert_eq!(recorded(&rig, job).await, (JobState::Ready, one("5003", "false")));
    }

    #[tokio::test]
    async fn a_piece_that_fails_its_seal_ends_the_body_with_an_error() {
        let broken = vec![Ok(Bytes::from_static(PIECES[0])), Err(corrupt())];
        let (rig, job, body) = sending(broken, 5008, true).await;
        assert!(body.unwrap().collect().await.is_err());
        assert_eq!(recorded(&rig, job).await, (JobState::Ready, one("5000", "false")));
    }

    #[tokio::test]
    async fn a_stream_of_another_length_ends_the_body_with_an_error() {
        for len in [5007, 5009] {
            let (rig, job, body) = sending(pieces(), len, true).await;
            assert!(body.unwrap().collect().await.is_err(), "{len}");
            assert_eq!(recorded(&rig, job).await.0, JobState::Ready, "{len}");
        }
    }

    #[tokio::test]
    async fn a_bundle_that_cannot_be_read_is_an_error_before_the_status() {
        let lost = BundleError::ObjectLost { object: "pack-1".to_owned() };
        for (error, status) in [(corrupt(), 500), (lost, 410)] {
            let pieces = vec![Ok(Bytes::from_static(b"zip header")), Err(error)];
            let (rig, job, body) = sending(pieces, 5000, true).await;
            assert_eq!(body.err().map(|error| error.status().as_u16()), Some(status));
            assert_eq!(recorded(&rig, job).await, (JobState::Ready, vec![]));
        }
        let (_, _, body) = sending(vec![], 11, true).await;
        assert_eq!(body.err().map(|error| error.status().as_u16()), Some(500));
    }

    #[tokio::test]
    async fn an_empty_file_is_complete_at_once() {
        let (rig, job, body) = sending(vec![], 0, true).await;
        let body = body.unwrap();
        assert!(body.is_end_stream());
        drop(body);
        assert_eq!(recorded(&rig, job).await, (JobState::Delivered, one("0", "true")));
    }
}
