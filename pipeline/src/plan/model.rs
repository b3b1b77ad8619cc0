//! What is in a plan?

use antumbra_config::CsvFormulas;
use serde::{Deserialize, Serialize};

use crate::PipelineError;
use crate::redact::RedactionKind;
use crate::silo::{Identifiers, SectionSpec, Shape};

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
}

/// One section.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Planned {
    /// What it reads.
    pub spec: SectionSpec,
    /// Columns whose values are withheld.
    pub redactions: Vec<(String, RedactionKind)>,
    /// Remarks for manifest and report.
    pub notes: Vec<String>,
    /// Why it is not read, if it is not.
    pub skipped: Option<Skipped>,
    /// Its shape, if the silo could say; looked at again when a job is resumed.
    pub shape: Option<Shape>,
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
