//! How much memory do rows need that are as wide as settings let them be? No more than settings say, whatever the formats.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};

use antumbra_e2e::{Caller, EMAIL, House, MariaDb, Postgres, Scale, Serve};
use anyhow::ensure;
use serde_json::json;

#[tokio::test]
async fn large_columns_of_postgres_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = Postgres::start("")?;
    server.sql(&table(15, |n| format!("repeat(md5('{n}' || g), 31250)")))?;
    server.settle(&house, DATAPOINT)?;
    eprintln!("{}", stayed_within(&house).await?);
    Ok(())
}

#[tokio::test]
async fn large_columns_of_mysql_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = MariaDb::start().await?;
    let sql = table(15, |n| format!("repeat(md5(concat('{n}', g)), 31250)"));
    let numbers = "(select seq g from seq_1_to_8) g";
    server.sql(&sql.replace(" text", " longtext").replace(NUMBERS, numbers))?;
    server.settle(&house, DATAPOINT)?;
    eprintln!("{}", stayed_within(&house).await?);
    Ok(())
}

#[tokio::test]
async fn large_members_of_files_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    fs::create_dir(house.path("lake"))?;
    let mut file = BufWriter::new(File::create(house.path("lake/wide.ndjson"))?);
    for row in 1..=8 {
        write!(file, "{{\"id\": {row}, \"email\": \"{EMAIL}\"")?;
        for n in 1..=15 {
            write!(file, ", \"c{n}\": \"{}\"", format!("{row:016}{n:016}").repeat(31_250))?;
        }
        writeln!(file, "}}")?;
    }
    file.flush()?;
    house.set_silos(FILES)?;
    eprintln!("{}", stayed_within(&house).await?);
    Ok(())
}

#[tokio::test]
async fn very_many_columns_of_sqlite_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let path = house.path("wide.db");
    let sql = table(1_600, |n| format!("printf('%09000d', g * 1000003 + {n})"));
    let numbers = "(with recursive g (g) as (select 1 union all select g + 1 from g where g < 8) select g from g)";
    rusqlite::Connection::open(&path)?.execute_batch(&sql.replace(NUMBERS, numbers))?;
    let silo =
        format!("[[silo]]\nname = \"shop\"\ntype = \"sqlite\"\npath = \"{}\"\n\n", path.display());
    house.set_silos(&format!("{silo}{DATAPOINT}"))?;
    eprintln!("{}", stayed_within(&house).await?);
    Ok(())
}

/// Exports the rows in each format and in all of them, and returns how much memory that took.
async fn stayed_within(house: &House) -> anyhow::Result<String> {
    let mut said = String::new();
    for formats in [&["CSV"][..], &["JSON"], &["PARQUET"], &["JSON", "CSV", "NDJSON", "PARQUET"]] {
        let daemon = Serve::new().set("export.max_memory=256MiB").start(house).await?;
        let caller = Caller::new(house, &daemon)?;
        let idle = daemon.peak_resident_kib()?;
        let request = caller.submit(formats).await?;
        let answer = caller.downloadable(&request).await?;
        let peak = daemon.peak_resident_kib()? - idle;
        writeln!(said, "{formats:?}: {peak} KiB beside the idle daemon's {idle}")?;
        ensure!(answer.pointer("/progress/rowsCollected") == Some(&json!(8)), "{answer}");
        ensure!(peak < 256 << 10, "{formats:?}: {peak} KiB, more than export.max_memory");
        ensure!(daemon.terminate().await? == 0);
    }
    // A little less memory, and each of these rows is too large: it is refused, and its number said.
    let daemon = Serve::new().set("export.max_memory=192MiB").start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let request = caller.submit(&["CSV"]).await?;
    let answer = caller.ended(&request).await?.to_string();
    ensure!(answer.contains("row 1") && answer.contains("export.max_memory"), "{answer}");
    ensure!(daemon.terminate().await? == 0);
    Ok(said)
}

/// A table of eight rows.
fn table(columns: u32, text: impl Fn(u32) -> String) -> String {
    let names: Vec<String> = (1..=columns).map(|n| format!("c{n} text")).collect();
    let texts: Vec<String> = (1..=columns).map(text).collect();
    format!(
        "create table wide (id integer primary key, email varchar(99), {});
         insert into wide select g, '{EMAIL}', {} from {NUMBERS};",
        names.join(", "),
        texts.join(", ")
    )
}

const NUMBERS: &str = "generate_series(1, 8) g";

const DATAPOINT: &str = "[[silo.datapoint]]
name = \"wide\"
table = \"wide\"
match = { email = \"email\" }
key = [\"id\"]
";

const FILES: &str = "[[silo]]
name = \"lake\"
type = \"files\"
location = { path = \"lake\" }

[[silo.datapoint]]
name = \"wide\"
files = { pattern = \"wide.ndjson\" }
match = { email = \"email\" }
";
