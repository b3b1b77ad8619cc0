//! What the reference calls the type of a value.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    BaseUrl, ByteSize, ColumnWord, Count, CsvFormulas, DatapointKind, DatapointName, DeflateLevel,
    FileFormat, Format, GuardAction, IdentifierName, KeyHash, LogFormat, LogLevel, OnSiloError,
    Period, Redaction, ScopeField, SecretRef, SiloName, SiloType, SizeType, TenantName,
};

macro_rules! called {
    ($($type:ident: $name:expr,)+) => {
        $(impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "x-type": $name })
            }
        })+
    };
}

called! {
    BaseUrl: "URL",
    ByteSize: "size",
    ColumnWord: "column type",
    Count: "number, 1 to 1000000",
    DatapointName: "name",
    DeflateLevel: "number, 0 to 9",
    IdentifierName: "identifier",
    KeyHash: "text",
    Period: "period",
    SecretRef: "secret",
    SiloName: "name",
    TenantName: "name",
    CsvFormulas: one_of(CsvFormulas::ALL),
    DatapointKind: one_of(DatapointKind::ALL),
    FileFormat: one_of(FileFormat::ALL),
    Format: format!("{} (any case)", one_of(Format::ALL)),
    GuardAction: one_of(GuardAction::ALL),
    LogFormat: one_of(LogFormat::ALL),
    LogLevel: one_of(LogLevel::ALL),
    OnSiloError: one_of(OnSiloError::ALL),
    Redaction: "`\"drop\"`, `\"hash\"`, `\"mask\"` or `\"truncate(4)\"`",
    ScopeField: one_of(ScopeField::ALL),
    SiloType: one_of(SiloType::ALL),
    SizeType: one_of(SizeType::ALL),
}

fn one_of(words: &[impl ToString]) -> String {
    let words: Vec<String> =
        words.iter().map(|word| format!("`\"{}\"`", word.to_string())).collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}
