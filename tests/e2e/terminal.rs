//! Somebody at a terminal, without a daemon and with one: exports a person, asks, watches, cancels, revokes, reads the log; the exit
//! codes are those of the help, and nothing stays behind.

use std::fs;
use std::path::Path;

use antumbra_e2e::{
    Daemon, EMAIL, House, LOYALTY, Prepared, Ran, Scale, Serve, binary, command, left_out, run,
    until,
};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

#[tokio::test]
async fn export_without_a_daemon_is_the_bundle_of_a_daemon() -> anyhow::Result<()> {
    let house = House::new(Scale::Medium)?;
    let args = ["export", "--email", EMAIL, "--identifier", CORE, "--out", "x.zip", "--json"];
    let formats = FORMATS.iter().flat_map(|format| ["--format", format]);
    let args: Vec<&str> = args.into_iter().chain(formats).collect();
    let ran = terminal(&house, &args)?;
    ensure!(ran.code == 0, "{ran:?}");
    let last = ran.stdout.lines().last().context("it said nothing")?;
    let last: Value = serde_json::from_str(last)?;
    let expected = Prepared::of(Scale::Medium)?.content_sha256()?;
    let said = house.verified(&house.path("x.zip"))?;
    assert!(said.contains("VERIFIED"), "{said}");
    ensure!(said.contains(&expected), "another content than the daemon's {expected}: {said}");
    assert!(last.to_string().contains(&expected), "{last}");
    assert!(
        !ran.stdout.contains(EMAIL) && !ran.stderr.contains(EMAIL),
        "personal values are not repeated"
    );
    if !left_out("python") {
        let (zip, shop) = (house.path("x.zip"), house.path("source/shop.db"));
        let (zip, shop) = (zip.display().to_string(), shop.display().to_string());
        antumbra_e2e::checker("check_bundle.py", &[zip.as_str(), &shop, EMAIL, LOYALTY])?;
    }
    nothing_left(&house, &["x.zip"])?;

    // What is there is not replaced without a word.
    let before = fs::read(house.path("x.zip"))?;
    let again = terminal(&house, &["export", "--email", EMAIL, "--out", "x.zip"])?;
    assert_ne!(again.code, 0);
    assert!(fs::read(house.path("x.zip"))? == before);
    let forced = terminal(&house, &["export", "--email", EMAIL, "--out", "x.zip", "--force"])?;
    assert_eq!(forced.code, 0, "{forced:?}");
    nothing_left(&house, &["x.zip"])
}

#[tokio::test]
async fn interrupted_export_leaves_nothing() -> anyhow::Result<()> {
    let house = House::new(Scale::Huge)?;
    let out = house.path("stdout");
    let mut child = command(&binary()?)
        .args(["export", "--email", EMAIL, "--out", "x.zip", "--json"])
        .current_dir(house.root())
        .env("TMPDIR", house.path("tmp"))
        .stdout(fs::File::create(&out)?)
        .stderr(fs::File::create(house.path("stderr"))?)
        .spawn()?;
    // It works with sealed files beside the zip; they are there as soon as rows are.
    let started = until("progress", async || {
        let said = fs::read_to_string(&out)?;
        let ended = child.try_wait()?;
        ensure!(ended.is_none(), "it ended with {ended:?}: {said}");
        Ok((said.lines().count() > 1).then_some(()))
    });
    let started = started.await;
    run(Path::new("sh"), Path::new("/"), &["-c", &format!("kill -INT {}", child.id())])?;
    let status = until("the end", async || Ok(child.try_wait()?)).await?;
    started?;
    assert_eq!(status.code(), Some(130), "{}", fs::read_to_string(house.path("stderr"))?);
    nothing_left(&house, &["stdout", "stderr"])
}

#[tokio::test]
async fn export_with_a_failing_section_says_so_by_its_exit_code() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let base = fs::read_to_string(house.path("antumbra.toml"))?;
    house.add_settings("\n[[silo.datapoint]]\nname = \"absent\"\ntable = \"no_such_table\"\nmatch = { customer_id = \"customer_id\" }\n")?;
    let export = |policy: &str| {
        terminal(&house, &["export", "--email", EMAIL, "--out", "x.zip", "--on-silo-error", policy])
    };
    let failed = export("fail")?;
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stderr.contains("absent"), "the section is named: {failed:?}");
    nothing_left(&house, &[])?;
    let partial = export("partial")?;
    assert_eq!(partial.code, 3, "{partial:?}");
    assert!(format!("{}{}", partial.stdout, partial.stderr).contains("absent"), "{partial:?}");
    house.verified(&house.path("x.zip"))?;
    fs::write(house.path("antumbra.toml"), base)?;
    nothing_left(&house, &["x.zip"])
}

#[tokio::test]
async fn plan_tells_what_would_be_read_and_no_value() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let plan = terminal(&house, &["plan", "--email", EMAIL, "--identifier", CORE])?;
    assert_eq!(plan.code, 0, "{plan:?}");
    for word in ["page_events", "customer_id", "select", "payments"] {
        assert!(plan.stdout.contains(word), "{word}: {}", plan.stdout);
    }
    assert!(!plan.stdout.contains(EMAIL) && !plan.stdout.contains(LOYALTY), "{}", plan.stdout);
    let plan = terminal(&house, &["plan", "--email", EMAIL, "--json"])?.ok()?;
    let plan: Value = serde_json::from_str(&plan)?;
    assert!(plan.is_object());
    let check = terminal(&house, &["silo", "check", "shop"])?;
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.stdout.contains("page_events"));
    assert_ne!(terminal(&house, &["silo", "check", "other"])?.code, 0);
    assert_eq!(terminal(&house, &["plan"])?.code, 64, "nobody was named");
    nothing_left(&house, &[])
}

#[tokio::test]
async fn requests_are_submitted_watched_downloaded_and_cancelled() -> anyhow::Result<()> {
    let house = House::new(Scale::Medium)?;
    let daemon = Serve::new().start(&house).await?;
    let desk = Desk::new(&house, &daemon)?;
    let id = desk.ask(&["submit", "--data-subject", EMAIL, "--notes", "by hand"])?.ok()?;
    let id = id.trim().lines().last().context("no id")?.to_owned();
    assert_eq!(desk.ask(&["watch", &id])?.code, 0);
    let shown = desk.ask(&["show", &id, "--json"])?.ok()?;
    let shown: Value = serde_json::from_str(&shown)?;
    assert!(shown.to_string().contains("READY"), "{shown}");
    desk.ask(&["download", &id, "--out", "artifact.json"])?.ok()?;
    let artifact: Value = serde_json::from_slice(&fs::read(house.path("artifact.json"))?)?;
    assert!(artifact.pointer("/data/artifact/sections").is_some_and(Value::is_array));
    let list = desk.ask(&["list", "--state", "delivered"])?.ok()?;
    assert!(list.contains(&id) || list.contains(id.trim_start_matches("dsar:")), "{list}");
    assert_ne!(desk.ask(&["cancel", &id])?.code, 0, "it ended already");

    let zip = desk.ask(&["submit", "--data-subject", EMAIL, "--format", "csv"])?.ok()?;
    let zip = zip.trim().lines().last().context("no id")?.to_owned();
    desk.ask(&["watch", &zip])?.ok()?;
    desk.ask(&["download", &zip, "--out", "x.zip"])?.ok()?;
    assert!(house.verified(&house.path("x.zip"))?.contains("VERIFIED"));
    assert_eq!(daemon.terminate().await?, 0);

    // A daemon that starts nothing by itself: the request is still there to be cancelled.
    let daemon = Serve::new().set("compliance.autostart=false").start(&house).await?;
    let desk = Desk::new(&house, &daemon)?;
    let held = desk.ask(&["submit", "--data-subject", EMAIL])?.ok()?;
    let held = held.trim().lines().last().context("no id")?.to_owned();
    assert_eq!(desk.ask(&["cancel", &held])?.code, 0);
    assert_eq!(desk.ask(&["watch", &held])?.code, 5, "cancelled: there is nothing to download");
    assert_eq!(daemon.terminate().await?, 0);
    assert_eq!(desk.ask(&["list"])?.code, 4, "nobody answers");
    Ok(())
}

#[tokio::test]
async fn silo_check_and_figures_tell_how_the_daemon_asks_its_silos() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let mut daemon = Serve::new().set("metrics.listen=127.0.0.1:0").start(&house).await?;
    let line = daemon.said("metrics are answered address=").await?;
    let address = line.rsplit_once("address=").map(|(_, address)| address.trim().to_owned());
    let address = address.context("no address")?;
    let desk = Desk::new(&house, &daemon)?;
    let id = desk.ask(&["submit", "--data-subject", EMAIL])?.ok()?;
    let id = id.trim().lines().last().context("no id")?.to_owned();
    assert_eq!(desk.ask(&["watch", &id])?.code, 0);

    let listen = format!("metrics.listen={address}");
    let told = terminal(&house, &["silo", "check", "--set", &listen])?.ok()?;
    assert!(told.contains("  daemon circuit closed, opened 0 times since it started; "), "{told}");
    assert!(told.contains("0 waits for a budget"), "{told}");
    let lines = terminal(&house, &["silo", "check", "--json", "--set", &listen])?.ok()?;
    let standing =
        lines.lines().find(|line| line.contains("the daemon")).context("no such line")?;
    let standing: Value = serde_json::from_str(standing)?;
    assert_eq!((&standing["circuit"], &standing["sectionsReading"]), (&json!("closed"), &json!(0)));
    if !left_out("curl") {
        let url = format!("http://{address}/metrics");
        let got = command(Path::new("curl")).args(["-sSf", &url]).output()?;
        let figures = String::from_utf8(got.stdout)?;
        let rows = figures.lines().find(|line| line.starts_with("antumbra_silo_rows_total{"));
        let rows = rows.and_then(|line| line.rsplit(' ').next()).context("no rows are counted")?;
        assert!(rows.parse::<f64>()? > 0.0, "{figures}");
        assert!(!figures.contains(EMAIL), "{figures}");
    }
    assert_eq!(daemon.terminate().await?, 0);
    let told = terminal(&house, &["silo", "check", "--set", &listen])?.ok()?;
    assert!(!told.contains("daemon"), "nobody answers: {told}");
    Ok(())
}

#[tokio::test]
async fn revoked_key_stops_working_at_once_and_the_log_tells_it() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let daemon = Serve::new().start(&house).await?;
    let desk = Desk::new(&house, &daemon)?;
    assert_eq!(desk.ask(&["list"])?.code, 0);
    let listed = terminal(&house, &["api-key", "list", "--json"])?.ok()?;
    let key = fs::read_to_string(house.path("desk.key"))?;
    assert!(!listed.contains(key.trim()), "a list that shows keys");
    let keys: Vec<Value> = listed.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let id = keys
        .iter()
        .find(|entry| {
            entry.get("scopes").is_some_and(|scopes| scopes.to_string().contains("audit:read"))
        })
        .and_then(|entry| entry.get("id")?.as_str())
        .with_context(|| format!("no such key: {listed}"))?;
    assert_eq!(terminal(&house, &["api-key", "revoke", id])?.code, 0);
    let refused = desk.ask(&["list"])?;
    assert_ne!(refused.code, 0, "a revoked key works: {refused:?}");
    let log = terminal(&house, &["audit", "show", "--json"])?.ok()?;
    let entries: Vec<Value> = log.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(entries.iter().any(|entry| entry.to_string().contains("revoked")), "{log}");
    assert_eq!(terminal(&house, &["audit", "verify"])?.code, 0);
    assert_ne!(terminal(&house, &["api-key", "revoke", "nothing-like-it"])?.code, 0);
    Ok(())
}

/// Asks a daemon with a key in a file.
struct Desk<'h> {
    house: &'h House,
    url: String,
}

impl<'h> Desk<'h> {
    fn new(house: &'h House, daemon: &Daemon) -> anyhow::Result<Self> {
        let key = house.new_api_key(&["--scope", "audit:read"])?;
        fs::write(house.path("desk.key"), key)?;
        Ok(Self { house, url: daemon.url() })
    }

    fn ask(&self, args: &[&str]) -> anyhow::Result<Ran> {
        let flags = ["--url", &self.url, "--api-key-file", "desk.key"];
        terminal(self.house, &[&["request"], args, &flags].concat())
    }
}

/// Runs a command with a directory for temporary files that the story looks into.
fn terminal(house: &House, args: &[&str]) -> anyhow::Result<Ran> {
    let output = command(&binary()?)
        .args(args)
        .current_dir(house.root())
        .env("TMPDIR", house.path("tmp"))
        .output()?;
    Ok(Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Beside what was asked for there is what was there before: keys, settings, source and the store that the house's own key is in.
fn nothing_left(house: &House, asked: &[&str]) -> anyhow::Result<()> {
    let before = ["antumbra.toml", "data", "keys", "source", "tmp"];
    for entry in fs::read_dir(house.root())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        ensure!(before.contains(&name.as_str()) || asked.contains(&name.as_str()), "{name} stayed");
    }
    let temporary: Vec<_> = fs::read_dir(house.path("tmp"))?.collect();
    ensure!(temporary.is_empty(), "in TMPDIR: {temporary:?}");
    let jobs = house.path("data/objects/jobs");
    if jobs.try_exists()? {
        ensure!(fs::read_dir(jobs)?.next().is_none(), "objects in the daemon's own directory");
    }
    Ok(())
}

const CORE: &str = "coreIdentifier=AP-000042";
const FORMATS: [&str; 4] = ["json", "csv", "ndjson", "parquet"];

#[test]
fn json_lines_are_one_object_each() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let ran = terminal(&house, &["export", "--email", EMAIL, "--out", "x.zip", "--json"])?.ok()?;
    for line in ran.lines() {
        let value: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        assert_ne!(value, json!(null));
        assert!(value.is_object(), "{line}");
    }
    Ok(())
}
