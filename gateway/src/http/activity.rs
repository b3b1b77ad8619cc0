//! How long may an HTTP/2 connection stand still?
//!
//! HTTP/1.1 ends connections that are idle or whose writes stall. Over HTTP/2 neither shows: a client that gives a stream no
//! room makes nobody write, and a connection without streams waits for ever. So what happens on a connection is written down
//! here, and [`Watch`] says when nothing happened for too long.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, sleep_until};

use super::{Body, BoxError};

/// What happens on one connection. Shared by its requests, its bodies and its IO.
#[derive(Debug)]
pub(super) struct Activity {
    start: Instant,
    /// Milliseconds from the start to the last thing that happened.
    last: AtomicU64,
    /// Requests that came so far.
    requests: AtomicUsize,
    /// Requests whose answer has not been taken to its end.
    open: AtomicUsize,
    /// Those of them that wait for us: for a handler, or for a body to go on.
    ours: AtomicUsize,
}

impl Activity {
    /// Begins now.
    pub(super) fn new() -> Arc<Self> {
        let zero = AtomicUsize::default;
        Arc::new(Self {
            start: Instant::now(),
            last: AtomicU64::default(),
            requests: zero(),
            open: zero(),
            ours: zero(),
        })
    }

    /// Notes that something moved.
    pub(super) fn stamp(&self) {
        let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(passed, Relaxed);
    }

    /// Notes a request, until what is returned is dropped or became the answer's body.
    pub(super) fn request(self: &Arc<Self>) -> Answering {
        self.requests.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        self.ours.fetch_add(1, Relaxed);
        self.stamp();
        Answering { activity: Arc::clone(self), ours: true }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Answering {
    activity: Arc<Activity>,
    ours: bool,
}

impl Answering {
    /// Goes on noting while the answer's body is taken.
    pub(super) fn body(mut self, body: Body) -> Body {
        self.waits_for_us(false);
        Body::new(Taken { body, answering: self })
    }

    fn waits_for_us(&mut self, ours: bool) {
        match (self.ours, ours) {
            (false, true) => self.activity.ours.fetch_add(1, Relaxed),
            (true, false) => self.activity.ours.fetch_sub(1, Relaxed),
            _ => return,
        };
        self.ours = ours;
        self.activity.stamp();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.waits_for_us(false);
        self.activity.open.fetch_sub(1, Relaxed);
        self.activity.stamp();
    }
}

/// A body that notes whether it waits for its reader or its reader for it.
#[derive(Debug)]
struct Taken {
    body: Body,
    answering: Answering,
}

impl http_body::Body for Taken {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.answering.waits_for_us(polled.is_pending());
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Says when a connection stood still for too long.
#[derive(Debug)]
pub(super) struct Watch {
    activity: Arc<Activity>,
    idle: Duration,
    stalled: Duration,
    closing: bool,
}

/// What to do with a connection that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is asked: say goodbye.
    Close,
    /// Nothing was ever asked, nothing is taken, or the goodbye is not answered: hang up.
    Cut,
}

impl Watch {
    /// Watches a connection: `idle` is how long it may ask for nothing, `stalled` how long it may take nothing of answers.
    pub(super) const fn new(activity: Arc<Activity>, idle: Duration, stalled: Duration) -> Self {
        Self { activity, idle, stalled, closing: false }
    }

    /// Waits until the connection stands still. After [`Verdict::Close`] it is to be called again.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn verdict(&mut self) -> Verdict {
        loop {
            let quiet = self.quiet_until();
            if Instant::now() < quiet {
                sleep_until(quiet).await;
                continue;
            }
            let idle = self.activity.open.load(Relaxed) == 0;
            let asked = self.activity.requests.load(Relaxed) > 0;
            if !idle || !asked || self.closing {
                return Verdict::Cut;
            }
            self.closing = true;
            self.activity.stamp();
            return Verdict::Close;
        }
    }

    /// Returns until when the connection may stand still, if nothing happens meanwhile.
    fn quiet_until(&self) -> Instant {
        let idle = self.activity.open.load(Relaxed) == 0;
        let limit = if idle && !self.closing { self.idle } else { self.stalled };
        if self.activity.ours.load(Relaxed) > 0 {
            return Instant::now() + limit;
        }
        self.activity.start + Duration::from_millis(self.activity.last.load(Relaxed)) + limit
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::time::sleep;

    use super::*;
    use crate::http::full;

    const IDLE: Duration = Duration::from_secs(10);
    const STALLED: Duration = Duration::from_secs(60);

    fn watch() -> (Arc<Activity>, Watch, Instant) {
        let activity = Activity::new();
        (Arc::clone(&activity), Watch::new(activity, IDLE, STALLED), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_for_nothing_is_cut() {
        let (_, mut watch, start) = watch();
        assert_eq!(watch.verdict().await, Verdict::Cut);
        assert_eq!(start.elapsed(), IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed_and_then_cut() {
        let (activity, mut watch, start) = watch();
        drop(activity.request());
        assert_eq!(watch.verdict().await, Verdict::Close);
        assert_eq!(start.elapsed(), IDLE);
        assert_eq!(watch.verdict().await, Verdict::Cut);
        assert_eq!(start.elapsed(), IDLE + STALLED);
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_may_take_its_time_and_a_reader_may_not() {
        let (activity, mut watch, start) = watch();
        let answering = activity.request();
        let handled = async {
            sleep(100 * STALLED).await;
            let mut body = answering.body(full("text"));
            sleep(STALLED / 2).await;
            assert!(body.frame().await.is_some());
            // Nobody asks for more.
            sleep(10 * STALLED).await;
            body
        };
        let ((), verdict) = tokio::join!(async { drop(handled.await) }, watch.verdict());
        assert_eq!(verdict, Verdict::Cut);
        assert!(start.elapsed() > 100 * STALLED);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_waits_for_us_is_not_the_readers_fault() {
        let (activity, mut watch, start) = watch();
        let slow = futures::stream::unfold(0, |count| async move {
            sleep(2 * STALLED).await;
            (count < 3).then(|| (Ok(Frame::data(Bytes::from_static(b"x"))), count + 1))
        });
        let body = activity.request().body(Body::new(http_body_util::StreamBody::new(slow)));
        let read = async { body.collect().await.map(|all| all.to_bytes().len()) };
        tokio::select! {
            verdict = watch.verdict() => unreachable!("{verdict:?}"),
            read = read => assert_eq!(read.unwrap(), 3),
        }
        assert_eq!(start.elapsed(), 8 * STALLED);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_are_taken_are_progress() {
        let (activity, mut watch, start) = watch();
        let body = activity.request().body(full("text"));
        let taken = async {
            for _ in 0..5 {
                sleep(STALLED - Duration::from_secs(1)).await;
                activity.stamp();
            }
        };
        let ((), verdict) = tokio::join!(taken, watch.verdict());
        assert_eq!(verdict, Verdict::Cut);
        assert_eq!(start.elapsed(), 6 * STALLED - Duration::from_secs(5));
        drop(body);
    }
}
