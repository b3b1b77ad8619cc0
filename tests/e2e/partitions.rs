//! A large table that is read in parts, several at the same time: the files are those of one stream, whatever dies in the middle.
//!
//! Where the daemon dies is drawn from a seed. What is left to chance: which part is how far then.

use std::ffi::OsStr;
use std::fs;

use antumbra_e2e::{
    Caller, EMAIL, House, Postgres, Scale, Serve, StoreView, checker, left_out, sha256_hex,
};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

#[tokio::test]
async fn a_table_in_parts_is_the_table_in_one_stream() -> anyhow::Result<()> {
    let (mut house, server) = filled()?;
    let mut together = exported(&house, &server, &four(Some(4), ""), "together.zip").await?;
    // What cuts is a secret of the keys: under few of them, no part has a cut to begin at.
    for _ in 0..2 {
        if parts(&house)? == 1 {
            house = House::with_keys(Scale::Small, |_| Ok(ROOT.to_owned()))?;
            together = exported(&house, &server, &four(Some(4), ""), "together.zip").await?;
        }
    }
    ensure!(parts(&house)? > 1, "read as one stream");
    let alone = exported(&house, &server, &four(None, ""), "alone.zip").await?;
    ensure!(parts(&house)? == 1, "nobody asked for parts");
    ensure!(alone == together, "one stream makes {alone}, parts make {together}");
    // One session for all of them, one after the other.
    let limit = "[silo.limits]\nmax_connections = 1\n";
    let one_by_one = exported(&house, &server, &four(Some(7), limit), "one-by-one.zip").await?;
    ensure!(alone == one_by_one, "one stream makes {alone}, one session {one_by_one}");
    if !left_out("python") {
        let zip = house.path("together.zip");
        let rows = ROWS.to_string();
        let said = checker("check_parts.py", &[zip.as_os_str(), OsStr::new(&rows)])?;
        eprintln!("{}", said.trim());
    }
    Ok(())
}

#[tokio::test]
async fn killed_while_parts_are_read() -> anyhow::Result<()> {
    dies(&[("collect.batch", 50), ("collect.committed", 2)]).await
}

#[tokio::test]
async fn long_killed_twenty_times_while_parts_are_read() -> anyhow::Result<()> {
    let points = [
        ("collect.batch", 50),
        ("collect.slice", 3),
        ("collect.sealed", 2),
        ("collect.committed", 2),
        ("collect.joined", 1),
    ];
    dies(&[points, points, points, points].concat()).await
}

async fn dies(points: &[(&str, u64)]) -> anyhow::Result<()> {
    let (house, server) = filled()?;
    let request = Request { partitions: None, limits: "", formats: &TWO };
    let truth = exported(&house, &server, &request, "alone.zip").await?;
    let mut seed = antumbra_e2e::seed()?;
    for (name, most) in points {
        let point = format!("{name}:{}", draw(&mut seed) % most + 1);
        dies_and_goes_on(&house, &server, &point, &truth)
            .await
            .with_context(|| format!("killed at {point}"))?;
    }
    Ok(())
}

async fn dies_and_goes_on(
    house: &House,
    server: &Postgres,
    point: &str,
    truth: &str,
) -> anyhow::Result<()> {
    server.settle(house, &datapoints(Some(4)))?;
    let mut daemon = serve().crash_point(point).start(house).await?;
    let request = Caller::new(house, &daemon)?.submit(&TWO).await?;
    daemon.said(&format!("crash point {}", point.replace(':', " "))).await?;
    let job = StoreView::open(house)?.jobs()?.pop().context("no job")?;
    ensure!(job.state == "COLLECTING" && job.fence == 1, "the point is elsewhere: {job:?}");
    daemon.kill()?;
    let of_job = format!(
        "select distinct object from segments where lower(hex(job)) = '{}'",
        job.id.replace('-', "")
    );
    let committed = StoreView::open(house)?.texts(&of_job)?;

    // The parts that were begun go on, whatever settings say now.
    server.settle(house, &datapoints(None))?;
    let daemon = serve().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let answer = caller.downloadable(&request).await?;
    ensure!(
        answer.pointer("/contentSha256") == Some(&json!(truth)),
        "another content than the uninterrupted run's {truth}: {answer}"
    );
    let objects = StoreView::open(house)?.texts(&of_job)?;
    let lost = committed.iter().find(|object| !objects.contains(object));
    ensure!(lost.is_none(), "{lost:?} was committed and is not part of the bundle");
    ensure!(answer.pointer("/job/leases") == Some(&json!(2)), "{answer}");
    ensure!(daemon.terminate().await? == 0);
    Ok(())
}

/// What is asked for, and how it is read.
struct Request<'a> {
    partitions: Option<u32>,
    /// TOML of the silo.
    limits: &'a str,
    formats: &'a [&'a str],
}

/// Runs a request with so many partitions to its end and keeps its bundle; returns the hash of its content.
async fn exported(
    house: &House,
    server: &Postgres,
    request: &Request<'_>,
    name: &str,
) -> anyhow::Result<String> {
    let points = datapoints(request.partitions);
    server.settle(house, &format!("{}{points}", request.limits))?;
    let daemon = serve().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let request = caller.submit(request.formats).await?;
    let answer = caller.downloadable(&request).await?;
    ensure!(answer.pointer("/progress/rowsCollected") == Some(&json!(ROWS)), "{answer}");
    let bundle = caller.bundle(&request).await?;
    ensure!(answer.pointer("/bundleSha256") == Some(&json!(sha256_hex(&bundle)?)));
    let zip = house.path(name);
    fs::write(&zip, bundle)?;
    let hash = answer.pointer("/contentSha256").and_then(Value::as_str).context("no hash")?;
    ensure!(house.verified(&zip)?.contains(hash));
    ensure!(daemon.terminate().await? == 0);
    Ok(hash.to_owned())
}

/// In how many parts the latest job was read.
fn parts(house: &House) -> anyhow::Result<usize> {
    let latest = "select distinct cast(ordinal / 1048576 as text) from slices where job = (select max(job) from slices)";
    Ok(StoreView::open(house)?.texts(latest)?.len())
}

const fn four(partitions: Option<u32>, limits: &str) -> Request<'_> {
    Request { partitions, limits, formats: &FORMATS }
}

fn serve() -> Serve {
    Serve::new().set("export.max_memory=1GiB")
}

fn filled() -> anyhow::Result<(House, Postgres)> {
    let house = House::new(Scale::Small)?;
    let server = Postgres::start("jit = off\nautovacuum = off")?;
    server.sql(&format!(
        "create table events (region text, id bigint, email text not null, what text, amount numeric(12,2), at timestamptz,
             primary key (region, id));
         insert into events select 'r' || n % 3, n, '{EMAIL}', case when n % 11 = 0 then null else '=' || md5(n::text) end,
             n / 100.0, timestamptz '2020-01-01Z' + n * interval '1 second' from generate_series(1, {ROWS}) n;
         analyze events;"
    ))?;
    Ok((house, server))
}

fn datapoints(partitions: Option<u32>) -> String {
    let partitions = partitions.map(|parts| format!("partitions = {parts}\n")).unwrap_or_default();
    format!(
        "[[silo.datapoint]]\nname = \"events\"\ntable = \"events\"\nmatch = {{ email = \"email\" }}\n\
         key = [\"region\", \"id\"]\n{partitions}"
    )
}

/// `SplitMix64`.
fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const ROWS: u64 = 600_000;
const FORMATS: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
const TWO: [&str; 2] = ["JSON", "PARQUET"];
/// Of settings, behind the ring.
const ROOT: &str = "root = { file = \"keys/root.key\" }";
