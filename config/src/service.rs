//! Sections about the service: whose it is, who may come in, how it answers and logs.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::value::{Count, KeyHash, LogFormat, LogLevel, Period, SizeType, TenantName};

/// `[organization]`: whose gateway this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Organization {
    /// The audience (`aud`) of issued tokens.
    #[cfg_attr(test, schemars(extend("x-type" = "text, not blank")))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gateway {
    /// Base64 of the SHA-256 of each gateway key's decoded bytes; any one lets in. With none every Sombra route answers 401, and
    /// loading warns.
    pub internal_key_hashes: Vec<KeyHash>,
}

/// `[sombra]`: where published Sombra clients disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sombra {
    /// How `size` is written in answers of `download-keys`.
    pub size_type: SizeType,
    /// Whether `/v1/files` asks for both authorization headers besides the download key.
    pub files_require_headers: bool,
}

impl Default for Sombra {
    fn default() -> Self {
        Self { size_type: SizeType::String, files_require_headers: false }
    }
}

/// `[compliance]`: the routes under `/v1/compliance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Compliance {
    /// Whether they are served; if not, each of them answers 404.
    pub enabled: bool,
    /// How many jobs of one tenant that were created there may be active at once; one more is answered 429.
    pub max_active: Count,
    /// Whether a job that was created there is worked on at once; if not, it waits for its `run` call.
    pub autostart: bool,
    /// What `retry-after` says in a 429.
    pub retry_after: Period,
    /// Whether they ask for the gateway key (`x-sombra-authorization`) besides the API key.
    pub requires_gateway_key: bool,
}

impl Default for Compliance {
    fn default() -> Self {
        Self {
            enabled: true,
            max_active: Count::of(5),
            autostart: true,
            retry_after: Period::seconds(60),
            requires_gateway_key: false,
        }
    }
}

/// `[metrics]`: where a monitoring system reads how the daemon does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Metrics {
    /// Where `GET /metrics` is answered over plain HTTP, in the text format of Prometheus; nobody is asked for a key there. Port 0 takes
    /// any free one. Without it there is no such listener.
    #[serde(with = "crate::listen::address_option")]
    #[cfg_attr(test, schemars(with = "Option<String>", extend("x-type" = "IP address and port")))]
    pub listen: Option<SocketAddr>,
    /// Whether `metrics.listen` may be an address that is not loopback; without it such an address is an error.
    pub insecure_http: bool,
}

/// `[log]`: what is logged and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Log {
    /// Lines for people, or one JSON object a line.
    pub format: LogFormat,
    /// From which severity on lines are written.
    pub level: LogLevel,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel::Info }
    }
}
