//! A store that holds something of everything: every call is made, and whatever a person may have said holds the canary.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use antumbra_crypto::WrappedKey;
use jiff::{SignedDuration, Timestamp};

use super::super::room::{self, CANARY, KEY, Room, envelope, new_job};
use crate::{
    Actor, ApiKeyId, Attribute, AuditEvent, Clock as _, Commit, Download, ExpectedPlan, Family,
    FileRecord, GRANT_BUNDLE, Identifier, Job, JobStore as _, Lease, ListQuery, NewApiKey,
    NewGrant, NewJob, NewRequest, NewSection, NextJob, Progress, Published, Region, RequestDetails,
    Scope, SectionEnd, SectionOutcome, SegmentRecord, SqliteStore, TenantId, WorkerId,
};

/// Fills a store and returns the keyed hashes it may hold.
pub(super) async fn fill(store: &SqliteStore, room: &Room) -> BTreeSet<Vec<u8>> {
    room::fill(store).await;
    room.clock.advance(SignedDuration::from_secs(1));
    deliver(store, room).await;
    forget(store, room).await;
    turn_keys(store).await;
    admit(store, room).await;
    leave_leased(store).await;
    let tenant = TenantId::new("acme").unwrap();
    store
        .list(&tenant, ListQuery { family: None, state: None, limit: 9, after: None })
        .await
        .unwrap();

    let mut keyed = BTreeSet::new();
    for subject in SUBJECTS {
        let subject = subject_key(subject);
        keyed.insert(room.sealing.lookup(&tenant, &subject).to_vec());
        keyed.insert(room.sealing.pseudonym(&tenant, &subject).into_bytes());
    }
    let of_the_room =
        Identifier { name: "email".to_owned(), value: format!("{CANARY}@example.com") };
    keyed.insert(room.sealing.lookup(&tenant, &of_the_room).to_vec());
    keyed.insert(room.sealing.pseudonym(&tenant, &of_the_room).into_bytes());
    keyed
}

/// One job that is collected, published, downloaded, made again and cancelled.
async fn deliver(store: &SqliteStore, room: &Room) {
    let job = record(store, SUBJECTS[0], true).await;
    let worker = WorkerId::generate();
    let lease = store.lease_job(job.id, &worker, TTL).await.unwrap().unwrap();
    let lease = store.heartbeat(&lease, TTL).await.unwrap();
    publish(store, room, &lease).await;
    let tenant = &job.tenant;
    store.request(tenant, job.request).await.unwrap();
    store.request_of(job.id).await.unwrap();
    let found = store.latest_job(tenant, job.request).await.unwrap();
    assert_eq!(store.job(job.id).await.unwrap().state, found.state);
    let grants = grant(store, &job).await;
    store.grant(grants).await.unwrap();
    let download = Download {
        job: job.id,
        file: ENTRY.to_owned(),
        actor: Actor::Grant(grants),
        start: 0,
        sent: 9,
        complete: true,
    };
    store.record_download(download).await.unwrap();
    store.revoke_grants(job.id, &Actor::ApiKey(ApiKeyId(uuid::Uuid::now_v7()))).await.unwrap();

    let (actor, worker) = (Actor::Operator, WorkerId::generate());
    let next = NextJob { job: new_job(), active_limit: None, actor, worker, ttl: TTL };
    let lease = store.create_job(tenant, job.request, next).await.unwrap();
    store.release(&lease).await.unwrap();
    store.release_all().await.unwrap();
    store.cancel(tenant, job.request, &Actor::System).await.unwrap();
}

/// One job that expires and one whose key is destroyed; the last of them is forgotten with its request.
async fn forget(store: &SqliteStore, room: &Room) {
    for (subject, expires) in [(SUBJECTS[1], true), (SUBJECTS[2], false)] {
        let job = record(store, subject, true).await;
        let lease = store.lease_job(job.id, &WorkerId::generate(), TTL).await.unwrap().unwrap();
        publish(store, room, &lease).await;
        grant(store, &job).await;
        room.clock.advance(SignedDuration::from_hours(if expires { 26 } else { 0 }));
        if expires {
            assert_eq!(store.expire_due(9).await.unwrap(), [job.id]);
            store.expire_if_due(job.id).await.unwrap();
            assert!(store.forget_grants(9).await.unwrap() > 0);
        } else {
            store.destroy_key(job.id, &Actor::Operator).await.unwrap();
            assert!(!store.forgettable(9).await.unwrap().is_empty());
            store.forget_job(job.id).await.unwrap();
        }
    }
    assert_eq!(store.forget_requests(Timestamp::MAX, 9).await.unwrap(), 1);
}

async fn turn_keys(store: &SqliteStore) {
    let job = record(store, SUBJECTS[3], true).await;
    let second = WrappedKey { key_id: SECOND.to_owned(), bytes: envelope(SECOND) };
    let old = job.wrapped_key.unwrap();
    assert!(store.replace_key(job.id, &old, &second).await.unwrap());
    assert!(store.keys_not_under(KEY, None, 9).await.unwrap().iter().any(|key| key.job == job.id));
    assert_eq!(store.key_use().await.unwrap().len(), 2);
    store.retire_key("kek_00000000000000a0", &Actor::Operator, &job.tenant).await.unwrap();

    // What the command line writes.
    let (key, jobs, failed) = (("key", SECOND), ("jobs", "7"), ("failed", "1"));
    let hash = "0f".repeat(32);
    let plan = ("plan_sha256", hash.as_str());
    let (of_ring, of_job) = ((None, None), (Some(job.request), Some(job.id)));
    for (action, (request, id), facts) in [
        ("key.rotated", of_ring, vec![key]),
        ("key.rewrapped", of_ring, vec![key, ("stage", "begun")]),
        ("key.rewrapped", of_ring, vec![key, ("stage", "ended"), jobs, failed]),
        ("job.key_exported", of_job, vec![key]),
        ("plan.previewed", of_ring, vec![plan, ("scope", "DATA_SUBJECT"), ("sections", "7")]),
    ] {
        let facts = facts.into_iter().map(|(name, fact)| (name, fact.to_owned())).collect();
        let (actor, tenant) = (Actor::Operator, job.tenant.clone());
        let event = AuditEvent { action, actor, tenant, request, job: id, facts };
        store.audit(event).await.unwrap();
        assert_eq!(store.audit_entries(1).await.unwrap()[0].action, action);
    }
}

async fn admit(store: &SqliteStore, room: &Room) {
    let key = NewApiKey {
        tenant: TenantId::new("acme").unwrap(),
        name: format!("CRM of {CANARY}"),
        scopes: Scope::ALL.to_vec(),
        hash: [1; 32],
        prefix: "ant_abcdef".to_owned(),
        expires_at: Some(room.clock.now()),
    };
    assert!(!format!("{key:?}").contains(CANARY));
    let key = store.create_api_key(key).await.unwrap();
    assert!(!format!("{key:?}").contains(CANARY));
    store.find_api_key(&[1; 32]).await.unwrap();
    store.revoke_api_key(key.id).await.unwrap();
    let revoked = &store.api_keys(None).await.unwrap()[0];
    assert!(revoked.name.contains(CANARY), "it was written at all");
}

/// One job that a worker holds.
async fn leave_leased(store: &SqliteStore) {
    let job = record(store, SUBJECTS[4], false).await;
    let lease = store.lease(&WorkerId::generate(), TTL).await.unwrap().unwrap();
    assert_eq!(lease.job, job.id);
    plan(store, &lease).await;
}

async fn plan(store: &SqliteStore, lease: &Lease) {
    let section =
        NewSection { ordinal: 0, silo: "shop".to_owned(), datapoint: "orders".to_owned() };
    let progress = Progress { rows_expected: Some(9), sections_total: 1, ..Progress::default() };
    store.save_plan(lease, &canary("plan"), &[section], &progress).await.unwrap();
}

async fn publish(store: &SqliteStore, room: &Room, lease: &Lease) {
    plan(store, lease).await;
    let slice = || crate::SliceCommit {
        section: 0,
        ordinal: 0,
        rows: 1,
        cursor: canary("cursor"),
        state: canary("state"),
        kept: canary("kept"),
        segments: vec![segment(ENTRY)],
    };
    let commit = || Commit { slices: vec![slice()], ..Commit::default() };
    store.commit(lease, commit()).await.unwrap();
    store.restart_section(lease, 0).await.unwrap();
    let outcome =
        SectionOutcome::Done { files: vec![file(ENTRY, "shop", "JSON")], segments: Vec::new() };
    let end = SectionEnd { section: 0, rows: 1, outcome, document: canary("outcome") };
    store.commit(lease, Commit { ends: vec![end], ..commit() }).await.unwrap();
    let job = lease.job;
    assert!(store.plan(job).await.unwrap().is_some());
    assert!(store.sections(job).await.unwrap()[0].outcome.is_some());
    assert_eq!(store.slices(job, 0, 0, u32::MAX).await.unwrap()[0].cursor, canary("cursor"));
    assert_eq!(store.newest_slices(job, 0).await.unwrap()[0].cursor, canary("cursor"));
    assert_eq!(store.files(job).await.unwrap()[0].crc32, u32::MAX);
    assert_eq!(store.segments(job, ENTRY).await.unwrap(), [segment(ENTRY)]);
    assert!(store.all_segments(job).await.unwrap().contains(&segment(ENTRY)));
    assert_eq!(store.objects(job).await.unwrap(), ["pack-0"]);
    store.start_packaging(lease).await.unwrap();
    let published = Published {
        manifest: canary("manifest"),
        signature: canary("signature"),
        content_sha256: [3; 32],
        bundle_len: 9,
        bundle_sha256: [2; 32],
        bundle_time: room.clock.now(),
        files: vec![file(ENTRY, "shop", "JSON"), file("report/index.html", "", "HTML")],
        segments: vec![segment("report/index.html")],
        partial: false,
        expires_at: room.clock.now().checked_add(SignedDuration::from_hours(1)).unwrap(),
    };
    store.publish(lease, published.clone()).await.unwrap();
    assert_eq!(store.published(job).await.unwrap(), Some(published));
}

async fn grant(store: &SqliteStore, job: &Job) -> crate::GrantId {
    let asked = NewGrant {
        tenant: job.tenant.clone(),
        request: job.request,
        job: job.id,
        files: vec![ENTRY.to_owned(), GRANT_BUNDLE.to_owned()],
        ttl: TTL,
        actor: Actor::Operator,
    };
    store.grants(asked).await.unwrap()[0].id
}

/// Records a request in which everything a person or an operator can type holds the canary.
async fn record(store: &SqliteStore, subject: &str, held: bool) -> Job {
    let said = |what: &str| Some(format!("{what} of {CANARY}"));
    let request = NewRequest {
        family: Family::Sombra,
        formats: vec!["JSON".to_owned(), "PARQUET".to_owned()],
        details: RequestDetails {
            core_identifier: Some(subject_key(subject).value),
            email: said("e-mail"),
            identifiers: vec![
                subject_key(subject),
                Identifier { name: CANARY.to_owned(), value: CANARY.to_owned() },
            ],
            window_start: Some(Timestamp::UNIX_EPOCH),
            window_end: Some(Timestamp::MAX),
            scope_fields: BTreeMap::from([(CANARY.to_owned(), vec![CANARY.to_owned()])]),
            locale: said("locale"),
            region: Region { country: said("country"), country_sub_division: said("part") },
            details: said("details"),
            attributes: vec![Attribute { key: CANARY.to_owned(), values: vec![CANARY.to_owned()] }],
            requested_by: said("requested by"),
            notes: said("requestNotes"),
            expected_plan: Some(ExpectedPlan {
                hash: CANARY.to_owned(),
                parts: BTreeMap::from([(CANARY.to_owned(), CANARY.to_owned())]),
            }),
        },
        subject_key: Some(subject_key(subject)),
        ..room::request(subject)
    };
    let details = request.details.clone();
    assert!(!format!("{request:?}").contains(CANARY));
    let made = store.create_request(request, NewJob { held, ..new_job() }).await.unwrap();
    assert_eq!(made.request.details, details);
    assert!(!format!("{made:?}").contains(CANARY));
    made.job
}

fn subject_key(subject: &str) -> Identifier {
    Identifier { name: "coreIdentifier".to_owned(), value: format!("{CANARY} {subject}") }
}

fn file(entry: &str, silo: &str, format: &str) -> FileRecord {
    FileRecord {
        entry: entry.to_owned(),
        silo: silo.to_owned(),
        datapoint: silo.to_owned(),
        format: format.to_owned(),
        media_type: "application/json".to_owned(),
        rows: Some(1),
        deflated: true,
        plain_len: 1,
        stored_len: 1,
        crc32: u32::MAX,
        sha256: [4; 32],
    }
}

fn segment(entry: &str) -> SegmentRecord {
    SegmentRecord {
        entry: entry.to_owned(),
        ordinal: 0,
        object: "pack-0".to_owned(),
        offset: 0,
        stored_len: 1,
        plain_len: 1,
        crc32: u32::MAX,
        flushes: vec![crate::Flush { plain: 1, stored: 1 }],
    }
}

fn canary(what: &str) -> Vec<u8> {
    format!("{what} of {CANARY}").into_bytes()
}

/// The key of the ring after the first.
const SECOND: &str = "kek_fedcba9876543210";
const ENTRY: &str = "shop/orders.json";
const SUBJECTS: [&str; 5] = ["one", "two", "three", "four", "five"];
const TTL: Duration = Duration::from_secs(30);
