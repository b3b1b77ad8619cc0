//! The ring itself: what it holds and what it hands out.

use std::fmt;

use super::Root;
use super::file::{self, KeyEntry, KeyState, RingFile};
use super::services::Services;
use crate::stream::DataKey;
use crate::{
    BlindIndex, Context, Error, FieldCipher, Pseudonyms, Secret32, SigningKey, TokenKey, derive,
    random,
};

/// Holds the key-encryption keys (KEKs) and the service keys of one installation.
///
/// KEKs wrap data keys; one is active and wraps, older ones only unwrap. Service keys (fields,
/// index, pseudonyms, tokens, tenants, signing) are made once with the ring and stay for its
/// life. On disk the ring is a JSON file in which every key is wrapped (`FORMAT.md` § Ring file);
/// reading and writing that file is the caller's part.
pub struct KeyRing {
    keys: Vec<Kek>,
    active: usize,
    pub(super) services: Services,
}

impl KeyRing {
    /// Makes a ring with one KEK and all service keys, and the bytes of its file.
    ///
    /// `now` is the time of creation in RFC 3339, which is recorded and nothing else. The ring is
    /// of use only if the caller stores the file before it wraps anything.
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Root`] or whatever the root returns, [`Error::Malformed`] if
    /// `now` is not a short printable text.
    pub async fn create(root: &dyn Root, now: &str) -> Result<(Self, Vec<u8>), Error> {
        if now.is_empty() || now.len() > 64 || !now.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::malformed("ring file: `created`"));
        }
        let kek = Kek { id: new_id()?, secret: Secret32::generate()? };
        let wrapped = root.wrap(&secret_bytes(&kek.secret), &kek_context(&kek.id)).await?;
        let (services, wrapped_services) = Services::generate(&kek)?;
        let file = RingFile {
            version: file::VERSION,
            root: root.id().to_owned(),
            keys: vec![KeyEntry {
                id: kek.id.clone(),
                state: KeyState::Active,
                created: now.to_owned(),
                wrapped: Some(file::encode(&wrapped)),
            }],
            services: wrapped_services,
        };
        Ok((Self { keys: vec![kek], active: 0, services }, file.to_json()))
    }

    /// Opens a ring from the bytes of its file.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] naming the field if the file is not a ring, [`Error::UnknownKey`]
    /// naming the root that wrapped it if that is not `root`, [`Error::Authentication`] if a
    /// wrapped key was altered or moved, or whatever the root returns.
    pub async fn open(file: &[u8], root: &dyn Root) -> Result<Self, Error> {
        let file = RingFile::parse(file)?;
        if file.root != root.id() {
            return Err(Error::UnknownKey { id: file.root });
        }
        let (mut keys, mut active) = (Vec::with_capacity(file.keys.len()), None);
        for (at, entry) in file.keys.iter().enumerate() {
            let Some(wrapped) = &entry.wrapped else { continue };
            let wrapped = file::decode(wrapped, || format!("keys[{at}].wrapped"))?;
            let secret = root.unwrap(&wrapped, &kek_context(&entry.id)).await?;
            if entry.state == KeyState::Active {
                active = Some(keys.len());
            }
            let secret = Secret32::from_slice(secret.expose())?;
            keys.push(Kek { id: entry.id.clone(), secret });
        }
        let active = active.ok_or_else(|| Error::malformed("ring file: `keys`: none is active"))?;
        let services = Services::unwrap(&file.services, &keys)?;
        Ok(Self { keys, active, services })
    }

    /// Returns the id of the KEK that wraps.
    #[must_use]
    pub fn active_id(&self) -> &str {
        &self.active().id
    }

    /// Wraps a data key under the active KEK, bound to `context`.
    ///
    /// A KEK should wrap at most 2^32 keys, the limit for random nonces; at one job a second that
    /// takes 136 years.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes.
    pub fn wrap(&self, key: &DataKey, context: &Context) -> Result<Vec<u8>, Error> {
        super::envelope::seal(self.active(), key.secret().expose(), context)
    }

    /// Unwraps a data key that this ring wrapped for the same `context`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if the envelope's KEK is not held or retired,
    /// [`Error::Authentication`] if it was altered or belongs to another context,
    /// [`Error::Truncated`] or [`Error::Malformed`] if it is no envelope.
    pub fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<DataKey, Error> {
        let secret = super::envelope::open(&self.keys, wrapped, context)?;
        Secret32::from_slice(secret.expose()).map(DataKey::from_secret)
    }

    /// Returns the cipher of personal columns.
    #[must_use]
    pub fn fields(&self) -> FieldCipher {
        FieldCipher::new(self.services.field.clone())
    }

    /// Returns the index by which sealed columns are found again.
    #[must_use]
    pub fn index(&self) -> BlindIndex {
        BlindIndex::new(&self.services.index)
    }

    /// Returns the maker of names that stand for subjects in audit and logs.
    #[must_use]
    pub fn pseudonyms(&self) -> Pseudonyms {
        Pseudonyms::new(&self.services.pseudonym)
    }

    /// Returns the key of the tokens that only this installation reads.
    #[must_use]
    pub fn tokens(&self) -> TokenKey {
        TokenKey::new(self.services.token.clone())
    }

    /// Returns the key whose signatures others check.
    #[must_use]
    pub fn signing(&self) -> &SigningKey {
        &self.services.signing
    }

    /// Derives a secret for one purpose and one tenant, the same for the life of the ring.
    ///
    /// For keyed hashes such as those of redaction and of slice cuts, whose outputs must stay
    /// equal over the years and differ between tenants.
    ///
    /// # Errors
    ///
    /// None today; the signature leaves room for keys that live elsewhere.
    pub fn tenant_secret(&self, purpose: &str, tenant: &str) -> Result<Secret32, Error> {
        let info = Context::new("antumbra/tenant").with(purpose).with(tenant);
        Ok(derive::expand32(&self.services.tenant, info.as_bytes()))
    }

    pub(super) fn active(&self) -> &Kek {
        self.keys.get(self.active).expect("the constructors set `active` to a key they pushed")
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|kek| &kek.id).collect();
        f.debug_struct("KeyRing")
            .field("active", &self.active().id)
            .field("keys", &ids)
            .field("signing", &self.services.signing)
            .finish_non_exhaustive()
    }
}

/// A key-encryption key that may unwrap.
pub(super) struct Kek {
    pub(super) id: String,
    pub(super) secret: Secret32,
}

pub(super) fn kek_context(id: &str) -> Context {
    Context::new("antumbra/kek").with(id)
}

pub(super) fn secret_bytes(secret: &Secret32) -> crate::SecretBytes {
    crate::SecretBytes::from_slice(secret.expose())
}

fn new_id() -> Result<String, Error> {
    Ok(format!("kek_{:016x}", u64::from_be_bytes(random::array()?)))
}
