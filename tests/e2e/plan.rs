//! Somebody looks before anything is exported: the plan at the terminal and over HTTP, an export that is bound to it, and what
//! happens when the shop changes in between.

use std::fs;

use antumbra_e2e::{Compliance, EMAIL, House, Scale, Serve};
use anyhow::{Context, ensure};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn export_is_carried_out_by_the_plan_that_was_looked_at_or_not_at_all() -> anyhow::Result<()>
{
    let house = House::new(Scale::Medium)?;
    let shop = house.own_source()?;
    let plan = planned(&house)?;
    assert_eq!(plan["planHash"].as_str().map(str::len), Some(64));
    assert_eq!(planned(&house)?["planHash"], plan["planHash"], "a plan is not made alike twice");
    ensure!(!plan.to_string().contains(EMAIL), "values are not shown");
    fs::write(house.path("plan.json"), plan.to_string())?;

    let bound = ["export", "--email", EMAIL, "--plan", "plan.json", "--out"];
    let export = |out: &'static str| house.antumbra(&[&bound[..], &[out]].concat());
    export("first.zip")?.ok()?;
    house.verified(&house.path("first.zip"))?;

    // One more column is another plan, before a row is read.
    rusqlite::Connection::open(&shop)?
        .execute_batch("alter table customers add column more text")?;
    let refused = export("second.zip")?;
    ensure!(refused.code != 0, "{refused:?}");
    ensure!(refused.stderr.contains("plan_changed"), "{refused:?}");
    ensure!(refused.stderr.contains("/customers changed"), "{refused:?}");
    ensure!(!house.path("second.zip").try_exists()?, "a zip was written");
    let hash = plan["planHash"].as_str().context("no hash")?;
    let refused =
        house.antumbra(&["export", "--email", EMAIL, "--plan-hash", hash, "--out", "x.zip"])?;
    ensure!(
        refused.code != 0 && refused.stderr.contains("not the one that was approved"),
        "{refused:?}"
    );

    // Looked at again, it is carried out.
    fs::write(house.path("plan.json"), planned(&house)?.to_string())?;
    export("third.zip")?.ok()?;
    house.verified(&house.path("third.zip"))?;
    Ok(())
}

#[tokio::test]
async fn daemon_refuses_what_was_not_looked_at_and_keeps_no_trace_of_a_look() -> anyhow::Result<()>
{
    let house = House::new(Scale::Medium)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let body = json!({ "scope": { "dataSubjectId": EMAIL } });
    let looked = caller.call(Method::POST, DRY, &body.to_string()).await?;
    ensure!(looked.status == 200, "{}", looked.status);
    let looked: Value = serde_json::from_slice(&looked.body)?;
    let plan = &looked["data"]["plan"];
    let (hash, parts) = (plan["planHash"].clone(), plan["planParts"].clone());
    let jobs = caller.call(Method::GET, "", "").await?;
    let jobs: Value = serde_json::from_slice(&jobs.body)?;
    assert_eq!(jobs["data"]["total"], 0);

    let mut other = json!({ "scope": { "dataSubjectId": "nobody@example.org" } });
    (other["planHash"], other["planParts"]) = (hash.clone(), parts.clone());
    let refused = caller.call(Method::POST, "", &other.to_string()).await?;
    assert_eq!(refused.status, 409);
    let refused: Value = serde_json::from_slice(&refused.body)?;
    assert_eq!(refused["error"]["code"], "PLAN_CHANGED");

    let mut bound = body;
    (bound["planHash"], bound["planParts"]) = (hash, parts);
    let created = caller.call(Method::POST, "", &bound.to_string()).await?;
    ensure!(created.status == 200, "{}", String::from_utf8_lossy(&created.body));
    let created: Value = serde_json::from_slice(&created.body)?;
    let id = created["data"]["job"]["id"].as_str().context("no id")?;
    caller.reaches(id, "READY").await?;
    assert_eq!(daemon.terminate().await?, 0);
    house.antumbra(&["audit", "verify"])?.ok()?;
    Ok(())
}

/// Plans at the terminal.
fn planned(house: &House) -> anyhow::Result<Value> {
    let said = house.antumbra(&["plan", "--email", EMAIL, "--json"])?.ok()?;
    Ok(serde_json::from_str(&said)?)
}

const DRY: &str = "?dryRun=true";
