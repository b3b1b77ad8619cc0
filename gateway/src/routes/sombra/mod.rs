//! The Sombra customer API: submit, poll, download keys (`sombra.md` §3.2, §3.4, §3.6).
//!
//! Answers are the union of what published clients decode. Where they disagree, the reason stands beside the field.

mod submit;

mod submission;
mod words;

mod poll;
mod progress;
mod view;

mod download_keys;
mod node;

pub(super) use download_keys::download_keys;
pub(super) use poll::poll;
pub(super) use submit::submit;
