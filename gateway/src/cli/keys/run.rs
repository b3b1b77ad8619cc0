//! Which of the commands is it?

use super::{destroy, export, generate, list, retire, rewrap, rotate};
use crate::cli::Exit;
use crate::cli::args::KeysCommand;

/// Runs one command on the keys that the settings name.
///
/// # Errors
/// What is wrong with settings, root, ring or store; why the command was refused.
pub(in crate::cli) async fn run(command: KeysCommand) -> anyhow::Result<Exit> {
    match command {
        KeysCommand::Generate(args) => generate::generate(&args).await,
        KeysCommand::List(args) => list::list(&args).await,
        KeysCommand::Rotate(args) => rotate::rotate(&args).await,
        KeysCommand::Rewrap(args) => rewrap::rewrap(&args).await,
        KeysCommand::Retire(args) => retire::retire(&args).await,
        KeysCommand::Destroy(args) => destroy::destroy(&args).await,
        KeysCommand::ExportTinkey(args) => export::export(&args).await,
    }
}
