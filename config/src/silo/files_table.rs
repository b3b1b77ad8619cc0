//! The keys of the `files` silo: where the files are.

use serde::{Deserialize, Serialize};

use crate::{
    FilesLocation, FilesSilo, SecretRef,
    extract::quote,
    path::child,
    report::Report,
    silo::{SiloTable, http_table::check_way},
    value::BaseUrl,
};

/// `[silo.location]`: where the files of a `files` silo are: in a directory (`path`), or in a bucket of S3,
/// Google Cloud Storage or Azure Blob Storage.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LocationTable {
    /// A directory of this machine.
    #[cfg_attr(test, schemars(extend("x-type" = "path")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// A bucket of S3, or of a service that speaks as S3 does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) s3: Option<String>,
    /// A bucket of Google Cloud Storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gcs: Option<String>,
    /// A container of Azure Blob Storage; beside it `account`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) azure: Option<String>,
    /// `azure`: the storage account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// `s3`, `gcs`, `azure`: the folder in the bucket; names of files are relative to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<String>,
    /// `s3`: the bucket's region, such as `"eu-central-1"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// `s3`, `gcs`, `azure`: where the service is reached, if not at its usual address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<BaseUrl>,
    /// `s3`: the key that signs requests; without it the role of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_key_id: Option<String>,
    /// `s3`: the secret half of that key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_access_key: Option<SecretRef>,
    /// `s3`: the token of a session, if the key is one of a session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_token: Option<SecretRef>,
    /// `s3`: whether the bucket is named in the path rather than in the host.
    #[cfg_attr(test, schemars(extend("x-default" = false)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_style: Option<bool>,
    /// `gcs`: the JSON key of a service account; without it the account of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) service_account: Option<SecretRef>,
    /// `azure`: the account's key, or `sas` instead; without both the identity of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_key: Option<SecretRef>,
    /// `azure`: a shared access signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sas: Option<SecretRef>,
    /// `s3`, `gcs`, `azure`: a PEM file of the authorities that may have signed the service's certificate; without it those of the machine.
    #[cfg_attr(test, schemars(extend("x-type" = "path")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<String>,
}

impl LocationTable {
    /// Lists the secrets in it.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let all = [
            &self.secret_access_key,
            &self.session_token,
            &self.service_account,
            &self.access_key,
            &self.sas,
        ];
        all.into_iter().flatten()
    }
}

impl From<FilesLocation> for LocationTable {
    fn from(location: FilesLocation) -> Self {
        let text = |path: std::path::PathBuf| path.to_string_lossy().into_owned();
        let url = |endpoint: Option<String>| endpoint.and_then(|url| url.parse().ok());
        match location {
            FilesLocation::Local { path } => Self { path: Some(text(path)), ..Self::default() },
            FilesLocation::S3 {
                bucket,
                prefix,
                region,
                endpoint,
                access_key_id,
                secret_access_key,
                session_token,
                ca,
                path_style,
            } => Self {
                s3: Some(bucket),
                prefix,
                region: Some(region),
                endpoint: url(endpoint),
                access_key_id,
                secret_access_key,
                session_token,
                ca: ca.map(text),
                path_style: Some(path_style),
                ..Self::default()
            },
            FilesLocation::Gcs { bucket, prefix, endpoint, service_account, ca } => Self {
                gcs: Some(bucket),
                prefix,
                endpoint: url(endpoint),
                service_account,
                ca: ca.map(text),
                ..Self::default()
            },
            FilesLocation::Azure { account, container, prefix, endpoint, access_key, sas, ca } => {
                Self {
                    azure: Some(container),
                    account: Some(account),
                    prefix,
                    endpoint: url(endpoint),
                    access_key,
                    sas,
                    ca: ca.map(text),
                    ..Self::default()
                }
            }
        }
    }
}

/// Checks the keys of a `files` silo. `None` if its files cannot be found; the report then says why.
pub(crate) fn check_files(
    table: &SiloTable,
    path: &[String],
    report: &mut Report,
) -> Option<FilesSilo> {
    let insecure_http = table.insecure_http.unwrap_or(false);
    let at = child(path, "location");
    let location = report.required(table.location.as_ref(), &at, LOCATION)?;
    let location = check_location(location, insecure_http, &at, report)?;
    Some(FilesSilo { location, insecure_http })
}

fn check_location(
    table: &LocationTable,
    insecure: bool,
    path: &[String],
    report: &mut Report,
) -> Option<FilesLocation> {
    let at = |key: &str| child(path, key);
    let kinds =
        [("path", &table.path), ("s3", &table.s3), ("gcs", &table.gcs), ("azure", &table.azure)];
    let mut named = kinds.iter().filter_map(|(key, name)| Some((*key, name.as_ref()?)));
    let (kind, name) = match (named.next(), named.next()) {
        (Some(one), None) => one,
        (Some((first, _)), Some((second, _))) => {
            report.misfit(&at(second), LOCATION, &format!("`{first}` beside it"));
            return None;
        }
        (None, _) => {
            if !kinds.iter().any(|(key, _)| report.is_faulted(&at(key))) {
                report.misfit(path, LOCATION, "none of them");
            }
            return None;
        }
    };
    check_strangers(table, kind, path, report);
    check_way(table.endpoint.as_ref(), insecure, &at("endpoint"), report);
    for (key, text) in [("ca", &table.ca), ("path", &table.path)] {
        if text.as_ref().is_some_and(String::is_empty) {
            report.misfit(&at(key), "a path", "\"\"");
        }
    }
    if kind == "path" {
        return Some(FilesLocation::Local { path: name.into() });
    }
    if !is_bucket(name) {
        report.misfit(&at(kind), "the name of a bucket", &quote(name));
    }
    let prefix = check_prefix(table, path, report);
    let endpoint = table.endpoint.as_ref().map(|endpoint| endpoint.as_str().to_owned());
    let (bucket, ca) = (name.clone(), table.ca.clone().map(Into::into));
    match kind {
        "s3" => check_s3(table, path, report, (bucket, prefix, endpoint, ca)),
        "gcs" => {
            let service_account = table.service_account.clone();
            Some(FilesLocation::Gcs { bucket, prefix, endpoint, service_account, ca })
        }
        _ => {
            let account = report.required(table.account.clone(), &at("account"), ACCOUNT);
            let account = account?;
            if !is_bucket(&account) {
                report.misfit(&at("account"), ACCOUNT, &quote(&account));
            }
            if table.access_key.is_some() && table.sas.is_some() {
                report.misfit(&at("sas"), "`access_key` or `sas`", "both");
            }
            let (access_key, sas) = (table.access_key.clone(), table.sas.clone());
            Some(FilesLocation::Azure {
                account,
                container: bucket,
                prefix,
                endpoint,
                access_key,
                sas,
                ca,
            })
        }
    }
}

type Place = (String, Option<String>, Option<String>, Option<std::path::PathBuf>);

fn check_s3(
    table: &LocationTable,
    path: &[String],
    report: &mut Report,
    (bucket, prefix, endpoint, ca): Place,
) -> Option<FilesLocation> {
    let at = |key: &str| child(path, key);
    let region = report.required(table.region.clone(), &at("region"), REGION);
    if let Some(region) = &region
        && !(is_bucket(region) && region.len() <= 64)
    {
        report.misfit(&at("region"), REGION, &quote(region));
    }
    // The halves of a key belong together, and a session's token to both.
    let (id, secret, token) = (
        ("access_key_id", table.access_key_id.is_some()),
        ("secret_access_key", table.secret_access_key.is_some()),
        ("session_token", table.session_token.is_some()),
    );
    for ((key, there), (other, beside)) in [(id, secret), (secret, id), (token, id)] {
        if there && !beside && !report.is_faulted(&at(other)) {
            report.misfit(&at(key), &format!("`{other}` beside it"), "nothing");
        }
    }
    Some(FilesLocation::S3 {
        bucket,
        prefix,
        region: region?,
        endpoint,
        access_key_id: table.access_key_id.clone(),
        secret_access_key: table.secret_access_key.clone(),
        session_token: table.session_token.clone(),
        ca,
        path_style: table.path_style.unwrap_or(false),
    })
}

/// Reports keys of other places: they would be ignored, and whoever wrote them meant something by them.
fn check_strangers(table: &LocationTable, kind: &str, path: &[String], report: &mut Report) {
    let keys: [(&str, &[&str], bool); 11] = [
        ("account", &["azure"], table.account.is_some()),
        ("prefix", BUCKETS, table.prefix.is_some()),
        ("region", &["s3"], table.region.is_some()),
        ("endpoint", BUCKETS, table.endpoint.is_some()),
        ("access_key_id", &["s3"], table.access_key_id.is_some()),
        ("secret_access_key", &["s3"], table.secret_access_key.is_some()),
        ("session_token", &["s3"], table.session_token.is_some()),
        ("path_style", &["s3"], table.path_style.is_some()),
        ("service_account", &["gcs"], table.service_account.is_some()),
        ("access_key", &["azure"], table.access_key.is_some()),
        ("sas", &["azure"], table.sas.is_some()),
    ];
    let ca = ("ca", BUCKETS, table.ca.is_some());
    for (key, owners, there) in keys.into_iter().chain([ca]) {
        if there && !owners.contains(&kind) {
            let owners: Vec<String> = owners.iter().map(|owner| format!("`{owner}`")).collect();
            let expected = format!("`{key}` only beside {}", owners.join(" or "));
            report.misfit(&child(path, key), &expected, &format!("`{kind}`"));
        }
    }
}

fn check_prefix(table: &LocationTable, path: &[String], report: &mut Report) -> Option<String> {
    let prefix = table.prefix.as_ref()?;
    let trimmed = prefix.trim_matches('/');
    if !is_name_below(trimmed) {
        let expected = r#"a folder such as "exports/2026", without `.` or `..`"#;
        report.misfit(&child(path, "prefix"), expected, &quote(prefix));
    }
    Some(trimmed.to_owned())
}

/// Names something below a folder: parts that are not empty and do not lead upwards.
pub(crate) fn is_name_below(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !name.contains(|c: char| c.is_control() || c == '\\')
}

fn is_bucket(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=255).contains(&name.len()) && name.bytes().all(plain) && !matches!(name, "." | "..")
}

const BUCKETS: &[&str] = &["s3", "gcs", "azure"];
const LOCATION: &str = "exactly one of `path`, `s3`, `gcs` and `azure`";
const ACCOUNT: &str = "the name of a storage account";
const REGION: &str = r#"a region such as "eu-central-1""#;
