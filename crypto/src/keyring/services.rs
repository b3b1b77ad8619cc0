//! The long-lived keys that a ring carries besides its KEKs.

use subtle::ConstantTimeEq as _;

use super::envelope;
use super::kek::Kek;
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
    pub(super) fn generate(kek: &Kek) -> Result<(Self, Envelopes), Error> {
        let (signing, pkcs8) = SigningKey::generate()?;
        let services = Self {
            field: Secret32::generate()?,
            index: Secret32::generate()?,
            pseudonym: Secret32::generate()?,
            token: Secret32::generate()?,
            tenant: Secret32::generate()?,
            signing,
        };
        let wrap = |name: &str, plain: &[u8]| envelope::seal(kek, plain, &context(name));
        let envelopes = Envelopes {
            field: wrap("field", services.field.expose())?,
            index: wrap("index", services.index.expose())?,
            pseudonym: wrap("pseudonym", services.pseudonym.expose())?,
            token: wrap("token", services.token.expose())?,
            tenant: wrap("tenant", services.tenant.expose())?,
            signing: wrap("signing", pkcs8.expose())?,
        };
        Ok((services, envelopes))
    }

    /// Unwraps all service keys with the KEKs that their envelopes name.
    pub(super) fn unwrap(envelopes: &Envelopes, keks: &[Kek]) -> Result<Self, Error> {
        let open = |name: &str, sealed: &[u8]| envelope::open(keks, sealed, &context(name));
        let key = |name: &str, sealed: &[u8]| Secret32::from_slice(open(name, sealed)?.expose());
        Ok(Self {
            field: key("field", &envelopes.field)?,
            index: key("index", &envelopes.index)?,
            pseudonym: key("pseudonym", &envelopes.pseudonym)?,
            token: key("token", &envelopes.token)?,
            tenant: key("tenant", &envelopes.tenant)?,
            signing: SigningKey::from_pkcs8(open("signing", &envelopes.signing)?.expose())?,
        })
    }

    /// Compares secrets in constant time.
    pub(super) fn are_same(&self, other: &Self) -> bool {
        let pairs = [
            (&self.field, &other.field),
            (&self.index, &other.index),
            (&self.pseudonym, &other.pseudonym),
            (&self.token, &other.token),
            (&self.tenant, &other.tenant),
        ];
        let secrets = pairs.iter().fold(subtle::Choice::from(1), |same, (a, b)| {
            same & a.expose().as_slice().ct_eq(b.expose().as_slice())
        });
        bool::from(secrets) && self.signing.kid() == other.signing.kid()
    }
}

/// The service keys as the ring file holds them: one envelope each.
#[derive(Clone)]
pub(super) struct Envelopes {
    pub(super) field: Vec<u8>,
    pub(super) index: Vec<u8>,
    pub(super) pseudonym: Vec<u8>,
    pub(super) token: Vec<u8>,
    pub(super) tenant: Vec<u8>,
    pub(super) signing: Vec<u8>,
}

impl Envelopes {
    /// Pairs every envelope with its name.
    pub(super) fn each(&self) -> [(&'static str, &[u8]); 6] {
        [
            ("field", &self.field),
            ("index", &self.index),
            ("pseudonym", &self.pseudonym),
            ("token", &self.token),
            ("tenant", &self.tenant),
            ("signing", &self.signing),
        ]
    }

    /// Counts the envelopes that name this KEK.
    pub(super) fn count_under(&self, id: &str) -> u32 {
        self.each().iter().map(|(_, sealed)| u32::from(is_under(sealed, id))).sum()
    }

    /// Says whether every envelope names this KEK.
    pub(super) fn are_under(&self, id: &str) -> bool {
        self.each().iter().all(|(_, sealed)| is_under(sealed, id))
    }

    /// Opens every envelope with `keks` and seals it under `kek`.
    pub(super) fn rewrapped(&self, keks: &[Kek], kek: &Kek) -> Result<Self, Error> {
        let wrap = |name: &str, sealed: &[u8]| -> Result<Vec<u8>, Error> {
            let plain: SecretBytes = envelope::open(keks, sealed, &context(name))?;
            envelope::seal(kek, plain.expose(), &context(name))
        };
        Ok(Self {
            field: wrap("field", &self.field)?,
            index: wrap("index", &self.index)?,
            pseudonym: wrap("pseudonym", &self.pseudonym)?,
            token: wrap("token", &self.token)?,
            tenant: wrap("tenant", &self.tenant)?,
            signing: wrap("signing", &self.signing)?,
        })
    }
}

fn context(name: &str) -> Context {
    Context::new("antumbra/service").with(name)
}

fn is_under(sealed: &[u8], id: &str) -> bool {
    envelope::envelope_key_id(sealed).is_ok_and(|named| named == id)
}
