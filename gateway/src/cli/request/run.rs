//! Which of the commands is it?

use super::{download, list, one, submit, watch};
use crate::cli::Exit;
use crate::cli::args::RequestCommand;

/// Runs one command against one daemon.
///
/// # Errors
/// `Fault::Unreachable` when nobody answers; what the daemon answered, when it refused.
pub(in crate::cli) async fn run(command: RequestCommand) -> anyhow::Result<Exit> {
    match command {
        RequestCommand::Submit(args) => submit::submit(&args).await,
        RequestCommand::List(args) => list::list(&args).await,
        RequestCommand::Show(args) => one::show(&args).await,
        RequestCommand::Cancel(args) => one::cancel(&args).await,
        RequestCommand::Watch(args) => watch::watch(&args).await,
        RequestCommand::Download(args) => download::download(&args).await,
    }
}
