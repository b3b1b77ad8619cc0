//! The daemon dies in the middle of reading a database, several sections of which are read at the same time; after a restart every
//! request ends DOWNLOADABLE with the `contentSha256` of the uninterrupted run, and nothing that was committed is done again.
//!
//! Where it dies is drawn from a seed, and asserted to be in the phase that the point names. What is left to chance: which
//! section was read ahead how far.

use std::fs;

use antumbra_e2e::{
    Caller, EMAIL, House, LOYALTY, MariaDb, Postgres, Scale, Serve, StoreView, checker, duckdb,
    left_out, sha256_hex,
};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// A phase: its points, how often the daemon comes by each of them, and the job's state there.
struct Phase {
    points: &'static [(&'static str, u64)],
    state: &'static str,
}

const PLANNING: Phase =
    Phase { points: &[("plan.begin", 1), ("plan.made", 1)], state: "REQUESTED" };
const COLLECTING: Phase = Phase {
    points: &[
        ("plan.saved", 1),
        ("collect.batch", 40),
        ("collect.slice", 8),
        ("collect.sealed", 2),
        ("collect.committed", 2),
        ("package.begin", 1),
    ],
    state: "COLLECTING",
};
const PACKAGING: Phase = Phase {
    points: &[("package.started", 1), ("package.report", 1), ("package.verified", 1)],
    state: "PACKAGING",
};

const SHORT: [(Phase, u32); 3] = [(PLANNING, 1), (COLLECTING, 3), (PACKAGING, 1)];
const THIRTY: [(Phase, u32); 3] = [(PLANNING, 4), (COLLECTING, 20), (PACKAGING, 6)];

#[tokio::test]
async fn killed_in_every_phase_over_postgres() -> anyhow::Result<()> {
    dies_over_postgres(&SHORT).await
}

#[tokio::test]
async fn long_killed_thirty_times_over_postgres() -> anyhow::Result<()> {
    dies_over_postgres(&THIRTY).await
}

#[tokio::test]
async fn killed_in_every_phase_over_mysql() -> anyhow::Result<()> {
    dies_over_mysql(&SHORT).await
}

#[tokio::test]
async fn long_killed_thirty_times_over_mysql() -> anyhow::Result<()> {
    dies_over_mysql(&THIRTY).await
}

#[tokio::test]
async fn long_killed_thirty_times_over_sqlite() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let path = house.path("events.db");
    rusqlite::Connection::open(&path)?.execute_batch(&tables(&SQLITE))?;
    house.set_silos(&format!(
        "[[silo]]\nname = \"shop\"\ntype = \"sqlite\"\npath = \"{}\"\n\n{}",
        path.display(),
        datapoints()
    ))?;
    dies(&house, &THIRTY).await
}

#[tokio::test]
async fn killed_in_every_phase_over_adbc() -> anyhow::Result<()> {
    dies_over_adbc(&SHORT).await
}

#[tokio::test]
async fn long_killed_thirty_times_over_adbc() -> anyhow::Result<()> {
    dies_over_adbc(&THIRTY).await
}

async fn dies_over_postgres(phases: &[(Phase, u32)]) -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = Postgres::start("")?;
    server.sql(&tables(&POSTGRES))?;
    server.settle(&house, &datapoints())?;
    dies(&house, phases).await
}

async fn dies_over_mysql(phases: &[(Phase, u32)]) -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = MariaDb::start().await?;
    server.sql(&tables(&MARIADB))?;
    server.settle(&house, &datapoints())?;
    dies(&house, phases).await
}

/// DuckDB, which tells its driver of primary keys.
async fn dies_over_adbc(phases: &[(Phase, u32)]) -> anyhow::Result<()> {
    if left_out("python") || left_out("adbc") {
        return Ok(());
    }
    let house = House::new(Scale::Small)?;
    let path = house.path("events.duckdb").display().to_string();
    checker("run_duckdb.py", &[&path, &tables(&DUCKDB)])?;
    house.set_silos(&format!(
        "[[silo]]\nname = \"shop\"\ntype = \"adbc\"\ndriver = \"{}\"\nentrypoint = \"duckdb_adbc_init\"\n\
         options = {{ path = \"{path}\", access_mode = \"read_only\", temp_directory = \"\" }}\n\n{}",
        duckdb()?.display(),
        datapoints()
    ))?;
    dies(&house, phases).await
}

async fn dies(house: &House, phases: &[(Phase, u32)]) -> anyhow::Result<()> {
    let truth = uninterrupted(house).await?;
    let mut seed = antumbra_e2e::seed()?;
    for (phase, deaths) in phases {
        for _ in 0..*deaths {
            let place = usize::try_from(draw(&mut seed) % phase.points.len() as u64)?;
            let (name, most) = phase.points.get(place).context("no point")?;
            let point = format!("{name}:{}", draw(&mut seed) % most + 1);
            dies_and_goes_on(house, &point, phase.state, &truth)
                .await
                .with_context(|| format!("killed at {point}"))?;
        }
    }
    Ok(())
}

async fn uninterrupted(house: &House) -> anyhow::Result<String> {
    let daemon = Serve::new().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let request = caller.submit(&FORMATS).await?;
    let answer = caller.downloadable(&request).await?;
    let rows = answer.pointer("/progress/rowsCollected").and_then(Value::as_u64);
    ensure!(rows.is_some_and(|rows| rows > EVENTS), "not what was asked for: {answer}");
    ensure!(daemon.terminate().await? == 0);
    let hash = answer.pointer("/contentSha256").and_then(Value::as_str);
    hash.map(str::to_owned).context("no contentSha256")
}

async fn dies_and_goes_on(
    house: &House,
    point: &str,
    state: &str,
    truth: &str,
) -> anyhow::Result<()> {
    let mut daemon = Serve::new().crash_point(point).start(house).await?;
    let request = Caller::new(house, &daemon)?.submit(&FORMATS).await?;
    daemon.said(&format!("crash point {}", point.replace(':', " "))).await?;
    let view = StoreView::open(house)?;
    let job = view.jobs()?.pop().context("no job")?;
    ensure!(job.state == state && job.fence == 1, "the point is elsewhere: {job:?}");
    let of_job = format!(
        "select distinct object from segments where lower(hex(job)) = '{}'",
        job.id.replace('-', "")
    );
    let committed = view.texts(&of_job)?;
    drop(view);
    daemon.kill()?;

    let daemon = Serve::new().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let answer = caller.downloadable(&request).await?;
    ensure!(
        answer.pointer("/contentSha256") == Some(&json!(truth)),
        "another content than the uninterrupted run's {truth}: {answer}"
    );
    let objects = StoreView::open(house)?.texts(&of_job)?;
    // A section that was under way without a proven key would begin again; every one here has one.
    let lost = committed.iter().find(|object| !objects.contains(object));
    ensure!(lost.is_none(), "{lost:?} was committed and is not part of the bundle");
    ensure!(answer.pointer("/job/leases") == Some(&json!(2)), "{answer}");
    let bundle = caller.bundle(&request).await?;
    ensure!(answer.pointer("/bundleSha256") == Some(&json!(sha256_hex(&bundle)?)));
    let zip = house.path("bundle.zip");
    fs::write(&zip, bundle)?;
    ensure!(house.verified(&zip)?.contains(truth));
    ensure!(daemon.terminate().await? == 0);
    Ok(())
}

/// `SplitMix64`.
fn draw(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How a database says what differs.
struct Dialect {
    /// The numbers from 1 to the one behind it, as a table with the column `n`.
    numbers: fn(u64) -> String,
    /// A text of many bytes made of `n`.
    long: &'static str,
    /// The text of a table's name and `n`.
    joined: fn(&str) -> String,
    /// Said at the end.
    end: &'static str,
}

const POSTGRES: Dialect = Dialect {
    numbers: |last| format!("generate_series(1, {last}) n"),
    long: "md5(n::text) || md5('x' || n)",
    joined: |name| format!("'{name} ' || n"),
    end: "analyze;",
};
const MARIADB: Dialect = Dialect {
    numbers: |last| format!("(select seq as n from seq_1_to_{last}) numbers"),
    long: "concat(md5(n), md5(concat('x', n)))",
    joined: |name| format!("concat('{name} ', n)"),
    end: "analyze table events;",
};
const SQLITE: Dialect = Dialect {
    numbers: |last| {
        format!(
            "(with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < {last}) \
             select n from numbers)"
        )
    },
    long: "printf('%032d%032d', n * 2654435761, n * 40503)",
    joined: |name| format!("'{name} ' || n"),
    end: "analyze;",
};
const DUCKDB: Dialect = Dialect {
    numbers: |last| format!("generate_series(1, {last}) numbers (n)"),
    long: "md5(n::text) || md5('x' || n::text)",
    joined: |name| format!("'{name} ' || n::text"),
    end: "analyze;",
};

/// One person with many events and some tables of a few rows, before them and behind.
fn tables(dialect: &Dialect) -> String {
    let numbers = dialect.numbers;
    let mut sql = format!(
        "create table people (id integer primary key, email varchar(80) not null, loyalty varchar(20) not null);
         insert into people values (42, '{EMAIL}', '{LOYALTY}'), (43, 'x@example.org', 'AP-000043');
         create table events (id bigint primary key, person integer not null, what text not null);
         insert into events select n, 42, {} from {};
         create index of_person on events (person, id);",
        dialect.long,
        numbers(EVENTS)
    );
    for table in SMALL {
        sql.push_str(&format!(
            "create table {table} (id bigint primary key, person integer not null, what text);
             insert into {table} select n, 42 + n % 2, {} from {};",
            (dialect.joined)(table),
            numbers(40)
        ));
    }
    sql.push_str(dialect.end);
    sql
}

fn datapoints() -> String {
    let mut all = String::from(PEOPLE);
    for table in [&SMALL[..3], &["events"], &SMALL[3..]].concat() {
        all.push_str(&format!(
            "\n[[silo.datapoint]]\nname = \"{table}\"\ntable = \"{table}\"\nmatch = {{ person = \"customer_id\" }}\n\
             key = [\"id\"]\n"
        ));
    }
    all
}

const PEOPLE: &str = r#"[[silo.datapoint]]
name = "people"
table = "people"
match = { email = "email", loyalty = "coreIdentifier" }
provides = { customer_id = "id" }
key = ["id"]
"#;
const SMALL: [&str; 6] = ["addresses", "consents", "carts", "reviews", "returns", "tickets"];
const EVENTS: u64 = 400_000;
const FORMATS: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
