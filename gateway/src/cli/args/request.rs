//! Which flags do the commands have that talk to a running daemon?

use std::path::PathBuf;

use antumbra_config::Format;
use antumbra_jobs::JobState;
use clap::{Args, Subcommand};

use super::{BoundArgs, Personal, SettingsArgs, WindowArgs};
use crate::cli::exit;

/// What to do with the requests of a running daemon.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RequestCommand {
    /// Submit a request and print its id
    Submit(Box<RequestSubmitArgs>),
    /// List the requests of the API key's tenant, newest first
    List(RequestListArgs),
    /// Print everything about one request
    Show(RequestOneArgs),
    /// Stop a request that is being answered; what was collected is deleted
    Cancel(RequestOneArgs),
    /// Show how far a request is until it ends; the exit code says how it ended
    #[command(after_help = exit::HELP)]
    Watch(RequestOneArgs),
    /// Download what a request was answered with
    ///
    /// For requests in JSON the daemon answers one JSON document, for other formats the zip.
    Download(RequestDownloadArgs),
}

/// Which daemon to ask, and with which key.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct DaemonArgs {
    /// The daemon's base URL [default: as the settings say]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) url: Option<String>,
    #[arg(
        long,
        value_name = "FILE",
        help = "File with the API key [default: the environment variable ANTUMBRA_API_KEY]"
    )]
    pub(in crate::cli) api_key_file: Option<PathBuf>,
    #[arg(
        long,
        value_name = "FILE",
        help = "File with the gateway key, for daemons that ask for it [default: the environment variable ANTUMBRA_GATEWAY_KEY]"
    )]
    pub(in crate::cli) gateway_key_file: Option<PathBuf>,
    /// Certificates in PEM of the authorities to trust, instead of the machine's
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca: Option<PathBuf>,
    /// The daemon's answers as JSON, one object a line
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) settings: SettingsArgs,
}

/// What to submit.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RequestSubmitArgs {
    #[command(flatten)]
    pub(in crate::cli) who: SubjectArgs,
    #[command(flatten)]
    pub(in crate::cli) window: WindowArgs,
    #[command(flatten)]
    pub(in crate::cli) bound: BoundArgs,
    /// The format: json, csv, ndjson or parquet [default: json]
    #[arg(long, value_name = "FORMAT")]
    pub(in crate::cli) format: Option<Format>,
    /// Who asks for it [default: the owner of the API key]
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) requested_by: Option<Personal>,
    /// Why, for the audit trail
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) notes: Option<Personal>,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// Whose data.
#[derive(Debug, Clone, Default, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct SubjectArgs {
    /// The person: e-mail address or the identifier that silos know as dataSubjectId
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) data_subject: Option<Personal>,
    /// Everything of the tenant; with both ends of a window, what is of that time
    #[arg(long)]
    pub(in crate::cli) tenant_full: bool,
}

/// Which requests to list.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RequestListArgs {
    /// Only those in a state, such as READY
    #[arg(long, value_name = "STATE", value_parser = state)]
    pub(in crate::cli) state: Option<JobState>,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(in crate::cli) limit: u32,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// Which request.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RequestOneArgs {
    /// Its id, with or without dsar: before it
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: String,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// Which request, and where to.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RequestDownloadArgs {
    /// Its id, with or without dsar: before it
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

fn state(text: &str) -> Result<JobState, String> {
    text.to_ascii_uppercase().parse().map_err(|_| {
        let known: Vec<_> = JobState::ALL.iter().map(|state| state.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}
