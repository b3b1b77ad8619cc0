//! The `http` silo: a REST service that answers in JSON.

use std::path::{Path, PathBuf};

use crate::{
    SecretRef,
    value::{ByteSize, Count, Period},
};

/// Describes a REST service and how it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSilo {
    /// What paths are put behind: `http` or `https`, a host, perhaps a port and a path; no slash at its end, no user, no query.
    pub base_url: String,
    /// How the service knows who calls.
    pub auth: HttpAuth,
    /// Headers of every request, by name in lower case; none of them is `authorization`, `cookie` or one that HTTP itself sets.
    pub headers: Vec<(String, String)>,
    /// How long one try may take.
    pub timeout: Period,
    /// How often a request is tried that fails in a way that may pass.
    pub attempts: Count,
    /// The longest first pause between two tries; it doubles with each.
    pub backoff: Period,
    /// How many requests a second the service may be sent.
    pub requests_per_second: Option<Count>,
    /// The longest answer that is taken.
    pub max_response: ByteSize,
    /// How many answers one section may need.
    pub max_pages: Count,
    /// Private addresses that may be called: addresses, networks (CIDR) or names of hosts.
    pub allow_private: Vec<String>,
    /// A PEM file of the authorities that may have signed the service's certificate. Absolute once loaded.
    pub ca: Option<PathBuf>,
    /// Whether `base_url` and the address of tokens may be plain HTTP to another machine.
    pub insecure_http: bool,
}

/// Says how a service knows who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAuth {
    /// It does not ask.
    None,
    /// A token: `authorization: Bearer …`.
    Bearer(SecretRef),
    /// A name and a password: `authorization: Basic …`.
    Basic {
        /// The name; no colon in it.
        username: String,
        /// The password.
        password: SecretRef,
    },
    /// A header of the service's own.
    Header {
        /// Its name, in lower case.
        name: String,
        /// Its value.
        value: SecretRef,
    },
    /// A token that another service hands out. Spec: RFC 6749 §4.4.
    ClientCredentials {
        /// Where tokens are asked for.
        token_url: String,
        /// Who asks.
        client_id: String,
        /// What proves it.
        client_secret: SecretRef,
        /// What the token should be good for.
        scope: Option<String>,
        /// Whom the token should be for.
        audience: Option<String>,
    },
}

impl HttpSilo {
    /// Makes relative paths relative to `root`.
    pub(crate) fn resolve_paths(&mut self, root: &Path) {
        if let Some(ca) = &mut self.ca {
            *ca = root.join(&*ca);
        }
        match &mut self.auth {
            HttpAuth::None => {}
            HttpAuth::Bearer(secret)
            | HttpAuth::Basic { password: secret, .. }
            | HttpAuth::Header { value: secret, .. }
            | HttpAuth::ClientCredentials { client_secret: secret, .. } => {
                secret.resolve_path(root);
            }
        }
    }
}
