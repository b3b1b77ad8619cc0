//! `small`: the common case. One person is a few rows in many tables; many of them ask on the same day.

mod cost;
mod people;
mod server;
mod submit;

pub(crate) use people::Small;
