//! `antumbra keys retire`: destroy keys of the ring, but none that something needs.

use antumbra_crypto::{Error as CryptoError, KeyInfo, KeyRing, KeyState};
use antumbra_jobs::{Actor, JobStore as _, SqliteStore, StoreError};
use antumbra_pipeline::crash_point;
use anyhow::{Context, anyhow};

use super::room::Room;
use crate::cli::args::KeysRetireArgs;
use crate::cli::exit::Fault;
use crate::cli::words::{plain, plural};
use crate::cli::{Exit, note, say};
use crate::keys::RingEdit;

/// Retires the key that was named, or all that nothing needs.
pub(super) async fn retire(args: &KeysRetireArgs) -> anyhow::Result<Exit> {
    let room = Room::open(&args.settings)?;
    // The lock is held over both: what the store refuses from now on, no other command makes active.
    let (ring, mut edit) = room.edit().await?;
    let store = room.store(&ring)?;
    let mut retiring = Retiring { room: &room, store: &store, edit: &mut edit, ring };
    match &args.key {
        Some(id) => retiring.named(id).await,
        None => retiring.unused().await,
    }
}

#[derive(Debug)]
struct Retiring<'a> {
    room: &'a Room,
    store: &'a SqliteStore,
    edit: &'a mut RingEdit,
    ring: KeyRing,
}

impl Retiring<'_> {
    async fn named(&mut self, id: &str) -> anyhow::Result<Exit> {
        let Some(key) = self.ring.keys().into_iter().find(|key| key.id == id) else {
            return Err(Fault::Usage(format!(
                "the ring has no key {}; `antumbra keys list` shows them",
                plain(id)
            ))
            .into());
        };
        match self.one(&key).await? {
            Outcome::Retired => say(format_args!("retired {id}"))?,
            Outcome::Before => note(format_args!("{id} is retired already")),
            Outcome::Needed(why) => return Err(anyhow!("{id} is not retired: {why}")),
        }
        Ok(Exit::Done)
    }

    async fn unused(&mut self) -> anyhow::Result<Exit> {
        let readable = |key: &KeyInfo| key.state == KeyState::Readable;
        let mut retired = 0;
        for key in self.ring.keys().into_iter().filter(readable) {
            match self.one(&key).await? {
                Outcome::Retired => {
                    retired += 1;
                    say(format_args!("retired {}", key.id))?;
                }
                Outcome::Before => {}
                Outcome::Needed(why) => note(format_args!("{} stays: {why}", key.id)),
            }
        }
        if retired == 0 {
            note("no key was retired");
        }
        Ok(Exit::Done)
    }

    /// The store first: from then on no daemon can make a job under the key, whatever ring it still holds. Dying before the
    /// ring is written leaves a key that can be retired again.
    async fn one(&mut self, key: &KeyInfo) -> anyhow::Result<Outcome> {
        let (ring, bytes) = match self.ring.retired(&key.id) {
            Ok(retired) => retired,
            Err(CryptoError::KeyNeeded { .. }) if key.state == KeyState::Active => {
                return Ok(Outcome::Needed(ACTIVE.to_owned()));
            }
            Err(CryptoError::KeyNeeded { .. }) => {
                let services = plural(u64::from(key.services), "service key");
                return Ok(Outcome::Needed(format!("{services} need it; {REWRAP}")));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot retire {}", key.id)),
        };
        match self.store.retire_key(&key.id, &Actor::Operator, &self.room.tenant()?).await {
            Ok(()) => {}
            Err(StoreError::KeyNeeded { jobs, .. }) => {
                let jobs = plural(jobs, "job");
                return Ok(Outcome::Needed(format!("{jobs} need it; {REWRAP}")));
            }
            Err(error) => return Err(error).with_context(|| format!("cannot retire {}", key.id)),
        }
        crash_point("keys.retire_recorded");
        if key.state == KeyState::Retired {
            return Ok(Outcome::Before);
        }
        self.edit.replace(&bytes)?;
        self.ring = ring;
        Ok(Outcome::Retired)
    }
}

#[derive(Debug)]
enum Outcome {
    Retired,
    Before,
    /// By what, and what to do about it.
    Needed(String),
}

const ACTIVE: &str = "it is active; `antumbra keys rotate` makes another";
const REWRAP: &str = "`antumbra keys rewrap` moves what it wraps under the active key";
