//! What would a job read, and is it what was approved?

use antumbra_config::SiloKind;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::compliance_support::{DSAR, Done, Download, Job, Listed, Walk, decode, refused};

const DRY: &str = "/v1/compliance/dsar?dryRun=true";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    plan: Value,
}

async fn plan(walk: &Walk, body: &Value) -> Value {
    decode::<Planned>(&walk.post(DRY, body).await).plan
}

fn person() -> Value {
    json!({ "scope": { "dataSubjectId": "p-1" } })
}

/// The body, bound to a plan.
fn bound(plan: &Value, with_parts: bool) -> Value {
    let mut body = person();
    body["planHash"] = plan["planHash"].clone();
    if with_parts {
        body["planParts"] = plan["planParts"].clone();
    }
    body
}

async fn jobs(walk: &Walk) -> u64 {
    decode::<Listed>(&walk.get(DSAR).await).total
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_read_and_records_only_that_somebody_looked() {
    let walk = Walk::new().await;
    let plan = plan(&walk, &person()).await;
    assert_eq!(jobs(&walk).await, 0);
    assert_eq!(
        (plan["tenant"].as_str(), plan["scope"].as_str()),
        (Some("acme"), Some("DATA_SUBJECT"))
    );
    assert_eq!(plan["secrets"], "redact");
    assert_eq!(plan["foreignIdentifiers"], "note");
    assert_eq!(plan["formats"], json!(["JSON"]));
    let section = |name: &str| {
        let sections = plan["sections"].as_array().unwrap();
        sections.iter().find(|section| section["datapoint"] == name).unwrap()
    };
    let orders = section("orders");
    assert_eq!(orders["outcome"], "planned");
    assert_eq!(orders["rows"], 3);
    assert_eq!(orders["redactions"], json!({ "card": "drop" }));
    assert!(orders["statement"].as_str().unwrap().contains(":dataSubjectId"));
    assert_eq!(section("rates")["outcome"], "left-out");
    assert_eq!(section("calls")["outcome"], "unreachable");
    assert_eq!(section("calls")["reason"], "no value of phone is known");
    for value in ["p-1", "CANARY-4111"] {
        assert!(!plan.to_string().contains(value), "{plan}");
    }

    let entries = walk.rig.store().audit_entries(1).await.unwrap();
    assert_eq!(entries[0].action, "plan.previewed");
    assert_eq!(entries[0].facts["plan_sha256"], plan["planHash"].as_str().unwrap());
    assert_eq!(entries[0].facts["sections"], "5");
}

#[tokio::test]
async fn a_scope_that_narrows_is_told_with_what_there_was_before() {
    let walk = Walk::new().await;
    let scope = json!({
        "dataSubjectId": "p-1", "windowStart": "2026-01-01T00:00:00Z", "windowEnd": "2026-02-01T00:00:00Z",
        "campaignIds": ["c-1"],
    });
    let plan = plan(&walk, &json!({ "scope": scope })).await;
    let orders = &plan["sections"][0];
    assert_eq!(orders["rows"], 1);
    assert_eq!(orders["rowsBeforeFilter"], 3);
    assert_eq!(
        orders["narrowedBy"],
        json!(["placed >= windowStart", "placed < windowEnd", "campaign in campaignIds"])
    );
    assert_eq!(plan["sections"][1]["rowsBeforeFilter"], Value::Null);

    let id = walk.create(&json!({ "scope": scope })).await.id;
    decode::<Done>(&walk.run(&id).await);
    let artifact = decode::<Download>(&walk.download(&id).await).artifact;
    let orders = artifact.sections.iter().find(|section| section.name == "shop/orders").unwrap();
    assert_eq!((orders.count, orders.total_before_filter), (1, Some(3)));
}

#[tokio::test]
async fn a_request_that_is_bound_to_its_plan_is_done() {
    let walk = Walk::new().await;
    let first = plan(&walk, &person()).await;
    assert_eq!(plan(&walk, &person()).await["planHash"], first["planHash"]);
    let job: Job = walk.create(&bound(&first, true)).await;
    assert_eq!(decode::<Done>(&walk.run(&job.id).await).job.state, "READY");
}

#[tokio::test]
async fn a_plan_that_changed_is_refused_before_anything_is_recorded() {
    let walk = Walk::new().await;
    let plan = plan(&walk, &person()).await;
    // Another person is another plan, and so is another format.
    let mut other = bound(&plan, true);
    other["scope"]["dataSubjectId"] = "p-2".into();
    let fault = refused(&walk.post(DSAR, &other).await, StatusCode::CONFLICT, "PLAN_CHANGED");
    assert_eq!(fault.context["changes"], json!(["identifiers changed"]));
    assert!(!fault.message.contains("p-2"));
    let mut other = bound(&plan, true);
    other["format"] = "CSV".into();
    let fault = refused(&walk.post(DSAR, &other).await, StatusCode::CONFLICT, "PLAN_CHANGED");
    assert_eq!(fault.context["changes"], json!(["settings changed"]));

    walk.shop()
        .execute_batch("alter table tickets add column more text; drop table returns")
        .unwrap();
    let fault =
        refused(&walk.post(DSAR, &bound(&plan, true)).await, StatusCode::CONFLICT, "PLAN_CHANGED");
    assert_eq!(fault.context["changes"], json!(["shop/returns changed", "shop/tickets changed"]));
    let fault =
        refused(&walk.post(DSAR, &bound(&plan, false)).await, StatusCode::CONFLICT, "PLAN_CHANGED");
    assert_eq!(fault.message, "the plan is not the one that was approved");
    assert_eq!(jobs(&walk).await, 0);
}

#[tokio::test]
async fn parts_of_a_plan_are_names_and_hashes_and_no_more_than_a_plan_has() {
    let walk = Walk::new().await;
    let plan = plan(&walk, &person()).await;
    let many: serde_json::Map<_, _> =
        (0..1_000).map(|n| (format!("shop/t{n}"), json!("0123456789abcdef"))).collect();
    for parts in [
        json!({ "p-1 is ill": "0123456789abcdef" }),
        json!({ "shop/orders/x": "0123456789abcdef" }),
        json!({ "shop/orders": "p-1 is ill" }),
        json!({ "shop/orders": "0123456789abcdef0" }),
        Value::Object(many),
    ] {
        let mut body = bound(&plan, false);
        body["planParts"] = parts;
        let fault =
            refused(&walk.post(DSAR, &body).await, StatusCode::BAD_REQUEST, "INVALID_FIELD");
        assert!(!fault.message.contains("ill") && !fault.context.to_string().contains("ill"));
    }
    let mut body = bound(&plan, false);
    body["planHash"] = "ab".repeat(32).into();
    body["planParts"] = json!({ "shop/gone": "0123456789ABCDEF", "settings": "0123456789abcdef" });
    let fault = refused(&walk.post(DSAR, &body).await, StatusCode::CONFLICT, "PLAN_CHANGED");
    assert!(fault.context["changes"].as_array().unwrap().contains(&json!("shop/gone is gone")));
    assert_eq!(jobs(&walk).await, 0);
}

#[tokio::test]
async fn a_section_that_nobody_can_look_at_is_bound_to_nothing() {
    let walk = Walk::new().await;
    walk.shop().execute_batch("drop table returns").unwrap();
    let plan = plan(&walk, &person()).await;
    let fault =
        refused(&walk.post(DSAR, &bound(&plan, true)).await, StatusCode::CONFLICT, "PLAN_CHANGED");
    assert_eq!(fault.context["changes"], json!(["shop/returns is not known"]));
    assert_eq!(jobs(&walk).await, 0);
}

#[tokio::test]
async fn a_silo_that_does_not_answer_now_is_no_other_plan() {
    let walk = Walk::with(|settings| {
        if let SiloKind::Sqlite { busy_timeout, .. } = &mut settings.silos[0].kind {
            *busy_timeout = "1ms".parse().unwrap();
        }
    })
    .await;
    let plan = plan(&walk, &person()).await;
    let lock = walk.shop();
    lock.execute_batch("pragma locking_mode = exclusive; begin exclusive").unwrap();
    let answer = walk.post(DSAR, &bound(&plan, true)).await;
    refused(&answer, StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE");
    drop(lock);
    let job: Job = walk.create(&bound(&plan, true)).await;
    assert_eq!(decode::<Done>(&walk.run(&job.id).await).job.state, "READY");
}

#[tokio::test]
async fn a_plan_that_changes_before_the_run_fails_the_job_before_a_row_is_read() {
    let walk = Walk::new().await;
    let plan = plan(&walk, &person()).await;
    let id = walk.create(&bound(&plan, true)).await.id;
    walk.shop().execute_batch("alter table orders add column more text").unwrap();
    let fault = refused(&walk.run(&id).await, StatusCode::CONFLICT, "PLAN_CHANGED");
    assert!(fault.message.contains("shop/orders changed"), "{}", fault.message);
    let job = walk.job(&id).await;
    assert_eq!(job.state, "FAILED");
    assert_eq!(job.progress.map_or(0, |progress| progress.rows_collected), 0);
}

#[tokio::test]
async fn only_true_and_false_are_dry_runs_and_a_look_needs_the_key() {
    let walk = Walk::new().await;
    for wrong in ["yes", "1", "True", "", "true&dryRun=true"] {
        let path = format!("{DSAR}?dryRun={wrong}");
        let answer = walk.post(&path, &person()).await;
        refused(&answer, StatusCode::BAD_REQUEST, "INVALID_FIELD");
    }
    for other in ["dryrun=true", "DRYRUN=true", "dryRun=true&dryrun=true"] {
        let answer = walk.post(&format!("{DSAR}?{other}"), &person()).await;
        refused(&answer, StatusCode::BAD_REQUEST, "INVALID_FIELD");
    }
    assert_eq!(jobs(&walk).await, 0);
    for name in ["dryRun", "planhash", "PlanParts"] {
        let mut body = person();
        body[name] = json!("true");
        refused(&walk.post(DSAR, &body).await, StatusCode::BAD_REQUEST, "INVALID_FIELD");
    }
    assert_eq!(jobs(&walk).await, 0);
    let id = walk.person().await.id;
    let answer = walk.post(&format!("{DSAR}/{id}/run?dryRun=true"), &json!({})).await;
    refused(&answer, StatusCode::BAD_REQUEST, "INVALID_FIELD");
    assert_eq!(walk.job(&id).await.state, "REQUESTED");
    let path = format!("{DSAR}?dryRun=false");
    assert!(decode::<Value>(&walk.post(&path, &person()).await)["job"].is_object());
    let stranger = http::Request::builder().method(Method::POST).uri(DRY);
    let answer = walk.rig.send(stranger.body(person().to_string()).unwrap()).await;
    refused(&answer, StatusCode::UNAUTHORIZED, "UNAUTHORIZED");
}

#[tokio::test]
async fn too_many_identifiers_are_told_to_who_looks() {
    let walk = Walk::with(|settings| {
        settings.export.max_identifier_values = serde_json::from_value(2.into()).unwrap();
        let orders = &mut settings.silos[0].datapoints[0];
        orders.provides = vec![("order_id".parse().unwrap(), "id".to_owned())];
    })
    .await;
    let fault = refused(&walk.post(DRY, &person()).await, StatusCode::BAD_REQUEST, "INVALID_FIELD");
    assert!(
        fault
            .message
            .contains("shop/orders has at least 3 values of identifier order_id; at most 2"),
        "{}",
        fault.message
    );
}
