//! `antumbra keys rewrap`: everything under the keys of today, and no byte of data touched.

use antumbra_jobs::SqliteStore;
use tokio_util::sync::CancellationToken;

use super::interrupt;
use super::progress::Progress;
use super::rewrapping::{Rewrapped, run};
use super::room::Room;
use crate::cli::args::SettingsArgs;
use crate::cli::words::plural;
use crate::cli::{Exit, note, say};

/// Rewraps until everything is, or a signal asks to stop.
pub(super) async fn rewrap(args: &SettingsArgs) -> anyhow::Result<Exit> {
    let room = Room::open(args)?;
    let store = room.store(&room.ring().await?)?;
    with_signals(&room, &store).await
}

/// Does it with a bar, and tells what came of it.
pub(super) async fn with_signals(room: &Room, store: &SqliteStore) -> anyhow::Result<Exit> {
    let mut progress = Progress::new()?;
    let stop = CancellationToken::new();
    let ended = interrupt::stoppable(&stop, run(room, store, &mut progress, &stop)).await;
    progress.end();
    tell(&ended?)
}

fn tell(rewrapped: &Rewrapped) -> anyhow::Result<Exit> {
    let Rewrapped { active, done, left, ring, unreadable, failed, stopped } = rewrapped;
    if *ring {
        note(format_args!("the ring's own keys are wrapped anew, service keys under {active}"));
    }
    for id in unreadable {
        note(format_args!(
            "antumbra: the ring's own key {id} cannot be unwrapped: it is damaged, or its root is not in the settings"
        ));
    }
    if !failed.is_empty() {
        let count = u64::try_from(failed.len()).unwrap_or(u64::MAX);
        note(format_args!("antumbra: {} of jobs cannot be unwrapped:", plural(count, "key")));
        for (job, why) in failed {
            note(format_args!("  job {job}: {why}"));
        }
    }
    if *stopped {
        note(format_args!(
            "antumbra: interrupted after {}; `antumbra keys rewrap` goes on from there",
            plural(*done, "key")
        ));
        return Ok(Exit::Interrupted);
    }
    say(format_args!("wrapped {} of jobs anew under {active}", plural(*done, "key")))?;
    if *left > 0 {
        note(format_args!(
            "antumbra: {} of jobs not under {active}: a daemon that does not know it made jobs meanwhile, or another command was at \
             them; run it again",
            plural(*left, "key")
        ));
    }
    Ok(if failed.is_empty() && unreadable.is_empty() && *left == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}
