//! `[listen]`: where the daemon is reached, how, and what a connection may ask of it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, Serializer};

use crate::value::{BaseUrl, ByteSize, Count, Period};

/// `[listen]`: the listener, its TLS and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listen {
    /// Where to listen; port 0 takes any free one. IPv6 as `"[::1]:5039"`.
    #[serde(with = "address")]
    #[cfg_attr(test, schemars(with = "String", extend("x-type" = "IP address and port")))]
    pub address: SocketAddr,
    /// The certificate to serve TLS with: a PEM file that holds it first and the intermediate authorities after it. Only beside
    /// `listen.tls_key`; without both, plain HTTP is served. Both are read when the daemon starts.
    #[serde(serialize_with = "serialize_path")]
    #[cfg_attr(test, schemars(extend("x-type" = "path")))]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key: a PEM file (PKCS#8, SEC1 or PKCS#1), not encrypted, that nobody but its owner and its group
    /// can read.
    #[serde(serialize_with = "serialize_path")]
    #[cfg_attr(test, schemars(extend("x-type" = "path")))]
    pub tls_key: Option<PathBuf>,
    /// The beginning of the links in answers: where callers reach this daemon, for example through a proxy. Without it links name
    /// `listen.address`.
    pub public_url: Option<BaseUrl>,
    /// Whether plain HTTP may be served on an address that is not loopback; without it or TLS such an address is an error.
    pub insecure_http: bool,
    /// How long a client may take for the TLS handshake, and then to send a request's headers.
    pub header_timeout: Period,
    /// The largest request body.
    pub body_limit: ByteSize,
    /// How many connections are served at once, handshakes included; further ones wait to be accepted.
    pub max_connections: Count,
    /// How long open requests may go on after the daemon was asked to stop.
    pub drain_timeout: Period,
    /// How long a request may take to be answered; a download: until its first byte. Also how long a client may go without taking
    /// a byte of an answer before its connection is cut.
    pub request_timeout: Period,
}

impl Listen {
    /// Says whether TLS is served. In loaded settings certificate and key are both there or both absent.
    pub const fn serves_tls(&self) -> bool {
        self.tls_certificate.is_some() || self.tls_key.is_some()
    }

    /// Makes relative paths relative to `root`.
    pub(crate) fn resolve_paths(&mut self, root: &Path) {
        for path in [&mut self.tls_certificate, &mut self.tls_key].into_iter().flatten() {
            *path = root.join(&*path);
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 5039)),
            tls_certificate: None,
            tls_key: None,
            public_url: None,
            insecure_http: false,
            header_timeout: Period::seconds(10),
            body_limit: ByteSize::mebibytes(1),
            max_connections: Count::of(1024),
            drain_timeout: Period::seconds(30),
            request_timeout: Period::seconds(60),
        }
    }
}

/// Writes a path as text; a folder of the machine that is not UTF-8 must not fail `config show`.
#[expect(clippy::ref_option, reason = "serde hands out a reference to the field")]
fn serialize_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.serialize_some(&path.to_string_lossy()),
        None => serializer.serialize_none(),
    }
}

/// Reads and writes a socket address, with words for what is expected.
pub(crate) mod address {
    use std::net::SocketAddr;

    use serde::{Deserializer, Serializer};

    use crate::value::TextVisitor;

    pub(crate) fn serialize<S: Serializer>(
        address: &SocketAddr,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SocketAddr, D::Error> {
        deserializer.deserialize_str(TextVisitor::new(EXPECTED))
    }

    const EXPECTED: &str = r#"an IP address and port such as "127.0.0.1:5039""#;
}

/// As [`address`], for one that need not be there.
pub(crate) mod address_option {
    use std::net::SocketAddr;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::address;

    #[expect(clippy::ref_option, reason = "serde hands out a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(
        address: &Option<SocketAddr>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match address {
            Some(address) => serializer.collect_str(address),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SocketAddr>, D::Error> {
        Ok(Option::<Address>::deserialize(deserializer)?.map(|Address(address)| address))
    }

    #[derive(Deserialize)]
    struct Address(#[serde(with = "address")] SocketAddr);
}
