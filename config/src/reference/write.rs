//! Writes the reference.

use std::fmt::Write;

use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Deserializer, de::Visitor, forward_to_deserialize_any};
use serde_json::{Map, Value};
use toml_edit::DocumentMut;

use super::REFERENCE;
use crate::{
    Compliance, Data, Export, Gateway, Listen, Log, Metrics, Organization, Settings, Sombra,
    Worker,
    keys::KeysTable,
    settings::Tables,
    silo::{
        AttachmentTable, AuthTable, DatapointTable, EndpointTable, FilesTable, LimitsTable,
        LocationTable, PagingTable, SiloTable,
    },
};

/// Holds one table of settings: its dotted path and what is known of its struct.
struct Section {
    path: &'static str,
    keys: &'static [&'static str],
    schema: Value,
}

fn section<T: JsonSchema + for<'de> Deserialize<'de>>(path: &'static str) -> Section {
    let schema = schema_for!(T).to_value();
    Section { path, keys: keys::<T>(), schema }
}

/// Lists every section. The order and the prose around them are the template's.
fn sections() -> Vec<Section> {
    let tables = vec![
        section::<Listen>("listen"),
        section::<Data>("data"),
        section::<Organization>("organization"),
        section::<KeysTable>("keys"),
        section::<Gateway>("gateway"),
        section::<Sombra>("sombra"),
        section::<Compliance>("compliance"),
        section::<Export>("export"),
        section::<Worker>("worker"),
        section::<Metrics>("metrics"),
        section::<Log>("log"),
        section::<SiloTable>("silo"),
    ];
    let known: Vec<&str> = tables.iter().map(|section| section.path).collect();
    assert_eq!(known, keys::<Tables>(), "the list of sections is not that of the settings");
    let inner = [
        section::<LimitsTable>("silo.limits"),
        section::<AuthTable>("silo.auth"),
        section::<LocationTable>("silo.location"),
        section::<DatapointTable>("silo.datapoint"),
        section::<EndpointTable>("silo.datapoint.endpoint"),
        section::<PagingTable>("silo.datapoint.endpoint.paging"),
        section::<FilesTable>("silo.datapoint.files"),
        section::<AttachmentTable>("silo.datapoint.attachment"),
    ];
    tables.into_iter().chain(inner).collect()
}

fn reference() -> String {
    let mut text = include_str!("template.md").to_owned();
    let sections = sections();
    for section in &sections {
        let place = format!("{{{{{}}}}}\n", section.path);
        assert_eq!(text.matches(&place).count(), 1, "{place} is not in the template once");
        text = text.replace(&place, &section.write(&sections));
    }
    assert!(!text.contains("{{"), "the template has a section that the settings have not");
    text
}

impl Section {
    fn write(&self, all: &[Self]) -> String {
        let prose = description(&self.schema);
        let (name, prose) = prose.split_once(": ").expect("the struct's doc is `[name]`: prose");
        let lists = matches!(self.path, "silo" | "silo.datapoint");
        let header =
            if lists { format!("`[[{}]]`", self.path) } else { format!("`[{}]`", self.path) };
        assert_eq!(name, header, "the struct's doc names another section");
        let mut text = format!("## {header}\n\n{}\n\n", capital(prose));
        text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
        let fields = self.schema["properties"].as_object().expect("a struct has fields");
        let mut described: Vec<&str> = fields.keys().map(String::as_str).collect();
        let mut read = self.keys.to_vec();
        described.sort_unstable();
        read.sort_unstable();
        assert_eq!(described, read, "what is described is not what is read");
        for key in self.keys {
            let path = format!("{}.{key}", self.path);
            // A section of its own.
            if all.iter().any(|section| section.path == path) {
                continue;
            }
            let field = fields[*key].as_object().expect("a field has a schema");
            let (kind, default) = (type_of(field), self.default_of(key, field));
            let meaning = description(&fields[*key]).replace('|', "\\|");
            let meaning = meaning.strip_suffix('.').expect("a doc is sentences");
            writeln!(text, "| `{path}` | {kind} | {default} | {} |", lower(meaning)).unwrap();
        }
        text
    }

    fn default_of(&self, key: &str, field: &Map<String, Value>) -> String {
        if let Some(words) = field.get("x-absent") {
            return words.as_str().expect("words").to_owned();
        }
        if let Some(value) = field.get("x-default") {
            return format!("`{value}`");
        }
        let defaults: DocumentMut =
            toml_edit::ser::to_document(&Settings::default()).expect("settings are TOML");
        let value = defaults.get(self.path).and_then(|table| table.get(key));
        let kind = field.get("type").and_then(Value::as_str);
        match (value, kind) {
            (Some(value), _) => format!("`{}`", value.to_string().trim()),
            (None, Some("array")) => "`[]`".to_owned(),
            (None, Some("object")) => "`{}`".to_owned(),
            (None, _) => "none".to_owned(),
        }
    }
}

fn type_of(field: &Map<String, Value>) -> String {
    if let Some(name) = field.get("x-type").and_then(Value::as_str) {
        return name.to_owned();
    }
    let inner = |key: &str| type_of(field[key].as_object().expect("a schema"));
    let kind = match &field["type"] {
        Value::Array(kinds) => &kinds[0],
        kind => kind,
    };
    match kind.as_str() {
        Some("string") => "text".to_owned(),
        Some("boolean") => "boolean".to_owned(),
        Some("array") => format!("list of {}", inner("items")),
        Some("object") => format!("table column = {}", inner("additionalProperties")),
        other => unreachable!("the reference has no word for {other:?}"),
    }
}

/// Returns a doc comment as one line.
fn description(schema: &Value) -> String {
    let text = schema["description"].as_str().expect("everything public is described");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

/// Begins in lower case, except with an abbreviation.
fn lower(text: &str) -> String {
    let mut rest = text.chars();
    match (rest.next(), rest.as_str().chars().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(rest).collect()
        }
        _ => text.to_owned(),
    }
}

/// Lists what a struct reads, in the order of its declaration.
fn keys<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    let read = T::deserialize(Keyhole(&mut keys));
    assert!(read.is_err(), "only structs have keys");
    keys
}

/// Looks at what a struct asks for and gives it nothing.
struct Keyhole<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Keyhole<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(serde::de::Error::custom("seen"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("not a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[test]
fn the_reference_is_what_the_structs_say() {
    assert!(reference() == REFERENCE, "REFERENCE.md is out of date: run the recorder below");
}

#[test]
#[ignore = "records the reference again"]
fn record_the_reference() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/REFERENCE.md");
    std::fs::write(path, reference()).unwrap();
}
