//! What do the tests of keys need? A root that can be switched off, and a ring file that others change.

use std::sync::{Arc, Mutex};

use antumbra_crypto::{Context, Error, Retry, RingSource, Root, SecretBytes};
use async_trait::async_trait;
use tokio::sync::watch;

/// A root that wraps nothing, as the ring lives as long as the test. It can be switched off.
#[derive(Debug)]
pub(crate) struct PlainRoot {
    /// What it answers instead of a key, and how often it did since it was switched off.
    off: watch::Sender<(Option<Retry>, u64)>,
    asked: watch::Sender<u64>,
}

impl Default for PlainRoot {
    fn default() -> Self {
        Self { off: watch::Sender::new((None, 0)), asked: watch::Sender::new(0) }
    }
}

impl PlainRoot {
    /// Answers nothing from now on, with this advice.
    pub(crate) fn switch_off(&self, advice: Retry) {
        self.off.send_replace((Some(advice), 0));
    }

    /// Answers again.
    pub(crate) fn switch_on(&self) {
        self.off.send_modify(|(advice, _)| *advice = None);
    }

    /// Waits until it was asked so often in vain.
    pub(crate) async fn refused(&self, times: u64) {
        self.off.subscribe().wait_for(|(_, refused)| *refused >= times).await.unwrap();
    }

    /// Returns how often it was asked for a key.
    pub(crate) fn asked(&self) -> u64 {
        *self.asked.borrow()
    }

    fn answer(&self) -> Result<(), Error> {
        self.asked.send_modify(|asked| *asked += 1);
        let Some(retry) = self.off.borrow().0 else { return Ok(()) };
        self.off.send_modify(|(_, refused)| *refused += 1);
        Err(Error::Root { root: "plain".to_owned(), retry, source: "switched off".into() })
    }
}

#[async_trait]
impl Root for PlainRoot {
    fn id(&self) -> &str {
        "plain"
    }

    async fn wrap(&self, secret: &SecretBytes, _: &Context) -> Result<Vec<u8>, Error> {
        self.answer()?;
        Ok(secret.expose().to_vec())
    }

    async fn unwrap(&self, wrapped: &[u8], _: &Context) -> Result<SecretBytes, Error> {
        self.answer()?;
        Ok(SecretBytes::from_slice(wrapped))
    }
}

/// A ring file in memory.
#[derive(Debug)]
pub(crate) struct RingFile(Mutex<Vec<u8>>);

impl RingFile {
    pub(crate) fn of(bytes: Vec<u8>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(bytes)))
    }

    /// Changes the file, as a command beside the daemon does.
    pub(crate) fn replace(&self, bytes: Vec<u8>) {
        *self.0.lock().unwrap() = bytes;
    }
}

#[async_trait]
impl RingSource for RingFile {
    async fn read(&self) -> Result<Vec<u8>, Error> {
        Ok(self.0.lock().unwrap().clone())
    }
}
