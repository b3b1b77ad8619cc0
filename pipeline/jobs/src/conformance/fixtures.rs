//! What do the checks write?

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::{
    Actor, ApiKeyId, AuditEntry, Commit, Family, FileRecord, Flush, Identifier, Job, JobId,
    JobStore, Lease, NewJob, NewRequest, NewSection, NextJob, Progress, Published, Region,
    RequestDetails, RequestId, ScopeKind, SectionEnd, SectionOutcome, SectionRecord, SegmentRecord,
    SliceCommit, SliceRecord, TenantId, WorkerId,
};

/// How long leases live in the checks.
pub(super) const TTL: Duration = Duration::from_secs(30);

/// How long published bundles live in the checks.
pub(super) const HOUR: Duration = Duration::from_hours(1);

/// A recorded request with its job.
#[derive(Clone)]
pub(super) struct Started {
    pub(super) tenant: TenantId,
    pub(super) request: RequestId,
    pub(super) job: JobId,
}

pub(super) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("the checks use valid names")
}

pub(super) fn caller() -> Actor {
    Actor::ApiKey(ApiKeyId(uuid::Uuid::nil()))
}

pub(super) fn new_job() -> NewJob {
    let key_id = "k1".to_owned();
    NewJob { id: JobId::generate(), wrapped_key: vec![1, 2, 3], key_id, held: false }
}

pub(super) fn next_job() -> NextJob {
    let worker = WorkerId::generate();
    NextJob { job: new_job(), active_limit: None, actor: caller(), worker, ttl: TTL }
}

pub(super) fn new_request(tenant_name: &str, email: &str) -> NewRequest {
    let key = Identifier { name: "email".to_owned(), value: email.to_owned() };
    NewRequest {
        id: RequestId::generate(),
        tenant: tenant(tenant_name),
        family: Family::Sombra,
        action: "ACCESS".to_owned(),
        subject_type: "customer".to_owned(),
        scope: ScopeKind::DataSubject,
        formats: vec!["JSON".to_owned(), "PARQUET".to_owned()],
        is_test: false,
        is_silent: true,
        details: RequestDetails {
            email: Some(email.to_owned()),
            identifiers: vec![key.clone()],
            window_start: Some(Timestamp::UNIX_EPOCH),
            scope_fields: BTreeMap::from([("campaignIds".to_owned(), vec!["7".to_owned()])]),
            region: Region { country: Some("DE".to_owned()), country_sub_division: None },
            details: Some("please, \u{1f600}".to_owned()),
            requested_by: Some("Ada".to_owned()),
            notes: Some(String::new()),
            ..RequestDetails::default()
        },
        subject_key: Some(key),
        active_limit: None,
        actor: caller(),
    }
}

/// Records a request with its job.
pub(super) async fn start(store: &dyn JobStore, email: &str) -> Started {
    let created = store
        .create_request(new_request("acme", email), new_job())
        .await
        .expect("a new subject's request is recorded");
    Started { tenant: tenant("acme"), request: created.request.id, job: created.job.id }
}

/// As [`start`], to be started by name.
pub(super) async fn start_held(store: &dyn JobStore, email: &str) -> Started {
    let job = NewJob { held: true, ..new_job() };
    let created = store
        .create_request(new_request("acme", email), job)
        .await
        .expect("a new subject's request is recorded");
    Started { tenant: tenant("acme"), request: created.request.id, job: created.job.id }
}

/// Leases the only free job.
pub(super) async fn lease(store: &dyn JobStore, worker: &WorkerId) -> Lease {
    store.lease(worker, TTL).await.expect("leasing works").expect("a job is free")
}

/// Records a request and brings its job to COLLECTING with two sections.
pub(super) async fn planned(store: &dyn JobStore, email: &str) -> (Started, Lease) {
    let started = start(store, email).await;
    let lease = lease(store, &WorkerId::generate()).await;
    let progress = Progress { sections_total: 2, rows_expected: Some(5), ..Progress::default() };
    store
        .save_plan(&lease, b"the plan", &sections(2), &progress)
        .await
        .expect("the plan is stored");
    (started, lease)
}

/// As [`planned`], with everything collected, in PACKAGING.
pub(super) async fn packaging(store: &dyn JobStore, email: &str) -> (Started, Lease) {
    let (started, lease) = planned(store, email).await;
    let commit = Commit {
        slices: vec![slice(0, 0), slice(1, 0)],
        ends: vec![done(0, 3), done(1, 3)],
        ..Commit::default()
    };
    store.commit(&lease, commit).await.expect("the sections are committed");
    store.start_packaging(&lease).await.expect("every section ended");
    (started, lease)
}

/// As [`packaging`], published for an hour.
pub(super) async fn ready(store: &dyn JobStore, now: Timestamp, email: &str) -> (Started, Lease) {
    let (started, lease) = packaging(store, email).await;
    store.publish(&lease, published(now)).await.expect("the bundle is published");
    (started, lease)
}

pub(super) fn sections(count: u32) -> Vec<NewSection> {
    (0..count)
        .map(|ordinal| NewSection {
            ordinal,
            silo: "shop".to_owned(),
            datapoint: format!("table{ordinal}"),
        })
        .collect()
}

pub(super) fn entry(section: u32) -> String {
    format!("shop/table{section}.json")
}

pub(super) fn segment(entry: &str, ordinal: u32) -> SegmentRecord {
    SegmentRecord {
        entry: entry.to_owned(),
        ordinal,
        object: format!("pack-{ordinal}"),
        offset: u64::from(ordinal) * 100,
        stored_len: 100,
        plain_len: 3 << 20,
        crc32: u32::MAX,
        flushes: vec![Flush { plain: 1 << 20, stored: 30 }, Flush { plain: 2 << 20, stored: 61 }],
    }
}

/// A slice of three rows whose bytes tell where it belongs.
pub(super) fn slice(section: u32, ordinal: u32) -> SliceCommit {
    SliceCommit {
        section,
        ordinal,
        rows: 3,
        cursor: format!("cursor {section} {ordinal}").into_bytes(),
        state: format!("state {section} {ordinal}").into_bytes(),
        kept: Vec::new(),
        segments: vec![segment(&entry(section), ordinal)],
    }
}

pub(super) fn file(entry: &str) -> FileRecord {
    FileRecord {
        entry: entry.to_owned(),
        silo: "shop".to_owned(),
        datapoint: "table".to_owned(),
        format: "JSON".to_owned(),
        media_type: "application/json".to_owned(),
        rows: Some(3),
        deflated: true,
        plain_len: 5 << 32,
        stored_len: 200,
        crc32: 0xdead_beef,
        sha256: [7; 32],
    }
}

/// The end of a section, with an epilogue far behind its slices.
pub(super) fn done(section: u32, rows: u64) -> SectionEnd {
    let entry = entry(section);
    let outcome = SectionOutcome::Done {
        files: vec![file(&entry)],
        segments: vec![SegmentRecord { flushes: Vec::new(), ..segment(&entry, u32::MAX) }],
    };
    SectionEnd { section, rows, outcome, document: format!("done {section}").into_bytes() }
}

pub(super) fn published(now: Timestamp) -> Published {
    let report = "report/index.html";
    Published {
        manifest: b"{\"run\":1}".to_vec(),
        signature: b"e30..c2ln".to_vec(),
        content_sha256: [1; 32],
        bundle_len: 12_345,
        bundle_sha256: [2; 32],
        bundle_time: now,
        // Not in the order of names, and one of them now has another hash.
        files: vec![
            file(&entry(1)),
            FileRecord { sha256: [8; 32], ..file(&entry(0)) },
            FileRecord {
                silo: String::new(),
                datapoint: String::new(),
                rows: None,
                ..file(report)
            },
        ],
        segments: vec![segment(report, 0), segment(report, 9)],
        partial: false,
        expires_at: now.checked_add(HOUR).expect("an hour is left"),
    }
}

/// Everything the trait shows of a job; equal snapshots mean that nothing was changed.
#[derive(PartialEq)]
pub(super) struct Snapshot {
    job: String,
    plan: Option<Vec<u8>>,
    sections: Vec<SectionRecord>,
    slices: Vec<Vec<SliceRecord>>,
    segments: Vec<Vec<SegmentRecord>>,
    files: Vec<FileRecord>,
    objects: Vec<String>,
    published: Option<Published>,
    audit: Vec<AuditEntry>,
}

impl Snapshot {
    pub(super) async fn of(store: &dyn JobStore, id: JobId) -> Self {
        let job: Job = store.job(id).await.expect("the job exists");
        let sections = store.sections(id).await.expect("sections are readable");
        let (mut slices, mut segments) = (Vec::new(), Vec::new());
        for section in 0..3 {
            slices.push(store.slices(id, section, 0, u32::MAX).await.expect("slices are readable"));
            segments
                .push(store.segments(id, &entry(section)).await.expect("segments are readable"));
        }
        Self {
            job: format!("{job:?}"),
            plan: store.plan(id).await.expect("the plan is readable"),
            sections,
            slices,
            segments,
            files: store.files(id).await.expect("files are readable"),
            objects: store.objects(id).await.expect("objects are readable"),
            published: store.published(id).await.expect("the publication is readable"),
            audit: store.audit_entries(1000).await.expect("the audit log is readable"),
        }
    }
}

/// Returns the actions of the audit log, oldest first.
pub(super) async fn actions(store: &dyn JobStore) -> Vec<String> {
    let mut entries = store.audit_entries(1000).await.expect("the audit log is readable");
    entries.reverse();
    entries.into_iter().map(|entry| entry.action).collect()
}
