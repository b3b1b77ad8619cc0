//! `antumbra request show` and `cancel`: one request.

use anyhow::Context;
use serde_json::Value;

use super::daemon::{Daemon, path_of};
use super::view::Job;
use crate::cli::args::RequestOneArgs;
use crate::cli::{Exit, say};

/// Prints everything about a request.
pub(super) async fn show(args: &RequestOneArgs) -> anyhow::Result<Exit> {
    let path = path_of(&args.id)?;
    let data = Daemon::open(&args.daemon)?.get(&path, "the request was not shown").await?;
    tell(&data, args.daemon.json)
}

/// Stops a request.
pub(super) async fn cancel(args: &RequestOneArgs) -> anyhow::Result<Exit> {
    let path = format!("{}/cancel", path_of(&args.id)?);
    let daemon = Daemon::open(&args.daemon)?;
    let data = daemon.post(&path, &Value::Null, "the request was not cancelled").await?;
    tell(&data, args.daemon.json)
}

fn tell(data: &Value, as_json: bool) -> anyhow::Result<Exit> {
    let job = data.get("job").context("the answer has no job")?;
    if as_json {
        say(job)?;
    } else {
        say(Job::read(Some(job))?.text().trim_end())?;
    }
    Ok(Exit::Done)
}
