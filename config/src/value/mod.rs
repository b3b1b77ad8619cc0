//! Values that are parsed at the door: nothing behind it takes a raw string for a name, a size or a time.

mod base_url;
mod bytes;
mod column_word;
mod error;
mod key_hash;
mod name;
mod number;
mod period;
mod redaction;
mod text;
mod word;

pub use base_url::BaseUrl;
pub use bytes::ByteSize;
pub use column_word::ColumnWord;
pub use error::ValueError;
pub use key_hash::KeyHash;
pub use name::{DatapointName, IdentifierName, SiloName, TenantName};
pub use number::{Count, DeflateLevel};
pub use period::Period;
pub use redaction::Redaction;
pub use word::{
    CsvFormulas, DatapointKind, FileFormat, Format, GuardAction, LogFormat, LogLevel, OnSiloError,
    RootType, ScopeField, SiloType, SizeType,
};

pub(crate) use text::{TextVisitor, clip};
