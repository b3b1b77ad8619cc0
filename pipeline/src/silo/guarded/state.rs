//! How is a silo doing, as far as this process knows?

use std::time::Duration;

use antumbra_config::SiloLimits;

/// What a silo is asked for now, and what it is spared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiloState {
    /// The silo's name.
    pub name: String,
    /// The word of settings for its type.
    pub silo_type: &'static str,
    /// What settings allow.
    pub limits: SiloLimits,
    /// Connections that are open.
    pub connections: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
    /// Sections that are being read.
    pub reading: usize,
    /// How long what is read next would wait for the budgets.
    pub budget_wait: Duration,
    /// Whether it is left alone.
    pub circuit: CircuitState,
}

/// Whether a silo is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// It is called.
    Closed {
        /// Failures in a row so far.
        failures: u32,
    },
    /// It is left alone.
    Open {
        /// For how long already.
        since: Duration,
        /// For how long still; nought once the next call may try.
        more: Duration,
    },
    /// One call tries whether it answers again.
    Trying {
        /// For how long it has been left alone.
        since: Duration,
    },
}

impl CircuitState {
    /// Returns the fixed word: `closed`, `open` or `trying`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::Trying { .. } => "trying",
        }
    }
}
