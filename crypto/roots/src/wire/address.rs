//! Where a provider listens.

use std::net::IpAddr;

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::Error;

/// An `https://` address, or an `http://` one of this machine.
#[derive(Debug)]
pub(crate) struct Address {
    encrypted: bool,
    authority: Authority,
    /// Empty, or begins with `/` and does not end with one.
    prefix: String,
}

impl Address {
    /// Reads the text of the setting `field`, which the error names; the text may hold a password,
    /// so it is not quoted.
    pub(crate) fn parse(field: &'static str, text: &str) -> Result<Self, Error> {
        let fault = |what| Error::Setting { field, what };
        let uri: Uri = text.trim().parse().map_err(|_| fault("is not a URL"))?;
        let encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(fault("must begin with `https://`")),
        };
        let authority = uri.authority().ok_or_else(|| fault("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(fault("must not hold a user name or a password"));
        }
        if authority.host().is_empty() {
            return Err(fault("names no host"));
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(fault("must not have a query or a fragment"));
        }
        if !encrypted && !is_loopback(authority.host()) {
            return Err(fault("must be `https://`: plain HTTP is for loopback addresses only"));
        }
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { encrypted, authority: authority.clone(), prefix })
    }

    /// Makes the URI of a path, which begins with `/` and needs no escapes.
    pub(crate) fn join(&self, path: &str) -> Result<Uri, Error> {
        let scheme = if self.encrypted { Scheme::HTTPS } else { Scheme::HTTP };
        Uri::builder()
            .scheme(scheme)
            .authority(self.authority.clone())
            .path_and_query(format!("{}{path}", self.prefix))
            .build()
            .map_err(|_| Error::Setting { field: "address", what: "does not take this path" })
    }

    /// Returns host and port, for messages.
    pub(crate) fn host(&self) -> &str {
        self.authority.as_str()
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    pub(crate) fn has_path(&self) -> bool {
        !self.prefix.is_empty()
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_under_the_prefix() {
        for (text, want) in [
            ("https://vault.internal:8200", "https://vault.internal:8200/v1/x"),
            ("https://vault.internal/", "https://vault.internal/v1/x"),
            (" https://vault.internal/team/a/ ", "https://vault.internal/team/a/v1/x"),
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200/v1/x"),
            ("http://[::1]:8200", "http://[::1]:8200/v1/x"),
            ("http://LOCALHOST", "http://LOCALHOST/v1/x"),
        ] {
            let address = Address::parse("address", text).unwrap();
            assert_eq!(address.join("/v1/x").unwrap().to_string(), want);
        }
    }

    #[test]
    fn other_addresses_are_refused_and_not_quoted() {
        for text in [
            "",
            "vault.internal:8200",
            "/v1",
            "ftp://vault.internal",
            "https://ada:s3cret@vault.internal",
            "https://vault.internal?token=s3cret",
            "https://vault.internal/#s3cret",
            "http://vault.internal",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://localhost.s3cret.example",
            "http://127.0.0.1.s3cret.example",
            "http://[::ffff:10.0.0.1]:8200",
            "https://",
        ] {
            let error = Address::parse("address", text).unwrap_err();
            assert_eq!(error.code(), "root_setting_invalid", "{text}");
            let said = format!("{error} {error:?}");
            assert!(said.contains("address") && !said.contains("s3cret"), "{said}");
        }
    }
}
