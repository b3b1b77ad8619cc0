//! Silos and their datapoints: the typed shape, the shape of the file, and the way from one to the other.

mod check;
mod datapoint;
mod identifiers;
mod kind;
mod model;
mod table;
mod table_name;

pub use model::{Datapoint, Silo, SiloKind, Source};

pub(crate) use check::check_silos;
pub(crate) use table::{DatapointTable, SiloTable};
