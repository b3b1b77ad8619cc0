//! Which place do settings describe?

use std::path::Path as FsPath;
use std::sync::Arc;
use std::time::Duration;

use antumbra_config::{FilesLocation, SecretRef, SecretText};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use url::form_urlencoded;

use super::connector::{Connector, Waits};
use super::local::LocalRoot;
use super::place::Place;

/// Makes the place; nothing is asked of it yet. Reads secrets and certificates, so it blocks. The error names the setting and
/// never what it holds.
pub(super) fn open(
    location: &FilesLocation,
    environment: &[(String, String)],
) -> Result<Place, String> {
    let secret = |name: &str, secret: &SecretRef| read(name, secret, environment);
    match location {
        FilesLocation::Local { path } => Ok(Place::Local(Arc::new(LocalRoot::new(path.clone())))),
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
        } => {
            let (connector, plain) = connector(endpoint.as_deref(), ca.as_deref())?;
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_region(region)
                .with_virtual_hosted_style_request(!path_style)
                .with_allow_http(plain)
                .with_retry(retry())
                .with_http_connector(connector);
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(hosted(endpoint, bucket, *path_style)?);
            }
            if let (Some(id), Some(key)) = (access_key_id, secret_access_key) {
                let key = secret("secret_access_key", key)?;
                builder = builder.with_access_key_id(id).with_secret_access_key(key.expose());
            }
            if let Some(token) = session_token {
                builder = builder.with_token(secret("session_token", token)?.expose());
            }
            let store = builder.build().map_err(|_| refused())?;
            Ok(bucket_at(store, prefix_of(prefix.as_deref())?))
        }
        FilesLocation::Gcs { bucket, prefix, endpoint, service_account, ca } => {
            let (connector, _) = connector(endpoint.as_deref(), ca.as_deref())?;
            let mut builder = GoogleCloudStorageBuilder::new()
                .with_bucket_name(bucket)
                .with_retry(retry())
                .with_http_connector(connector);
            if let Some(endpoint) = endpoint {
                builder = builder.with_base_url(endpoint);
            }
            if let Some(key) = service_account {
                let key = secret("service_account", key)?;
                builder = builder.with_service_account_key(key.expose());
            }
            let store = builder
                .build()
                .map_err(|_| "service_account: not the JSON key of an account".to_owned())?;
            Ok(bucket_at(store, prefix_of(prefix.as_deref())?))
        }
        FilesLocation::Azure { account, container, prefix, endpoint, access_key, sas, ca } => {
            let (connector, plain) = connector(endpoint.as_deref(), ca.as_deref())?;
            let mut builder = MicrosoftAzureBuilder::new()
                .with_account(account)
                .with_container_name(container)
                .with_allow_http(plain)
                .with_retry(retry())
                .with_http_connector(connector);
            if let Some(endpoint) = endpoint {
                builder = builder.with_endpoint(endpoint.clone());
            }
            if let Some(key) = access_key {
                builder = builder.with_access_key(secret("access_key", key)?.expose());
            }
            if let Some(sas) = sas {
                let sas = secret("sas", sas)?;
                let pairs = form_urlencoded::parse(sas.expose().trim_start_matches('?').as_bytes());
                builder = builder.with_sas_authorization(pairs.into_owned().collect::<Vec<_>>());
            }
            let store = builder.build().map_err(|_| refused())?;
            Ok(bucket_at(store, prefix_of(prefix.as_deref())?))
        }
    }
}

fn bucket_at(store: impl ObjectStore, prefix: Path) -> Place {
    Place::Bucket { store: Arc::new(store), prefix }
}

fn read(
    name: &str,
    secret: &SecretRef,
    environment: &[(String, String)],
) -> Result<SecretText, String> {
    secret.resolve(environment).map_err(|error| format!("{name}: {error}"))
}

fn prefix_of(prefix: Option<&str>) -> Result<Path, String> {
    Path::parse(prefix.unwrap_or_default())
        .map_err(|_| "prefix: not a name that a bucket can have".to_owned())
}

fn refused() -> String {
    "location: the credentials are not of a form that can be used".to_owned()
}

/// Says also whether the endpoint is one without TLS.
fn connector(endpoint: Option<&str>, ca: Option<&FsPath>) -> Result<(Connector, bool), String> {
    let plain = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
    Ok((Connector::new(ca, plain, Waits::default())?, plain))
}

/// The address of a bucket: `object_store` takes an endpoint of hosted style as that of the bucket itself.
fn hosted(endpoint: &str, bucket: &str, path_style: bool) -> Result<String, String> {
    if path_style {
        return Ok(endpoint.to_owned());
    }
    let (scheme, host) = endpoint.split_once("://").ok_or("endpoint: not a URL")?;
    Ok(format!("{scheme}://{bucket}.{host}"))
}

/// A store is asked a few times; a section that still fails is tried again as every other.
fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 3,
        retry_timeout: Duration::from_secs(60),
    }
}
