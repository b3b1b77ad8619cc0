//! What does a request pass on its way to a handler, and its answer on the way back?

use std::any::Any;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antumbra_config::Listen;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;
use tracing::{Span, field};

use super::deadline::Deadline;
use super::request_id::{X_REQUEST_ID, keep_if_plain};
use super::router::Router;
use super::{ApiError, Body, BoxError, Family, RequestBody, Shared, empty};
use crate::auth::X_SOMBRA_AUTHORIZATION;
use crate::routes::Route;

/// A gateway as one service; clones share everything.
pub(crate) type Stack = BoxCloneSyncService<Request<RequestBody>, Response<Body>, Infallible>;

/// Builds the routes and the layers around them.
pub(crate) fn stack(shared: Arc<Shared>) -> Stack {
    let listen = shared.settings().listen.clone();
    let router = Router::new(&Route::served(shared.settings()));
    layered(&listen, Routes { router: Arc::new(router), shared })
}

/// Puts the layers around a service.
fn layered<S>(listen: &Listen, inner: S) -> Stack
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let body_limit = usize::try_from(listen.body_limit.bytes()).unwrap_or(usize::MAX);
    let answer_within = listen.request_timeout.duration();
    // Outermost first.
    let service = ServiceBuilder::new()
        // An id for the log lines of this request, and in its answer, errors included.
        .map_request(keep_if_plain)
        .layer(SetRequestIdLayer::new(X_REQUEST_ID, MakeRequestUuid))
        .layer(PropagateRequestIdLayer::new(X_REQUEST_ID))
        // Whoever prints headers after this prints no key.
        .layer(SetSensitiveRequestHeadersLayer::new([
            header::AUTHORIZATION,
            header::COOKIE,
            X_SOMBRA_AUTHORIZATION,
        ]))
        .map_response(|answer: Response<_>| answer.map(Body::new))
        // No path, no query, no header value: they hold download keys and whatever a caller makes up.
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_response(log_answer)
                .on_body_chunk(())
                .on_eos(())
                .on_failure(()),
        )
        // Answers are about people: no cache keeps them, no browser guesses their type.
        .layer(if_absent(header::CACHE_CONTROL, "no-store"))
        .layer(if_absent(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // Gives the answers of the layers below their family's error shape.
        .layer_fn(|inner| Rescue { inner })
        .layer(CatchPanicLayer::custom(panicked))
        // Refuses a body that says it is too long, and cuts one that is.
        .layer(RequestBodyLimitLayer::new(body_limit))
        // Until the answer's head: reading the body and handling, not sending a download.
        .layer_fn(move |inner| Deadline { inner, within: answer_within, waits: Route::waits })
        .map_request(|request: Request<_>| request.map(RequestBody::new))
        .service(inner);
    Stack::new(service)
}

/// Finds the route, runs its handler, and gives errors their shape.
#[derive(Debug, Clone)]
struct Routes {
    router: Arc<Router>,
    shared: Arc<Shared>,
}

impl Service<Request<RequestBody>> for Routes {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let family = Family::of(request.uri().path());
        let is_head = request.method() == Method::HEAD;
        let (router, shared) = (Arc::clone(&self.router), Arc::clone(&self.shared));
        Box::pin(async move {
            let result = match router.call(request) {
                Ok((route, call, body)) => {
                    Span::current().record("route", route.pattern());
                    route.handle(shared, &call, body).await
                }
                Err(error) => Err(error),
            };
            let mut answer = result.unwrap_or_else(|error| error.respond(family));
            answer.extensions_mut().insert(Shaped);
            Ok(if is_head { without_body(answer) } else { answer })
        })
    }
}

/// Marks an answer that a handler gave: its shape is as it should be.
#[derive(Clone, Copy)]
struct Shaped;

/// Gives the errors of layers, which know no shapes, their family's shape.
#[derive(Debug, Clone)]
struct Rescue<S> {
    inner: S,
}

impl<S, I, O> Service<Request<I>> for Rescue<S>
where
    S: Service<Request<I>, Response = Response<O>, Error = Infallible>,
    S::Future: Send + 'static,
    O: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<I>) -> Self::Future {
        let family = Family::of(request.uri().path());
        let is_head = request.method() == Method::HEAD;
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            if answer.extensions().get::<Shaped>().is_some() {
                return Ok(answer.map(boxed));
            }
            let shaped = ApiError::of_layer(answer.status()).respond(family);
            Ok(if is_head { without_body(shaped) } else { shaped })
        })
    }
}

fn boxed<B>(body: B) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    Body::new(http_body_util::BodyExt::map_err(body, Into::into))
}

/// Answers HEAD: the headers of GET, its length too, and no body.
fn without_body(answer: Response<Body>) -> Response<Body> {
    // The length in a 304 would be that of the file (RFC 9110 §8.6), not that of the body it never has.
    if answer.status() == StatusCode::NOT_MODIFIED {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    if let Some(len) = body.size_hint().exact() {
        head.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(len));
    }
    Response::from_parts(head, empty())
}

fn if_absent(name: http::HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

fn span<B>(request: &Request<B>) -> Span {
    let id = request.headers().get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
    // An unknown method is the caller's text, too.
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE];
    let method =
        known.iter().find(|method| *method == request.method()).map_or("other", Method::as_str);
    tracing::info_span!("request", id, method, route = field::Empty)
}

fn log_answer<B>(answer: &Response<B>, latency: Duration, _: &Span) {
    tracing::info!(status = answer.status().as_u16(), ?latency, "answered");
}

/// Answers for a handler that panicked. What it said is not repeated: it may quote data.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    tracing::error!("a handler panicked");
    let mut answer = Response::new(empty());
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};
    use tower::ServiceExt as _;

    use super::*;
    use crate::http::{full, read};

    /// Sends a request through the layers around a handler.
    async fn answer<F>(
        path: &'static str,
        body: &'static str,
        handler: impl Fn(RequestBody) -> F + Clone + Send + Sync + 'static,
    ) -> (http::response::Parts, Value)
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let listen = Listen::default();
        let inner = tower::service_fn(move |request: Request<RequestBody>| {
            let answer = handler(request.into_body());
            async move {
                let mut answer = answer.await;
                answer.extensions_mut().insert(Shaped);
                Ok(answer)
            }
        });
        let request = Request::post(path).body(full(body)).unwrap();
        let answer = layered(&listen, inner).oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head, serde_json::from_slice(&body).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_500_in_shape_and_says_nothing() {
        let handler = |_| async { panic!("jane@example.org") };
        let (head, body) = answer("/v1/x", "", handler).await;
        assert_eq!(head.status, StatusCode::INTERNAL_SERVER_ERROR);
        let message = "something went wrong inside the gateway";
        let expected = json!({ "message": message, "error": message, "code": "internal" });
        assert_eq!(body, expected);
        assert!(head.headers.contains_key(X_REQUEST_ID));
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_never_answers_is_503_in_shape() {
        let (head, body) = answer("/other", "", |_| futures::future::pending()).await;
        assert_eq!(head.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(head.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["code"], "timeout");
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_may_take_as_long_as_its_job() {
        for (path, status) in [
            ("/v1/compliance/dsar/dsar:7/run", StatusCode::OK),
            ("/v1/compliance/dsar/dsar:7/cancel", StatusCode::SERVICE_UNAVAILABLE),
            ("/v1/compliance/dsar/dsar:7/x/run", StatusCode::SERVICE_UNAVAILABLE),
            ("/v1/data-subject-request/7/run", StatusCode::SERVICE_UNAVAILABLE),
        ] {
            let handler = |_| async {
                tokio::time::sleep(Duration::from_hours(5)).await;
                Response::new(full("{}"))
            };
            assert_eq!(answer(path, "", handler).await.0.status, status, "{path}");
        }
    }

    #[tokio::test]
    async fn a_handler_may_answer_with_an_error_status_of_its_own() {
        let handler = |_| async {
            let mut answer = Response::new(full("{\"own\":1}"));
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            answer
        };
        let (head, body) = answer("/health", "", handler).await;
        assert_eq!((head.status, body), (StatusCode::SERVICE_UNAVAILABLE, json!({ "own": 1 })));
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_cut_at_the_limit() {
        let listen = Listen { body_limit: "1 KiB".parse().unwrap(), ..Listen::default() };
        let inner = tower::service_fn(|request: Request<RequestBody>| async move {
            let length = read(request.into_body()).await.map(|body| body.len());
            let mut answer = length.map_or_else(
                |error| error.respond(Family::Sombra),
                |length| Response::new(full(length.to_string())),
            );
            answer.extensions_mut().insert(Shaped);
            Ok(answer)
        });
        let piece = || Ok::<_, BoxError>(http_body::Frame::data(Bytes::from_static(&[b' '; 512])));
        for (pieces, status) in [(2, StatusCode::OK), (3, StatusCode::PAYLOAD_TOO_LARGE)] {
            let frames = futures::stream::iter((0..pieces).map(move |_| piece()));
            let body = RequestBody::new(http_body_util::StreamBody::new(frames));
            let request = Request::post("/v1/x").body(body).unwrap();
            let answer = layered(&listen, inner).oneshot(request).await.unwrap();
            assert_eq!(answer.status(), status);
        }
    }
}
