//! How is a connection made? To addresses that may be called, looked at when they are called: a name that leads elsewhere the second
//! time gains nothing. Proxies of the environment are not used.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tower_service::Service;

use super::address::Allowed;

/// Finds the addresses of a host.
pub(super) trait Resolve: Send + Sync {
    /// The addresses of `host`, each with `port`.
    fn resolve(&self, host: String, port: u16) -> Found;
}

/// What [`Resolve`] answers.
pub(super) type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// The machine's own way.
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, host: String, port: u16) -> Found {
        Box::pin(async move { Ok(lookup_host((host, port)).await?.collect()) })
    }
}

/// Makes connections for the client.
#[derive(Clone)]
pub(super) struct Connector {
    resolver: Arc<dyn Resolve>,
    allowed: Arc<Allowed>,
}

/// Why there is no connection. Names the host, which settings do as well.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectFault {
    /// It has addresses, and none of them may be called.
    #[error("{host} is at a private address, which allow_private does not name")]
    Private {
        /// The host.
        host: String,
    },
    /// It has no address now.
    #[error("the address of {host} is not known")]
    Unknown {
        /// The host.
        host: String,
    },
    /// Nobody answers there.
    #[error("{host} cannot be connected to: {kind}")]
    Refused {
        /// The host.
        host: String,
        /// What the system says.
        kind: io::ErrorKind,
    },
}

impl Connector {
    pub(super) fn new(resolver: Arc<dyn Resolve>, allowed: Allowed) -> Self {
        Self { resolver, allowed: Arc::new(allowed) }
    }

    /// Connects to the first address that may be called and answers.
    pub(super) async fn connect(self, uri: Uri) -> Result<TcpStream, ConnectFault> {
        let written = uri.host().unwrap_or_default();
        let host = written.trim_start_matches('[').trim_end_matches(']').to_owned();
        let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        let found = self.resolver.resolve(host.clone(), port).await;
        let Ok(found) = found else { return Err(ConnectFault::Unknown { host }) };
        if found.is_empty() {
            return Err(ConnectFault::Unknown { host });
        }
        let mut failed = ConnectFault::Private { host: host.clone() };
        for address in found {
            if !self.allowed.permits(&host, address.ip()) {
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // What it cannot set it can do without.
                    drop(stream.set_nodelay(true));
                    return Ok(stream);
                }
                Err(error) => {
                    failed = ConnectFault::Refused { host: host.clone(), kind: error.kind() };
                }
            }
        }
        Err(failed)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectFault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectFault>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = self.clone().connect(uri);
        Box::pin(async move { Ok(TokioIo::new(connected.await?)) })
    }
}
