//! The ring after a change: rotated, rewrapped, a key retired.

use super::file::{KeyEntry, MAX_KEYS, RingFile, WrappedKek};
use super::info::KeyState;
use super::kek::{self, Kek, is_lost, named};
use super::ring::{KeyRing, active, fetch, new_active};
use crate::Error;

impl KeyRing {
    /// Returns this ring with a new active KEK, made by the current root, and its file. The KEK
    /// that was active can still be read with.
    ///
    /// What is wrapped stays wrapped as it is; [`rewrapped`](Self::rewrapped) moves the service
    /// keys, [`rewrap`](Self::rewrap) a data key. `now` is as for [`create`](Self::create).
    ///
    /// # Errors
    ///
    /// [`Error::LimitReached`] if the ring has 1000 keys, retired ones included, otherwise as
    /// [`create`](Self::create) and [`open`](Self::open).
    pub async fn rotated(&self, now: &str) -> Result<(Self, Vec<u8>), Error> {
        if self.file.keys.len() >= MAX_KEYS {
            return Err(Error::LimitReached { what: "keys of one ring" });
        }
        let (entry, _) = new_active(&self.roots, now).await?;
        let mut file = self.file.clone();
        for key in &mut file.keys {
            if key.state == KeyState::Active {
                key.state = KeyState::Readable;
            }
        }
        file.keys.push(entry);
        self.changed(file).await
    }

    /// Returns this ring with the service keys under the active KEK and every KEK under the newest
    /// version of the current root's key, and its file; `None` if all of them are already.
    ///
    /// A root may be unable to tell that a wrapping is the newest one, and then wraps anew each
    /// time. Nothing is returned that was not read back and found equal.
    ///
    /// A KEK that no service key needs and that cannot be had (its wrapping is damaged, or its root
    /// is not among the ring's roots) stays as it is and stops nothing: [`unreadable`] names it.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] naming the root of a KEK that is needed and not among the ring's
    /// roots, [`Error::Kek`] naming a KEK that is needed and damaged, otherwise as
    /// [`open`](Self::open). The ring is as before.
    ///
    /// [`unreadable`]: Self::unreadable
    pub async fn rewrapped(&self) -> Result<Option<(Self, Vec<u8>)>, Error> {
        let mut file = self.file.clone();
        let mut is_changed = false;
        for key in &mut file.keys {
            if key.wrapped.is_none() {
                continue;
            }
            let before = match Kek::fetch(key, &self.roots).await {
                Ok(before) => before,
                Err(error) if is_lost(&error) && !self.needs(key) => continue,
                Err(error) => return Err(error),
            };
            let Some(anew) = self.under_current_root(&before, key.wrapped.as_ref()).await? else {
                continue;
            };
            key.wrapped = Some(anew);
            let after = Kek::fetch(key, &self.roots).await?;
            after.must_be(&before, self.roots.current())?;
            is_changed = true;
        }
        let active_id = self.active_id();
        if !file.services.are_under(active_id) {
            file.services = self.services_under_active(&file).await?;
            is_changed = true;
        }
        if is_changed { self.changed(file).await.map(Some) } else { Ok(None) }
    }

    /// Asks the roots for every KEK and returns the ids of those that cannot be had: the wrapping is
    /// damaged, or its root is not among the ring's roots. Nothing under them can be read.
    ///
    /// # Errors
    ///
    /// [`Error::Root`] or whatever else a root returns that says nothing about the bytes.
    pub async fn unreadable(&self) -> Result<Vec<String>, Error> {
        let mut ids = Vec::new();
        for key in self.file.keys.iter().filter(|key| key.wrapped.is_some()) {
            match Kek::fetch(key, &self.roots).await {
                Ok(_) => {}
                Err(error) if is_lost(&error) => ids.push(key.id.clone()),
                Err(error) => return Err(error),
            }
        }
        Ok(ids)
    }

    /// Returns this ring without the KEK of this id, and its file. Nothing that the KEK wrapped
    /// can ever be unwrapped with the new file; the id stays in it, so that it is not used again.
    ///
    /// The ring does not know the data keys: the caller makes sure that none needs the KEK.
    /// Retiring a retired key returns the same ring and the bytes it was read from.
    ///
    /// # Errors
    ///
    /// [`Error::KeyNeeded`] if the KEK is active or service keys are wrapped under it,
    /// [`Error::UnknownKey`] if the ring has no such key.
    pub fn retired(&self, id: &str) -> Result<(Self, Vec<u8>), Error> {
        let mut file = self.file.clone();
        let Some(key) = file.keys.iter_mut().find(|key| key.id == id) else {
            return Err(Error::UnknownKey { id: id.to_owned() });
        };
        let needed = |by| Err(Error::KeyNeeded { id: id.to_owned(), by });
        match key.state {
            KeyState::Retired => return Ok(self.as_it_is()),
            KeyState::Active => return needed("new data keys"),
            KeyState::Readable if self.file.services.count_under(id) > 0 => {
                return needed("service keys");
            }
            KeyState::Readable => {}
        }
        key.state = KeyState::Retired;
        key.wrapped = None;
        let bytes = file.to_json();
        let ring = Self { file, bytes: bytes.clone(), ..self.as_it_is().0 };
        Ok((ring, bytes))
    }

    /// Says whether the ring does not open without this KEK.
    fn needs(&self, key: &KeyEntry) -> bool {
        key.state == KeyState::Active || self.file.services.count_under(&key.id) > 0
    }

    /// The wrapping of a KEK under the newest version of the current root, unless it is that.
    async fn under_current_root(
        &self,
        kek: &Kek,
        wrapped: Option<&WrappedKek>,
    ) -> Result<Option<WrappedKek>, Error> {
        let (root, context) = (self.roots.current(), kek::context(&kek.id));
        let bytes = match wrapped {
            Some(wrapped) if wrapped.root == root.id() => {
                let bytes = root.rewrap(&wrapped.bytes, &context).await;
                let bytes = bytes.map_err(|error| named(&kek.id, error))?;
                if bytes == wrapped.bytes {
                    return Ok(None);
                }
                bytes
            }
            _ => root.wrap(&kek.as_bytes(), &context).await?,
        };
        Ok(Some(WrappedKek { root: root.id().to_owned(), bytes }))
    }

    async fn services_under_active(
        &self,
        file: &RingFile,
    ) -> Result<super::services::Envelopes, Error> {
        let mut keks = Vec::new();
        for key in &file.keys {
            if file.services.count_under(&key.id) > 0 {
                keks.push(Kek::fetch(key, &self.roots).await?);
            }
        }
        let active = fetch(file, &active(file).id, &self.roots).await?;
        file.services.rewrapped(&keks, &active)
    }

    /// Opens the changed file as a daemon will, so that no file is written that does not open.
    async fn changed(&self, file: RingFile) -> Result<(Self, Vec<u8>), Error> {
        let bytes = file.to_json();
        let ring = Self::open(&bytes, &self.roots).await?;
        if !ring.is_of_same_installation(self) {
            return Err(Error::ForeignRing);
        }
        Ok((ring, bytes))
    }

    pub(super) fn as_it_is(&self) -> (Self, Vec<u8>) {
        let ring = Self {
            roots: self.roots.clone(),
            file: self.file.clone(),
            bytes: self.bytes.clone(),
            services: std::sync::Arc::clone(&self.services),
        };
        (ring, self.bytes.clone())
    }
}
