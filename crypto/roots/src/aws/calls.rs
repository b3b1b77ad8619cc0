//! Signed calls to KMS.

use std::fmt;
use std::sync::Arc;

use antumbra_crypto::SecretBytes;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use object_store::StaticCredentialProvider;
use object_store::aws::{AmazonS3Builder, AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::HttpRequestBody;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::settings::{AwsCredentials, AwsKms};
use super::{machine, refusal};
use crate::Error;
use crate::fault::Fault;
use crate::wire::{Address, Client, Patience, Trust};

/// KMS in one region, on behalf of somebody.
pub(super) struct Calls {
    address: Address,
    region: String,
    client: Client,
    credentials: AwsCredentialProvider,
    patience: Patience,
}

impl Calls {
    /// Checks the settings and reads the certificates. Blocks on I/O; asks nobody.
    pub(super) fn new(settings: &AwsKms) -> Result<Self, Error> {
        let address = settings.address()?;
        let patience = settings.patience;
        let trust = Trust::of(settings.ca.as_deref(), address.is_encrypted());
        let client = Client::new(trust, patience.timeout)?;
        let region = settings.region.clone();
        let credentials = match &settings.credentials {
            AwsCredentials::Machine => {
                // Not under `ca`, which is for KMS: these sources have public certificates.
                let client = Client::new(Trust::Machine, patience.timeout)?;
                machine::provider(AmazonS3Builder::from_env(), &region, client)?
            }
            AwsCredentials::Static { access_key_id, secret_access_key, session_token } => {
                Arc::new(StaticCredentialProvider::new(AwsCredential {
                    key_id: header_text("access_key_id", access_key_id.as_bytes())?,
                    secret_key: header_text("secret_access_key", secret_access_key.expose())?,
                    token: session_token
                        .as_ref()
                        .map(|token| header_text("session_token", token.expose()))
                        .transpose()?,
                }))
            }
        };
        Ok(Self { address, region, client, credentials, patience })
    }

    pub(super) fn host(&self) -> &str {
        self.address.host()
    }

    /// Calls an operation, again if need be.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        parameters: &(impl Serialize + Sync),
    ) -> Result<T, Fault> {
        let body = body(parameters)?;
        let answer = self.patience.over(self.host(), || self.attempt(operation, &body)).await?;
        // The parser's error could quote the answer.
        serde_json::from_slice(answer.expose()).map_err(|_| self.misfit("not what KMS says"))
    }

    /// Says that the answer is not that of a KMS.
    pub(super) fn misfit(&self, what: &'static str) -> Fault {
        Error::Answer { host: self.host().to_owned(), what }.into()
    }

    async fn attempt(&self, operation: &str, body: &Bytes) -> Result<SecretBytes, Fault> {
        let credentials = self.credentials.get_credential().await;
        let credentials = credentials.map_err(|error| machine::fault(&error))?;
        let request = self.signed(operation, body.clone(), &credentials)?;
        let answer = self.client.send(request).await?;
        if answer.status == StatusCode::OK {
            return Ok(answer.body);
        }
        Err(refusal::read(self.host(), answer.status, &answer.headers, answer.body.expose()))
    }

    fn signed(
        &self,
        operation: &str,
        body: Bytes,
        credentials: &AwsCredential,
    ) -> Result<Request<Bytes>, Error> {
        let unusable =
            || Error::Setting { field: "credentials", what: "cannot be put into a request" };
        // The signer takes for granted that a token is a header's text.
        if let Some(token) = &credentials.token {
            header_text("session_token", token.as_bytes())?;
        }
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.address.join("/")?)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", format!("TrentService.{operation}"))
            .body(HttpRequestBody::from(body.clone()))
            .map_err(|_| unusable())?;
        AwsAuthorizer::new(credentials, "kms", &self.region)
            .try_authorize(&mut request, None)
            .map_err(|_| unusable())?;
        for value in request.headers_mut().values_mut() {
            value.set_sensitive(true);
        }
        Ok(request.map(|_| body))
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls")
            .field("host", &self.host())
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// Writes the parameters into memory that is overwritten when hyper is done with it.
fn body(parameters: &impl Serialize) -> Result<Bytes, Fault> {
    let mut body = Zeroizing::new(Vec::with_capacity(MAX_REQUEST));
    serde_json::to_writer(&mut *body, parameters)
        .map_err(|_| antumbra_crypto::Error::malformed("parameters of a KMS call"))?;
    Ok(Bytes::from_owner(body))
}

/// Takes text that fits into a header: the signer does not check.
fn header_text(field: &'static str, text: &[u8]) -> Result<String, Error> {
    let text = text.trim_ascii();
    let fits = !text.is_empty() && text.iter().all(u8::is_ascii_graphic);
    let text = std::str::from_utf8(text).ok().filter(|_| fits);
    let what = "is empty, or not plain text";
    text.map(str::to_owned).ok_or(Error::Setting { field, what })
}

/// Room for the largest secret and context that KMS takes, both in base64.
const MAX_REQUEST: usize = 32 * 1024;
