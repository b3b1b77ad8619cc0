//! The daemon dies in the middle, at points that are asserted to be where they claim; after a restart every request ends
//! DOWNLOADABLE, once, with the `contentSha256` of the uninterrupted run, and goes on from the last commit.
//!
//! Failure is: a request that stays open, or a second job, another hash, a bundle that does not verify, work of the first
//! lease that was committed and is done again, a download that is wrong afterwards.
//! What is left to chance: which thread runs first inside the daemon. Where it stops is not.

use std::borrow::Cow;
use std::fs;

use antumbra_e2e::{
    Caller, Daemon, House, JobRow, Prepared, Scale, Serve, StoreView, sha256_hex, submission,
};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

/// Where to die, and what the store must say then.
struct Death {
    /// `name:n` of the crash point.
    point: Cow<'static, str>,
    /// The job's state; none: nothing may have been recorded.
    state: Option<&'static str>,
    /// How many leases there were.
    fence: u32,
    /// Whether segments were committed, where the point says so.
    committed: Option<bool>,
}

const fn death(point: &'static str, state: &'static str, fence: u32, committed: bool) -> Death {
    Death { point: Cow::Borrowed(point), state: Some(state), fence, committed: Some(committed) }
}

const PLANNING: [Death; 3] = [
    death("plan.begin:1", "REQUESTED", 1, false),
    death("plan.made:1", "REQUESTED", 1, false),
    death("plan.saved:1", "COLLECTING", 1, false),
];

const COLLECTING: [Death; 5] = [
    death("collect.batch:7", "COLLECTING", 1, false),
    death("collect.sealed:1", "COLLECTING", 1, false),
    death("collect.committed:1", "COLLECTING", 1, true),
    death("collect.sealed:2", "COLLECTING", 1, true),
    death("collect.committed:2", "COLLECTING", 1, true),
];

const PACKAGING: [Death; 4] = [
    death("package.begin:1", "COLLECTING", 1, true),
    death("package.started:1", "PACKAGING", 1, true),
    death("package.verified:1", "PACKAGING", 1, true),
    death("package.published:1", "READY", 1, true),
];

/// Between the others: `collect` is where most time passes, so most points are there.
const LONG: [Death; 18] = [
    death("collect.batch:1", "COLLECTING", 1, false),
    death("collect.batch:2", "COLLECTING", 1, false),
    death("collect.batch:9", "COLLECTING", 1, false),
    death("collect.batch:13", "COLLECTING", 1, false),
    death("collect.batch:21", "COLLECTING", 1, false),
    death("collect.slice:1", "COLLECTING", 1, false),
    death("collect.slice:2", "COLLECTING", 1, false),
    death("collect.slice:3", "COLLECTING", 1, false),
    death("collect.slice:4", "COLLECTING", 1, false),
    death("collect.slice:5", "COLLECTING", 1, false),
    death("collect.slice:6", "COLLECTING", 1, false),
    death("collect.slice:7", "COLLECTING", 1, false),
    death("collect.slice:8", "COLLECTING", 1, false),
    death("collect.slice:11", "COLLECTING", 1, true),
    death("collect.slice:12", "COLLECTING", 1, true),
    death("collect.sealed:3", "COLLECTING", 1, true),
    death("collect.committed:3", "COLLECTING", 1, true),
    death("package.report:1", "PACKAGING", 1, true),
];

#[tokio::test]
async fn kill_while_planning() -> anyhow::Result<()> {
    all_die_and_go_on(&PLANNING).await
}

#[tokio::test]
async fn kill_while_collecting() -> anyhow::Result<()> {
    all_die_and_go_on(&COLLECTING).await
}

#[tokio::test]
async fn kill_while_packaging() -> anyhow::Result<()> {
    all_die_and_go_on(&PACKAGING).await
}

#[tokio::test]
async fn long_kill_at_eighteen_more_points() -> anyhow::Result<()> {
    all_die_and_go_on(&LONG).await
}

/// Draws four places of `collect` from a seed, which is printed; `ANTUMBRA_SEED` draws others.
#[tokio::test]
async fn kill_at_points_drawn_from_a_seed() -> anyhow::Result<()> {
    let mut seed = antumbra_e2e::seed()?;
    eprintln!("ANTUMBRA_SEED={seed}");
    let mut draw = |most: u64| {
        // SplitMix64.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most + 1
    };
    let points =
        [("collect.batch", 24), ("collect.slice", 9), ("collect.batch", 24), ("collect.slice", 9)];
    let deaths = points.map(|(name, most)| Death {
        point: Cow::Owned(format!("{name}:{}", draw(most))),
        state: Some("COLLECTING"),
        fence: 1,
        committed: None,
    });
    all_die_and_go_on(&deaths).await
}

async fn all_die_and_go_on(deaths: &[Death]) -> anyhow::Result<()> {
    for death in deaths {
        dies_and_goes_on(death).await.with_context(|| format!("killed at {}", death.point))?;
    }
    Ok(())
}

async fn dies_and_goes_on(death: &Death) -> anyhow::Result<()> {
    let house = House::new(Scale::Large)?;
    let mut daemon = Serve::new().crash_point(&death.point).start(&house).await?;
    let request = Caller::new(&house, &daemon)?.submit(&FORMATS).await?;
    daemon.said(&format!("crash point {}", death.point.replace(':', " "))).await?;

    let view = StoreView::open(&house)?;
    let jobs = view.jobs()?;
    ensure!(jobs.len() == 1, "{jobs:?}");
    let expected = death.state.context("a recorded job")?;
    ensure!(
        jobs[0].state == expected && jobs[0].fence == death.fence,
        "the point is elsewhere: {jobs:?}"
    );
    let committed = view.objects()?;
    ensure!(
        death.committed.is_none_or(|expected| committed.is_empty() != expected),
        "committed objects at that point: {committed:?}"
    );
    drop(view);
    daemon.kill()?;

    let daemon = Serve::new().start(&house).await?;
    let after = goes_on(&house, &daemon, &request).await?;
    let objects = StoreView::open(&house)?.objects()?;
    for object in committed.iter().filter(|object| object.starts_with("0001-")) {
        ensure!(
            objects.contains(object),
            "{object} was committed and is not part of the bundle: restarted, not resumed"
        );
    }
    let published = death.state == Some("READY");
    ensure!(after.fence == if published { 1 } else { 2 }, "{after:?}");
    ensure!(daemon.terminate().await? == 0);
    Ok(())
}

/// Waits for the bundle after a restart and checks everything that must hold then; returns the only job.
async fn goes_on(house: &House, daemon: &Daemon, request: &str) -> anyhow::Result<JobRow> {
    let caller = Caller::new(house, daemon)?;
    let answer = caller.downloadable(request).await?;
    let view = StoreView::open(house)?;
    ensure!(view.count("requests")? == 1, "{} requests", view.count("requests")?);
    let jobs = view.jobs()?;
    ensure!(jobs.len() == 1, "{jobs:?}");
    ensure!(view.count("published")? == 1);
    let expected = Prepared::of(Scale::Large)?.content_sha256()?;
    ensure!(
        answer.pointer("/contentSha256") == Some(&json!(expected)),
        "another content than the uninterrupted run's {expected}: {answer}"
    );
    let bundle = caller.bundle(request).await?;
    ensure!(answer.pointer("/bundleSha256") == Some(&json!(sha256_hex(&bundle)?)));
    let zip = house.path("bundle.zip");
    fs::write(&zip, bundle)?;
    ensure!(house.verified(&zip)?.contains(&expected));
    jobs.into_iter().next().context("no job")
}

#[tokio::test]
async fn kill_before_a_request_is_recorded() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let mut daemon = Serve::new().crash_point("submit.received:1").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let body = submission(&FORMATS).to_string();
    let (answer, killed) = tokio::join!(caller.post(&body), async {
        daemon.said("crash point submit.received 1").await?;
        let view = StoreView::open(&house)?;
        ensure!(view.count("requests")? == 0 && view.count("jobs")? == 0, "recorded already");
        daemon.kill()
    });
    killed?;
    assert!(answer.is_err(), "an answer without a record: {answer:?}");

    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let view = StoreView::open(&house)?;
    assert_eq!((view.count("requests")?, view.count("jobs")?), (0, 0));
    let request = caller.submit(&FORMATS).await?;
    caller.downloadable(&request).await?;
    assert_eq!(view.jobs()?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn kill_after_a_request_is_recorded() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    // Nobody works, so that the request is still open when it is submitted again.
    let serve = Serve::new().set("worker.enabled=false");
    let mut daemon = serve.clone().crash_point("submit.recorded:1").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let body = submission(&FORMATS).to_string();
    let (answer, killed) = tokio::join!(caller.post(&body), async {
        daemon.said("crash point submit.recorded 1").await?;
        let jobs = StoreView::open(&house)?.jobs()?;
        ensure!(jobs.len() == 1 && jobs[0].state == "REQUESTED", "{jobs:?}");
        daemon.kill()
    });
    killed?;
    assert!(answer.is_err(), "the client was answered before the kill: {answer:?}");

    let daemon = serve.start(&house).await?;
    let again = Caller::new(&house, &daemon)?.post(&body).await?;
    assert_eq!(again.status, 409, "{}", again.text());
    assert!(again.text().contains("You have already made this request"), "{}", again.text());
    assert_eq!(daemon.terminate().await?, 0);

    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let view = StoreView::open(&house)?;
    let requests = view.texts("select lower(hex(id)) from requests")?;
    assert_eq!(requests.len(), 1);
    let answer = caller.downloadable(&requests[0]).await?;
    let expected = Prepared::of(Scale::Small)?.content_sha256()?;
    assert_eq!(answer.pointer("/contentSha256"), Some(&json!(expected)));
    assert_eq!(view.jobs()?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn kill_while_delivering() -> anyhow::Result<()> {
    let house = House::new(Scale::Large)?;
    let mut request = String::new();
    let mut truth = Vec::new();
    for point in ["deliver.body:1", "deliver.body:3"] {
        let mut daemon = Serve::new().crash_point(point).start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        if request.is_empty() {
            request = caller.submit(&FORMATS).await?;
        }
        caller.downloadable(&request).await?;
        let bundle = caller.downloads(&request).await?.remove(0);
        let (reply, killed) = tokio::join!(caller.download(&bundle, &[]), async {
            daemon.said(&format!("crash point {}", point.replace(':', " "))).await?;
            let jobs = StoreView::open(&house)?.jobs()?;
            ensure!(jobs[0].state == "READY", "not delivered yet: {jobs:?}");
            daemon.kill()
        });
        killed?;
        let received = match reply {
            Ok(reply) => {
                assert!(reply.cut.is_some(), "{point}: a killed daemon ended the body cleanly");
                reply.body
            }
            Err(_) => Vec::new(),
        };

        let daemon = Serve::new().start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        // The key of before the crash still opens, and the client goes on where it was cut off.
        let range = format!("bytes={}-", received.len());
        let rest = caller.download(&bundle, &[("range", &range)]).await?;
        assert_eq!(rest.status, 206, "{}", rest.text());
        let whole = [received, rest.body].concat();
        let answer = caller.poll(&request).await?;
        assert_eq!(answer.pointer("/bundleSha256"), Some(&json!(sha256_hex(&whole)?)), "{point}");
        assert_eq!(
            answer.pointer("/status"),
            Some(&json!("DOWNLOADABLE")),
            "a part completes nothing"
        );
        truth = whole;
        assert_eq!(daemon.terminate().await?, 0);
    }
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    assert!(caller.bundle(&request).await? == truth);
    let answer = caller.poll(&request).await?;
    assert_eq!(
        answer.pointer("/job/leases"),
        Some(&json!(1)),
        "delivering is no work for a worker"
    );
    Ok(())
}

/// The signal may come too late on a machine that is busy elsewhere; that attempt says nothing and is made again.
#[tokio::test]
async fn sigterm_while_collecting_drains_and_goes_on() -> anyhow::Result<()> {
    for attempt in 1..=ATTEMPTS {
        let house = House::new(Scale::Large)?;
        let Some((request, committed)) = stopped_while_collecting(&house).await? else {
            eprintln!("attempt {attempt}: collecting was over before the daemon stopped");
            continue;
        };
        assert!(!committed.is_empty(), "what was complete was not committed");

        let daemon = Serve::new().start(&house).await?;
        let after = goes_on(&house, &daemon, &request).await?;
        assert_eq!(after.fence, 2);
        let objects = StoreView::open(&house)?.objects()?;
        assert!(committed.iter().all(|object| objects.contains(object)), "restarted, not resumed");
        return Ok(());
    }
    bail!("in {ATTEMPTS} attempts it never stopped while COLLECTING");
}

/// Asks the daemon to stop once rows are committed. Returns the request and what was committed; none if the daemon had
/// ended collecting by then.
async fn stopped_while_collecting(house: &House) -> anyhow::Result<Option<(String, Vec<String>)>> {
    let daemon = Serve::new().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let request = caller.submit(&FORMATS).await?;
    antumbra_e2e::until("rows", async || {
        let answer = caller.poll(&request).await?;
        let rows = answer.pointer("/progress/rowsCollected").and_then(Value::as_u64);
        Ok(rows.filter(|rows| *rows > 0))
    })
    .await?;
    ensure!(daemon.terminate().await? == 0, "the daemon did not stop well");
    let view = StoreView::open(house)?;
    let jobs = view.jobs()?;
    ensure!(jobs.len() == 1, "{jobs:?}");
    match jobs[0].state.as_str() {
        "COLLECTING" => Ok(Some((request, view.objects()?))),
        "PACKAGING" | "READY" => Ok(None),
        state => bail!("stopped as {state}: {jobs:?}"),
    }
}

#[tokio::test]
async fn sigterm_and_sigint_while_idle_exit_0() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    for signal in ["TERM", "INT"] {
        let daemon = Serve::new().start(&house).await?;
        assert_eq!(daemon.stop(signal).await?, 0);
    }
    Ok(())
}

const FORMATS: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
const ATTEMPTS: u32 = 5;
