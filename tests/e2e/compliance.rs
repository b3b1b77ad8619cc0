//! A compliance officer asks for exports: the walk of docs/COMPLIANCE.md as it is printed, and everything that may come
//! between: several at once, a change of mind, a full disk, lost objects.

use std::fs;
use std::path::Path;

use antumbra_e2e::{
    Compliance, EMAIL, House, LOYALTY, Reply, Scale, SealedObject, Serve, Step, StoreView, binary,
    checker, left_out, repository, sha256_hex, steps, until, walk,
};
use anyhow::{Context, ensure};
use hyper::Method;
use serde_json::{Value, json};

/// The document is followed in a house instead of the demo's directory, at the daemon's own address; the remark about eight days is
/// a restart with another clock.
#[tokio::test]
async fn walk_of_the_document_works_as_printed() -> anyhow::Result<()> {
    if ["curl", "jq", "python"].into_iter().any(left_out) {
        return Ok(());
    }
    let steps = steps(&fs::read_to_string(repository().join("docs/COMPLIANCE.md"))?)?;
    let (start, walked) = steps.split_first().context("no steps")?;
    ensure!(start.script.contains("antumbra serve"), "the first step starts the daemon");
    let later = walked.iter().position(|step| step.remarks == ["eight days later"]);
    let (now, later) = walked.split_at(later.context("nobody waits for eight days")?);
    ensure!(now.len() > 6 && !later.is_empty(), "{} steps and {}", now.len(), later.len());

    let house = House::new(Scale::Medium)?;
    let key = house.new_api_key(&["--scope", "audit:read"])?;
    fs::write(house.path("audit-key"), key)?;
    let at = |steps: &[Step], url: &str| -> Vec<Step> {
        let script = |step: &Step| step.script.replace("http://127.0.0.1:5039", url);
        steps.iter().map(|step| Step { script: script(step), ..step.clone() }).collect()
    };
    let us = format!("antumbra() {{ '{}' \"$@\"; }}", binary()?.display());
    let daemon = Serve::new().start(&house).await?;
    walk(&at(now, &daemon.url()), house.root(), &us)?;
    assert_eq!(daemon.terminate().await?, 0);

    let daemon = Serve::new().clock_offset("192h").start(&house).await?;
    let first = at(&now[..1], &daemon.url()).remove(0).script;
    let before = format!("{us}\n{first}\nJOB=$(jq -r .data.job.id created.json)");
    walk(&at(later, &daemon.url()), house.root(), &before)?;
    Ok(())
}

#[tokio::test]
async fn artifact_is_hashed_as_sent_and_holds_every_value_of_the_source() -> anyhow::Result<()> {
    let house = House::new(Scale::Medium)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let id = caller.created(EMAIL, "JSON").await?;
    caller.reaches(&id, "READY").await?;
    let first = caller.download(&id).await?;
    ensure!(first.complete(), "{} {:?}", first.status, first.cut);
    let name = format!("attachment; filename=\"enfinitos-dsar-export-{id}.json\"");
    assert_eq!(first.header("content-disposition"), name);
    assert_eq!(first.header("cache-control"), "no-store");
    let delivered = caller.job(&id).await?;
    assert_eq!(delivered["state"], json!("DELIVERED"));

    let again = caller.download(&id).await?;
    assert!(again.body == first.body, "the second download has other bytes");
    assert_eq!(caller.job(&id).await?, delivered, "the second download changed the job");

    if !left_out("python") {
        let file = house.path("artifact.json");
        fs::write(&file, &first.body)?;
        let shop = house.path("source/shop.db");
        let (file, shop) = (file.display().to_string(), shop.display().to_string());
        let said = checker("check_artifact.py", &[file.as_str(), &shop, EMAIL, LOYALTY])?;
        eprintln!("{}", said.trim());
        // The checker can fail: one letter in the last item, and the hash is another.
        let mut bytes = first.body;
        let place =
            bytes.windows(9).rposition(|window| window == b"\"payments").unwrap_or(bytes.len() / 2);
        bytes[place + 1] = b'P';
        fs::write(&file, bytes)?;
        assert!(checker("check_artifact.py", &[&file]).is_err(), "another letter, the same hash");
    }
    Ok(())
}

#[tokio::test]
async fn link_of_a_job_leads_to_the_bundle_it_describes() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    for format in ["CSV", "parquet", "NDJSON", "JSON"] {
        let id = caller.created(LOYALTY, format).await?;
        let job = caller.reaches(&id, "READY").await?;
        let url = job["delivery"]["bundleUrl"].as_str().context("no link")?;
        let path = url.strip_prefix(&daemon.url()).context("the link leads elsewhere")?;
        let zip = antumbra_e2e::Client::new(&daemon.url()).get(path, &[]).await?;
        ensure!(zip.complete(), "{format}: {} {}", zip.status, zip.text());
        assert_eq!(job["delivery"]["bundleSizeBytes"], json!(zip.body.len()));
        assert_eq!(job["delivery"]["bundleSha256"], json!(sha256_hex(&zip.body)?));
        let file = house.path("bundle.zip");
        fs::write(&file, &zip.body)?;
        assert!(house.verified(&file)?.contains("VERIFIED"));
        if format != "JSON" {
            let download = caller.download(&id).await?;
            assert!(download.body == zip.body, "{format}: the download is not the bundle");
            assert!(download.header("content-disposition").ends_with(".zip\""));
        }
    }
    Ok(())
}

#[tokio::test]
async fn of_two_runs_one_wins() -> anyhow::Result<()> {
    let house = House::new(Scale::Medium)?;
    let daemon = Serve::new().set("compliance.autostart=false").start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let id = caller.created(EMAIL, "JSON").await?;
    assert_eq!(caller.job(&id).await?["state"], json!("REQUESTED"), "nobody takes it by itself");
    let (one, other) = tokio::join!(caller.run(&id), caller.run(&id));
    let (one, other) = (one?, other?);
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{}\n{}", one.text(), other.text());
    let winner = if one.status == 200 { one } else { other };
    let answer = winner.json()?;
    assert_eq!(answer.pointer("/data/job/state"), Some(&json!("READY")));
    let counts = answer.pointer("/data/auditReport/sectionCounts").and_then(Value::as_object);
    let total: u64 = counts.context("no counts")?.values().filter_map(Value::as_u64).sum();
    assert_eq!(answer.pointer("/data/auditReport/totalRecords"), Some(&json!(total)));
    assert_eq!(caller.run(&id).await?.status, 409, "a finished job is not run again");
    assert_eq!(StoreView::open(&house)?.jobs()?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn cap_holds_whoever_asks_at_once_and_a_cancelled_job_makes_room() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let serve = Serve::new().set("compliance.autostart=false").set("compliance.retry_after=7s");
    let daemon = serve.start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let asking = (0..12).map(|_| {
        let caller = caller.clone();
        async move { caller.ask(LOYALTY, "JSON").await }
    });
    let mut tasks = tokio::task::JoinSet::new();
    for ask in asking {
        tasks.spawn(ask);
    }
    let mut replies: Vec<Reply> = Vec::new();
    while let Some(reply) = tasks.join_next().await {
        replies.push(reply??);
    }
    let (taken, refused): (Vec<_>, Vec<_>) =
        replies.into_iter().partition(|reply| reply.status < 300);
    assert_eq!((taken.len(), refused.len()), (5, 7));
    for reply in refused {
        assert_eq!((reply.status, reply.header("retry-after")), (429, "7"), "{}", reply.text());
        assert_eq!(reply.json()?.pointer("/error/code"), Some(&json!("RATE_LIMITED")));
    }
    let first = taken.first().context("none was taken")?.json()?;
    let id = first.pointer("/data/job/id").and_then(Value::as_str).context("no id")?;
    assert_eq!(caller.cancel(id).await?.status, 200);
    assert!(caller.ask(LOYALTY, "JSON").await?.complete(), "there was room");
    let list = caller.call(Method::GET, "?state=CANCELLED", "").await?.json()?;
    assert_eq!(list.pointer("/data/filteredCount"), Some(&json!(1)), "{list}");
    assert_eq!(list.pointer("/data/activeCount"), Some(&json!(5)), "{list}");
    assert_eq!(list.pointer("/data/counts/REQUESTED"), Some(&json!(5)), "{list}");
    Ok(())
}

/// Long enough that it is running when it is cancelled; it says so itself.
#[tokio::test]
async fn cancelled_export_stops_and_leaves_no_object() -> anyhow::Result<()> {
    let house = House::new(Scale::Huge)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let id = caller.created(EMAIL, "CSV").await?;
    let collected = |job: &Value| job.pointer("/progress/rowsCollected").and_then(Value::as_u64);
    until("rows", async || {
        let job = caller.job(&id).await?;
        Ok(collected(&job).filter(|rows| *rows > 100_000 && job["state"] == json!("COLLECTING")))
    })
    .await?;
    let objects = house.path("data/objects");
    assert!(files_below(&objects)? > 0, "nothing was written yet");

    let start = tokio::time::Instant::now();
    let reply = caller.cancel(&id).await?;
    let answered = start.elapsed();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let job = reply.json()?;
    assert_eq!(job.pointer("/data/job/state"), Some(&json!("CANCELLED")));
    until(
        "an empty directory of objects",
        async || Ok((files_below(&objects)? == 0).then_some(())),
    )
    .await?;
    eprintln!("cancelled in {answered:?}, objects gone in {:?}", start.elapsed());
    let rows = collected(&caller.job(&id).await?);
    assert!(rows.is_none_or(|rows| rows < u64::from(Scale::Huge.events())), "it ran to its end");
    assert_eq!(caller.cancel(&id).await?.status, 409);
    assert_eq!(caller.download(&id).await?.status, 409);

    // The worker is free again, and nothing of the cancelled job comes back.
    let next = caller.created(LOYALTY, "PARQUET").await?;
    caller.reaches(&next, "READY").await?;
    assert_eq!(caller.job(&id).await?["state"], json!("CANCELLED"));
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

#[tokio::test]
async fn full_disk_fails_the_run_with_its_code_and_leaves_nothing() -> anyhow::Result<()> {
    let house = House::new(Scale::Large)?;
    let serve = Serve::new().set("compliance.autostart=false").file_limit(2 * 1024 * 1024);
    let daemon = serve.start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let id = caller.created(EMAIL, "JSON").await?;
    let reply = caller.run(&id).await?;
    assert_eq!(reply.status, 500, "{}", reply.text());
    let answer = reply.json()?;
    assert_eq!(answer.pointer("/ok"), Some(&json!(false)));
    assert_eq!(answer.pointer("/error/code"), Some(&json!("PACKAGE_WRITE_FAILED")), "{answer}");
    let job = answer.pointer("/error/context/job").context("without the failed job")?;
    assert_eq!((&job["state"], &job["id"]), (&json!("FAILED"), &json!(id)));
    assert!(job["failure"]["failedAt"].is_string());
    until("an empty directory of objects", async || {
        Ok((files_below(&house.path("data/objects"))? == 0).then_some(()))
    })
    .await?;
    assert_eq!(caller.run(&id).await?.status, 409);
    assert_eq!(daemon.terminate().await?, 0);

    // With room on the disk the same scope is exported.
    let daemon = Serve::new().start(&house).await?;
    let caller = caller.at(&daemon);
    let next = caller.created(EMAIL, "JSON").await?;
    caller.reaches(&next, "READY").await?;
    Ok(())
}

#[tokio::test]
async fn lost_objects_are_412_until_the_job_ran_again() -> anyhow::Result<()> {
    let house = House::new(Scale::Medium)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let id = caller.created(EMAIL, "JSON").await?;
    caller.reaches(&id, "READY").await?;
    assert_eq!(caller.run(&id).await?.status, 409, "nothing is lost yet");
    let truth = caller.download(&id).await?.json()?;
    let integrity = |answer: &Value| answer.pointer("/data/artifact/integritySha256").cloned();

    let job = StoreView::open(&house)?.jobs()?.remove(0);
    let objects = SealedObject::of_job(&house, &job.id)?;
    objects.last().context("no object")?.delete()?;
    let reply = caller.download(&id).await?;
    assert_eq!(reply.status, 412, "{}", reply.text());
    let reply = caller.run(&id).await?;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = caller.download(&id).await?;
    ensure!(reply.complete(), "{} {}", reply.status, reply.text());
    assert_eq!(integrity(&reply.json()?), integrity(&truth), "the builder is deterministic");
    assert_eq!(StoreView::open(&house)?.jobs()?.len(), 2, "a second attempt of the same request");
    Ok(())
}

fn files_below(directory: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => count += 1,
            }
        }
    }
    Ok(count)
}
