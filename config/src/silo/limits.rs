//! `[silo.limits]`: what a silo is spared.

use serde::{Deserialize, Serialize};

use crate::value::{ByteSize, Count, Period};

/// Says how much may be asked of a silo at once. All jobs of a process share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiloLimits {
    /// How many connections may be open.
    pub max_connections: Count,
    /// How many sections of one job may be read at once.
    pub max_sections: Count,
    /// How many rows a second may be read.
    pub rows_per_second: Option<Count>,
    /// How many bytes of column data a second may be read.
    pub bytes_per_second: Option<ByteSize>,
    /// After how many failures in a row that may pass the silo is left alone.
    pub circuit_failures: Count,
    /// How long it is left alone then.
    pub circuit_pause: Period,
    /// How often a section is tried, if not as often as those of other silos.
    pub attempts: Option<Count>,
    /// The longest first pause between two tries, if not that of other silos.
    pub backoff: Option<Period>,
}

impl Default for SiloLimits {
    fn default() -> Self {
        Self {
            max_connections: defaults::MAX_CONNECTIONS,
            max_sections: defaults::MAX_SECTIONS,
            rows_per_second: None,
            bytes_per_second: None,
            circuit_failures: defaults::CIRCUIT_FAILURES,
            circuit_pause: defaults::CIRCUIT_PAUSE,
            attempts: None,
            backoff: None,
        }
    }
}

/// `[silo.limits]`: how much may be asked of a silo at once. All jobs of a process share it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct LimitsTable {
    /// How many connections may be open; who wants one more waits, in order.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::MAX_CONNECTIONS)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_connections: Option<Count>,
    /// How many sections of one job may be read at once, each on a connection of its own if one is free.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::MAX_SECTIONS)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_sections: Option<Count>,
    /// How many rows a second may be read; reading waits then.
    #[cfg_attr(test, schemars(extend("x-absent" = "no limit")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rows_per_second: Option<Count>,
    /// How many bytes of column data a second may be read; reading waits then.
    #[cfg_attr(test, schemars(extend("x-absent" = "no limit")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_second: Option<ByteSize>,
    /// After how many failures in a row that may pass (it cannot be reached, it timed out) the silo is left alone.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::CIRCUIT_FAILURES)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) circuit_failures: Option<Count>,
    /// How long it is left alone then: sections fail at once; after it one try decides.
    #[cfg_attr(test, schemars(extend("x-default" = defaults::CIRCUIT_PAUSE)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) circuit_pause: Option<Period>,
    /// How often a section of this silo is tried in a row, without getting further, when it fails in a way that may pass.
    #[cfg_attr(test, schemars(extend("x-absent" = "`export.silo_attempts`")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<Count>,
    /// The longest first pause between two such tries.
    #[cfg_attr(test, schemars(extend("x-absent" = "`export.silo_backoff`")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) backoff: Option<Period>,
}

impl From<LimitsTable> for SiloLimits {
    fn from(table: LimitsTable) -> Self {
        Self {
            max_connections: table.max_connections.unwrap_or(defaults::MAX_CONNECTIONS),
            max_sections: table.max_sections.unwrap_or(defaults::MAX_SECTIONS),
            rows_per_second: table.rows_per_second,
            bytes_per_second: table.bytes_per_second,
            circuit_failures: table.circuit_failures.unwrap_or(defaults::CIRCUIT_FAILURES),
            circuit_pause: table.circuit_pause.unwrap_or(defaults::CIRCUIT_PAUSE),
            attempts: table.attempts,
            backoff: table.backoff,
        }
    }
}

impl From<SiloLimits> for LimitsTable {
    fn from(limits: SiloLimits) -> Self {
        Self {
            max_connections: Some(limits.max_connections),
            max_sections: Some(limits.max_sections),
            rows_per_second: limits.rows_per_second,
            bytes_per_second: limits.bytes_per_second,
            circuit_failures: Some(limits.circuit_failures),
            circuit_pause: Some(limits.circuit_pause),
            attempts: limits.attempts,
            backoff: limits.backoff,
        }
    }
}

/// What a limit is if the file does not say.
mod defaults {
    use crate::value::{Count, Period};

    pub(super) const MAX_CONNECTIONS: Count = Count::of(4);
    pub(super) const MAX_SECTIONS: Count = Count::of(4);
    pub(super) const CIRCUIT_FAILURES: Count = Count::of(5);
    pub(super) const CIRCUIT_PAUSE: Period = Period::seconds(30);
}
