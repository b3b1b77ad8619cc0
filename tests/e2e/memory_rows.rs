//! How much memory do rows need that are as wide as settings let them be? No more than settings say, whatever the formats.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use antumbra_e2e::{
    Caller, EMAIL, House, MariaDb, Postgres, Scale, Serve, StoreView, checker, left_out,
};
use anyhow::ensure;
use serde_json::json;

#[tokio::test]
async fn large_columns_of_postgres_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = Postgres::start("")?;
    // Of some columns every byte is six bytes of JSON, and of some four of base64 for three.
    let value = |n: u32| match n % 3 {
        0 => "repeat(chr(1), 1000000)".to_owned(),
        1 => format!("repeat(md5('{n}' || g), 31250)"),
        _ => format!("decode(repeat(md5('{n}' || g), 62500), 'hex')"),
    };
    for table in TABLES {
        let kind = |n| if n % 3 == 2 { "bytea" } else { "text" };
        server.sql(&create(table, COLUMNS, kind, value, NUMBERS))?;
    }
    server.settle(&house, &format!("{OPEN}{}", datapoints()))?;
    eprintln!("{}", stayed_within(&house).await?);
    Ok(())
}

#[tokio::test]
async fn large_columns_of_mysql_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = MariaDb::start().await?;
    for table in TABLES {
        let value = |n| format!("repeat(md5(concat('{n}', g)), 31250)");
        let numbers = format!("(select seq g from seq_1_to_{ROWS}) g");
        server.sql(&create(table, COLUMNS, |_| "longtext", value, &numbers))?;
    }
    server.settle(&house, &format!("{OPEN}{}", datapoints()))?;
    eprintln!("{}", stayed_within(&house).await?);
    Ok(())
}

#[tokio::test]
async fn large_members_of_files_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    fs::create_dir(house.path("lake"))?;
    let mut silo = format!(
        "[[silo]]\nname = \"lake\"\ntype = \"files\"\nlocation = {{ path = \"lake\" }}\n\n{OPEN}"
    );
    for table in TABLES {
        let mut file = BufWriter::new(File::create(house.path(&format!("lake/{table}.ndjson")))?);
        for row in 1..=ROWS {
            write!(file, "{{\"id\": {row}, \"email\": \"{EMAIL}\"")?;
            for n in 1..=COLUMNS {
                write!(file, ", \"c{n}\": \"{}\"", format!("{row:016}{n:016}").repeat(31_250))?;
            }
            writeln!(file, "}}")?;
        }
        file.flush()?;
        write!(
            silo,
            "[[silo.datapoint]]\nname = \"{table}\"\nfiles = {{ pattern = \"{table}.ndjson\" }}\nmatch = {{ email = \"email\" }}\n\n"
        )?;
    }
    house.set_silos(&silo)?;
    eprintln!("{}", stayed_within(&house).await?);
    Ok(())
}

#[tokio::test]
async fn very_many_columns_of_sqlite_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let path = house.path("wide.db");
    let db = rusqlite::Connection::open(&path)?;
    for table in TABLES {
        let value = |n| format!("printf('%06200d', g * 1000003 + {n})");
        db.execute_batch(&create(table, MOST_COLUMNS, |_| "text", value, &counted(ROWS)))?;
    }
    house.set_silos(&format!("{}{OPEN}{}", sqlite(&path), datapoints()))?;
    eprintln!("{}", stayed_within(&house).await?);
    Ok(())
}

/// An index would order them; without one SQLite sorts, and its sorter holds whatever it is given.
#[tokio::test]
async fn large_rows_that_sqlite_sorts_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let path = house.path("wide.db");
    let value = |n| format!("printf('%01000000d', g * 1000003 + {n})");
    let sql = create("wide", COLUMNS, |_| "text", value, &counted(SORTED));
    let sql = sql.replace("id integer primary key", "id text collate nocase primary key");
    rusqlite::Connection::open(&path)?.execute_batch(&sql)?;
    house.set_silos(&format!("{}{}", sqlite(&path), datapoint("wide")))?;
    let peak = peak(&house, &["CSV"], SORTED.into()).await?;
    eprintln!("{peak} KiB beside the idle daemon");
    ensure!(peak < 256 << 10, "{peak} KiB, more than export.max_memory");
    Ok(())
}

/// A batch has as many rows as its file's are wide on average; here some of them are five thousand times as wide.
#[tokio::test]
async fn large_rows_side_by_side_in_parquet_files_stay_within_max_memory() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let house = House::new(Scale::Small)?;
    fs::create_dir(house.path("lake"))?;
    let file = house.path("lake/wide.parquet");
    let numbers = [IN_PARQUET.to_string(), "60".to_owned(), "8000000".to_owned()];
    let args = [file.as_os_str(), OsStr::new(EMAIL)];
    let args: Vec<&OsStr> = args.into_iter().chain(numbers.iter().map(OsStr::new)).collect();
    eprintln!("{}", checker("wide_lake.py", &args)?.trim());
    house.set_silos(
        "[[silo]]\nname = \"lake\"\ntype = \"files\"\nlocation = { path = \"lake\" }\n\n\
         [[silo.datapoint]]\nname = \"wide\"\nfiles = { pattern = \"wide.parquet\" }\nmatch = { email = \"email\" }\n",
    )?;
    let peak = peak(&house, &["CSV"], IN_PARQUET).await?;
    eprintln!("{peak} KiB beside the idle daemon");
    ensure!(peak < 256 << 10, "{peak} KiB, more than export.max_memory");
    Ok(())
}

/// What the file says of its slices at its end is many times the columns, and not there at once.
#[tokio::test]
async fn parquet_of_very_many_columns_needs_no_more_memory_for_more_rows() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let path = house.path("wide.db");
    let columns: Vec<String> =
        (1..=MOST_COLUMNS).map(|n| format!("c{n} integer default {n}")).collect();
    // In smaller pages SQLite looks a row's columns up anew for each of them.
    rusqlite::Connection::open(&path)?.execute_batch(&format!(
        "pragma page_size = 65536;
         create table few (id integer primary key, email text, {columns});
         create table many (id integer primary key, email text, {columns});
         insert into few (id, email) select g, '{EMAIL}' from {};
         insert into many (id, email) select g, '{EMAIL}' from {};",
        counted(FEW),
        counted(MANY),
        columns = columns.join(", ")
    ))?;
    let mut peaks = Vec::new();
    for (table, rows) in [("few", FEW), ("many", MANY)] {
        house.set_silos(&format!("{}{}", sqlite(&path), datapoint(table)))?;
        let daemon = Serve::new().start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        let request = caller.submit(&["PARQUET"]).await?;
        let answer = caller.downloadable(&request).await?;
        ensure!(answer.pointer("/progress/rowsCollected") == Some(&json!(rows)), "{answer}");
        peaks.push(daemon.peak_resident_kib()?);
        ensure!(daemon.terminate().await? == 0);
    }
    eprintln!("{FEW} rows: {} KiB, {MANY} rows: {} KiB", peaks[0], peaks[1]);
    ensure!(peaks[1] < peaks[0] + (16 << 10), "{peaks:?} KiB");
    Ok(())
}

/// Large rows here and there in every part of a table.
#[tokio::test]
async fn large_rows_in_parts_stay_within_max_memory() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let server = Postgres::start("")?;
    let value = "case when g % 25000 > 2 then '' else repeat(md5('' || g), 300000) end";
    server.sql(&format!(
        "create table wide (id integer primary key, email text, c text);
         insert into wide select g, '{EMAIL}', {value} from generate_series(1, 1000000) g;
         analyze wide;"
    ))?;
    server.settle(&house, &format!("{OPEN}{}partitions = 8\n", datapoint("wide")))?;
    for formats in [&["CSV"][..], &ALL] {
        let peak = peak(&house, formats, 1_000_000).await?;
        eprintln!("{formats:?}: {peak} KiB beside the idle daemon");
        ensure!(peak < 256 << 10, "{formats:?}: {peak} KiB, more than export.max_memory");
        let parts = "select distinct cast(ordinal / 1048576 as text) from slices where job = (select max(job) from slices)";
        ensure!(StoreView::open(&house)?.texts(parts)?.len() > 1, "read as one stream");
    }
    Ok(())
}

/// Exports the rows in each format and in all of them, and returns how much memory that took.
async fn stayed_within(house: &House) -> anyhow::Result<String> {
    let mut said = String::new();
    for formats in [&["CSV"][..], &["JSON"], &["PARQUET"], &ALL] {
        let peak = peak(house, formats, u64::from(ROWS) * TABLES.len() as u64).await?;
        writeln!(said, "{formats:?}: {peak} KiB beside the idle daemon")?;
        ensure!(peak < 256 << 10, "{formats:?}: {peak} KiB, more than export.max_memory");
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

/// Exports so many rows and returns the KiB that took, beside those of the idle daemon.
async fn peak(house: &House, formats: &[&str], rows: u64) -> anyhow::Result<u64> {
    let daemon = Serve::new().set("export.max_memory=256MiB").start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let idle = daemon.peak_resident_kib()?;
    let request = caller.submit(formats).await?;
    let answer = caller.downloadable(&request).await?;
    let peak = daemon.peak_resident_kib()? - idle;
    ensure!(answer.pointer("/progress/rowsCollected") == Some(&json!(rows)), "{answer}");
    ensure!(daemon.terminate().await? == 0);
    Ok(peak)
}

/// A table of large rows.
fn create(
    table: &str,
    columns: u32,
    kind: impl Fn(u32) -> &'static str,
    value: impl Fn(u32) -> String,
    numbers: &str,
) -> String {
    let names: Vec<String> = (1..=columns).map(|n| format!("c{n} {}", kind(n))).collect();
    let values: Vec<String> = (1..=columns).map(value).collect();
    format!(
        "create table {table} (id integer primary key, email varchar(99), {});
         insert into {table} select g, '{EMAIL}', {} from {numbers};",
        names.join(", "),
        values.join(", ")
    )
}

/// The numbers from 1 to so many, for SQLite.
fn counted(rows: u32) -> String {
    format!(
        "(with recursive g (g) as (select 1 union all select g + 1 from g where g < {rows}) select g from g)"
    )
}

fn sqlite(path: &Path) -> String {
    format!("[[silo]]\nname = \"shop\"\ntype = \"sqlite\"\npath = \"{}\"\n\n", path.display())
}

fn datapoints() -> String {
    TABLES.map(datapoint).concat()
}

fn datapoint(table: &str) -> String {
    format!(
        "[[silo.datapoint]]\nname = \"{table}\"\ntable = \"{table}\"\nmatch = {{ email = \"email\" }}\nkey = [\"id\"]\n"
    )
}

/// More than are read at once.
const TABLES: [&str; 9] = ["w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9"];
const ALL: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
/// Of a mebibyte each, about: a row is nearly as large as 256 MiB allow.
const COLUMNS: u32 = 10;
const MOST_COLUMNS: u32 = 1_600;
const ROWS: u32 = 3;
/// Together more than 256 MiB.
const SORTED: u32 = 40;
const NUMBERS: &str = "generate_series(1, 3) g";
const IN_PARQUET: u64 = 300_000;
/// Some slices of many columns, and many.
const FEW: u32 = 4_000;
const MANY: u32 = 50_000;
/// As many as the daemon reads at once.
const OPEN: &str = "[silo.limits]\nmax_connections = 10\nmax_sections = 10\n\n";
