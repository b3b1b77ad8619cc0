//! Where a monitoring system reads how the daemon does: `GET /metrics` on a listener of its own.

mod listener;
mod recorder;

#[cfg(test)]
mod tests;

pub(crate) use listener::MetricsListener;
