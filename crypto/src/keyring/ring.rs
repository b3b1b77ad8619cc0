//! The ring itself: what it holds and what it hands out.

use std::fmt;
use std::sync::Arc;

use super::envelope::{self, envelope_key_id};
use super::file::{self, KeyEntry, RingFile, WrappedKek};
use super::info::{KeyInfo, KeyState, WrappedKey};
use super::kek::{self, Kek};
use super::root::Roots;
use super::services::Services;
use crate::stream::DataKey;
use crate::{
    BlindIndex, Context, Error, FieldCipher, Pseudonyms, Secret32, SigningKey, TokenKey, derive,
};

/// Holds the keys of one installation as one ring file says they are.
///
/// Key-encryption keys (KEKs) wrap data keys; one is active and wraps, older ones only unwrap. The
/// ring keeps them wrapped: each wrap and unwrap asks the root for the KEK and forgets it
/// afterwards, so who takes the root away takes the data keys away. Service keys (fields, index,
/// pseudonyms, tokens, tenants, signing) are made once with the ring, stay for its life and are
/// unwrapped while it is open. On disk the ring is a JSON file in which every key is wrapped
/// (`FORMAT.md` § Ring file); reading and writing that file is the caller's part.
///
/// A ring never changes: [`rotated`](Self::rotated), [`rewrapped`](Self::rewrapped) and
/// [`retired`](Self::retired) return another one, which counts once its file is stored.
pub struct KeyRing {
    pub(super) roots: Roots,
    pub(super) file: RingFile,
    /// The file as it was read or is to be written.
    pub(super) bytes: Vec<u8>,
    pub(super) services: Arc<Services>,
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
    pub async fn create(roots: &Roots, now: &str) -> Result<(Self, Vec<u8>), Error> {
        let (entry, kek) = new_active(roots, now).await?;
        let (services, envelopes) = Services::generate(&kek)?;
        let file = RingFile { keys: vec![entry], services: envelopes };
        let bytes = file.to_json();
        let ring = Self::open(&bytes, roots).await?;
        if !ring.services.are_same(&services) {
            return Err(Error::Authentication);
        }
        Ok((ring, bytes))
    }

    /// Opens a ring from the bytes of its file, version 1 or 2.
    ///
    /// Asks the root for the active KEK and for those of the service keys. A ring opens without
    /// the root of a KEK that is only readable: what that KEK wrapped then fails to unwrap, by
    /// [`Error::UnknownKey`] naming the root.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] naming the field if the file is not a ring, [`Error::UnknownKey`]
    /// naming the root that is needed and not among `roots`, [`Error::Kek`] naming a KEK whose
    /// wrapping was altered or moved, [`Error::Authentication`] if that of a service key was, or
    /// whatever the root returns.
    pub async fn open(file: &[u8], roots: &Roots) -> Result<Self, Error> {
        let (bytes, file) = (file.to_vec(), RingFile::parse(file)?);
        let mut needed = vec![active(&file).id.as_str()];
        for (name, sealed) in file.services.each() {
            let id = envelope_key_id(sealed)
                .map_err(|_| Error::malformed(format!("ring file: `services.{name}`")))?;
            if !needed.contains(&id) {
                needed.push(id);
            }
        }
        let mut keks = Vec::with_capacity(needed.len());
        for id in needed {
            keks.push(fetch(&file, id, roots).await?);
        }
        let services = Arc::new(Services::unwrap(&file.services, &keks)?);
        Ok(Self { roots: roots.clone(), file, bytes, services })
    }

    /// Describes every KEK, oldest first, retired ones included.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyInfo> {
        let info = |key: &KeyEntry| KeyInfo {
            id: key.id.clone(),
            state: key.state,
            created: key.created.clone(),
            root: key.wrapped.as_ref().map(|wrapped| wrapped.root.clone()),
            services: self.file.services.count_under(&key.id),
        };
        self.file.keys.iter().map(info).collect()
    }

    /// Returns the id of the KEK that wraps.
    #[must_use]
    pub fn active_id(&self) -> &str {
        &active(&self.file).id
    }

    /// Wraps a data key under the active KEK, bound to `context`.
    ///
    /// A KEK should wrap at most 2^32 keys, the limit for random nonces; at one job a second that
    /// takes 136 years.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] if the system has no random bytes, or whatever the root returns:
    /// [`Error::Root`] if it is down or refuses.
    pub async fn wrap(&self, key: &DataKey, context: &Context) -> Result<WrappedKey, Error> {
        let kek = fetch(&self.file, self.active_id(), &self.roots).await?;
        let bytes = envelope::seal(&kek, key.secret().expose(), context)?;
        Ok(WrappedKey { key_id: kek.id, bytes })
    }

    /// Unwraps a data key that this ring wrapped for the same `context`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if the envelope's KEK is not held or retired, or naming the root if
    /// that is not held, [`Error::Kek`] if the KEK's own wrapping is damaged,
    /// [`Error::Authentication`] if the envelope was altered or belongs to another context,
    /// [`Error::Truncated`] or [`Error::Malformed`] if it is no envelope, or whatever the root
    /// returns.
    pub async fn unwrap(&self, wrapped: &[u8], context: &Context) -> Result<DataKey, Error> {
        let kek = fetch(&self.file, envelope_key_id(wrapped)?, &self.roots).await?;
        let secret = envelope::open(std::slice::from_ref(&kek), wrapped, context)?;
        Secret32::from_slice(secret.expose()).map(DataKey::from_secret)
    }

    /// Wraps a data key anew under the active KEK; `None` if it is under that KEK already.
    ///
    /// The data key stays the same, so nothing that it sealed has to be touched.
    ///
    /// # Errors
    ///
    /// As [`unwrap`](Self::unwrap) and [`wrap`](Self::wrap).
    pub async fn rewrap(
        &self,
        wrapped: &[u8],
        context: &Context,
    ) -> Result<Option<WrappedKey>, Error> {
        if envelope_key_id(wrapped)? == self.active_id() {
            return Ok(None);
        }
        let key = self.unwrap(wrapped, context).await?;
        self.wrap(&key, context).await.map(Some)
    }

    /// Says whether this ring can have a use for envelopes of this KEK.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.file.entry(id).is_some_and(|key| key.state != KeyState::Retired)
    }

    /// Says whether two rings hold the same service keys: one is a later state of the other.
    /// Takes the same time wherever they differ.
    #[must_use]
    pub fn is_of_same_installation(&self, other: &Self) -> bool {
        self.services.are_same(&other.services)
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
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("active", &self.active_id())
            .field("keys", &self.file.keys.len())
            .field("signing", &self.services.signing)
            .finish_non_exhaustive()
    }
}

/// Makes an active KEK under the current root, and reads it back.
pub(super) async fn new_active(roots: &Roots, now: &str) -> Result<(KeyEntry, Kek), Error> {
    if !file::is_created(now) {
        return Err(Error::malformed("ring file: `created`"));
    }
    let root = roots.current();
    if !file::is_root_id(root.id()) {
        return Err(Error::malformed("ring file: `root`"));
    }
    let id = kek::new_id()?;
    let (secret, bytes) = root.generate(&kek::context(&id)).await?;
    let wrapped = WrappedKek { root: root.id().to_owned(), bytes };
    let entry = KeyEntry {
        id: id.clone(),
        state: KeyState::Active,
        created: now.to_owned(),
        wrapped: Some(wrapped),
    };
    let made = Kek { id, secret };
    Kek::fetch(&entry, roots).await?.must_be(&made, root)?;
    Ok((entry, made))
}

/// Asks the root for the KEK of this id.
pub(super) async fn fetch(file: &RingFile, id: &str, roots: &Roots) -> Result<Kek, Error> {
    let entry = file.entry(id).ok_or_else(|| Error::UnknownKey { id: id.to_owned() })?;
    Kek::fetch(entry, roots).await
}

pub(super) fn active(file: &RingFile) -> &KeyEntry {
    let active = file.keys.iter().find(|key| key.state == KeyState::Active);
    active.expect("the parser and every change leave exactly one active key")
}
