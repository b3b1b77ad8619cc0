//! Creating, listing and looking at jobs; golden files included.

use antumbra_jobs::{RequestId, Scope};
use http::{Method, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::compliance_support::{Created, DSAR, Done, Job, Listed, Walk, decode, refused};

#[tokio::test]
async fn a_created_job_has_every_member_of_the_contract() {
    let walk = Walk::new().await;
    let body = json!({
        "scope": {
            "kind": "DATA_SUBJECT", "dataSubjectId": "p-1",
            "windowStart": "2026-01-01T00:00:00+01:00", "windowEnd": "2026-02-01T00:00:00Z",
            "campaignIds": ["c-1", "c-2"], "substrates": ["web"],
        },
        "format": "ndjson", "requestedBy": "ada", "requestNotes": "case 7",
    });
    let answer = walk.post(DSAR, &body).await;
    let created: Created = decode(&answer);
    let job = &created.job;
    assert_eq!(created.active_limit, 100);
    assert!(job.id.starts_with("dsar:"));
    assert_eq!((job.org_id.as_str(), job.state.as_str()), ("acme", "REQUESTED"));
    assert_eq!((job.format.as_str(), job.requested_by.as_str()), ("NDJSON", "ada"));
    assert_eq!(job.request_notes.as_deref(), Some("case 7"));
    assert_eq!(job.scope.window_start, Some("2025-12-31T23:00:00Z".parse().unwrap()));
    assert_eq!(job.scope.campaign_ids, ["c-1", "c-2"]);
    assert_eq!((&job.progress, &job.delivery, &job.failure), (&None, &None, &None));
    golden(&answer.json(), include_str!("../../../golden/compliance_create.json"), job);
    assert_eq!(walk.job(&job.id).await, *job);
}

#[tokio::test]
async fn who_asks_is_the_owner_of_the_key_unless_the_body_says_so() {
    let walk = Walk::new().await;
    let job = walk.person().await;
    let record = walk.rig.store().find_api_key(&antumbra_crypto::api_key::hash(&walk.key)).await;
    let owner = format!("api-key:{}", record.unwrap().unwrap().id.0);
    assert_eq!(job.requested_by, owner);
    assert_eq!((&job.request_notes, job.format.as_str()), (&None, "JSON"));
    assert_eq!(job.timeline[0].actor, owner);
    assert!(job.timeline.iter().all(|event| !event.notes.contains("p-1")));
    assert_eq!((job.timeline[0].at, job.updated_at), (job.created_at, job.created_at));
    assert_eq!(job.scope.kind, "DATA_SUBJECT");
    assert_eq!(job.scope.data_subject_id.as_deref(), Some("p-1"));
    assert!(job.scope.substrates.is_empty() && job.scope.campaign_ids.is_empty());
}

#[tokio::test]
async fn a_bad_body_is_400_and_names_the_field() {
    let walk = Walk::new().await;
    for (body, field) in [
        (json!({}), "scope"),
        (json!({ "scope": { "kind": "EVERYBODY" } }), "scope.kind"),
        (json!({ "scope": { "kind": "DATA_SUBJECT" } }), "scope.dataSubjectId"),
        (json!({ "scope": { "kind": "TENANT_SLICE" } }), "scope.windowStart"),
        (
            json!({ "scope": { "windowStart": "2026-02-01T00:00:00Z", "windowEnd": "2026-01-01T00:00:00Z" } }),
            "scope.windowEnd",
        ),
        (json!({ "scope": { "campaignIds": [7] } }), "scope.campaignIds[0]"),
        (json!({ "scope": {}, "requestedBy": 7 }), "requestedBy"),
    ] {
        let answer = walk.post(DSAR, &body).await;
        let fault = refused(&answer, StatusCode::BAD_REQUEST, "INVALID_FIELD");
        assert_eq!(fault.context, json!({ "field": field }));
        assert!(fault.message.starts_with(&format!("`{field}`: ")), "{}", fault.message);
    }
    for body in ["", "{", "[]", "\"x\""] {
        let answer = walk.ask(Method::POST, DSAR, body).await;
        let fault = refused(&answer, StatusCode::BAD_REQUEST, "MALFORMED");
        assert_eq!(fault.context, Value::Null);
    }
    assert_eq!(decode::<Listed>(&walk.get(DSAR).await).total, 0, "nothing was recorded");
}

#[tokio::test]
async fn the_cap_holds_against_calls_at_once_and_says_when_to_come_again() {
    let walk = Walk::with(|settings| {
        settings.compliance.max_active = serde_json::from_value(2.into()).unwrap();
        settings.compliance.retry_after = "90s".parse().unwrap();
    })
    .await;
    let body = json!({ "scope": { "dataSubjectId": "p-1" } });
    let answers = futures::future::join_all((0..6).map(|_| walk.post(DSAR, &body))).await;
    let (made, late): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == StatusCode::OK);
    assert_eq!((made.len(), late.len()), (2, 4));
    for answer in &late {
        let fault = refused(answer, StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED");
        assert_eq!(answer.headers[header::RETRY_AFTER], "90");
        assert_eq!(fault.context, json!({ "activeCount": 2, "activeLimit": 2 }));
    }
    // Neither the other contract's requests nor another tenant's jobs count.
    let all = walk.rig.api_key("acme", &Scope::ALL).await;
    walk.rig.submit(&all, "a@example.org").await;
    let theirs = walk.rig.api_key("other", &[Scope::AuditRead]).await;
    assert_eq!(walk.rig.post(DSAR, &theirs, &body).await.status, StatusCode::OK);
    // A job that ended makes room.
    let id = decode::<Created>(&made[0]).job.id;
    assert_eq!(walk.cancel(&id).await.status, StatusCode::OK);
    assert_eq!(walk.post(DSAR, &body).await.status, StatusCode::OK);
    assert_eq!(walk.post(DSAR, &body).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_ready_job_shows_who_worked_and_a_link_to_exactly_its_bundle() {
    let walk = Walk::new().await;
    let job = walk.ready().await;
    let answer = walk.get(&format!("{DSAR}/{}", job.id)).await;
    golden(&answer.json(), include_str!("../../../golden/compliance_get.json"), &job);

    let progress = job.progress.as_ref().unwrap();
    assert_eq!((progress.rows_collected, progress.rows_expected), (5, Some(5)));
    assert!(progress.bytes_packaged > 0);
    assert!(job.timeline.iter().any(|event| event.actor == progress.worker_id));
    let delivery = job.delivery.as_ref().unwrap();
    assert_eq!(delivery.expires_at, job.updated_at + SignedDuration::from_hours(7 * 24));
    assert_eq!((delivery.downloaded_at, &delivery.downloaded_by), (None, &None));

    let url = delivery.bundle_url.as_deref().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:5039").unwrap();
    let zip = walk.rig.send(http::Request::get(path).body("").unwrap()).await;
    assert_eq!(zip.status, StatusCode::OK);
    assert_eq!(zip.bytes.len() as u64, delivery.bundle_size_bytes);
    assert_eq!(antumbra_bundle::hex(&Sha256::digest(&zip.bytes)), delivery.bundle_sha256);
}

#[tokio::test]
async fn looking_at_a_ready_job_again_issues_no_second_key_unless_the_first_is_revoked() {
    let walk = Walk::new().await;
    let first = walk.ready().await;
    let url = |job: &Job| job.delivery.as_ref().unwrap().bundle_url.clone().unwrap();
    let again = walk.job(&first.id).await;
    let listed = decode::<Listed>(&walk.get(DSAR).await).jobs.remove(0);
    assert_eq!((url(&again), url(&listed)), (url(&first), url(&first)));
    assert_eq!(issued(&walk).await, 1);

    let request: RequestId = first.id.trim_start_matches("dsar:").parse().unwrap();
    let tenant = antumbra_jobs::TenantId::new("acme").unwrap();
    let job = walk.rig.store().latest_job(&tenant, request).await.unwrap().id;
    walk.rig.store().revoke_grants(job, &antumbra_jobs::Actor::Operator).await.unwrap();
    assert_ne!(url(&walk.job(&first.id).await), url(&first));
    assert_eq!(issued(&walk).await, 2);
}

async fn issued(walk: &Walk) -> usize {
    let entries = walk.rig.store().audit_entries(1000).await.unwrap();
    entries.iter().filter(|entry| entry.action == "download_keys.issued").count()
}

#[tokio::test]
async fn a_list_counts_every_state_and_is_read_page_by_page() {
    let walk = Walk::new().await;
    let ready = walk.ready().await.id;
    let cancelled = walk.person().await.id;
    assert_eq!(walk.cancel(&cancelled).await.status, StatusCode::OK);
    let waiting = walk.person().await.id;
    let answer = walk.get(DSAR).await;
    let all: Listed = decode(&answer);
    let ids: Vec<_> = all.jobs.iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids, [waiting.clone(), cancelled.clone(), ready.clone()]);
    assert_eq!((all.total, all.filtered_count), (3, 3));
    assert_eq!((all.active_count, all.active_limit), (1, 100));
    let counted: Vec<_> = all.counts.iter().map(|(state, n)| format!("{state} {n}")).collect();
    let expected = [
        "CANCELLED 1",
        "COLLECTING 0",
        "DELIVERED 0",
        "EXPIRED 0",
        "FAILED 0",
        "PACKAGING 0",
        "READY 1",
        "REQUESTED 1",
    ];
    assert_eq!(counted, expected);
    for job in &all.jobs {
        assert_eq!(*job, walk.job(&job.id).await, "the list and the job say two things");
    }

    let filtered: Listed = decode(&walk.get(&format!("{DSAR}?state=READY")).await);
    assert_eq!((filtered.jobs.len(), filtered.jobs[0].id.as_str()), (1, ready.as_str()));
    assert_eq!((filtered.total, filtered.filtered_count), (3, 1));
    assert_eq!(filtered.counts, all.counts);
    let none: Listed = decode(&walk.get(&format!("{DSAR}?state=PACKAGING")).await);
    assert_eq!((none.jobs.len(), none.filtered_count), (0, 0));
    golden(
        &walk.get(&format!("{DSAR}?state=REQUESTED")).await.json(),
        include_str!("../../../golden/compliance_list.json"),
        &walk.job(&waiting).await,
    );

    let mut seen = Vec::new();
    let mut path = format!("{DSAR}?limit=1");
    loop {
        let page: Listed = decode(&walk.get(&path).await);
        let Some(job) = page.jobs.first() else { break };
        assert_eq!((page.jobs.len(), page.total), (1, 3));
        seen.push(job.id.clone());
        path = format!("{DSAR}?limit=1&after={}", job.id);
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn a_bad_query_of_the_list_names_the_parameter() {
    let walk = Walk::new().await;
    let nobody = "dsar:01890000-0000-7000-8000-000000000000";
    for (query, field) in [
        ("state=DONE".to_owned(), "state"),
        ("state=".to_owned(), "state"),
        ("state=READY&state=READY".to_owned(), "state"),
        ("limit=0".to_owned(), "limit"),
        ("limit=1001".to_owned(), "limit"),
        ("after=7".to_owned(), "after"),
        (format!("after={nobody}"), "after"),
    ] {
        let answer = walk.get(&format!("{DSAR}?{query}")).await;
        let fault = refused(&answer, StatusCode::BAD_REQUEST, "INVALID_FIELD");
        assert_eq!(fault.context, json!({ "field": field }), "{query}");
    }
}

#[tokio::test]
async fn a_forgotten_job_still_decodes_and_says_nothing_personal() {
    let walk = Walk::new().await;
    let body = json!({ "scope": { "dataSubjectId": "p-1", "campaignIds": ["c-1"] }, "requestedBy": "ada" });
    let id = walk.create(&body).await.id;
    decode::<Done>(&walk.run(&id).await);
    walk.rig.clock.advance(SignedDuration::from_hours(8 * 24));
    assert_eq!(walk.job(&id).await.state, "EXPIRED");
    let store = walk.rig.store();
    for job in store.forgettable(10).await.unwrap() {
        store.forget_job(job.id).await.unwrap();
    }
    walk.rig.clock.advance(SignedDuration::from_hours(1));
    let now = walk.rig.shared.now();
    assert_eq!(store.forget_requests(now, 10).await.unwrap(), 1);

    let job = walk.job(&id).await;
    assert_eq!((job.state.as_str(), &job.scope.data_subject_id), ("EXPIRED", &None));
    assert!(job.requested_by.starts_with("api-key:"), "{}", job.requested_by);
    assert!(job.scope.campaign_ids.is_empty());
    assert_eq!(decode::<Listed>(&walk.get(DSAR).await).jobs, [job]);
    refused(&walk.download(&id).await, StatusCode::CONFLICT, "INVALID_STATE");
}

/// Compares an answer with a golden file; what is new in every run is replaced by names.
pub(super) fn golden(answer: &Value, expected: &str, job: &Job) {
    let mut text = serde_json::to_string_pretty(answer).unwrap();
    let worker = job.progress.as_ref().map(|progress| (progress.worker_id.as_str(), "WORKER"));
    let bundle = job.delivery.iter().flat_map(|delivery| {
        let key = delivery.bundle_r2_key.trim_start_matches("jobs/");
        [(delivery.bundle_sha256.as_str(), "SHA256"), (key, "JOB")]
    });
    let url = job.delivery.as_ref().and_then(|delivery| delivery.bundle_url.as_deref());
    let url = url.map(|url| (url.split_once('=').unwrap().1, "KEY"));
    let request = (job.id.trim_start_matches("dsar:"), "REQUEST");
    let actor = job.timeline[0].actor.trim_start_matches("api-key:");
    let names = url.into_iter().chain(bundle).chain(worker).chain([request, (actor, "OWNER")]);
    for (value, name) in names {
        text = text.replace(value, name);
    }
    let mut answer: Value = serde_json::from_str(&text).unwrap();
    // Lengths of what is compressed depend on the ids in it.
    for pointer in [
        "/data/job/delivery/bundleSizeBytes",
        "/data/job/progress/bytesPackaged",
        "/error/context/job/progress/bytesPackaged",
    ] {
        if let Some(length) = answer.pointer_mut(pointer) {
            assert!(length.is_u64(), "{pointer}");
            *length = json!(0);
        }
    }
    let text = serde_json::to_string_pretty(&answer).unwrap();
    let expected: Value = serde_json::from_str(expected).unwrap_or_default();
    assert_eq!(answer, expected, "the answer changed:\n{text}");
}
