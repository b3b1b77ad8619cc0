//! The `EnfinitOS` compliance API: create, list, look at, run, download and cancel exports (`enfinitos.md`).
//!
//! A job of the contract is a request of ours: its id is `dsar:` and the request's, and it shows the request's latest job.

mod envelope;
mod find;

mod cap;
mod create;
mod submission;

mod get;
mod list;
mod view;

mod run;

mod cancel;

mod artifact;
mod download;

mod audit_report;

pub(super) use cancel::cancel;
pub(super) use create::create;
pub(super) use download::download;
pub(super) use get::get;
pub(super) use list::list;
pub(super) use run::run;
