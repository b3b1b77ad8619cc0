//! What is wrong with the settings: all of it, each with its place.

use std::fmt;

use crate::Origin;

/// Says who can help against an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same call may succeed later.
    Later,
    /// The same call will fail again.
    Never,
    /// An operator must change something first.
    Operator,
}

/// Describes one thing that is wrong with the settings.
///
/// `Display` is one line: `antumbra.toml:12: silo.shop.datapoint.orders.match: expected …, found …`.
/// It never holds the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where the faulty setting came from.
    pub origin: Origin,
    /// Which setting: a dotted path, silos and datapoints by name; empty for the file as a whole.
    pub key: String,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &self.origin, &self.key, &self.message)
    }
}

/// Holds every fault of the settings, at least one, in the order of the file, then of variables, then of flags.
///
/// `Display` is one line a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn new(mut faults: Vec<Fault>) -> Self {
        faults.sort_by(|a, b| (&a.origin, &a.key).cmp(&(&b.origin, &b.key)));
        faults.dedup();
        Self(faults)
    }

    /// Lists the faults.
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }

    /// Returns the fixed code of this error: `settings_invalid`.
    pub fn code(&self) -> &'static str {
        "settings_invalid"
    }

    /// Says who can help: the operator who writes the settings.
    pub fn retry(&self) -> Retry {
        Retry::Operator
    }
}

/// Describes something that is allowed but probably not meant. `Display` is one line like a fault's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Where the setting came from.
    pub origin: Origin,
    /// Which setting: a dotted path; empty for a variable that is none.
    pub key: String,
    /// What follows from it.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &self.origin, &self.key, &self.message)
    }
}

fn write_line(
    f: &mut fmt::Formatter<'_>,
    origin: &Origin,
    key: &str,
    message: &str,
) -> fmt::Result {
    write!(f, "{origin}: ")?;
    let said_by_origin = matches!(origin, Origin::Flag { name } if name == key);
    if !key.is_empty() && !said_by_origin {
        write!(f, "{key}: ")?;
    }
    f.write_str(message)
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}
