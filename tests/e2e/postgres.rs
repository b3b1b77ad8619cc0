//! The source is a PostgreSQL server: the demo ends as the one on a file, every type arrives as documented, nothing is stored in
//! clear, and a server that goes away in the middle is waited for, or the export says what is missing.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use antumbra_e2e::{
    Caller, Compliance, EMAIL, House, LOYALTY, Needles, Postgres, Running, Scale, Serve,
    ShopNeedles, binary, checker, left_out, proc, repository, run, submission, until,
};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

#[tokio::test]
async fn demo_ends_like_the_one_on_a_file_value_for_value() -> anyhow::Result<()> {
    let house = House::new(Scale::Medium)?;
    let place = house.path("demo").display().to_string();
    let events = Scale::Medium.events().to_string();
    let args = [
        "demo", "--silo", "postgres", "--once", "--port", "0", "--events", &events, "--dir", &place,
    ];
    let before = servers()?;
    let said = run(&binary()?, house.root(), &args)?.ok()?;
    ensure!(said.contains("VERIFIED"), "the demo said:\n{said}");
    assert_eq!(servers()?, before, "a server was left running");
    let zip = only_zip(&house.path("demo/downloads"))?.display().to_string();
    let shop = house.path("source/shop.db").display().to_string();
    if !left_out("python") {
        let said = checker("check_bundle.py", &["--postgres", &zip, &shop, EMAIL, LOYALTY])?;
        eprintln!("{}", said.trim());
    }
    // The other source's settings are not this one's.
    let other = ["demo", "--once", "--port", "0", "--events", &events, "--dir", &place];
    let refused = run(&binary()?, house.root(), &other)?;
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("--silo"), "{}", refused.stderr);
    Ok(())
}

#[tokio::test]
async fn every_type_is_in_every_format_as_documented() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = Postgres::start("")?;
    server.sql(&nasty()?)?;
    server.settle(&house, &format!("{PEOPLE}{NASTY}"))?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&FORMATS).await?;
    caller.downloadable(&request).await?;
    let zip = house.path("bundle.zip");
    fs::write(&zip, caller.bundle(&request).await?)?;
    assert!(house.verified(&zip)?.contains("VERIFIED"));
    if !left_out("python") {
        let said = checker("check_postgres_types.py", &[zip.display().to_string()])?;
        eprintln!("{}", said.trim());
    }
    Ok(())
}

/// What the demo does on a server, and a daemon of this story beside it with the most talkative log.
#[tokio::test]
async fn nothing_of_the_server_is_stored_or_logged_in_clear() -> anyhow::Result<()> {
    let house = House::new(Scale::Medium)?;
    let place = house.path("demo").display().to_string();
    let events = Scale::Medium.events().to_string();
    let args = ["demo", "--silo", "postgres", "--port", "0", "--events", &events, "--dir", &place];
    let before = servers()?;
    let mut demo = Running::start(&args, house.root())?;
    demo.said("until Ctrl-C").await?;
    ensure!(servers()? > before, "the server is seen while it runs");

    let needles = ShopNeedles::open(&house)?.all()?;
    let url = fs::read_to_string(house.path("demo/source/postgres.url"))?;
    let password = url.split([':', '@']).nth(2).context("the URL has no password")?;
    let secret = Needles::new([password.to_owned()])?;
    let settings = fs::read_to_string(house.path("demo/antumbra.toml"))?;
    let (_, silos) = settings.split_once("[[silo]]").context("no silo")?;
    house.set_silos(&format!(
        "[[silo]]{}",
        silos.replace("source/postgres.url", "demo/source/postgres.url")
    ))?;
    let serve = Serve::new().set("log.level=trace");
    let mut daemon = serve.clone().crash_point("collect.sealed:1").start(&house).await?;
    let request = Caller::new(&house, &daemon)?.submit(&FORMATS).await?;
    daemon.said("crash point collect.sealed 1").await?;
    daemon.kill()?;
    let daemon = serve.start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    caller.downloadable(&request).await?;
    caller.bundle(&request).await?;
    // A value that is no number of the server's type, in a refusal of the server's own if it gets there.
    caller.post(&submission_of("penelope.penumbra@example.org'; --").to_string()).await?;
    assert_eq!(daemon.terminate().await?, 0);
    assert_eq!(demo.interrupt().await?, 0, "Ctrl-C ends the demo well");
    assert_eq!(servers()?, before, "its server was left running");

    let mut read = 0;
    for folder in ["data", "logs", "tmp", "demo/data"] {
        for (what, needles) in [("data", &needles), ("the password", &secret)] {
            let (found, bytes) = needles.found_below(&house.path(folder))?;
            assert!(found.is_empty(), "{what} of the server in {found:?}");
            read += bytes;
        }
    }
    let said = fs::read(house.path("stdout"))?;
    assert_eq!(secret.found_in(&said), 0, "the demo printed its password");
    ensure!(read > 1_000_000, "only {read} bytes were searched");
    eprintln!("{} canaries and a password, {read} bytes searched, none found", needles.len());
    Ok(())
}

/// The export may be over before the server is stopped, on a machine that is busy elsewhere; that attempt says nothing.
#[tokio::test]
async fn server_that_comes_back_is_waited_for_and_the_content_is_the_same() -> anyhow::Result<()> {
    let (house, server) = crowded()?;
    let serve = Serve::new().set("export.silo_attempts=40").set("export.silo_backoff=200ms");
    let daemon = serve.start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON", "CSV"]).await?;
    let truth = caller.downloadable(&request).await?;
    for attempt in 1..=ATTEMPTS {
        let request = caller.submit(&["JSON", "CSV"]).await?;
        collecting(&caller, &request).await?;
        server.stop_at_once()?;
        let answer = caller.poll(&request).await?;
        let over = answer["status"] != json!("COMPILING") || rows(&answer) >= EVENTS;
        server.start_again()?;
        let answer = caller.downloadable(&request).await?;
        if over {
            eprintln!("attempt {attempt}: collecting was over before the server stopped");
            continue;
        }
        assert_eq!(answer["contentSha256"], truth["contentSha256"], "{answer}\n{truth}");
        let zip = house.path("bundle.zip");
        fs::write(&zip, caller.bundle(&request).await?)?;
        assert!(house.verified(&zip)?.contains("VERIFIED"));
        let leases = answer.pointer("/job/leases");
        assert_eq!(leases, Some(&json!(1)), "retried within the section, not by another worker");
        let log = daemon.log()?;
        assert!(log.contains("events"), "the log does not tell which section was tried again");
        return Ok(());
    }
    bail!("in {ATTEMPTS} attempts the server never stopped in the middle");
}

#[tokio::test]
async fn server_that_stays_away_fails_the_job_and_names_the_section() -> anyhow::Result<()> {
    let (house, server) = crowded()?;
    let daemon = impatient().start(&house).await?;
    let compliance = Compliance::new(&house, &daemon)?;
    for attempt in 1..=ATTEMPTS {
        let id = compliance.created(LOYALTY, "CSV").await?;
        until("rows", async || {
            let job = compliance.job(&id).await?;
            let state = job["state"].as_str().unwrap_or_default().to_owned();
            let rows = job.pointer("/progress/rowsCollected").and_then(Value::as_u64);
            Ok((rows.is_some_and(|rows| rows > 1) || state == "READY").then_some(()))
        })
        .await?;
        server.stop_at_once()?;
        let job = until("the job's end", async || {
            let job = compliance.job(&id).await?;
            Ok(["READY", "FAILED"].map(Value::from).contains(&job["state"]).then_some(job))
        })
        .await?;
        if job["state"] == json!("READY") {
            eprintln!("attempt {attempt}: collecting was over before the server stopped");
            server.start_again()?;
            continue;
        }
        let message = job.pointer("/failure/message").and_then(Value::as_str).unwrap_or_default();
        assert!(message.contains("shop/events"), "the section is not named: {job}");
        assert!(!job.to_string().contains("owner:"), "{job}");
        assert_eq!(compliance.download(&id).await?.status, 409, "nothing of it can be downloaded");
        return Ok(());
    }
    bail!("in {ATTEMPTS} attempts the server never stopped in the middle");
}

#[tokio::test]
async fn partial_bundle_names_what_is_missing_in_status_manifest_and_report() -> anyhow::Result<()>
{
    let (house, server) = crowded()?;
    let daemon = impatient().set("export.on_silo_error=partial").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    for attempt in 1..=ATTEMPTS {
        let request = caller.submit(&["JSON", "CSV"]).await?;
        collecting(&caller, &request).await?;
        server.stop_at_once()?;
        let answer = caller.downloadable(&request).await?;
        let sections = answer["sections"].as_array().context("no sections")?;
        let events = sections.iter().find(|section| section["datapoint"] == json!("events"));
        let events = events.context("the status does not name the section")?;
        if rows_of(events) == Some(EVENTS) {
            eprintln!("attempt {attempt}: collecting was over before the server stopped");
            server.start_again()?;
            continue;
        }
        assert!(events.to_string().to_uppercase().contains("FAILED"), "{events}");
        assert_eq!(answer.pointer("/partial").and_then(Value::as_bool), Some(true), "{answer}");
        return is_honest(&house, &caller.bundle(&request).await?);
    }
    bail!("in {ATTEMPTS} attempts the server never stopped in the middle");
}

/// A bundle without the section says so wherever somebody looks.
fn is_honest(house: &House, bundle: &[u8]) -> anyhow::Result<()> {
    let zip = house.path("partial.zip");
    fs::write(&zip, bundle)?;
    house.verified(&zip)?;
    let read =
        |entry: &str| run(Path::new("unzip"), house.root(), &["-p", "partial.zip", entry])?.ok();
    let manifest: Value = serde_json::from_str(&read("manifest.json")?)?;
    let sections = manifest.pointer("/content/sections").and_then(Value::as_array);
    let events = sections.context("no sections")?.iter();
    let mut events = events.filter(|section| section["datapoint"] == json!("events"));
    let section = events.next().context("the manifest does not name the section")?;
    assert_eq!(section["outcome"], json!("failed"), "{section}");
    assert!(section["code"].is_string(), "{section}");
    let files = manifest.pointer("/content/files").context("no files")?.to_string();
    assert!(files.contains("people.json") && !files.contains("events"), "{files}");
    let report = read("report/index.html")?;
    assert!(report.contains("events") && report.contains("failed"), "the report is silent");
    Ok(())
}

/// Somebody with many rows, of whom the daemon has to read for seconds.
fn crowded() -> anyhow::Result<(House, Postgres)> {
    let house = House::new(Scale::Small)?;
    let server = Postgres::start("")?;
    server.sql(&format!(
        "create table people (id integer primary key, email text not null, loyalty text not null);
         insert into people values (42, '{EMAIL}', '{LOYALTY}'), (43, 'x@example.org', 'AP-000043');
         create table events (id bigint primary key, person integer not null, at timestamptz not null, what text not null);
         insert into events select n, 42, timestamptz '2024-01-01Z' + n * interval '1 second', md5(n::text) || md5((-n)::text)
             from generate_series(1, {EVENTS}) n;
         create index on events (person, id); analyze;"
    ))?;
    // Slow enough to be stopped in the middle, on whatever machine, and not to be made so small that all of it is one commit.
    let slowly = "[silo.limits]\nrows_per_second = 150000\n";
    server.settle(&house, &format!("{PEOPLE}{MANY}{slowly}"))?;
    Ok((house, server))
}

fn impatient() -> Serve {
    Serve::new().set("export.silo_attempts=2").set("export.silo_backoff=50ms")
}

/// Waits until some rows of the big section were committed.
async fn collecting(caller: &Caller, request: &str) -> anyhow::Result<()> {
    until("rows", async || {
        let answer = caller.poll(request).await?;
        let over = answer["status"] == json!("DOWNLOADABLE");
        Ok((over || rows(&answer) > 1).then_some(()))
    })
    .await
}

fn rows(answer: &Value) -> u64 {
    answer.pointer("/progress/rowsCollected").and_then(Value::as_u64).unwrap_or_default()
}

fn rows_of(section: &Value) -> Option<u64> {
    section.get("rows").and_then(Value::as_u64)
}

/// The statements that make the table of every type, with a row of values and a row of NULLs.
fn nasty() -> anyhow::Result<String> {
    let cases = fs::read_to_string(repository().join("tests/python/postgres_types.json"))?;
    let cases: Vec<Value> = serde_json::from_str(&cases)?;
    let (mut columns, mut values, mut nulls) = (String::new(), String::new(), String::new());
    for (at, case) in cases.iter().enumerate() {
        let text = |name: &str| case[name].as_str().with_context(|| format!("case {at}: {name}"));
        write!(columns, ", c{at} {}", text("type")?)?;
        write!(values, ", {}", text("sql")?)?;
        nulls.push_str(", null");
    }
    Ok(format!(
        "create type mood as enum ('happy', 'sad'); create type pair as (one integer, two text);
         create domain price as numeric(8,2) check (value >= 0);
         create table people (id integer primary key, email text not null, loyalty text not null);
         insert into people values (42, '{EMAIL}', '{LOYALTY}');
         create table nasty (id integer primary key, person integer not null{columns});
         insert into nasty values (1, 42{values}), (2, 42{nulls});"
    ))
}

fn submission_of(loyalty: &str) -> Value {
    let mut body = submission(&["JSON"]);
    body["subject"]["coreIdentifier"] = json!(loyalty);
    body
}

fn only_zip(directory: &Path) -> anyhow::Result<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "zip") {
            found.push(path);
        }
    }
    ensure!(found.len() == 1, "{found:?}");
    found.pop().context("no bundle")
}

/// Counts servers of demos that run.
fn servers() -> anyhow::Result<usize> {
    let lines = proc::command_lines()?;
    Ok(lines.iter().filter(|line| line.contains("postgres") && line.contains("demo")).count())
}

const FORMATS: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
const EVENTS: u64 = 500_000;
const ATTEMPTS: u32 = 5;

const PEOPLE: &str = r#"[[silo.datapoint]]
name = "people"
table = "public.people"
match = { email = "email", loyalty = "coreIdentifier" }
provides = { customer_id = "id" }
key = ["id"]
"#;

const MANY: &str = r#"
[[silo.datapoint]]
name = "events"
table = "events"
match = { person = "customer_id" }
key = ["id"]
time_column = "at"
"#;

const NASTY: &str = r#"
[[silo.datapoint]]
name = "nasty"
table = "nasty"
match = { person = "customer_id" }
key = ["id"]
"#;
