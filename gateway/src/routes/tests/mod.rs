//! The whole stack, called without a socket: who is admitted, what answers look like, which bytes are sent.
//!
//! A test that lets somebody in who should stay out, changes a body that clients decode, or sends a byte that is not
//! what was collected, is a failure.

mod admission;
mod answers;
mod destroyed;
mod download_keys;
mod files;
mod rootless;
mod support;

mod compliance_admission;
mod compliance_download;
mod compliance_jobs;
mod compliance_plan;
mod compliance_run;
mod compliance_states;
mod compliance_support;
