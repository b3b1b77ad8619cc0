//! Settings: what they are, where each came from, and what is wrong with them.
//!
//! Four layers, later ones win: defaults, `antumbra.toml`, environment variables `ANTUMBRA_<SECTION>__<KEY>`, flags.
//! [`load()`] reports every fault at once, each with its file and line, variable or flag. `REFERENCE.md` lists every key.
//!
//! Secrets are never in the settings, only references to them ([`SecretRef`]); nothing here prints a secret's value.
//!
//! ```
//! use antumbra_config::{Sources, load};
//!
//! let flags = vec![("log.level".to_owned(), "debug".to_owned())];
//! let loaded = load(&Sources { flags, ..Sources::default() })?;
//! assert!(loaded.show().contains(r#"level = "debug"  # flag log.level"#));
//! # Ok::<(), antumbra_config::Faults>(())
//! ```
//!
//! Architecture invariant: `load.rs` is the only file of the project that reads the process environment.

mod engine;
mod keys;
mod listen;
mod secret;
mod service;
mod settings;
mod silo;
mod value;

mod check;
mod extract;
mod file;
mod load;
mod overrides;

mod fault;
mod origin;
mod path;
mod reference;
mod report;
mod show;
mod suggest;

pub use engine::{Data, Export, Worker};
pub use fault::{Fault, Faults, Retry, Warning};
pub use keys::{AwsKeys, Keys, RootKey, VaultLogin};
pub use listen::Listen;
pub use load::{Loaded, Sources, load};
pub use origin::Origin;
pub use reference::REFERENCE;
pub use secret::{SecretError, SecretRef, SecretText};
pub use service::{Compliance, Gateway, Log, Metrics, Organization, Sombra};
pub use settings::Settings;
pub use silo::{
    AdbcSilo, Attachment, Datapoint, Endpoint, FileSet, FilesLocation, FilesSilo, HttpAuth,
    HttpSilo, Paging, Silo, SiloKind, SiloLimits, Source,
};
pub use value::{
    BaseUrl, ByteSize, ColumnWord, Count, CsvFormulas, DatapointKind, DatapointName, DeflateLevel,
    FileFormat, Format, GuardAction, IdentifierName, KeyHash, LogFormat, LogLevel, OnSiloError,
    Period, Redaction, RootType, ScopeField, SiloName, SiloType, SizeType, TenantName, ValueError,
};
