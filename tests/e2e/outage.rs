//! The root key is out of reach for thirty seconds: connections refused, never answered, reset; a vault sealed. New jobs are refused or
//! wait, nothing is recorded or stored unsealed, reads end when what was remembered is forgotten, and everything goes on by itself.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use antumbra_e2e::{
    Caller, Daemon, EMAIL, Gate, House, Moto, Needles, OpenBao, Reply, Scale, Serve, ShopNeedles,
    Shut, StoreView, left_out, private, submission, submission_of, until,
};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Side by side, so that thirty seconds pass once; on threads of their own, so that neither keeps the other from being quick.
#[test]
fn kms_and_vault_are_out_of_reach_for_thirty_seconds() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let kms = thread::spawn(move || runtime()?.block_on(kms_behind_a_gate()));
    let vault = thread::spawn(move || runtime()?.block_on(sealed_vault()));
    let ended = [("KMS", kms.join()), ("vault", vault.join())];
    for (which, ended) in ended {
        ended.map_err(|_| anyhow::anyhow!("{which}: panicked"))?.context(which)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn daemon_does_not_start_while_the_root_is_out_of_reach() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let moto = Moto::start().await?;
    let mut gate = Gate::open_to(moto.address()).await?;
    let house = House::with_keys(Scale::Small, |keys| kms(keys, &moto, &gate))?;
    for how in [Shut::Refused, Shut::Hanging, Shut::Reset] {
        gate.shut(how).await?;
        let refused = house.antumbra(&["serve", "--set", "listen.address=127.0.0.1:0"])?;
        ensure!(refused.code != 0, "{how:?}: it started without its keys: {refused:?}");
        ensure!(refused.stderr.contains("aws-kms:"), "{how:?}: {}", refused.stderr);
    }
    let generated = House::with_keys(Scale::Small, |keys| kms(keys, &moto, &gate));
    ensure!(generated.is_err(), "a key ring was made without its root");
    gate.open().await?;
    let daemon = Serve::new().start(&house).await?;
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

async fn kms_behind_a_gate() -> anyhow::Result<()> {
    let moto = Moto::start().await?;
    let mut gate = Gate::open_to(moto.address()).await?;
    let house = House::with_keys(Scale::Large, |keys| kms(keys, &moto, &gate))?;
    let story = Story::begin(&house).await?;
    let begun = Instant::now();
    for how in [Shut::Refused, Shut::Hanging, Shut::Reset] {
        gate.shut(how).await?;
        story.nothing_goes(&format!("{how:?}"), begun.elapsed() + OUTAGE / 3, begun).await?;
    }
    ensure!(begun.elapsed() >= OUTAGE);
    gate.open().await?;
    story.end().await.context("after the KMS came back")
}

async fn sealed_vault() -> anyhow::Result<()> {
    let bao = OpenBao::start().await?;
    let token = bao.token("1h").await?;
    let house = House::with_keys(Scale::Large, |keys| {
        private(&keys.join("token"), &token)?;
        Ok(format!(
            "cache = \"1s\"\n[keys.root]\ntype = \"vault\"\naddress = \"{}\"\nkey = \"{}\"\ntoken = {{ file = \"keys/token\" }}\ntimeout = \"1s\"\nattempts = 2\n",
            bao.url(),
            OpenBao::KEY
        ))
    })?;
    let story = Story::begin(&house).await?;
    let begun = Instant::now();
    bao.seal().await?;
    story.nothing_goes("sealed", OUTAGE, begun).await?;
    bao.unseal().await?;
    story.end().await.context("after the vault was unsealed")
}

fn kms(keys: &Path, moto: &Moto, gate: &Gate) -> anyhow::Result<String> {
    private(&keys.join("aws-id"), &moto.user().access_key_id)?;
    private(&keys.join("aws-secret"), &moto.user().secret_access_key)?;
    Ok(format!(
        "cache = \"1s\"\n[keys.root]\ntype = \"aws-kms\"\nkey = \"{}\"\nregion = \"{}\"\nendpoint = \"{}\"\naccess_key_id = {{ file = \"keys/aws-id\" }}\nsecret_access_key = {{ file = \"keys/aws-secret\" }}\ntimeout = \"1s\"\nattempts = 2\n",
        moto.key(),
        Moto::REGION,
        gate.url()
    ))
}

/// A daemon with a bundle that is ready, a job that runs and others that wait for their turn, longer than anything is remembered.
struct Story<'h> {
    house: &'h House,
    daemon: Daemon,
    caller: Caller,
    needles: Needles,
    ready: String,
    bundle: Vec<u8>,
    running: String,
    queued: [String; 2],
    content: Option<Value>,
}

impl<'h> Story<'h> {
    async fn begin(house: &'h House) -> anyhow::Result<Self> {
        let daemon = Serve::new().start(house).await?;
        let caller = Caller::new(house, &daemon)?;
        let ready = caller.submit(&FORMATS).await?;
        // What an undisturbed run under these keys has; the hashes of redaction and the cuts of slices follow from the ring.
        let content = caller.downloadable(&ready).await?.pointer("/contentSha256").cloned();
        let bundle = caller.bundle(&ready).await?;
        let needles = ShopNeedles::open(house)?.all()?;
        let running = caller.submit(&FORMATS).await?;
        let mut long = submission(&FORMATS);
        long["subject"] = json!({ "email": EMAIL });
        let long = caller.submit_body(&long).await?;
        let short = caller.submit_body(&submission_of(41, &["NDJSON"])).await?;
        until("rows of the running job", async || {
            let answer = caller.poll(&running).await?;
            let rows = answer.pointer("/progress/rowsCollected").and_then(Value::as_u64);
            let over = answer.pointer("/status") == Some(&json!("DOWNLOADABLE"));
            Ok((over || rows.is_some_and(|rows| rows > 0)).then_some(()))
        })
        .await?;
        let queued = [long, short];
        Ok(Self { house, daemon, caller, needles, ready, bundle, running, queued, content })
    }

    /// Until a time after the outage began: submitting is refused and recorded nowhere; reading is refused as soon as what was
    /// remembered is forgotten, and stays so.
    async fn nothing_goes(&self, how: &str, last: Duration, begun: Instant) -> anyhow::Result<()> {
        let view = StoreView::open(self.house)?;
        let (requests, jobs) = (view.count("requests")?, view.count("jobs")?);
        let download = until("a read that is refused", async || {
            let downloads = self.caller.downloads(&self.ready).await?;
            let download = downloads.first().context("nothing to download")?.clone();
            let reply = self.caller.download(&download, &[]).await?;
            Ok((!reply.complete()).then_some(download))
        })
        .await?;
        let mut rounds = 0;
        while rounds < 2 || begun.elapsed() < last {
            unavailable(
                &self.caller.post(&submission_of(40, &["NDJSON"]).to_string()).await?,
                &format!("{how}: submit"),
            )?;
            let reply = self.caller.download(&download, &[]).await?;
            unavailable(&reply, &format!("{how}: read"))?;
            let health = self.caller.client().get("/health", &[]).await?;
            ensure!(health.status == 200, "{how}: {} {}", health.status, health.text());
            for request in self.queued.iter().chain([&self.running]) {
                let answer = self.caller.poll(request).await?;
                let status = answer.pointer("/status").and_then(Value::as_str);
                ensure!(
                    status.is_some_and(|status| FINE.contains(&status)),
                    "{how}: a job did not wait: {answer}"
                );
            }
            rounds += 1;
        }
        ensure!(
            (view.count("requests")?, view.count("jobs")?) == (requests, jobs),
            "{how}: recorded"
        );
        self.nothing_is_unsealed(how)
    }

    fn nothing_is_unsealed(&self, how: &str) -> anyhow::Result<()> {
        for folder in ["data", "logs", "tmp"] {
            let (found, _) = self.needles.found_below(&self.house.path(folder))?;
            ensure!(found.is_empty(), "{how}: canaries in {found:?}");
        }
        Ok(())
    }

    /// Everything that waited ends by itself, as if nothing had been.
    async fn end(mut self) -> anyhow::Result<()> {
        let answer = self.caller.downloadable(&self.running).await?;
        ensure!(
            self.content.is_some() && answer.pointer("/contentSha256") == self.content.as_ref(),
            "{answer}"
        );
        for request in &self.queued {
            self.caller.downloadable(request).await?;
        }
        ensure!(self.caller.bundle(&self.ready).await? == self.bundle, "another bundle");
        let request = self.caller.submit_body(&submission_of(40, &["NDJSON"])).await?;
        self.caller.downloadable(&request).await?;
        for request in self.queued.iter().chain([&self.running, &request]) {
            let zip = self.house.path("bundle.zip");
            fs::write(&zip, self.caller.bundle(request).await?)?;
            ensure!(self.house.verified(&zip)?.contains("VERIFIED"));
        }
        // A job that had no key yet said that it waits, and that it goes on.
        self.daemon.said("job waits: the root of the keys does not answer").await?;
        self.daemon.said("job goes on: the root of the keys answers again").await?;
        self.nothing_is_unsealed("afterwards")?;
        for job in StoreView::open(self.house)?.jobs()? {
            ensure!(job.fence == 1, "leases were spent on waiting: {job:?}");
        }
        self.house.antumbra(&["audit", "verify"])?.ok()?;
        ensure!(self.daemon.terminate().await? == 0);
        Ok(())
    }
}

/// Says that it passes, and when to ask again.
fn unavailable(reply: &Reply, what: &str) -> anyhow::Result<()> {
    ensure!(reply.status == 503, "{what}: {} {}", reply.status, reply.text());
    let after = reply.header("retry-after").parse::<u32>();
    ensure!(after.is_ok_and(|seconds| seconds > 0), "{what}: no retry-after: {:?}", reply.headers);
    Ok(())
}

const FORMATS: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
const FINE: [&str; 4] = ["REQUEST_MADE", "ENRICHING", "COMPILING", "DOWNLOADABLE"];
const OUTAGE: Duration = Duration::from_secs(30);
