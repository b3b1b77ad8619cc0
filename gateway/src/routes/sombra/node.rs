//! How does a file look in a list of download keys?

use antumbra_config::{Datapoint, Settings, Silo, SizeType};
use antumbra_jobs::{FileRecord, GRANT_BUNDLE, Published, RequestId};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::delivery::bundle_name;

/// Shows the files of one published bundle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nodes<'b> {
    /// Where titles and descriptions are.
    pub(super) settings: &'b Settings,
    /// The request, which names the zip.
    pub(super) request: RequestId,
    /// The bundle.
    pub(super) published: &'b Published,
}

impl Nodes<'_> {
    /// Shows an entry, or the whole zip; `None` when the bundle has no such entry.
    pub(super) fn node(self, entry: &str) -> Option<Node> {
        if entry == GRANT_BUNDLE {
            return Some(self.zip());
        }
        let file = self.published.files.iter().find(|file| file.entry == entry)?;
        Some(Node {
            download_key: String::new(),
            error: None,
            mimetype: file.media_type.clone(),
            size: self.size(file.plain_len),
            file_name: file.entry.clone(),
            data_point: self.data_point(file),
        })
    }

    fn zip(self) -> Node {
        Node {
            download_key: String::new(),
            error: None,
            mimetype: "application/zip".to_owned(),
            size: self.size(self.published.bundle_len),
            file_name: bundle_name(self.request),
            data_point: own("bundle", "The whole answer, signed"),
        }
    }

    fn data_point(self, file: &FileRecord) -> DataPoint {
        if file.silo.is_empty() {
            return own("report", "What was found where");
        }
        let silo = self.settings.silos.iter().find(|silo| silo.name.as_str() == file.silo);
        let datapoint = silo.and_then(|silo| {
            silo.datapoints.iter().find(|datapoint| datapoint.name.as_str() == file.datapoint)
        });
        DataPoint {
            id: stable_id(&["datapoint", &file.silo, &file.datapoint]),
            title: datapoint
                .and_then(|datapoint| message(datapoint, "title", datapoint.title.as_deref())),
            description: datapoint.and_then(|datapoint| {
                message(datapoint, "description", datapoint.description.as_deref())
            }),
            name: file.datapoint.clone(),
            slug: file.datapoint.clone(),
            encryption: None,
            data_silo: DataSilo {
                id: stable_id(&["silo", &file.silo]),
                title: file.silo.clone(),
                description: String::new(),
                kind: silo.map_or(UNKNOWN, kind),
                outer_type: None,
            },
            path: vec![file.silo.clone(), file.datapoint.clone()],
            metadata: Metadata { references: [] },
        }
    }

    /// The command line client demands text, since a size can be a `BigInt`; the generated one documents a number.
    fn size(self, bytes: u64) -> Value {
        match self.settings.sombra.size_type {
            SizeType::String => json!(bytes.to_string()),
            SizeType::Number => json!(bytes),
        }
    }
}

/// A file in the list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    download_key: String,
    error: Option<String>,
    mimetype: String,
    size: Value,
    file_name: String,
    data_point: DataPoint,
}

impl Node {
    /// Adds the key that opens it.
    pub(super) fn with_key(mut self, key: String) -> Self {
        self.download_key = key;
        self
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("file_name", &self.file_name).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DataPoint {
    id: String,
    title: Option<Message>,
    description: Option<Message>,
    name: String,
    slug: String,
    encryption: Option<&'static str>,
    data_silo: DataSilo,
    path: Vec<String>,
    metadata: Metadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    default_message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DataSilo {
    id: String,
    title: String,
    description: String,
    #[serde(rename = "type")]
    kind: &'static str,
    outer_type: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Metadata {
    references: [&'static str; 0],
}

fn message(datapoint: &Datapoint, what: &str, text: Option<&str>) -> Option<Message> {
    let id = format!("datapoint.{}.{what}", datapoint.name);
    text.map(|text| Message { id, default_message: text.to_owned() })
}

/// Shows what the gateway itself adds to a bundle.
fn own(name: &str, description: &str) -> DataPoint {
    DataPoint {
        id: stable_id(&["datapoint", "", name]),
        title: None,
        description: Some(Message {
            id: format!("antumbra.{name}.description"),
            default_message: description.to_owned(),
        }),
        name: name.to_owned(),
        slug: name.to_owned(),
        encryption: None,
        data_silo: DataSilo {
            id: stable_id(&["silo", ""]),
            title: "antumbra".to_owned(),
            description: "Written by the gateway".to_owned(),
            kind: "antumbra",
            outer_type: None,
        },
        path: vec![name.to_owned()],
        metadata: Metadata { references: [] },
    }
}

fn kind(silo: &Silo) -> &'static str {
    silo.kind.silo_type().as_str()
}

/// Returns the same id for the same names, in every answer of every gateway: a UUID (version 8) over their hash.
fn stable_id(names: &[&str]) -> String {
    let mut hash = Sha256::new();
    for name in names {
        hash.update(u64::try_from(name.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(name.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(byte, hashed)| *byte = hashed);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().hyphenated().to_string()
}

/// The type of a silo that settings do not name any more.
const UNKNOWN: &str = "unknown";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_depend_on_names_and_on_where_one_ends() {
        assert_eq!(stable_id(&["silo", "shop"]), stable_id(&["silo", "shop"]));
        assert_ne!(stable_id(&["silo", "shop"]), stable_id(&["silos", "hop"]));
        assert_eq!(
            uuid::Uuid::parse_str(&stable_id(&["silo", "shop"])).unwrap().get_version_num(),
            8
        );
    }
}
