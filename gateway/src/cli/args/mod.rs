//! Which commands and flags are there? One file for each group of commands.

mod command;

mod daemon;
mod keys;
mod look;
mod request;
mod selection;

mod personal;
mod shared;

#[cfg(test)]
mod tests;

pub use command::Cli;

pub(super) use command::Command;
pub(super) use daemon::HealthcheckArgs;
pub(crate) use daemon::{DemoArgs, DemoSilo};
pub(super) use keys::{
    ApiKeyCommand, ApiKeyCreateArgs, ApiKeyListArgs, ApiKeyRevokeArgs, KeysCommand,
    KeysDestroyArgs, KeysExportArgs, KeysListArgs, KeysRetireArgs, KeysRotateArgs,
};
pub(super) use look::{
    AuditCommand, AuditShowArgs, ConfigCommand, SiloCheckArgs, SiloCommand, VerifyArgs,
};
pub(super) use personal::Personal;
pub(super) use request::{
    DaemonArgs, RequestCommand, RequestDownloadArgs, RequestListArgs, RequestOneArgs,
    RequestSubmitArgs,
};
pub(super) use selection::{BoundArgs, ExportArgs, PlanArgs, SelectionArgs, WindowArgs};
pub(super) use shared::SettingsArgs;
#[cfg(test)]
pub(super) use {request::SubjectArgs, selection::WhoArgs};
