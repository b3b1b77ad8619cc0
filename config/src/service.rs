//! Sections about the service: where it listens, who may come in, how it answers and logs.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::value::{ByteSize, Count, KeyHash, LogFormat, LogLevel, Period, SizeType, TenantName};

/// `[listen]`: the HTTP listener and its limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Listen {
    /// Address and port. Port 0 takes any free one.
    #[serde(with = "address")]
    pub address: SocketAddr,
    /// Whether plain HTTP may leave the machine: without it an address that is not loopback is a fault.
    pub insecure_http: bool,
    /// How long a client may take to send a request's headers.
    pub header_timeout: Period,
    /// The largest request body that is read.
    pub body_limit: ByteSize,
    /// How many connections are served at once; further ones wait to be accepted.
    pub max_connections: Count,
    /// How long open requests may go on after the daemon was asked to stop.
    pub drain_timeout: Period,
    /// How long a request may take to be answered; downloads are only bounded until their first byte. Also how long a client may
    /// go without taking a byte of an answer.
    pub request_timeout: Period,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 5039)),
            insecure_http: false,
            header_timeout: Period::seconds(10),
            body_limit: ByteSize::mebibytes(1),
            max_connections: Count::of(1024),
            drain_timeout: Period::seconds(30),
            request_timeout: Period::seconds(60),
        }
    }
}

/// `[organization]`: whose gateway this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Organization {
    /// The audience (`aud`) of the tokens that are issued. Not empty.
    pub uri: String,
    /// The tenant of silos and API keys that name none.
    pub tenant: TenantName,
}

impl Default for Organization {
    fn default() -> Self {
        Self {
            uri: "antumbra".to_owned(),
            tenant: "default".parse().expect("seven letters are a name"),
        }
    }
}

/// `[gateway]`: who is let into the Sombra routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Gateway {
    /// The hashes of the gateway keys; any one lets in. With none every Sombra route answers 401.
    pub internal_key_hashes: Vec<KeyHash>,
}

/// `[sombra]`: where published Sombra clients disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Sombra {
    /// How `size` is written in answers of `download-keys`.
    pub size_type: SizeType,
    /// Whether `/v1/files` asks for the two authorization headers besides the download key.
    pub files_require_headers: bool,
}

impl Default for Sombra {
    fn default() -> Self {
        Self { size_type: SizeType::String, files_require_headers: false }
    }
}

/// `[log]`: what is logged and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// From which severity on.
    pub level: LogLevel,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel::Info }
    }
}

/// Reads and writes a socket address, with words for what is expected.
mod address {
    use std::net::SocketAddr;

    use serde::{Deserializer, Serializer};

    use crate::value::TextVisitor;

    pub(super) fn serialize<S: Serializer>(
        address: &SocketAddr,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(address)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SocketAddr, D::Error> {
        deserializer.deserialize_str(TextVisitor::new(EXPECTED))
    }

    const EXPECTED: &str = r#"an IP address and port such as "127.0.0.1:5039""#;
}
