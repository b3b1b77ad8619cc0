//! `antumbra request watch`: how far is a request, and how does it end?

use std::time::Duration;

use antumbra_jobs::JobState;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::daemon::{Daemon, path_of};
use super::view::Job;
use crate::cli::args::RequestOneArgs;
use crate::cli::exit::Fault;
use crate::cli::progress::{Phase, Screen, Snapshot, Watch};
use crate::cli::{Exit, say};

/// Shows progress until the request ended. A daemon that restarts meanwhile is waited for.
pub(super) async fn watch(args: &RequestOneArgs) -> anyhow::Result<Exit> {
    let path = path_of(&args.id)?;
    let daemon = Daemon::open(&args.daemon)?;
    let mut screen = Screen::new(args.daemon.json)?;
    let ended = follow(&daemon, &path, &mut screen).await;
    screen.end();
    let answer = ended?;
    let job = Job::read(Some(&answer))?;
    if args.daemon.json {
        say(json!({ "event": "result", "outcome": job.state.as_str(), "job": answer }))?;
    } else {
        say(job.ending())?;
    }
    Ok(exit(job.state))
}

/// Says with which code a request ends the command.
const fn exit(state: JobState) -> Exit {
    match state {
        JobState::Ready | JobState::Delivered => Exit::Done,
        JobState::Cancelled | JobState::Expired => Exit::Gone,
        JobState::Failed | JobState::Requested | JobState::Collecting | JobState::Packaging => {
            Exit::Failed
        }
    }
}

/// Asks until the job is not active, and returns it.
async fn follow(daemon: &Daemon, path: &str, watch: &mut dyn Watch) -> anyhow::Result<Value> {
    let mut began: Option<(Instant, u64)> = None;
    let mut silent = 0;
    loop {
        let asked = daemon.get(path, "the request cannot be watched").await;
        let data = match asked {
            Ok(data) => data,
            // Not the first time: whoever mistyped the address is told at once.
            Err(error) if began_or_patient(began.is_some(), silent, &error) => {
                silent += 1;
                sleep(POLL).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        silent = 0;
        let answer = data.get("job").cloned().unwrap_or_default();
        let job = Job::read(Some(&answer))?;
        if !job.state.is_active() {
            return Ok(answer);
        }
        let (since, before) = *began.get_or_insert_with(|| (Instant::now(), job.rows));
        watch.show(&Snapshot {
            phase: Phase::of(job.state),
            rows: job.rows,
            rows_before: before,
            rows_expected: job.rows_expected,
            bytes: job.bytes,
            elapsed: since.elapsed(),
            ..Snapshot::default()
        })?;
        sleep(POLL).await;
    }
}

fn began_or_patient(began: bool, silent: u32, error: &anyhow::Error) -> bool {
    began && silent < MOST_SILENT && matches!(error.downcast_ref(), Some(Fault::Unreachable(_)))
}

const POLL: Duration = Duration::from_secs(1);
/// Questions in a row that may stay without an answer.
const MOST_SILENT: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_final_state_has_its_code() {
        assert_eq!(exit(JobState::Ready), Exit::Done);
        assert_eq!(exit(JobState::Delivered), Exit::Done);
        assert_eq!(exit(JobState::Failed), Exit::Failed);
        assert_eq!(exit(JobState::Cancelled), Exit::Gone);
        assert_eq!(exit(JobState::Expired), Exit::Gone);
    }

    #[test]
    fn only_a_daemon_that_answered_before_is_waited_for() {
        let gone: anyhow::Error = Fault::Unreachable("gone".to_owned()).into();
        assert!(!began_or_patient(false, 0, &gone));
        assert!(began_or_patient(true, 0, &gone));
        assert!(!began_or_patient(true, MOST_SILENT, &gone));
        assert!(!began_or_patient(true, 0, &anyhow::anyhow!("refused")));
    }
}
