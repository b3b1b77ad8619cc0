//! What is in a plan?

use std::collections::BTreeMap;

use antumbra_config::{CsvFormulas, GuardAction, Redaction, Settings};
use serde::{Deserialize, Serialize};

use crate::silo::{Identifiers, SectionSpec, Shape};
use crate::{PipelineError, SiloError};

/// Everything a job does, decided before it reads the first row of a section.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Every identifier the request gave or a datapoint provided.
    pub identifiers: Identifiers,
    /// Every datapoint of the tenant, in the order of settings.
    pub sections: Vec<Planned>,
    /// What CSV files do with formulas; kept, so that a file that two runs wrote is of one kind.
    #[serde(default)]
    pub csv_formulas: CsvFormulas,
    /// What happens to what looks as if it should not leave.
    #[serde(default)]
    pub guards: Guards,
    /// Whether the request is bound to this plan: what is read must be what it says.
    #[serde(default)]
    pub bound: bool,
    /// Of each silo a hash of its kind and address, by name: a plan for another system is another plan.
    #[serde(default)]
    pub origins: BTreeMap<String, String>,
}

/// What happens to what looks as if it should not leave. A job keeps what was set when it was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    /// To values that have the shape of a secret.
    pub secrets: GuardAction,
    /// To e-mail addresses in a person's rows that are none of the person's.
    pub foreign_identifiers: GuardAction,
}

/// What settings say of every plan.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How many values of one identifier may be found.
    pub limit: usize,
    /// What CSV files do with formulas.
    pub csv_formulas: CsvFormulas,
    /// What happens to what looks as if it should not leave.
    pub guards: Guards,
}

/// One section.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Planned {
    /// What it reads.
    pub spec: SectionSpec,
    /// Columns whose values are withheld.
    pub redactions: Vec<(String, Redaction)>,
    /// Remarks for manifest and report.
    pub notes: Vec<String>,
    /// Why it is not read, if it is not.
    pub skipped: Option<Skipped>,
    /// Its shape, if the silo could say; looked at again when a job is resumed.
    pub shape: Option<Shape>,
    /// What it gives to the identity graph.
    #[serde(default)]
    pub provided: Vec<Provided>,
    /// Rows it would have without window and filters, if it has any of them and the silo could say.
    #[serde(default)]
    pub whole: Option<u64>,
}

/// An identifier that a section's rows hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provided {
    /// The identifier.
    pub identifier: String,
    /// The column its values are in.
    pub column: String,
    /// How many values were found; `None` if nobody asked, because what it needs is not known, or it failed.
    pub values: Option<usize>,
}

/// Why a section is not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// `unreachable`, `left-out` or `failed`.
    pub outcome: String,
    /// The fixed word, for `failed`.
    pub code: Option<String>,
    /// Why, in plain words.
    pub reason: String,
}

impl Default for Guards {
    /// Of jobs that were planned before there were guards.
    fn default() -> Self {
        Self { secrets: GuardAction::Off, foreign_identifiers: GuardAction::Off }
    }
}

impl Rules {
    /// Takes from settings what plans need.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let export = &settings.export;
        Self {
            limit: usize::try_from(export.max_identifier_values.get()).unwrap_or(usize::MAX),
            csv_formulas: export.csv_formulas,
            guards: Guards {
                secrets: export.secrets,
                foreign_identifiers: export.foreign_identifiers,
            },
        }
    }
}

impl Planned {
    /// Compares what a silo says of a section now with what it said when the section was planned, if the request is bound to the plan.
    ///
    /// # Errors
    /// [`SiloError::PlanChanged`].
    pub(crate) fn check_bound(&self, plan: &Plan, now: &Shape) -> Result<(), SiloError> {
        let is_same = self
            .shape
            .as_ref()
            .is_some_and(|planned| planned.same_columns(now) && planned.statement == now.statement);
        if plan.bound && !is_same { Err(SiloError::PlanChanged) } else { Ok(()) }
    }
}

impl Plan {
    /// Returns the bytes that are stored (sealed by the store: they hold identifiers).
    ///
    /// # Errors
    /// [`PipelineError::Document`], which does not happen for plans that [`build()`](super::build()) made.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PipelineError> {
        serde_json::to_vec(self).map_err(|_| PipelineError::Document { what: "plan" })
    }

    /// Reads a stored plan.
    ///
    /// # Errors
    /// [`PipelineError::Document`] if another version wrote it.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PipelineError> {
        serde_json::from_slice(bytes).map_err(|_| PipelineError::Document { what: "plan" })
    }

    /// Returns the rows all sections expect; `None` when no section could say.
    #[must_use]
    pub fn rows_expected(&self) -> Option<u64> {
        let known: Vec<u64> = self
            .sections
            .iter()
            .filter_map(|section| section.shape.as_ref().and_then(|shape| shape.rows))
            .collect();
        (!known.is_empty()).then(|| known.iter().sum())
    }
}
