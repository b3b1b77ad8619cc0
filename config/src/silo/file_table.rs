//! `files` and `attachment`: from the tables of the file to checked sets of files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Attachment, FileSet,
    path::child,
    report::Report,
    silo::{
        endpoint_table::{check_columns, check_pointer, check_template},
        files_table::is_name_below,
        template::{filled, has_glob_beside},
    },
    value::{ColumnWord, FileFormat, clip},
};

/// `[silo.datapoint.files]`: rows of files of a `files` silo. A name that ends in `.gz` or `.zst` is decompressed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct FilesTable {
    /// A glob over names below the location, such as `"events/*.csv.gz"`.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    /// How the files are written.
    #[cfg_attr(test, schemars(extend("x-absent" = "what the end of `pattern` says")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<FileFormat>,
    /// `csv`: what separates fields; one ASCII character.
    #[cfg_attr(test, schemars(extend("x-default" = ",")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delimiter: Option<String>,
    /// `json`: where in a document the list of items is: a JSON pointer such as `"/data"`.
    #[cfg_attr(test, schemars(extend("x-absent" = "the whole document")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) items: Option<String>,
    /// Columns whose type is known beforehand; the others are text (`csv`) or learnt from a sample (`json`, `ndjson`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) columns: BTreeMap<String, ColumnWord>,
}

/// `[silo.datapoint.attachment]`: files of a `files` silo that are handed out as they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct AttachmentTable {
    /// Names below the location, such as `"avatars/{customer_id}.png"`: `{identifier}` stands for each of its values, and `*` for anything.
    #[cfg_attr(test, schemars(extend("x-absent" = "required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// What the files are, such as `"image/png"`.
    #[cfg_attr(test, schemars(extend("x-absent" = "what their names say")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) media_type: Option<String>,
}

impl From<FileSet> for FilesTable {
    fn from(files: FileSet) -> Self {
        let (csv, json) = (files.format == FileFormat::Csv, files.format == FileFormat::Json);
        Self {
            pattern: Some(files.pattern),
            format: Some(files.format),
            delimiter: csv.then(|| files.delimiter.to_string()),
            items: json.then_some(files.items),
            columns: files.columns.into_iter().collect(),
        }
    }
}

impl From<Attachment> for AttachmentTable {
    fn from(attachment: Attachment) -> Self {
        Self { path: Some(attachment.path), media_type: attachment.media_type }
    }
}

/// Checks a set of files. `None` if it is not whole; the report then says why.
pub(crate) fn check_file_set(
    table: &FilesTable,
    path: &[String],
    report: &mut Report,
) -> Option<FileSet> {
    let at = |key: &str| child(path, key);
    let pattern = report.required(table.pattern.clone(), &at("pattern"), PATTERN);
    if let Some(pattern) = &pattern
        && !is_name_below(pattern)
    {
        report.misfit(&at("pattern"), PATTERN, &clip(pattern));
    }
    let told = table.format.or_else(|| pattern.as_deref().and_then(format_of));
    if told.is_none() && pattern.is_none() {
        return None;
    }
    let format = report.required(told, &at("format"), FORMAT)?;
    for (key, owner, there) in [
        ("delimiter", FileFormat::Csv, table.delimiter.is_some()),
        ("items", FileFormat::Json, table.items.is_some()),
    ] {
        if there && owner != format {
            let expected = format!("`{key}` only where format = {:?}", owner.as_str());
            report.misfit(&at(key), &expected, &format!("{:?}", format.as_str()));
        }
    }
    if format == FileFormat::Parquet && !table.columns.is_empty() {
        report.misfit(&at("columns"), "no types of columns where the files have them", "some");
    }
    if let Some(items) = &table.items {
        check_pointer(items, &at("items"), report);
    }
    check_columns(&table.columns, &at("columns"), report);
    let delimiter = table.delimiter.as_deref().unwrap_or(",");
    let mut characters = delimiter.chars();
    let one = characters.next().filter(|c| c.is_ascii() && !"\"\r\n\0".contains(*c));
    let one = one.filter(|_| characters.next().is_none());
    if one.is_none() {
        report.misfit(&at("delimiter"), "one ASCII character that is no quote", &clip(delimiter));
    }
    Some(FileSet {
        pattern: pattern?,
        format,
        delimiter: one?,
        items: table.items.clone().unwrap_or_default(),
        columns: table.columns.clone().into_iter().collect(),
    })
}

/// Checks an attachment. `None` if it is not whole; the report then says why.
pub(crate) fn check_attachment(
    table: &AttachmentTable,
    path: &[String],
    report: &mut Report,
) -> Option<Attachment> {
    let at = child(path, "path");
    let template = report.required(table.path.clone(), &at, ATTACHMENT);
    if let Some(template) = &template
        && check_template(template, true, &at, report)
    {
        if !is_name_below(&filled(template)) {
            report.misfit(&at, ATTACHMENT, &clip(template));
        } else if has_glob_beside(template) {
            report.misfit(&at, BESIDE, &clip(template));
        }
    }
    if let Some(media_type) = &table.media_type
        && !is_media_type(media_type)
    {
        let expected = r#"a media type such as "image/png""#;
        report.misfit(&child(path, "media_type"), expected, &clip(media_type));
    }
    Some(Attachment { path: template?, media_type: table.media_type.clone() })
}

/// Returns what the end of a name says, compression aside.
fn format_of(pattern: &str) -> Option<FileFormat> {
    let lower = pattern.to_ascii_lowercase();
    let plain = lower.strip_suffix(".gz").or_else(|| lower.strip_suffix(".zst"));
    match plain.unwrap_or(&lower).rsplit_once('.')?.1 {
        "csv" => Some(FileFormat::Csv),
        "ndjson" | "jsonl" => Some(FileFormat::Ndjson),
        "json" => Some(FileFormat::Json),
        "parquet" => Some(FileFormat::Parquet),
        _ => None,
    }
}

/// Spec: RFC 6838 §4.2; parameters are not taken.
fn is_media_type(text: &str) -> bool {
    let name = |name: &str| {
        (1..=127).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, of)| name(kind) && name(of))
}

const PATTERN: &str = r#"names below the location such as "events/*.csv.gz""#;
const ATTACHMENT: &str = r#"names below the location such as "avatars/{customer_id}.png""#;
const BESIDE: &str = "`/` or another character between a placeholder and a glob";
const FORMAT: &str = r#""csv", "ndjson", "json" or "parquet""#;
