//! Keys of the ring are rotated under a daemon that exports and delivers: no request fails, no byte of a bundle changes, and what
//! is retired is gone for good. A rotation that is killed in the middle is finished by the next command.
//!
//! Failure is: any answer to a client that is not a success, a bundle with another hash than before, a job that needs a key that
//! was retired, a retired key's bytes in the ring's file.
//! What is left to chance: which request meets which moment of a rotation. That they met is asserted.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use antumbra_e2e::{
    Caller, Daemon, House, Load, Ran, Scale, Serve, StoreView, binary, command, run, until,
};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

#[tokio::test]
async fn keys_are_rotated_thrice_under_load_and_no_request_fails() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let mut daemon = Serve::new().start(&house).await?;
    let mut load = Load::new(&house, &daemon)?;
    let mut old_keys = vec![active(&house)?];
    let first_file = fs::read(ring(&house))?;
    for round in 1..=3 {
        let before = load.exported();
        let rotation = async || {
            // Some are under way, and some bundles are there to be read.
            load.exports(before + 2).await?;
            let said = keys(&house, &["rotate", "--rewrap"]).await?.ok()?;
            let key = active(&house)?;
            ensure!(said.contains(&key), "{said}");
            match round {
                // It sees by itself that the file is another one.
                1 => drop(daemon.said(&heard(&key)).await?),
                2 => {
                    daemon.signal("HUP")?;
                    daemon.said(&heard(&key)).await?;
                }
                // It is not told: whoever needs the new key reads the file.
                _ => {}
            }
            load.exports(load.exported() + 3).await
        };
        load.beside(rotation).await?;
        let rows = list(&house)?;
        let newest = active(&house)?;
        ensure!(!old_keys.contains(&newest), "{rows:?}");
        ensure!(rows.len() == round + 1, "{rows:?}");
        ensure!(
            rows.iter()
                .all(|row| row.state == if row.id == newest { "active" } else { "readable" })
        );
        ensure!(
            rows.iter().all(|row| row.services == if row.id == newest { 6 } else { 0 }),
            "{rows:?}"
        );
        old_keys.push(newest);
        if round == 3 {
            ensure!(daemon.terminate().await? == 0, "it did not stop well");
            daemon = Serve::new().start(&house).await?;
            load.at(&house, &daemon)?;
        }
    }
    let newest = old_keys.pop().context("no key")?;
    // What was made under an older key between a rotation and its being heard of.
    let wrapped = wrapped_of(&house, &old_keys)?;
    let retiring = async || {
        load.exports(load.exported() + 1).await?;
        keys(&house, &["rewrap"]).await?.ok()?;
        let retired = keys(&house, &["retire", "--unused"]).await?.ok()?;
        ensure!(old_keys.iter().all(|key| retired.contains(key)), "{retired}");
        load.exports(load.exported() + 2).await
    };
    load.beside(retiring).await?;

    let text = fs::read_to_string(ring(&house))?;
    ensure!(wrapped.len() == 3 && wrapped.iter().all(|wrapped| !text.contains(wrapped)));
    let rows = list(&house)?;
    for row in &rows {
        let expected = if row.id == newest { "active" } else { "retired" };
        ensure!(row.state == expected && (row.jobs > 0) == (row.id == newest), "{rows:?}");
    }
    eprintln!("{} exports and {} reads, none failed", load.exported(), load.reads());
    load.all_are_as_they_were().await?;

    stale_ring_makes_nothing(&house, daemon, &first_file).await?;
    house.antumbra(&["audit", "verify"])?.ok()?;
    let view = StoreView::open(&house)?;
    for (action, least) in [("key.rotated", 3), ("key.rewrapped", 3), ("key.retired", 3)] {
        let found = view.texts(&format!("select action from audit where action = '{action}'"))?;
        ensure!(found.len() >= least, "{action}: {}", found.len());
    }
    Ok(())
}

/// Somebody puts the ring of a backup back, in which a retired key is active: the store knows better.
async fn stale_ring_makes_nothing(
    house: &House,
    daemon: Daemon,
    stale: &[u8],
) -> anyhow::Result<()> {
    ensure!(daemon.terminate().await? == 0);
    let current = fs::read(ring(house))?;
    fs::write(ring(house), stale)?;
    let daemon = Serve::new().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let before = StoreView::open(house)?.count("requests")?;
    let body = antumbra_e2e::submission(&["JSON"]).to_string();
    let refused = caller.post(&body).await?;
    ensure!(
        refused.status == 503 && !refused.header("retry-after").is_empty(),
        "{}",
        refused.text()
    );
    ensure!(StoreView::open(house)?.count("requests")? == before, "recorded under a retired key");
    let rewrap = keys(house, &["rewrap"]).await?;
    ensure!(rewrap.code != 0, "{}", rewrap.stdout);
    fs::write(ring(house), current)?;
    // The daemon hears of it without being told, and goes on.
    let id = caller.submit(&["JSON"]).await?;
    caller.downloadable(&id).await?;
    ensure!(daemon.terminate().await? == 0);
    Ok(())
}

#[tokio::test]
async fn rotation_that_is_killed_in_the_middle_is_finished_by_the_next_command()
-> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let mut bundles = Vec::new();
    for _ in 0..3 {
        let id = caller.submit(&["JSON", "PARQUET"]).await?;
        caller.downloadable(&id).await?;
        let bundle = caller.bundle(&id).await?;
        bundles.push((id, bundle));
    }
    for (point, under_new) in [
        ("keys.rotated:1", 0),
        ("keys.ring_rewrapped:1", 0),
        ("keys.rewrapped:1", 1),
        ("keys.rewrapped:2", 2),
    ] {
        let before = active(&house)?;
        killed_at(&house, point).await?;
        let rows = list(&house)?;
        let after = active(&house)?;
        ensure!(after != before, "{point}: the ring was not written");
        let jobs = |id: &str| rows.iter().find(|row| row.id == id).map_or(0, |row| row.jobs);
        ensure!((jobs(&before), jobs(&after)) == (3 - under_new, under_new), "{point}: {rows:?}");
        ensure!(keys(&house, &["retire", &before]).await?.code == 1, "{point}: needed and retired");
        for (id, bundle) in &bundles {
            ensure!(caller.bundle(id).await? == *bundle, "{point}: changed or lost in between");
        }
        let said = keys(&house, &["rewrap"]).await?.ok()?;
        ensure!(said.contains(&after), "{point}: {said}");
        let rows = list(&house)?;
        ensure!(rows.iter().all(|row| row.jobs == if row.id == after { 3 } else { 0 }), "{rows:?}");
        keys(&house, &["retire", &before]).await?.ok()?;
        for (id, bundle) in &bundles {
            ensure!(caller.bundle(id).await? == *bundle, "{point}: changed or lost afterwards");
        }
    }
    house.antumbra(&["audit", "verify"])?.ok()?;
    Ok(())
}

/// Rotates, and kills the command at a point of it.
async fn killed_at(house: &House, point: &str) -> anyhow::Result<()> {
    let log = house.path("rotate.stderr");
    let child = command(&binary()?)
        .args(["keys", "rotate", "--rewrap"])
        .current_dir(house.root())
        .env("ANTUMBRA_CRASH_POINT", point)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .spawn()?;
    let mut child = Killed(child);
    let words = format!("crash point {}", point.replace(':', " "));
    until(&words, async || {
        let said = fs::read_to_string(&log)?;
        ensure!(child.0.try_wait()?.is_none(), "it ended before {point}:\n{said}");
        Ok(said.contains(&words).then_some(()))
    })
    .await
}

/// A command that is killed when dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        let _status = self.0.wait().ok();
    }
}

/// Runs `antumbra keys …` while the story goes on.
async fn keys(house: &House, args: &[&str]) -> anyhow::Result<Ran> {
    let (binary, root) = (binary()?, house.root().to_owned());
    let args: Vec<String> =
        std::iter::once("keys").chain(args.iter().copied()).map(str::to_owned).collect();
    tokio::task::spawn_blocking(move || run(&binary, &root, &args)).await?
}

/// A line of `keys list`.
#[derive(Debug)]
struct Row {
    id: String,
    state: String,
    jobs: u64,
    services: u64,
}

fn list(house: &House) -> anyhow::Result<Vec<Row>> {
    let said = house.antumbra(&["keys", "list", "--json"])?.ok()?;
    said.lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line)?;
            let text = |name: &str| row[name].as_str().map(str::to_owned).context("no text");
            let number = |name: &str| row[name].as_u64().context("no number");
            let (jobs, services) = (number("jobs")?, number("services")?);
            Ok(Row { id: text("id")?, state: text("state")?, jobs, services })
        })
        .collect()
}

fn active(house: &House) -> anyhow::Result<String> {
    let rows = list(house)?;
    let mut active = rows.iter().filter(|row| row.state == "active");
    let found = active.next().with_context(|| format!("no active key: {rows:?}"))?;
    ensure!(active.next().is_none(), "several active keys: {rows:?}");
    Ok(found.id.clone())
}

/// What the daemon says when it holds a ring in which this key is active.
fn heard(key: &str) -> String {
    format!("key ring reloaded active=\"{key}\"")
}

fn ring(house: &House) -> PathBuf {
    house.path("keys/ring.json")
}

/// The wrapped bytes of keys, as the ring's file has them.
fn wrapped_of(house: &House, ids: &[String]) -> anyhow::Result<Vec<String>> {
    let file: Value = serde_json::from_slice(&fs::read(ring(house))?)?;
    let keys = file["keys"].as_array().context("no keys")?;
    let of = keys.iter().filter(|key| ids.iter().any(|id| key["id"] == json!(id)));
    of.map(|key| key["wrapped"].as_str().map(str::to_owned).context("not wrapped")).collect()
}
