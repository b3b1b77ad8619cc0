//! `[[silo]]` as it stands in the file: every key optional, nothing compared.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    HttpAuth, SecretRef, Silo, SiloKind,
    silo::{
        datapoint_table::DatapointTable, files_table::LocationTable, http_table::AuthTable,
        limits::LimitsTable,
    },
    value::{BaseUrl, ByteSize, Count, Period, SiloName, SiloType, TenantName},
};

/// `[[silo]]`: a system that holds data. In the file only. Keys whose meaning begins with types belong to those types.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SiloTable {
    /// Unique, whatever the case; a folder of the bundle.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    pub(crate) name: Option<SiloName>,
    /// The kind of system.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    pub(crate) r#type: Option<SiloType>,
    /// Whose data it holds.
    #[cfg_attr(test, schemars(extend("x-absent" = "`organization.tenant`")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant: Option<TenantName>,
    /// `sqlite`: the database file.
    #[cfg_attr(test, schemars(extend("x-type" = "path", "x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// `sqlite`: how long to wait for a writer's lock.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::BUSY_TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) busy_timeout: Option<Period>,
    /// `postgres`, `mysql`: where its URL is, which holds the password.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<SecretRef>,
    /// `postgres`, `mysql`: how long to wait for a connection.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::CONNECT_TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connect_timeout: Option<Period>,
    /// `postgres`, `mysql`: how long one statement may take, from `"1ms"` to `"24 days"`; the server ends it then, and it is tried
    /// again. The time that its rows wait for a budget counts.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::STATEMENT_TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) statement_timeout: Option<Period>,
    /// `postgres`, `mysql`: how long a statement may wait for a lock, from `"1ms"` (`mysql`: `"1s"`) to `"24 days"`.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::LOCK_TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lock_timeout: Option<Period>,
    /// `http`: where the service is; paths of endpoints are put behind it.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_url: Option<BaseUrl>,
    /// `http`: how the service knows who calls: see `[silo.auth]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) auth: Option<AuthTable>,
    /// `http`: headers of every request. No secrets: they are shown.
    #[cfg_attr(test, schemars(extend("x-type" = "table header = text")))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    /// `http`: how long one try of a request may take.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::TIMEOUT)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Period>,
    /// `http`: how often a request is tried that fails in a way that may pass.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::ATTEMPTS)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<Count>,
    /// `http`: the longest first pause between two tries; it doubles with each, is shortened at random, and is never shorter than
    /// what the service asks for (`retry-after`).
    #[cfg_attr(test, schemars(extend("x-default" = defaults::BACKOFF)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff: Option<Period>,
    /// `http`: how many requests a second the service may be sent.
    #[cfg_attr(test, schemars(extend("x-absent" = "no limit")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_second: Option<Count>,
    /// `http`: the longest answer that is taken.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::MAX_RESPONSE)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_response: Option<ByteSize>,
    /// `http`: how many answers one section may need.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::MAX_PAGES)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_pages: Option<Count>,
    /// `http`: private addresses that may be called (loopback, link-local, networks of one's own): addresses, networks such as
    /// `"10.1.0.0/16"` or names of hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow_private: Vec<String>,
    /// `http`: a PEM file of the authorities that may have signed the service's certificate.
    #[cfg_attr(test, schemars(extend("x-type" = "path", "x-absent" = "the machine's authorities")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
    /// `http`, `files`: whether URLs may be `http://` where that leaves this machine; what is sent can be read on its way.
    #[cfg_attr(test, schemars(extend("x-default" = false)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) insecure_http: Option<bool>,
    /// `files`: where the files are: see `[silo.location]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<LocationTable>,
    /// `adbc`: the driver's shared library.
    #[cfg_attr(test, schemars(extend("x-type" = "path", "x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) driver: Option<String>,
    /// `adbc`: the function of the library that makes the driver, if not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entrypoint: Option<String>,
    /// `adbc`: options of the database, as the driver names them. No secrets: they are shown.
    #[cfg_attr(test, schemars(extend("x-type" = "table option = text")))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
    /// `adbc`: options of the database that are secrets.
    #[cfg_attr(test, schemars(extend("x-type" = "table option = secret")))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) secret_options: BTreeMap<String, SecretRef>,
    /// How much may be asked of it at once: see `[silo.limits]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<LimitsTable>,
    /// Its tables and queries: see `[[silo.datapoint]]`.
    pub(crate) datapoint: Vec<DatapointTable>,
}

impl SiloTable {
    /// Lists the secrets that its keys refer to.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let auth = self.auth.iter().flat_map(AuthTable::secrets);
        let location = self.location.iter().flat_map(LocationTable::secrets);
        self.url.iter().chain(auth).chain(location).chain(self.secret_options.values())
    }

    /// Lists the keys that are there and belong to types, each with those types.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&'static str, &'static [SiloType])> {
        OWNERS.iter().filter(|(_, _, there)| there(self)).map(|(key, owners, _)| (*key, *owners))
    }
}

impl From<Silo> for SiloTable {
    fn from(silo: Silo) -> Self {
        let whole = Self {
            name: Some(silo.name),
            r#type: Some(silo.kind.silo_type()),
            tenant: Some(silo.tenant),
            limits: Some(silo.limits.into()),
            datapoint: silo.datapoints.into_iter().map(DatapointTable::from).collect(),
            ..Self::default()
        };
        match silo.kind {
            SiloKind::Sqlite { path, busy_timeout } => Self {
                path: Some(PathBuf::from(lossy(path))),
                busy_timeout: Some(busy_timeout),
                ..whole
            },
            SiloKind::Postgres { url, connect_timeout, statement_timeout, lock_timeout }
            | SiloKind::Mysql { url, connect_timeout, statement_timeout, lock_timeout } => Self {
                url: Some(url),
                connect_timeout: Some(connect_timeout),
                statement_timeout: Some(statement_timeout),
                lock_timeout: Some(lock_timeout),
                ..whole
            },
            SiloKind::Http(http) => Self {
                base_url: http.base_url.parse().ok(),
                auth: auth(http.auth),
                headers: http.headers.into_iter().collect(),
                timeout: Some(http.timeout),
                attempts: Some(http.attempts),
                backoff: Some(http.backoff),
                requests_per_second: http.requests_per_second,
                max_response: Some(http.max_response),
                max_pages: Some(http.max_pages),
                allow_private: http.allow_private,
                ca: http.ca.map(lossy),
                insecure_http: Some(http.insecure_http),
                ..whole
            },
            SiloKind::Files(files) => Self {
                location: Some(files.location.into()),
                insecure_http: Some(files.insecure_http),
                ..whole
            },
            SiloKind::Adbc(adbc) => Self {
                driver: Some(lossy(adbc.driver)),
                entrypoint: adbc.entrypoint,
                options: adbc.options.into_iter().collect(),
                secret_options: adbc.secret_options.into_iter().collect(),
                ..whole
            },
        }
    }
}

fn auth(auth: HttpAuth) -> Option<AuthTable> {
    let table = match auth {
        HttpAuth::None => return None,
        HttpAuth::Bearer(token) => AuthTable { bearer: Some(token), ..AuthTable::default() },
        HttpAuth::Basic { username, password } => {
            AuthTable { username: Some(username), password: Some(password), ..AuthTable::default() }
        }
        HttpAuth::Header { name, value } => {
            AuthTable { header: Some(name), value: Some(value), ..AuthTable::default() }
        }
        HttpAuth::ClientCredentials { token_url, client_id, client_secret, scope, audience } => {
            AuthTable {
                token_url: Some(token_url),
                client_id: Some(client_id),
                client_secret: Some(client_secret),
                scope,
                audience,
                ..AuthTable::default()
            }
        }
    };
    Some(table)
}

/// Writes a path as text; a folder of the machine that is not UTF-8 must not fail `config show`.
fn lossy(path: PathBuf) -> String {
    path.into_os_string().into_string().unwrap_or_else(|path| path.to_string_lossy().into_owned())
}

/// Whether a table has a key.
type There = fn(&SiloTable) -> bool;

const SQLITE: &[SiloType] = &[SiloType::Sqlite];
const SERVERS: &[SiloType] = &[SiloType::Postgres, SiloType::Mysql];
const HTTP: &[SiloType] = &[SiloType::Http];
const ADBC: &[SiloType] = &[SiloType::Adbc];

/// Which types have which key.
const OWNERS: [(&str, &[SiloType], There); 23] = [
    ("path", SQLITE, |table| table.path.is_some()),
    ("busy_timeout", SQLITE, |table| table.busy_timeout.is_some()),
    ("url", SERVERS, |table| table.url.is_some()),
    ("connect_timeout", SERVERS, |table| table.connect_timeout.is_some()),
    ("statement_timeout", SERVERS, |table| table.statement_timeout.is_some()),
    ("lock_timeout", SERVERS, |table| table.lock_timeout.is_some()),
    ("base_url", HTTP, |table| table.base_url.is_some()),
    ("auth", HTTP, |table| table.auth.is_some()),
    ("headers", HTTP, |table| !table.headers.is_empty()),
    ("timeout", HTTP, |table| table.timeout.is_some()),
    ("attempts", HTTP, |table| table.attempts.is_some()),
    ("backoff", HTTP, |table| table.backoff.is_some()),
    ("requests_per_second", HTTP, |table| table.requests_per_second.is_some()),
    ("max_response", HTTP, |table| table.max_response.is_some()),
    ("max_pages", HTTP, |table| table.max_pages.is_some()),
    ("allow_private", HTTP, |table| !table.allow_private.is_empty()),
    ("ca", HTTP, |table| table.ca.is_some()),
    ("insecure_http", &[SiloType::Http, SiloType::Files], |table| table.insecure_http.is_some()),
    ("location", &[SiloType::Files], |table| table.location.is_some()),
    ("driver", ADBC, |table| table.driver.is_some()),
    ("entrypoint", ADBC, |table| table.entrypoint.is_some()),
    ("options", ADBC, |table| !table.options.is_empty()),
    ("secret_options", ADBC, |table| !table.secret_options.is_empty()),
];

/// What a key of a type is if the file does not say.
pub(crate) mod defaults {
    use crate::value::{ByteSize, Count, Period};

    pub(crate) const BUSY_TIMEOUT: Period = Period::seconds(5);
    pub(crate) const CONNECT_TIMEOUT: Period = Period::seconds(10);
    pub(crate) const STATEMENT_TIMEOUT: Period = Period::seconds(60 * 60);
    pub(crate) const LOCK_TIMEOUT: Period = Period::seconds(10);
    pub(crate) const TIMEOUT: Period = Period::seconds(30);
    pub(crate) const ATTEMPTS: Count = Count::of(4);
    pub(crate) const BACKOFF: Period = Period::milliseconds(500);
    pub(crate) const MAX_RESPONSE: ByteSize = ByteSize::mebibytes(32);
    pub(crate) const MAX_PAGES: Count = Count::of(100_000);
}
