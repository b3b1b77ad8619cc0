//! The credentials of the machine, found by `object_store`'s providers over our client.

use std::error::Error as StdError;
use std::time::Duration;

use antumbra_crypto::Retry;
use async_trait::async_trait;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use object_store::aws::{AmazonS3Builder, AwsCredentialProvider};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, RetryConfig};

use crate::Error;
use crate::wire::Client;

/// Chooses a provider by the settings that `builder` has: web identity, container, instance.
pub(super) fn provider(
    builder: AmazonS3Builder,
    region: &str,
    client: Client,
) -> Result<AwsCredentialProvider, Error> {
    // We try again ourselves.
    let once = RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 0,
        retry_timeout: Duration::ZERO,
    };
    let store = builder
        .with_bucket_name("none")
        .with_region(region)
        .with_retry(once)
        .with_http_connector(Connector(client))
        .build();
    // Its words may quote a variable, so only ours are kept.
    let store = store.map_err(|_| Error::Setting {
        field: "credentials",
        what: "of this machine are not usable: an `AWS_` variable is wrong or missing",
    })?;
    Ok(store.credentials().clone())
}

/// Tells a source that is down from one that refuses.
///
/// Of the error only our own part is kept: the rest may quote an answer.
pub(super) fn fault(error: &object_store::Error) -> Error {
    let host = "the source of this machine's credentials".to_owned();
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(failed) = error.downcast_ref::<Failed>() {
            let what = failed.what.clone();
            return match failed.retry {
                Retry::Later => Error::Unavailable { host, what },
                Retry::Never | Retry::Operator => Error::Refused { host, what },
            };
        }
        next = error.source();
    }
    Error::Answer { host, what: "no credentials are in it, or the token's file is gone" }
}

/// What [`Service`] says through the layers above it.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct Failed {
    retry: Retry,
    what: String,
}

impl Failed {
    fn from_error(error: &Error) -> Self {
        Self { retry: error.retry(), what: error.to_string() }
    }

    fn from_status(status: StatusCode) -> Self {
        let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let retry = if passing { Retry::Later } else { Retry::Operator };
        Self { retry, what: format!("HTTP {}", status.as_u16()) }
    }

    fn http(self) -> HttpError {
        HttpError::new(HttpErrorKind::Unknown, self)
    }
}

#[derive(Debug)]
struct Connector(Client);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // Instance metadata has no TLS; where `object_store` demands it, so do we.
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp);
        let plain = plain.is_some_and(|value| value == "true");
        Ok(HttpClient::new(Service { client: self.0.clone(), plain }))
    }
}

#[derive(Debug)]
struct Service {
    client: Client,
    plain: bool,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !self.plain && request.uri().scheme_str() != Some("https") {
            let what = "plain HTTP where TLS is needed".to_owned();
            return Err(Failed { retry: Retry::Operator, what }.http());
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let answer = self.client.send(Request::from_parts(parts, body)).await;
        let answer = answer.map_err(|error| Failed::from_error(&error).http())?;
        if !answer.status.is_success() {
            return Err(Failed::from_status(answer.status).http());
        }
        let body = Full::new(answer.body.expose().to_vec().into());
        let body = HttpResponseBody::new(body.map_err(|never| match never {}));
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}
