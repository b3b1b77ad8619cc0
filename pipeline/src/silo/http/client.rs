//! How is one request sent? Within its time and the budget, tried again where that helps, answered in full or not at all.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use antumbra_config::Period;
use antumbra_crypto::Retry;
use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::rt::Executor;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::rt::TokioTimer;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;
use url::Url;

use super::answer::Answer;
use super::auth::{Auth, Credential};
use super::connect::Connector;
use super::fault::{self, Failed, strange};
use super::{pause, tls};
use crate::SiloError;

/// A client of one service; its sessions share it.
pub(super) struct Client {
    http: legacy::Client<HttpsConnector<Connector>, Full<Bytes>>,
    auth: Auth,
    headers: HeaderMap,
    budget: Option<DefaultDirectRateLimiter>,
    timeout: Duration,
    attempts: u32,
    backoff: Duration,
    max_response: u64,
}

impl Client {
    /// Reads certificates and secrets; nothing is connected. The error names the setting.
    pub(super) fn new(
        settings: &antumbra_config::HttpSilo,
        environment: &[(String, String)],
        connector: Connector,
    ) -> Result<Self, String> {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(settings.ca.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let http = legacy::Client::builder(Tracked(TaskTracker::new()))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static("application/json, application/x-ndjson;q=0.9"),
        );
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("antumbra/", env!("CARGO_PKG_VERSION"))),
        );
        for (name, value) in &settings.headers {
            let wrong = |_| format!("headers: {name} is no header");
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|error| wrong(error.to_string()))?;
            let mut value =
                HeaderValue::from_str(value).map_err(|error| wrong(error.to_string()))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let per_second = |count: antumbra_config::Count| {
            std::num::NonZeroU32::new(count.get())
                .map(|count| RateLimiter::direct(Quota::per_second(count)))
        };
        Ok(Self {
            http,
            auth: Auth::new(settings.auth.clone(), environment)?,
            headers,
            budget: settings.requests_per_second.and_then(per_second),
            timeout: Period::duration(settings.timeout),
            attempts: settings.attempts.get(),
            backoff: settings.backoff.duration(),
            max_response: settings.max_response.bytes(),
        })
    }

    /// Gets what is at an address. `404` and `410` are answers; every other status that is no success is an error.
    pub(super) async fn get(&self, url: &Url) -> Result<Answer, SiloError> {
        // Half of the pause is fixed and half of it jitter, so that the first is no longer than settings say.
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(self.backoff / 2)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(usize::try_from(self.attempts.saturating_sub(1)).unwrap_or(usize::MAX))
            .with_jitter()
            .build();
        let mut renewed = false;
        loop {
            self.within_budget().await;
            let (failed, asked) = match Box::pin(self.auth.credential(self)).await {
                Ok(credential) => match self.try_get(url, &credential).await {
                    Ok(answer) if gives(answer.status) => return Ok(answer),
                    Ok(answer) if answer.status == StatusCode::UNAUTHORIZED && !renewed => {
                        renewed = true;
                        self.auth.refused(&credential).await;
                        continue;
                    }
                    Ok(answer) => (fault::of_status(answer.status), pause::asked(&answer.headers)),
                    Err(failed) => (failed, None),
                },
                Err(error) => (Failed { passing: error.retry() == Retry::Later, error }, None),
            };
            let pause = pauses.next().filter(|_| failed.passing);
            let Some(pause) = pause.map(|pause| asked.unwrap_or_default().max(pause)) else {
                return Err(failed.error);
            };
            if pause > LONGEST_PAUSE {
                return Err(failed.error);
            }
            tracing::debug!(?pause, error = %failed.error, "a request is tried again");
            sleep(pause).await;
        }
    }

    /// Sends a form, once, and returns whatever is answered.
    pub(super) async fn post(
        &self,
        url: &Url,
        form: &str,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, SiloError> {
        let mut request = Request::new(Full::new(Bytes::copy_from_slice(form.as_bytes())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri(url)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value);
        }
        let answered = self.in_time(self.send(request, url, LONGEST_TOKEN)).await;
        answered.map_err(|failed| failed.error)
    }

    /// Asks once whether anything answers at an address, with a token where there is one to fetch. Any status is an answer; nothing of
    /// what is there is fetched.
    pub(super) async fn look(&self, url: &Url) -> Result<StatusCode, SiloError> {
        self.within_budget().await;
        let credential = Box::pin(self.auth.credential(self)).await?;
        let mut request = self.request(url, &credential)?;
        *request.method_mut() = Method::HEAD;
        let answered = self.in_time(async {
            let answered = self.http.request(request).await;
            answered.map_err(|error| fault::of_transport(&error))
        });
        answered.await.map(|answer| answer.status()).map_err(|failed| failed.error)
    }

    /// Gets once; redirects within the service are followed.
    async fn try_get(&self, url: &Url, credential: &Credential) -> Result<Answer, Failed> {
        self.in_time(async {
            let mut url = url.clone();
            let mut left = REDIRECTS;
            loop {
                let request = self.request(&url, credential).map_err(Failed::for_good)?;
                let answer = self.send(request, &url, self.max_response).await?;
                if !is_redirect(answer.status) {
                    return Ok(answer);
                }
                let wrong = |what: &str| Failed::for_good(strange(what));
                left =
                    left.checked_sub(1).ok_or_else(|| wrong("the service redirects in circles"))?;
                let target = answer.headers.get(LOCATION).and_then(|target| target.to_str().ok());
                let target = target.and_then(|target| url.join(target).ok());
                let target = target.ok_or_else(|| wrong("the service redirects to nowhere"))?;
                if target.origin() != url.origin() {
                    return Err(wrong(
                        "the service redirects to another host, which is not followed",
                    ));
                }
                url = target;
            }
        })
        .await
    }

    /// A request that gets an address.
    fn request(
        &self,
        url: &Url,
        credential: &Credential,
    ) -> Result<Request<Full<Bytes>>, SiloError> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = uri(url)?;
        *request.headers_mut() = self.headers.clone();
        if let Some((name, value)) = &credential.header {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(request)
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        url: &Url,
        limit: u64,
    ) -> Result<Answer, Failed> {
        let answered = self.http.request(request).await;
        let (parts, body) = answered.map_err(|error| fault::of_transport(&error))?.into_parts();
        // What stands in a refusal is nobody's business here, and a line that ends early costs the service little.
        let body = if gives(parts.status) { whole(body, limit).await? } else { Vec::new() };
        Ok(Answer { status: parts.status, headers: parts.headers, body, url: url.clone() })
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
        match timeout(self.timeout, pin!(work)).await {
            Ok(done) => done,
            Err(_) => Err(Failed::passing("the service did not answer in time")),
        }
    }

    async fn within_budget(&self) {
        let Some(budget) = &self.budget else { return };
        let clock = DefaultClock::default();
        while let Err(not_yet) = budget.check() {
            sleep(not_yet.wait_time_from(clock.now())).await;
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Runs what drives connections; they end when the client is dropped.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

/// Reads a body to its end; one that is longer than the limit is given up as soon as that shows.
async fn whole(mut body: Incoming, limit: u64) -> Result<Vec<u8>, Failed> {
    let too_long = || {
        Failed::for_good(strange(&format!("an answer is longer than max_response ({limit} bytes)")))
    };
    if body.size_hint().lower() > limit {
        return Err(too_long());
    }
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| fault::of_transport(&error))?;
        let Some(data) = frame.data_ref() else { continue };
        if (whole.len() as u64).saturating_add(data.len() as u64) > limit {
            return Err(too_long());
        }
        whole.extend_from_slice(data);
    }
    Ok(whole)
}

/// Says whether an answer is one: a success, or that there is nothing.
fn gives(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn uri(url: &Url) -> Result<http::Uri, SiloError> {
    // What follows the mark is no part of a request.
    let text = url.as_str().split('#').next().unwrap_or_default();
    text.parse().map_err(|_| strange("an address is none that can be asked for"))
}

/// Redirects that are followed.
const REDIRECTS: u32 = 3;
/// A service that wants to be left alone for longer is asked again by the next attempt of the job.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
const LONGEST_TOKEN: u64 = 64 << 10;
const IDLE: Duration = Duration::from_secs(30);
const IDLE_CONNECTIONS: usize = 4;
