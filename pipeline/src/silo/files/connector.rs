//! How do `object_store`'s requests travel? Over hyper and rustls, with a limit on every wait.

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt as _;
use http::StatusCode;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpResponseBody, HttpService,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use crate::SiloError;

/// Makes clients that share one pool of connections.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    service: Service,
}

impl Connector {
    /// Reads the authorities to trust: those of `ca` alone if it is given, else the machine's. Blocks on I/O.
    ///
    /// `plain`: the endpoint of settings has no TLS. Otherwise plain HTTP is for the machine's own metadata alone.
    pub(super) fn new(ca: Option<&Path>, plain: bool, waits: Waits) -> Result<Self, String> {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| "TLS cannot be set up")?
            .with_root_certificates(authorities(ca)?)
            .with_no_client_auth();
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(waits.connect));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(4)
            .build(connector);
        Ok(Self { service: Service { client, plain, waits } })
    }
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waits {
    /// For a connection.
    pub(super) connect: Duration,
    /// For the head of an answer, and then for each piece of its body.
    pub(super) piece: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), piece: Duration::from_secs(60) }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.service.clone()))
    }
}

/// Why a request was not answered, in words that hold no address; it travels through the layers above.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub(super) struct Failed {
    what: String,
    /// The same will happen again.
    lasting: bool,
}

impl Failed {
    pub(super) fn silo_error(&self) -> SiloError {
        let what = self.what.clone();
        if self.lasting {
            SiloError::Settings { what }
        } else {
            SiloError::Unavailable { reason: what }
        }
    }

    fn passing(what: &str) -> Self {
        Self { what: what.to_owned(), lasting: false }
    }
}

#[derive(Debug, Clone)]
struct Service {
    client: Client<HttpsConnector<Tcp>, HttpRequestBody>,
    plain: bool,
    waits: Waits,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri();
        if !self.plain && uri.scheme_str() != Some("https") && !is_metadata(uri.host()) {
            let what = "plain HTTP where TLS is needed".to_owned();
            return Err(HttpError::new(HttpErrorKind::Unknown, Failed { what, lasting: true }));
        }
        let answer = timeout(self.waits.piece, self.client.request(request)).await;
        let answer = answer.map_err(|_| no_answer())?;
        let answer = answer.map_err(|error| broken(&error))?;
        let status = answer.status();
        let told_apart = [
            StatusCode::NOT_MODIFIED,
            StatusCode::NOT_FOUND,
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::CONFLICT,
            StatusCode::PRECONDITION_FAILED,
            StatusCode::TOO_MANY_REQUESTS,
        ];
        if (status.is_redirection() || status.is_client_error()) && !told_apart.contains(&status) {
            // What it says may quote keys and names, so that its number stands for it.
            let what = format!("the store refuses the request (HTTP {})", status.as_u16());
            return Err(HttpError::new(HttpErrorKind::Unknown, Failed { what, lasting: true }));
        }
        Ok(answer.map(|body| pieces(body, self.waits.piece)))
    }
}

/// Passes a body on, piece by piece, each within its time.
fn pieces(body: Incoming, wait: Duration) -> HttpResponseBody {
    let pieces = futures::stream::try_unfold(body, move |mut body| async move {
        match timeout(wait, body.frame()).await {
            Err(_) => Err(no_answer()),
            Ok(None) => Ok(None),
            Ok(Some(Ok(frame))) => Ok(Some((frame, body))),
            Ok(Some(Err(error))) => Err(broken(&error)),
        }
    });
    HttpResponseBody::new(StreamBody::new(pieces.map_ok(|frame: Frame<Bytes>| frame)))
}

fn no_answer() -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, Failed::passing("the store does not answer in time"))
}

/// Tells a bad certificate, which stays bad, from a network that is down.
fn broken(error: &(dyn StdError + 'static)) -> HttpError {
    if let Some(fault @ rustls::Error::InvalidCertificate(_)) = super::fault::source(error) {
        let what = format!("the store's certificate is refused: {fault}");
        return HttpError::new(HttpErrorKind::Unknown, Failed { what, lasting: true });
    }
    let connecting = super::fault::source::<hyper_util::client::legacy::Error>(error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect);
    let (kind, what) = if connecting {
        (HttpErrorKind::Connect, "the store cannot be reached")
    } else if super::fault::source::<io::Error>(error).is_some() {
        (HttpErrorKind::Interrupted, "the line to the store broke")
    } else {
        (HttpErrorKind::Request, "the line to the store broke")
    };
    HttpError::new(kind, Failed::passing(what))
}

/// Where clouds tell a machine its credentials: on the machine's own link, without TLS.
fn is_metadata(host: Option<&str>) -> bool {
    host.is_some_and(|host| METADATA.contains(&host))
}

fn authorities(ca: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => {
            // Some of a machine's files may be unreadable; what counts is whether any authority is left.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(path) => {
            let unreadable = |_| "ca: names no readable PEM file".to_owned();
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                let certificate = certificate.map_err(unreadable)?;
                let added = roots.add(certificate);
                added.map_err(|_| "ca: holds a certificate that is no authority's".to_owned())?;
            }
            if roots.is_empty() {
                return Err("ca: holds no certificate".to_owned());
            }
        }
    }
    Ok(roots)
}

const METADATA: [&str; 4] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "metadata.google.internal"];
const IDLE: Duration = Duration::from_secs(30);
