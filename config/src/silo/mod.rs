//! Silos and their datapoints: the typed shape, the shape of the file, and the way from one to the other.

mod model;
mod source;

mod adbc;
mod files;
mod http;
mod limits;

mod check;
mod datapoint;
mod identifiers;
mod kind;
mod reach;
mod template;

mod adbc_table;
mod datapoint_table;
mod endpoint_table;
mod file_table;
mod files_table;
mod http_table;
mod table;
mod table_name;

pub use adbc::AdbcSilo;
pub use files::{FilesLocation, FilesSilo};
pub use http::{HttpAuth, HttpSilo};
pub use limits::SiloLimits;
pub use model::{Datapoint, Silo, SiloKind};
pub use source::{Attachment, Endpoint, FileSet, Paging, Source};

pub(crate) use check::check_silos;
pub(crate) use datapoint_table::DatapointTable;
pub(crate) use table::SiloTable;
#[cfg(test)]
pub(crate) use {
    endpoint_table::{EndpointTable, PagingTable},
    file_table::{AttachmentTable, FilesTable},
    files_table::LocationTable,
    http_table::AuthTable,
    limits::LimitsTable,
};
