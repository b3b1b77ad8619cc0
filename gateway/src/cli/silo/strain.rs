//! How hard is a silo asked, and is it left alone?

use antumbra_pipeline::silo::{CircuitState, SiloState};
use serde::Serialize;

use crate::cli::words::{bytes, plural, span};

/// What a silo is spared and how it stood this check. A daemon that runs has a count of its own.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Strain<'s> {
    silo: &'s str,
    r#type: &'static str,
    /// Whose count this is.
    process: &'static str,
    connections: usize,
    max_connections: u32,
    max_sections: u32,
    rows_per_second: Option<u32>,
    bytes_per_second: Option<u64>,
    /// What would be read next waits so long.
    budget_wait_millis: u128,
    circuit: &'static str,
    circuit_failures: u32,
    circuit_pause_millis: u128,
    #[serde(skip)]
    state: &'s SiloState,
}

impl<'s> Strain<'s> {
    pub(super) fn of(state: &'s SiloState) -> Self {
        let limits = &state.limits;
        Self {
            silo: &state.name,
            r#type: state.silo_type,
            process: "this check",
            connections: state.connections,
            max_connections: limits.max_connections.get(),
            max_sections: limits.max_sections.get(),
            rows_per_second: limits.rows_per_second.map(|rows| rows.get()),
            bytes_per_second: limits.bytes_per_second.map(|size| size.bytes()),
            budget_wait_millis: state.budget_wait.as_millis(),
            circuit: state.circuit.as_str(),
            circuit_failures: limits.circuit_failures.get(),
            circuit_pause_millis: limits.circuit_pause.duration().as_millis(),
            state,
        }
    }

    /// Words it: a line for the limits, one for where they stand.
    pub(super) fn text(&self) -> String {
        let budget = match (self.rows_per_second, self.bytes_per_second) {
            (None, None) => "no budget".to_owned(),
            (Some(rows), None) => format!("{}/s", plural(rows.into(), "row")),
            (None, Some(size)) => format!("{}/s", bytes(size)),
            (Some(rows), Some(size)) => {
                format!("{}/s and {}/s", plural(rows.into(), "row"), bytes(size))
            }
        };
        let circuit = match self.state.circuit {
            CircuitState::Closed { failures: 0 } => "circuit closed".to_owned(),
            CircuitState::Closed { failures } => {
                format!("circuit closed, {} in a row", plural(failures.into(), "failure"))
            }
            CircuitState::Open { more, .. } => {
                format!("circuit open, left alone for {} more", span(more))
            }
            CircuitState::Trying { .. } => "circuit being tried".to_owned(),
        };
        let wait = match self.state.budget_wait.as_secs() {
            0 => String::new(),
            _ => format!(", next rows in {}", span(self.state.budget_wait)),
        };
        format!(
            "  limits {} at most, {} of a job at once, {budget}; left alone for {} after {} in a row\n  \
             state  {circuit}, {} of {} in use{wait} (as this check has it)",
            plural(self.max_connections.into(), "connection"),
            plural(self.max_sections.into(), "section"),
            self.state.limits.circuit_pause,
            plural(self.circuit_failures.into(), "failure"),
            self.connections,
            plural(self.max_connections.into(), "connection"),
        )
    }
}
