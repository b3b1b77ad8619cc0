//! The gateway: the only room that knows HTTP servers.
//!
//! A request passes the rooms in this order: [`http`] accepts, limits and routes it; `auth` says who asks; `routes`
//! turns it into typed input and answers; `delivery` sends the bytes of a bundle. `app` puts everything together and
//! `cli` is how people start it, `metrics` how they watch it. [`tls`] is what the listener shows and what commands believe, `keys` is where keys are on this
//! machine.

pub mod http;

mod auth;
mod delivery;
mod routes;

pub mod tls;

mod keys;

mod metrics;

pub mod app;
pub mod cli;
mod clock;
pub mod demo;
