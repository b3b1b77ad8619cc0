//! The data keys of jobs are destroyed while the daemon runs: whatever the job was doing, nobody reads a byte of it again, its objects
//! go, and the audit log tells what was done.
//!
//! Failure is: an answer with data, a link that is made or works, a run of the key's bytes in a file of the store, an object that
//! stays, another job that suffers.

use std::fs;

use antumbra_e2e::{
    Caller, Compliance, EMAIL, House, Ran, Scale, SealedObject, Serve, StoreView, until,
};
use anyhow::{Context, bail, ensure};
use hyper::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn bundle_of_a_destroyed_key_is_gone_for_every_reader() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let daemon = Serve::new().set("data.sweep_interval=1s").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    for delivered in [false, true] {
        let request = caller.submit(&["JSON", "CSV"]).await?;
        let answer = caller.downloadable(&request).await?;
        let files = caller.downloads(&request).await?;
        if delivered {
            caller.bundle(&request).await?;
            until("DELIVERED", async || {
                let state = caller.poll(&request).await?.pointer("/job/state").cloned();
                Ok((state == Some(json!("DELIVERED"))).then_some(()))
            })
            .await?;
        }
        let neighbour = caller.submit(&["JSON"]).await?;
        let neighbour_has = caller.downloadable(&neighbour).await?;
        let their_job =
            neighbour_has.pointer("/job/id").and_then(Value::as_str).context("no job")?;
        let theirs = caller.downloads(&neighbour).await?.remove(0);
        let their_bytes = caller.download(&theirs, &[]).await?.body;
        logged(&house, "bundle.downloaded", their_job).await?;
        let job = answer.pointer("/job/id").and_then(Value::as_str).context("no job")?;
        let objects = SealedObject::of_job(&house, job)?;
        ensure!(!objects.is_empty());
        let key = Key::of(&house, job)?;
        ensure!(key.runs_in(&house)? > 0, "the search finds the key where it is");

        refuses_what_is_unclear(&house, &request, job)?;
        let said = destroy(&house, job)?.ok()?;
        ensure!(said.contains(job), "{said}");
        for file in &files {
            for (method, headers) in WAYS {
                let reply = caller.client().send(method.clone(), &file.path(), headers, "").await?;
                let what = format!("{method} {headers:?} of {}: {}", file.name, reply.text());
                ensure!(reply.status == 410, "{} to {what}", reply.status);
            }
        }
        for query in ["", "?bundle=true"] {
            let path = format!("/v1/data-subject-request/{request}/download-keys{query}");
            let reply = caller.get(&path).await?;
            ensure!(reply.status == 410, "{}: {}", reply.status, reply.text());
        }
        let polled = caller.poll(&request).await?;
        ensure!(polled.pointer("/job/state") == Some(&json!("EXPIRED")), "{polled}");
        key.leaves(&house).await?;
        go(&objects).await?;
        // The sweeper says so when it deleted the last object, and nothing of this job afterwards.
        logged(&house, "job.forgotten", job).await?;
        // Somebody kept the objects. Without the key they are nothing, and they go again.
        if let Some(folder) = objects[0].path().parent() {
            fs::create_dir_all(folder)?;
        }
        for object in &objects {
            object.mend()?;
        }
        let reply = caller.download(&files[0], &[]).await?;
        ensure!(reply.status == 410, "{}", reply.status);
        go(&objects).await?;

        let before = audited(&house)?;
        destroy(&house, job)?.ok()?;
        let after = audited(&house)?;
        ensure!(after == before, "once is enough: {:?}", after.iter().skip(before.len()));
        let reply = caller.download(&theirs, &[]).await?;
        ensure!(reply.complete() && reply.body == their_bytes, "a neighbour suffered");
    }
    house.antumbra(&["audit", "verify"])?.ok()?;
    let view = StoreView::open(&house)?;
    let told = view.texts("select action from audit where action = 'job.key_destroyed'")?;
    ensure!(told.len() == 2, "{}", told.len());
    Ok(())
}

#[tokio::test]
async fn compliance_job_of_a_destroyed_key_is_a_state_and_its_link_is_gone() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let daemon = Serve::new().set("data.sweep_interval=1s").start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let links = Caller::new(&house, &daemon)?;
    for (format, delivered) in [("JSON", false), ("CSV", false), ("JSON", true)] {
        let id = caller.created(EMAIL, format).await?;
        let job = caller.reaches(&id, "READY").await?;
        if delivered {
            ensure!(caller.download(&id).await?.complete());
            until("DELIVERED", async || {
                Ok((caller.job(&id).await?["state"] == json!("DELIVERED")).then_some(()))
            })
            .await?;
        }
        let url = job.pointer("/delivery/bundleUrl").and_then(Value::as_str).context("no link")?;
        let (_, path) = url.split_once("/v1/files").context("a link elsewhere")?;
        let path = format!("/v1/files{path}");
        let own = job.pointer("/delivery/bundleR2Key").and_then(Value::as_str).context("no key")?;
        let own = own.trim_start_matches("jobs/").to_owned();
        let objects = SealedObject::of_job(&house, &own)?;
        let key = Key::of(&house, &own)?;
        destroy(&house, &own)?.ok()?;
        for (method, call) in [
            (Method::GET, "download"),
            (Method::HEAD, "download"),
            (Method::POST, "run"),
            (Method::POST, "cancel"),
        ] {
            let reply = caller.call(method.clone(), &format!("/{id}/{call}"), "").await?;
            ensure!(reply.status == 409, "{} to {method} {call}: {}", reply.status, reply.text());
        }
        for (method, headers) in WAYS {
            let reply = links.client().send(method.clone(), &path, headers, "").await?;
            ensure!(reply.status == 410, "{} to {method} {headers:?}", reply.status);
        }
        let job = caller.job(&id).await?;
        ensure!(
            job["state"] == json!("EXPIRED") && job["delivery"]["bundleUrl"].is_null(),
            "{job}"
        );
        go(&objects).await?;
        key.leaves(&house).await?;
    }
    house.antumbra(&["audit", "verify"])?.ok()?;
    Ok(())
}

/// The job may have come to its end before the command did; that attempt says nothing and is made again.
#[tokio::test]
async fn job_that_runs_is_stopped_and_leaves_nothing() -> anyhow::Result<()> {
    for attempt in 1..=ATTEMPTS {
        let house = House::new(Scale::Large)?;
        let mut daemon = Serve::new().set("data.sweep_interval=1s").start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        let request = caller.submit(&["JSON", "CSV", "NDJSON", "PARQUET"]).await?;
        until("rows", async || {
            let rows = caller.poll(&request).await?.pointer("/progress/rowsCollected").cloned();
            Ok(rows.and_then(|rows| rows.as_u64()).filter(|rows| *rows > 0))
        })
        .await?;
        let job = StoreView::open(&house)?.jobs()?.remove(0);
        let key = Key::of(&house, &job.id)?;
        let said = destroy(&house, &job.id)?.ok()?;
        if !said.contains("CANCELLED") {
            eprintln!("attempt {attempt}: the job was quicker: {said}");
            continue;
        }
        daemon.said("cancelled job put down").await?;
        let answer = caller.poll(&request).await?;
        ensure!(answer.pointer("/job/state") == Some(&json!("CANCELLED")), "{answer}");
        let path = format!("/v1/data-subject-request/{request}/download-keys?bundle=true");
        ensure!(caller.get(&path).await?.status == 410);
        key.leaves(&house).await?;
        let folder = house.path("data/objects/jobs").join(&job.id);
        until("no object", async || {
            let left = fs::read_dir(&folder).map_or(0, Iterator::count);
            Ok((left == 0).then_some(()))
        })
        .await?;
        // The person may ask again at once, and the daemon has worker and sweeper left for it.
        let again = caller.submit(&["JSON"]).await?;
        caller.downloadable(&again).await?;
        ensure!(daemon.terminate().await? == 0);
        house.antumbra(&["audit", "verify"])?.ok()?;
        return Ok(());
    }
    bail!("in {ATTEMPTS} attempts the job was never stopped while it ran");
}

/// Nothing is destroyed by a slip.
fn refuses_what_is_unclear(house: &House, request: &str, job: &str) -> anyhow::Result<()> {
    let by_request = destroy(house, request)?;
    ensure!(by_request.code == 64 && by_request.stderr.contains(job), "{}", by_request.stderr);
    let unsaid = house.antumbra(&["keys", "destroy", "--job", job])?;
    ensure!(unsaid.code == 64 && unsaid.stderr.contains("--yes"), "{}", unsaid.stderr);
    let nobody = destroy(house, "01890000-0000-7000-8000-000000000000")?;
    ensure!(nobody.code == 64, "{}", nobody.stderr);
    Ok(())
}

fn destroy(house: &House, job: &str) -> anyhow::Result<Ran> {
    house.antumbra(&["keys", "destroy", "--job", job, "--yes"])
}

/// Returns the audit log: what was done, to which job.
fn audited(house: &House) -> anyhow::Result<Vec<String>> {
    let sql =
        "select sequence || ' ' || action || ' ' || coalesce(job, '') from audit order by sequence";
    StoreView::open(house)?.texts(sql)
}

/// Waits until the audit log says that something was done to a job.
async fn logged(house: &House, action: &str, job: &str) -> anyhow::Result<()> {
    let entry = format!(" {action} {job}");
    until(action, async || {
        Ok(audited(house)?.iter().any(|line| line.ends_with(&entry)).then_some(()))
    })
    .await
}

async fn go(objects: &[SealedObject]) -> anyhow::Result<()> {
    until("no object", async || {
        Ok(objects.iter().all(|object| !object.path().is_file()).then_some(()))
    })
    .await
}

/// A job's wrapped key, to be looked for.
struct Key(Vec<u8>);

impl Key {
    /// Reads what is a job's own of its envelope: behind version, length and name of the key that wrapped it.
    fn of(house: &House, job: &str) -> anyhow::Result<Self> {
        let id = job.replace('-', "");
        let sql = format!("select wrapped_key from jobs where lower(hex(id)) = '{id}'");
        let envelope = StoreView::open(house)?.blobs(&sql)?.pop().context("no such job")?;
        let name = usize::from(*envelope.get(1).context("no envelope")?);
        Ok(Self(envelope.get(2 + name..).context("no envelope")?.to_vec()))
    }

    /// Counts the runs of eight bytes of the key that stand in a file of the store.
    fn runs_in(&self, house: &House) -> anyhow::Result<usize> {
        let mut found = 0;
        for entry in fs::read_dir(house.path("data"))? {
            let path = entry?.path();
            if path.is_file() {
                let bytes = fs::read(&path)?;
                let runs: std::collections::HashSet<&[u8]> = self.0.windows(8).collect();
                found += bytes.windows(8).filter(|window| runs.contains(window)).count();
            }
        }
        Ok(found)
    }

    /// Waits until nothing of it is left: whoever read the store meanwhile may have kept an older page for a moment.
    async fn leaves(&self, house: &House) -> anyhow::Result<()> {
        until("no run of the key", async || Ok((self.runs_in(house)? == 0).then_some(()))).await
    }
}

/// How a link is asked for.
type Way = (Method, &'static [(&'static str, &'static str)]);
const WAYS: [Way; 5] = [
    (Method::GET, &[]),
    (Method::HEAD, &[]),
    (Method::GET, &[("range", "bytes=0-99")]),
    (Method::GET, &[("accept-encoding", "gzip")]),
    (Method::GET, &[("if-none-match", "\"x\"")]),
];
const ATTEMPTS: u32 = 5;
