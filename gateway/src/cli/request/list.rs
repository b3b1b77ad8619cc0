//! `antumbra request list`: which requests are there?

use serde_json::Value;

use super::daemon::{Daemon, REQUESTS};
use super::view::Job;
use crate::cli::args::RequestListArgs;
use crate::cli::table::table;
use crate::cli::{Exit, note, say};

/// Prints a table, or the daemon's answer.
pub(super) async fn list(args: &RequestListArgs) -> anyhow::Result<Exit> {
    let daemon = Daemon::open(&args.daemon)?;
    let mut path = format!("{REQUESTS}?limit={}", args.limit);
    if let Some(state) = args.state {
        path.push_str(&format!("&state={state}"));
    }
    let data = daemon.get(&path, "the list was refused").await?;
    if args.daemon.json {
        say(&data)?;
        return Ok(Exit::Done);
    }
    let jobs = data.get("jobs").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let jobs: Vec<Job> = jobs.iter().map(|job| Job::read(Some(job))).collect::<Result<_, _>>()?;
    if !jobs.is_empty() {
        say(table(&Job::HEADINGS, jobs.iter().map(Job::row).collect()))?;
    }
    let number = |name: &str| data.get(name).and_then(Value::as_u64).unwrap_or(0);
    note(format_args!(
        "{} of {} shown; {} active of at most {}",
        jobs.len(),
        number("filteredCount"),
        number("activeCount"),
        number("activeLimit")
    ));
    Ok(Exit::Done)
}
