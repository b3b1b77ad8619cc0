//! How would a silo read a section?

/// What a silo says before it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The statement, parameters by name.
    pub statement: String,
    /// The silo's plan, a line each, in its own words; no value of an identifier. Empty if the statement cannot be planned.
    pub plan: Vec<String>,
    /// Rows it expects, if it says.
    pub rows: Option<u64>,
    /// What an operator could better: a missing index with the statement that makes it, a key without proof, a missing column.
    pub advice: Vec<String>,
}
