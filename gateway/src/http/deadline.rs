//! How long may a handler take to answer?

use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use tower::Service;

use super::{Body, empty};

/// Answers 503 without a shape when the inner service took longer than `within`: reading the body and handling, not sending
/// a download. Requests that `waits` picks may take as long as they like.
#[derive(Debug, Clone)]
pub(super) struct Deadline<S> {
    pub(super) inner: S,
    pub(super) within: Duration,
    pub(super) waits: fn(&Method, &str) -> bool,
}

impl<S, I> Service<Request<I>> for Deadline<S>
where
    S: Service<Request<I>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<I>) -> Self::Future {
        let waits = (self.waits)(request.method(), request.uri().path());
        let answer = self.inner.call(request);
        if waits {
            return Box::pin(answer);
        }
        let within = self.within;
        Box::pin(async move {
            let Ok(answer) = tokio::time::timeout(within, answer).await else {
                let mut late = Response::new(empty());
                *late.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return Ok(late);
            };
            answer
        })
    }
}
