//! The long-lived keys that a ring carries besides its KEKs.

use super::file::ServiceEntries;
use super::ring::Kek;
use super::{envelope, file};
use crate::{Context, Error, Secret32, SecretBytes, SigningKey};

/// One key per use, so that no two uses can be played against each other.
pub(super) struct Services {
    pub(super) field: Secret32,
    pub(super) index: Secret32,
    pub(super) pseudonym: Secret32,
    pub(super) token: Secret32,
    pub(super) tenant: Secret32,
    pub(super) signing: SigningKey,
}

impl Services {
    /// Makes all service keys and wraps them under `kek`.
    pub(super) fn generate(kek: &Kek) -> Result<(Self, ServiceEntries), Error> {
        let (signing, pkcs8) = SigningKey::generate()?;
        let services = Self {
            field: Secret32::generate()?,
            index: Secret32::generate()?,
            pseudonym: Secret32::generate()?,
            token: Secret32::generate()?,
            tenant: Secret32::generate()?,
            signing,
        };
        let wrap = |name: &str, plain: &[u8]| {
            envelope::seal(kek, plain, &context(name)).map(|sealed| file::encode(&sealed))
        };
        let entries = ServiceEntries {
            field: wrap("field", services.field.expose())?,
            index: wrap("index", services.index.expose())?,
            pseudonym: wrap("pseudonym", services.pseudonym.expose())?,
            token: wrap("token", services.token.expose())?,
            tenant: wrap("tenant", services.tenant.expose())?,
            signing: wrap("signing", pkcs8.expose())?,
        };
        Ok((services, entries))
    }

    /// Unwraps all service keys with the KEKs that their envelopes name.
    pub(super) fn unwrap(entries: &ServiceEntries, keks: &[Kek]) -> Result<Self, Error> {
        let open = |name: &str, text: &str| -> Result<SecretBytes, Error> {
            let sealed = file::decode(text, || format!("services.{name}"))?;
            envelope::open(keks, &sealed, &context(name))
        };
        let key = |name: &str, text: &str| Secret32::from_slice(open(name, text)?.expose());
        Ok(Self {
            field: key("field", &entries.field)?,
            index: key("index", &entries.index)?,
            pseudonym: key("pseudonym", &entries.pseudonym)?,
            token: key("token", &entries.token)?,
            tenant: key("tenant", &entries.tenant)?,
            signing: SigningKey::from_pkcs8(open("signing", &entries.signing)?.expose())?,
        })
    }
}

fn context(name: &str) -> Context {
    Context::new("antumbra/service").with(name)
}
