//! What the tests of the compliance API share: a tenant with data, and decoders that take nothing but the contract.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use antumbra_config::{
    Datapoint, DatapointKind, Redaction, ScopeField, Settings, Silo, SiloKind, Source,
};
use antumbra_jobs::Scope as KeyScope;
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use object_store::ObjectStore;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::testing::{Answer, Rig};

pub(super) const DSAR: &str = "/v1/compliance/dsar";
pub(super) const NOBODY: &str = "/v1/compliance/dsar/dsar:01890000-0000-7000-8000-000000000000";

/// A gateway over a shop, where jobs wait for `/run`.
pub(super) struct Walk {
    pub(super) rig: Rig,
    /// May do nothing but the compliance API.
    pub(super) key: String,
    source: TempDir,
}

impl Walk {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_objects(change, None).await
    }

    pub(super) async fn with_objects(
        change: impl FnOnce(&mut Settings),
        objects: Option<Arc<dyn ObjectStore>>,
    ) -> Self {
        let source = tempfile::tempdir().unwrap();
        let path = source.path().join("shop.db");
        fill(&path);
        let settings = |settings: &mut Settings| {
            settings.silos.push(shop(path));
            settings.compliance.autostart = false;
            settings.compliance.max_active = serde_json::from_value(100.into()).unwrap();
            change(settings);
        };
        let rig = Rig::with_objects(settings, objects).await;
        let key = rig.api_key("acme", &[KeyScope::AuditRead]).await;
        Self { rig, key, source }
    }

    /// Opens the shop's database.
    pub(super) fn shop(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.source.path().join("shop.db")).unwrap()
    }

    /// Asks with the API key alone.
    pub(super) async fn ask(&self, method: Method, path: &str, body: &str) -> Answer {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key));
        self.rig.send(request.body(body.to_owned()).unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, "").await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, &body.to_string()).await
    }

    pub(super) async fn create(&self, body: &Value) -> Job {
        decode::<Created>(&self.post(DSAR, body).await).job
    }

    /// Creates a JSON job for the person `p-1`.
    pub(super) async fn person(&self) -> Job {
        self.create(&json!({ "scope": { "dataSubjectId": "p-1" } })).await
    }

    pub(super) async fn job(&self, id: &str) -> Job {
        decode::<OneJob>(&self.get(&format!("{DSAR}/{id}")).await).job
    }

    pub(super) async fn run(&self, id: &str) -> Answer {
        self.post(&format!("{DSAR}/{id}/run"), &json!({})).await
    }

    pub(super) async fn cancel(&self, id: &str) -> Answer {
        self.post(&format!("{DSAR}/{id}/cancel"), &json!({})).await
    }

    pub(super) async fn download(&self, id: &str) -> Answer {
        self.get(&format!("{DSAR}/{id}/download")).await
    }

    /// Creates a job for the person and runs it.
    pub(super) async fn ready(&self) -> Job {
        let id = self.person().await.id;
        decode::<Done>(&self.run(&id).await).job
    }

    /// Waits until every download that ended is recorded.
    pub(super) async fn recorded(&self) {
        self.rig.shared.tasks().close();
        self.rig.shared.tasks().wait().await;
        self.rig.shared.tasks().reopen();
    }

    /// Deletes every sealed object.
    pub(super) async fn lose_objects(&self) {
        use futures::TryStreamExt as _;
        use object_store::ObjectStoreExt as _;
        let objects = &self.rig.objects;
        let listed: Vec<_> = objects.list(None).try_collect().await.unwrap();
        assert!(!listed.is_empty(), "there is nothing to lose");
        for object in listed {
            objects.delete(&object.location).await.unwrap();
        }
    }
}

/// Reads `data` of a success.
pub(super) fn decode<T: DeserializeOwned>(answer: &Answer) -> T {
    let text = String::from_utf8_lossy(&answer.bytes);
    assert_eq!(answer.status, StatusCode::OK, "{text}");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let envelope: Success<T> =
        serde_json::from_slice(&answer.bytes).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(envelope.ok);
    assert_eq!(envelope.contract_version, "v1.0");
    envelope.data
}

/// Reads a refusal of this status and code.
pub(super) fn refused(answer: &Answer, status: StatusCode, code: &str) -> Fault {
    let text = String::from_utf8_lossy(&answer.bytes);
    assert_eq!(answer.status, status, "{text}");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    let envelope: Refusal =
        serde_json::from_slice(&answer.bytes).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(!envelope.ok);
    assert_eq!(envelope.contract_version, "v1.0");
    assert_eq!(envelope.error.code, code, "{text}");
    assert!(!envelope.error.message.is_empty());
    envelope.error
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Success<T> {
    ok: bool,
    data: T,
    contract_version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Refusal {
    ok: bool,
    error: Fault,
    contract_version: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    code: String,
    pub(super) message: String,
    /// The only member of the contract that may be left out.
    #[serde(default)]
    pub(super) context: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Created {
    pub(super) job: Job,
    pub(super) active_limit: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OneJob {
    pub(super) job: Job,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Listed {
    pub(super) jobs: Vec<Job>,
    pub(super) total: u64,
    pub(super) filtered_count: u64,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) active_count: u64,
    pub(super) active_limit: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Done {
    pub(super) job: Job,
    pub(super) audit_report: AuditReport,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Download {
    pub(super) artifact: Artifact,
}

/// A member that may be null and may not be missing.
fn nullable<'de, D, T>(value: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(value)
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) org_id: String,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) state: String,
    pub(super) format: String,
    pub(super) scope: Scope,
    pub(super) requested_by: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) request_notes: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) progress: Option<Progress>,
    #[serde(deserialize_with = "nullable")]
    pub(super) delivery: Option<Delivery>,
    #[serde(deserialize_with = "nullable")]
    pub(super) failure: Option<Failure>,
    pub(super) timeline: Vec<Event>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Scope {
    pub(super) kind: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) data_subject_id: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) window_start: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    pub(super) window_end: Option<Timestamp>,
    pub(super) campaign_ids: Vec<String>,
    pub(super) substrates: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Progress {
    pub(super) rows_collected: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) rows_expected: Option<u64>,
    pub(super) bytes_packaged: u64,
    pub(super) last_heartbeat_at: Timestamp,
    pub(super) worker_id: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Delivery {
    pub(super) bundle_r2_key: String,
    pub(super) bundle_size_bytes: u64,
    pub(super) bundle_sha256: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) bundle_url: Option<String>,
    pub(super) expires_at: Timestamp,
    #[serde(deserialize_with = "nullable")]
    pub(super) downloaded_at: Option<Timestamp>,
    #[serde(deserialize_with = "nullable")]
    pub(super) downloaded_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) failed_at: Timestamp,
    #[serde(deserialize_with = "nullable")]
    pub(super) worker_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) actor: String,
    pub(super) notes: String,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AuditReport {
    pub(super) job_id: String,
    pub(super) org_id: String,
    pub(super) requested_by: String,
    pub(super) requested_at: Timestamp,
    pub(super) generated_at: Timestamp,
    pub(super) section_counts: BTreeMap<String, u64>,
    pub(super) total_records: u64,
    pub(super) redaction_notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Artifact {
    pub(super) schema_version: String,
    pub(super) generated_at: Timestamp,
    pub(super) job_id: String,
    pub(super) org_id: String,
    pub(super) scope: Scope,
    pub(super) sections: Vec<Section>,
    pub(super) integrity_sha256: String,
    pub(super) audit_report: AuditReport,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) count: u64,
    #[serde(deserialize_with = "nullable")]
    pub(super) total_before_filter: Option<u64>,
    pub(super) items: Vec<Value>,
}

/// Orders with a window, a filter and a redaction; tickets in all scripts; returns, of which `p-1` has none; rates, which are
/// nobody's; and calls, which nothing leads to.
fn fill(path: &Path) {
    let shop = rusqlite::Connection::open(path).unwrap();
    shop.execute_batch(
        "create table orders
           (id integer primary key, person text, placed text, campaign text, card text);
         insert into orders values
           (1, 'p-1', '2026-01-01T00:00:00Z', 'c-1', 'CANARY-4111'),
           (2, 'p-1', '2026-01-15T12:00:00Z', 'c-2', '4112'),
           (3, 'p-1', '2026-02-01T00:00:00Z', 'c-1', null),
           (4, 'p-2', '2026-01-20T00:00:00Z', 'c-1', '4113');
         create table tickets (id integer primary key, person text, note text);
         insert into tickets values
           (1, 'p-1', '\"sections\":[ünïcødé 日本 🙂]'),
           (2, 'p-1', 'line' || char(10) || char(0x2028) || '\\,\"integritySha256\":'),
           (3, 'p-2', '');
         create table returns (id integer primary key, person text);
         insert into returns values (1, 'p-2');
         create table rates (id integer primary key, rate text);
         insert into rates values (1, '19 %');
         create table calls (id integer primary key, number text);",
    )
    .unwrap();
}

fn shop(path: PathBuf) -> Silo {
    let person = |name: &str| datapoint(name, Some(("person", "dataSubjectId")));
    let orders = Datapoint {
        time_column: Some("placed".to_owned()),
        filter: vec![("campaign".to_owned(), ScopeField::CampaignIds)],
        redact: vec![("card".to_owned(), Redaction::Drop)],
        ..person("orders")
    };
    let rates = Datapoint { kind: DatapointKind::Configuration, ..datapoint("rates", None) };
    let calls = datapoint("calls", Some(("number", "phone")));
    Silo {
        name: "shop".parse().unwrap(),
        tenant: "acme".parse().unwrap(),
        kind: SiloKind::Sqlite { path, busy_timeout: "5s".parse().unwrap() },
        limits: antumbra_config::SiloLimits::default(),
        datapoints: vec![orders, person("tickets"), person("returns"), rates, calls],
    }
}

fn datapoint(name: &str, matches: Option<(&str, &str)>) -> Datapoint {
    let matches = matches.into_iter();
    Datapoint {
        name: name.parse().unwrap(),
        title: None,
        description: None,
        source: Source::Table { name: vec![name.to_owned()] },
        matches: matches
            .map(|(column, identifier)| (column.to_owned(), identifier.parse().unwrap()))
            .collect(),
        provides: Vec::new(),
        key: vec!["id".to_owned()],
        time_column: None,
        filter: Vec::new(),
        redact: Vec::new(),
        columns: Vec::new(),
        partitions: None,
        kind: DatapointKind::Data,
    }
}
