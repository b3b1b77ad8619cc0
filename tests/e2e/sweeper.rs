//! Time passes: bundles expire, their objects and keys go from disk and store, the person behind a request is forgotten, and
//! the audit log still tells what was done. Nobody calls for it.

use std::fs;

use antumbra_e2e::{
    Caller, Compliance, EMAIL, House, LOYALTY, Needles, Scale, SealedObject, Serve, StoreView,
    until,
};
use anyhow::{Context, ensure};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn expired_bundle_leaves_disk_and_store_and_its_key_is_destroyed() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let swift = Serve::new().set("data.sweep_interval=1s");
    let daemon = swift.start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let id = caller.created(EMAIL, "JSON").await?;
    caller.reaches(&id, "READY").await?;
    let view = StoreView::open(&house)?;
    let job = view.jobs()?.remove(0);
    let objects = SealedObject::of_job(&house, &job.id)?;
    assert!(!objects.is_empty() && objects.iter().all(|object| object.path().is_file()));
    let key = view.blobs("select wrapped_key from jobs where wrapped_key is not null")?.remove(0);
    assert!(house.holds(&key)?, "the search finds the key where it is");
    let before = view.count("audit")?;
    drop(view);
    assert_eq!(daemon.terminate().await?, 0);

    // Eight days later: a bundle lives for seven.
    let daemon = swift.clone().clock_offset("192h").start(&house).await?;
    let caller = caller.at(&daemon);
    until("no object", async || {
        Ok(objects.iter().all(|object| !object.path().is_file()).then_some(()))
    })
    .await?;
    until("no key", async || {
        let left = StoreView::open(&house)?
            .texts("select state from jobs where wrapped_key is not null")?;
        Ok(left.is_empty().then_some(()))
    })
    .await?;
    let job = caller.job(&id).await?;
    assert_eq!(job["state"], json!("EXPIRED"));
    assert_eq!(job["scope"]["dataSubjectId"], json!(EMAIL), "the request itself is still known");
    let refused = caller.download(&id).await?;
    assert_eq!(refused.status, 409, "expired is 409: {}", refused.text());
    assert_eq!(caller.run(&id).await?.status, 409, "what expired is not run again");
    assert_eq!(daemon.terminate().await?, 0);
    assert!(!house.holds(&key)?, "the wrapped key still stands in a file of the store");
    let view = StoreView::open(&house)?;
    assert!(view.count("audit")? > before, "forgetting is audited");
    assert_eq!(view.count("segments")?, 0);
    house.antumbra(&["audit", "verify"])?.ok()?;
    Ok(())
}

#[tokio::test]
async fn person_behind_an_old_request_is_forgotten_and_the_audit_stays() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let swift = Serve::new().set("data.sweep_interval=1s").set("export.retention=30 days");
    let daemon = swift.start(&house).await?;
    let sombra = Caller::new(&house, &daemon)?;
    let request = sombra.submit(&["JSON"]).await?;
    sombra.downloadable(&request).await?;
    sombra.bundle(&request).await?;
    assert_eq!(daemon.terminate().await?, 0);

    // After eight days the bundle is gone and the request is remembered; after fifty it is forgotten, too.
    const KNOWN: &str = "select hex(subject_lookup) from requests where subject_lookup is not null";
    for (offset, known) in [("192h", 1), ("1200h", 0)] {
        let daemon = swift.clone().clock_offset(offset).start(&house).await?;
        let sombra = Caller::new(&house, &daemon)?;
        until("the sweep", async || {
            let view = StoreView::open(&house)?;
            let keys = view.texts("select state from jobs where wrapped_key is not null")?;
            let found = view.texts(KNOWN)?.len();
            ensure!(found >= known, "forgotten before its time");
            Ok((keys.is_empty() && found == known).then_some(()))
        })
        .await?;
        assert_eq!(sombra.poll(&request).await?["status"], json!("ARCHIVED"));
        assert_eq!(daemon.terminate().await?, 0);
    }
    let needles = Needles::new([EMAIL, LOYALTY].map(str::to_owned))?;
    for folder in ["data", "logs", "tmp"] {
        let (found, _) = needles.found_below(&house.path(folder))?;
        assert!(found.is_empty(), "{found:?}");
    }
    house.antumbra(&["audit", "verify"])?.ok()?;
    Ok(())
}

#[tokio::test]
async fn leftovers_of_a_killed_worker_go_and_a_bundle_in_use_stays() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let swift = Serve::new().set("data.sweep_interval=1s");
    let daemon = swift.start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON", "CSV"]).await?;
    caller.downloadable(&request).await?;
    let job = StoreView::open(&house)?.jobs()?.remove(0);
    let kept = SealedObject::of_job(&house, &job.id)?;
    let folder = house.path("data/objects/jobs").join(&job.id);
    let leftovers = ["0099-000000", "0099-000001#1"].map(|name| folder.join(name));
    for path in &leftovers {
        fs::write(path, "left by a worker that was killed between writing and recording")?;
    }
    until("no leftover", async || Ok(leftovers.iter().all(|path| !path.is_file()).then_some(())))
        .await?;
    assert!(kept.iter().all(|object| object.path().is_file()), "an object in use was swept");
    caller.bundle(&request).await?;

    let health = caller.client().send(Method::GET, "/health", &[], "").await?.json()?;
    let disk: Option<u64> = health.pointer("/disk/bytes").and_then(Value::as_u64);
    let size: usize = kept.iter().map(|object| object.bytes().len()).sum();
    let disk = usize::try_from(disk.context("no disk use")?)?;
    ensure!(disk >= size, "{disk} bytes in use, {size} were seen: {health}");
    Ok(())
}
