//! The source is a MariaDB server: every type arrives as documented, a daemon that dies in the middle ends with the content of the
//! uninterrupted run, a server that goes away is waited for, and no password is written anywhere.
//!
//! Where the daemon dies is asserted. What is left to chance: whether the export is over before the server is stopped; then
//! that attempt says nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use antumbra_e2e::{
    Caller, EMAIL, House, LOYALTY, MariaDb, Needles, Scale, Serve, StoreView, checker, left_out,
    repository, run,
};
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

#[tokio::test]
async fn every_type_is_in_every_format_as_documented() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = MariaDb::start().await?;
    server.sql(&nasty()?)?;
    server.settle(&house, &format!("{PEOPLE}{NASTY}"))?;
    let daemon = Serve::new().set("log.level=trace").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&FORMATS).await?;
    caller.downloadable(&request).await?;
    let zip = house.path("bundle.zip");
    fs::write(&zip, caller.bundle(&request).await?)?;
    assert!(house.verified(&zip)?.contains("VERIFIED"));
    if !left_out("python") {
        let zip = zip.display().to_string();
        let said = checker("check_postgres_types.py", &[&zip, "mysql_types.json"])?;
        eprintln!("{}", said.trim());
    }
    // With the most talkative log, the driver's words included.
    let url = server.url();
    let password = url.split([':', '@']).nth(2).context("the URL has no password")?;
    let secret = Needles::new([password.to_owned(), "it's, sad canary".to_owned()])?;
    assert_eq!(daemon.terminate().await?, 0);
    for folder in ["data", "logs", "tmp"] {
        let (found, _) = secret.found_below(&house.path(folder))?;
        assert!(found.is_empty(), "in clear in {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn killed_while_collecting_it_ends_with_the_same_content() -> anyhow::Result<()> {
    let (house, _server) = crowded().await?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&FORMATS).await?;
    let truth = caller.downloadable(&request).await?["contentSha256"].clone();
    ensure!(truth.is_string() && daemon.terminate().await? == 0);
    for (point, state) in [
        ("plan.made:1", "REQUESTED"),
        ("collect.batch:9", "COLLECTING"),
        ("collect.committed:1", "COLLECTING"),
        ("collect.sealed:2", "COLLECTING"),
        ("package.report:1", "PACKAGING"),
    ] {
        let mut daemon = Serve::new().crash_point(point).start(&house).await?;
        let request = Caller::new(&house, &daemon)?.submit(&FORMATS).await?;
        daemon.said(&format!("crash point {}", point.replace(':', " "))).await?;
        let job = StoreView::open(&house)?.jobs()?.pop().context("no job")?;
        ensure!(job.state == state && job.fence == 1, "the point is elsewhere: {job:?}");
        daemon.kill()?;
        let daemon = Serve::new().start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        let answer = caller.downloadable(&request).await?;
        ensure!(answer["contentSha256"] == truth, "killed at {point}: {answer} is not {truth}");
        ensure!(answer.pointer("/job/leases") == Some(&json!(2)), "{answer}");
        let zip = house.path("bundle.zip");
        fs::write(&zip, caller.bundle(&request).await?)?;
        assert!(house.verified(&zip)?.contains("VERIFIED"));
        ensure!(daemon.terminate().await? == 0);
    }
    Ok(())
}

#[tokio::test]
async fn server_that_comes_back_is_waited_for_and_the_content_is_the_same() -> anyhow::Result<()> {
    let (house, mut server) = crowded().await?;
    let serve = Serve::new().set("export.silo_attempts=60").set("export.silo_backoff=200ms");
    let daemon = serve.start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON", "CSV"]).await?;
    let truth = caller.downloadable(&request).await?;
    for attempt in 1..=ATTEMPTS {
        let request = caller.submit(&["JSON", "CSV"]).await?;
        antumbra_e2e::until("rows", async || {
            let answer = caller.poll(&request).await?;
            let over = answer["status"] == json!("DOWNLOADABLE");
            Ok((over || rows(&answer) > 1).then_some(()))
        })
        .await?;
        server.stop_at_once()?;
        let answer = caller.poll(&request).await?;
        let over = answer["status"] != json!("COMPILING") || rows(&answer) >= EVENTS;
        server.start_again().await?;
        let answer = caller.downloadable(&request).await?;
        if over {
            eprintln!("attempt {attempt}: collecting was over before the server stopped");
            continue;
        }
        assert_eq!(answer["contentSha256"], truth["contentSha256"], "{answer}\n{truth}");
        return Ok(());
    }
    bail!("in {ATTEMPTS} attempts the server never stopped in the middle");
}

/// A server may end every statement of everybody after some rows, without a word, and refuse what it thinks too dear.
#[tokio::test]
async fn what_a_server_sets_for_everybody_hides_no_row() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = MariaDb::start().await?;
    server.sql(&format!(
        "create table notes (id integer primary key, email varchar(99), other integer, key (email));
         insert into notes select seq, '{EMAIL}', seq from seq_1_to_50;
         create view seen as select n.* from notes n join notes m on m.id = n.other;
         create view chain as with recursive c (n) as (select 1 union all select n + 1 from c where n < 3000)
           select n, '{EMAIL}' email from c;
         create table large (id integer primary key, email varchar(99), body longtext);
         insert into large values (1, '{EMAIL}', repeat('x', 10000000));
         set global sql_select_limit = 3, global sql_big_selects = 0, global max_join_size = 4, global autocommit = 0,
           global time_zone = '+05:00', global sql_mode = 'ANSI,PIPES_AS_CONCAT'"
    ))?;
    server.settle(&house, HIDDEN)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let answer = caller.downloadable(&caller.submit(&FORMATS).await?).await?;
    // The view has no key, and its user may not see how it was made.
    ensure!(rows(&answer) == 3_100, "{answer}");
    let zip = house.path("bundle.zip");
    let request = caller.submit(&["CSV"]).await?;
    caller.downloadable(&request).await?;
    fs::write(&zip, caller.bundle(&request).await?)?;
    for (name, count) in [("notes", 51), ("seen", 51), ("chain", 3_001)] {
        let lines =
            run(Path::new("unzip"), house.root(), &["-p", "bundle.zip", &format!("*{name}.csv")])?;
        ensure!(lines.ok()?.lines().count() == count, "{name}");
    }
    assert_eq!(daemon.terminate().await?, 0);
    // What it only warns of is refused: a value that is too long for it would be NULL.
    server.settle(&house, TOO_LONG)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["CSV"]).await?;
    let answer = caller.ended(&request).await?.to_string();
    ensure!(answer.contains("(1301)"), "{answer}");
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

/// Somebody with many rows, ordered by a key that ignores case.
async fn crowded() -> anyhow::Result<(House, MariaDb)> {
    let house = House::new(Scale::Small)?;
    let server = MariaDb::start().await?;
    server.sql(&format!(
        "{people}
         create table events (id bigint unsigned primary key, code varchar(40) collate utf8mb4_general_ci not null unique,
           person integer not null, at datetime(6) not null, what text not null, key (person, id));
         insert into events select seq, concat(if(seq % 2, 'event-', 'EVENT-'), seq), 42,
             timestampadd(second, seq, '2024-01-01'), repeat(concat('event ', seq), 9) from seq_1_to_{EVENTS};
         analyze table events;",
        people = people()
    ))?;
    server.settle(&house, &format!("{PEOPLE}{MANY}"))?;
    Ok((house, server))
}

fn people() -> String {
    format!(
        "create table people (id integer primary key, email varchar(80) not null, loyalty varchar(20) not null);
         insert into people values (42, '{EMAIL}', '{LOYALTY}'), (43, 'x@example.org', 'AP-000043'), (0, 'nobody@example.org', '0');"
    )
}

/// The statements that make the table of every type, with a row of values and a row of NULLs; and a row of somebody else, of whom
/// a text that is taken for a number would find everything.
fn nasty() -> anyhow::Result<String> {
    let cases = fs::read_to_string(repository().join("tests/python/mysql_types.json"))?;
    let cases: Vec<Value> = serde_json::from_str(&cases)?;
    let (mut columns, mut values, mut nulls) = (String::new(), String::new(), String::new());
    for (at, case) in cases.iter().enumerate() {
        let text = |name: &str| case[name].as_str().with_context(|| format!("case {at}: {name}"));
        write!(columns, ", c{at} {} null", text("type")?)?;
        write!(values, ", {}", text("sql")?)?;
        nulls.push_str(", null");
    }
    Ok(format!(
        "{people} set sql_mode = 'ALLOW_INVALID_DATES', time_zone = '+00:00';
         create table nasty (id integer primary key, person integer not null{columns});
         insert into nasty values (1, 42{values}), (2, 42{nulls}), (3, 0{nulls});",
        people = people()
    ))
}

fn rows(answer: &Value) -> u64 {
    answer.pointer("/progress/rowsCollected").and_then(Value::as_u64).unwrap_or_default()
}

const FORMATS: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
const EVENTS: u64 = 400_000;
const ATTEMPTS: u32 = 5;

const HIDDEN: &str = r#"[[silo.datapoint]]
name = "notes"
table = "notes"
match = { email = "email" }

[[silo.datapoint]]
name = "seen"
table = "seen"
match = { email = "email" }

[[silo.datapoint]]
name = "chain"
table = "chain"
match = { email = "email" }
"#;

const TOO_LONG: &str = r#"[[silo.datapoint]]
name = "large"
query = "select id, hex(body) as h from large where email = :email"
"#;

const PEOPLE: &str = r#"[[silo.datapoint]]
name = "people"
table = "people"
match = { email = "email", loyalty = "coreIdentifier" }
provides = { customer_id = "id" }
key = ["id"]
"#;

const MANY: &str = r#"
[[silo.datapoint]]
name = "events"
table = "shop.events"
match = { person = "customer_id" }
key = ["code"]
time_column = "at"
"#;

const NASTY: &str = r#"
[[silo.datapoint]]
name = "nasty"
table = "nasty"
match = { person = "customer_id" }
key = ["id"]
"#;
