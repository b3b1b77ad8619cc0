//! `antumbra keys destroy`: what one job collected is never read again.

use std::io::{self, BufRead, IsTerminal as _};
use std::time::Duration;

use antumbra_jobs::{Actor, Destroyed, Job, JobState, JobStore as _, SqliteStore};
use antumbra_pipeline::crash_point;
use anyhow::Context;
use tokio::time::sleep;

use super::job;
use super::room::Room;
use crate::cli::args::KeysDestroyArgs;
use crate::cli::exit::Fault;
use crate::cli::{Exit, note, say};

/// Asks, destroys, and says what happens next.
///
/// A job whose key was destroyed before is taken, too: what an earlier call could not take out of the store's files goes now. While
/// somebody reads the store for so long that it stays there, the command fails, so that whoever relies on its exit code calls
/// again.
///
/// # Errors
/// [`Fault::Usage`] when nobody can be asked and `--yes` is missing.
pub(super) async fn destroy(args: &KeysDestroyArgs) -> anyhow::Result<Exit> {
    let room = Room::open(&args.settings)?;
    let store = room.store(&room.ring().await?)?;
    let job = job::find(&store, &room.settings, &args.job).await?;
    let before = job.wrapped_key.is_none();
    if !before && !args.yes {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        if !confirmed(terminal, &question(&job), &mut io::stdin().lock())? {
            note("nothing was destroyed");
            return Ok(Exit::Failed);
        }
    }
    crash_point("keys.destroy");
    let Destroyed { job: after, is_scrubbed } = destroyed(&store, &job).await?;
    if before {
        note(format_args!("the data key of job {} was destroyed before", job.id));
    } else {
        say(format_args!(
            "destroyed the data key of job {}: {} → {}",
            job.id, job.state, after.state
        ))?;
        note(format_args!(
            "Every download key and every link to it is refused from now on. The daemon deletes the objects, which nobody can open \
             any more, within data.sweep_interval ({}).",
            room.settings.data.sweep_interval
        ));
        note(
            "What shredding cannot reach: backups of the job store that are older than this. Delete or expire them.",
        );
    }
    if is_scrubbed {
        return Ok(Exit::Done);
    }
    note(
        "antumbra: somebody reads the job store all the time, and its write-ahead log still has the wrapped key. Run this again \
         when they are done; the daemon takes it out, too, when it starts or next forgets a job.",
    );
    Ok(Exit::Failed)
}

/// Destroys the key, and waits a little for readers who keep it in the store's log.
async fn destroyed(store: &SqliteStore, job: &Job) -> anyhow::Result<Destroyed> {
    let cannot = || format!("cannot destroy the data key of job {}", job.id);
    let mut tries = 0;
    loop {
        tries += 1;
        let destroyed = store.destroy_key(job.id, &Actor::Operator).await.with_context(cannot)?;
        if destroyed.is_scrubbed || tries == TRIES {
            return Ok(destroyed);
        }
        sleep(PAUSE).await;
    }
}

fn question(job: &Job) -> String {
    let what = match job.state {
        state if state.is_active() => "It is running and will be cancelled.",
        JobState::Ready | JobState::Delivered => "Its bundle can be downloaded until now.",
        _ => "It has ended.",
    };
    format!(
        "Job {} of tenant {} is {}. {what} Nobody can undo this. Type `yes` to destroy its data key:",
        job.id, job.tenant, job.state
    )
}

/// Asks and reads one line, if somebody is there to write it.
fn confirmed(terminal: bool, question: &str, input: &mut dyn BufRead) -> anyhow::Result<bool> {
    if !terminal {
        return Err(
            Fault::Usage("nobody can be asked: give --yes to destroy the key".to_owned()).into()
        );
    }
    note(question);
    let mut line = String::new();
    input.read_line(&mut line).context("cannot read the answer")?;
    Ok(line.trim() == "yes")
}

/// Each try waits for readers itself, for some milliseconds.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        let answer = |text: &str| confirmed(true, "?", &mut text.as_bytes()).unwrap();
        assert!(answer("yes\n") && answer(" yes \r\n"));
        for no in ["", "\n", "y\n", "YES\n", "no\nyes\n", "yes, but"] {
            assert!(!answer(no), "{no:?}");
        }
    }

    #[test]
    fn nobody_to_ask_is_no_yes() {
        let refused = confirmed(false, "?", &mut "yes\n".as_bytes()).unwrap_err();
        assert!(refused.to_string().contains("--yes"), "{refused}");
        assert_eq!(refused.downcast_ref::<Fault>().unwrap().exit(), Exit::Usage);
    }
}
