//! `antumbra keys rotate`: a new key wraps from now on, and the old one goes on reading.

use antumbra_crypto::KeyRing;
use antumbra_jobs::{Actor, AuditEvent, Clock as _, SqliteStore, SystemClock};
use antumbra_pipeline::crash_point;
use anyhow::Context;

use super::rewrap;
use super::room::{self, Room};
use crate::cli::args::KeysRotateArgs;
use crate::cli::{Exit, note, say};

/// Rotates, and with `--rewrap` goes on as `keys rewrap` does.
pub(super) async fn rotate(args: &KeysRotateArgs) -> anyhow::Result<Exit> {
    let room = Room::open(&args.settings)?;
    let (ring, store) = new_active(&room).await?;
    say(format_args!("active key {}", ring.active_id()))?;
    if args.rewrap {
        return rewrap::with_signals(&room, &store).await;
    }
    note(
        "What other keys wrapped stays readable; `antumbra keys rewrap` moves it under the new key.",
    );
    Ok(Exit::Done)
}

/// Makes the new key and stores the ring before anybody wraps under it. The root has to answer, and the audit log has to take
/// the key's name first: dying in between leaves an entry about a key that never came to be, and no key without an entry.
async fn new_active(room: &Room) -> anyhow::Result<(KeyRing, SqliteStore)> {
    let (ring, mut edit) = room.edit().await?;
    let store = room.store(&ring)?;
    let now = SystemClock.now().to_string();
    let (rotated, bytes) = ring.rotated(&now).await.context("cannot make a new key")?;
    let key = rotated.active_id();
    let event = AuditEvent {
        action: "key.rotated",
        actor: Actor::Operator,
        tenant: room.tenant()?,
        request: None,
        job: None,
        facts: [("key", key.to_owned())].into(),
    };
    room::audit(&store, event).await?;
    crash_point("keys.rotate_recorded");
    let never = || format!("{key} is in the audit log and not in the ring: it wraps nothing");
    edit.replace(&bytes).with_context(never)?;
    drop(edit);
    crash_point("keys.rotated");
    Ok((rotated, store))
}
