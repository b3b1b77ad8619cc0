//! The keys of the `http` silo: how the service knows who calls, which headers and addresses there are.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{
    HttpAuth, HttpSilo, SecretRef,
    extract::quote,
    path::child,
    report::Report,
    silo::{SiloTable, table::defaults},
    value::BaseUrl,
};

/// `[silo.auth]`: how an `http` silo knows who calls. Without it nobody is named.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct AuthTable {
    /// A token, sent as `authorization: Bearer …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bearer: Option<SecretRef>,
    /// The name beside `password`, sent as `authorization: Basic …`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    /// The password beside `username`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<SecretRef>,
    /// The name of a header of the service's own, such as `"x-api-key"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<String>,
    /// The value of that header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<SecretRef>,
    /// Where tokens are asked for with client credentials (RFC 6749 §4.4); beside it `client_id` and `client_secret`.
    #[cfg_attr(test, schemars(extend("x-type" = "URL")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_url: Option<String>,
    /// Who asks for the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_id: Option<String>,
    /// What proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret: Option<SecretRef>,
    /// What the token should be good for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    /// Whom the token should be for, where the service asks for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audience: Option<String>,
}

impl AuthTable {
    /// Lists the secrets in it.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        [&self.bearer, &self.password, &self.value, &self.client_secret].into_iter().flatten()
    }

    /// Lists the keys that are there, each with the way it belongs to.
    fn present(&self) -> Vec<(&'static str, Way)> {
        let keys = [
            ("bearer", Way::Bearer, self.bearer.is_some()),
            ("username", Way::Basic, self.username.is_some()),
            ("password", Way::Basic, self.password.is_some()),
            ("header", Way::Header, self.header.is_some()),
            ("value", Way::Header, self.value.is_some()),
            ("token_url", Way::Client, self.token_url.is_some()),
            ("client_id", Way::Client, self.client_id.is_some()),
            ("client_secret", Way::Client, self.client_secret.is_some()),
            ("scope", Way::Client, self.scope.is_some()),
            ("audience", Way::Client, self.audience.is_some()),
        ];
        keys.into_iter().filter(|(_, _, there)| *there).map(|(key, way, _)| (key, way)).collect()
    }
}

/// Ways to say who calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Bearer,
    Basic,
    Header,
    Client,
}

/// Checks the keys of an `http` silo. `None` if it cannot be called; the report then says why.
pub(crate) fn check_http(
    table: &SiloTable,
    path: &[String],
    report: &mut Report,
) -> Option<HttpSilo> {
    let insecure = table.insecure_http.unwrap_or(false);
    let base = report.required(table.base_url.clone(), &child(path, "base_url"), BASE_URL);
    check_way(base.as_ref(), insecure, &child(path, "base_url"), report);
    let auth = check_auth(table.auth.as_ref(), insecure, &child(path, "auth"), report);
    check_headers(table, path, report);
    for (index, place) in table.allow_private.iter().enumerate() {
        if !is_place(place) {
            let at = child(&child(path, "allow_private"), &index.to_string());
            report.misfit(&at, "an address, a network (CIDR) or the name of a host", &quote(place));
        }
    }
    Some(HttpSilo {
        base_url: base?.as_str().to_owned(),
        auth: auth?,
        headers: table
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect::<BTreeMap<_, _>>()
            .into_iter()
            .collect(),
        timeout: table.timeout.unwrap_or(defaults::TIMEOUT),
        attempts: table.attempts.unwrap_or(defaults::ATTEMPTS),
        backoff: table.backoff.unwrap_or(defaults::BACKOFF),
        requests_per_second: table.requests_per_second,
        max_response: table.max_response.unwrap_or(defaults::MAX_RESPONSE),
        max_pages: table.max_pages.unwrap_or(defaults::MAX_PAGES),
        allow_private: table.allow_private.clone(),
        ca: table.ca.clone().map(Into::into),
        insecure_http: insecure,
    })
}

/// Personal data and secrets are sent there.
pub(crate) fn check_way(
    url: Option<&BaseUrl>,
    insecure: bool,
    path: &[String],
    report: &mut Report,
) {
    if let Some(url) = url.filter(|url| !insecure && url.is_readable_on_its_way()) {
        report.misfit(path, SECURE, &quote(url.as_str()));
    }
}

fn check_auth(
    table: Option<&AuthTable>,
    insecure: bool,
    path: &[String],
    report: &mut Report,
) -> Option<HttpAuth> {
    let at = |key: &str| child(path, key);
    let Some(table) = table else {
        return (!report.is_faulted(path)).then_some(HttpAuth::None);
    };
    let present = table.present();
    let Some((first, way)) = present.first().copied() else {
        if !FIRST.iter().any(|key| report.is_faulted(&at(key))) {
            report.misfit(path, WAYS, "an empty table");
        }
        return None;
    };
    if let Some((other, _)) = present.iter().find(|(_, other)| *other != way) {
        report.misfit(&at(other), WAYS, &format!("`{first}` beside it"));
        return None;
    }
    match way {
        Way::Bearer => table.bearer.clone().map(HttpAuth::Bearer),
        Way::Basic => {
            let username = report.required(table.username.clone(), &at("username"), "a name");
            let password = report.required(table.password.clone(), &at("password"), SECRET);
            let username =
                username.filter(|name| !name.contains(|c: char| c == ':' || c.is_control()));
            if username.is_none() && !report.is_faulted(&at("username")) {
                report.misfit(&at("username"), "a name without a colon", "another (not shown)");
            }
            Some(HttpAuth::Basic { username: username?, password: password? })
        }
        Way::Header => {
            let name = report.required(table.header.clone(), &at("header"), HEADER);
            let value = report.required(table.value.clone(), &at("value"), SECRET);
            let name = name?.to_ascii_lowercase();
            if !is_header(&name) || OWN.contains(&name.as_str()) {
                report.misfit(&at("header"), HEADER, &quote(&name));
            }
            Some(HttpAuth::Header { name, value: value? })
        }
        Way::Client => check_client(table, insecure, path, report),
    }
}

fn check_client(
    table: &AuthTable,
    insecure: bool,
    path: &[String],
    report: &mut Report,
) -> Option<HttpAuth> {
    let at = |key: &str| child(path, key);
    let url = report.required(table.token_url.clone(), &at("token_url"), TOKEN_URL);
    let client = report.required(table.client_id.clone(), &at("client_id"), "a client's id");
    let secret = report.required(table.client_secret.clone(), &at("client_secret"), SECRET);
    if let Some(url) = &url {
        match url.parse::<BaseUrl>() {
            Ok(base) => check_way(Some(&base), insecure, &at("token_url"), report),
            Err(_) => report.misfit(&at("token_url"), TOKEN_URL, "something else (not shown)"),
        }
    }
    Some(HttpAuth::ClientCredentials {
        token_url: url?,
        client_id: client?,
        client_secret: secret?,
        scope: table.scope.clone(),
        audience: table.audience.clone(),
    })
}

/// Reports headers that are none, that HTTP sets itself, or that hold what nobody should read; values are not shown.
fn check_headers(table: &SiloTable, path: &[String], report: &mut Report) {
    for (name, value) in &table.headers {
        let at = child(&child(path, "headers"), name);
        let lower = name.to_ascii_lowercase();
        if SECRET_HEADERS.contains(&lower.as_str()) {
            report.misfit(&at, "a header without secrets (they stand in `auth`)", &quote(name));
        } else if !is_header(&lower) || OWN.contains(&lower.as_str()) {
            report.misfit(&at, HEADER, &quote(name));
        } else if table.headers.keys().filter(|other| other.eq_ignore_ascii_case(name)).count() > 1
        {
            report.misfit(&at, "each header once, whatever the case", &quote(name));
        } else if value.is_empty() || !value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            report.misfit(&at, "a text of visible ASCII characters", "another (not shown)");
        } else if SECRETIVE.iter().any(|word| lower.contains(word)) {
            report.warn(
                &at,
                "looks like a secret, and headers are shown: put it in `auth`".to_owned(),
            );
        }
    }
}

/// The name of a header. Spec: RFC 9110 §5.1.
fn is_header(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (1..=128).contains(&name.len()) && name.bytes().all(token)
}

/// An address, a network or a host.
fn is_place(text: &str) -> bool {
    if let Some((address, bits)) = text.split_once('/') {
        let most = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(_)) => 32,
            Ok(IpAddr::V6(_)) => 128,
            Err(_) => return false,
        };
        let plain = bits.bytes().all(|b| b.is_ascii_digit());
        return plain && bits.parse::<u8>().is_ok_and(|bits| bits <= most);
    }
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(label)
}

const BASE_URL: &str = r#"where the service is, such as "https://crm.example/api""#;
const TOKEN_URL: &str =
    r#"where tokens are asked for, such as "https://login.example/oauth/token""#;
const SECURE: &str = "an https:// URL (http:// only on this machine, or beside insecure_http = true: personal data goes this way)";
const SECRET: &str = r#"where the secret is, such as { credential = "crm.token" }"#;
const HEADER: &str = "the name of a header that HTTP does not set itself";
const WAYS: &str = "one of `bearer`; `username` and `password`; `header` and `value`; `token_url`, `client_id` and `client_secret`";
/// One key of each way.
const FIRST: [&str; 9] = [
    "bearer",
    "username",
    "password",
    "header",
    "value",
    "token_url",
    "client_id",
    "client_secret",
    "scope",
];
/// Headers that HTTP or the client sets itself.
const OWN: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-connection",
];
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];
const SECRETIVE: [&str; 5] = ["api-key", "apikey", "password", "secret", "token"];
