//! The source is files, in a folder and in a bucket of S3: every value arrives in every format and every attachment byte for byte,
//! another person's nowhere; a bad row is named, a file that changes is refused, a wrong key is told from a store that is away.
//!
//! What is left to chance: how often a file is tried that somebody goes on changing.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use antumbra_e2e::{
    Caller, EMAIL, House, Needles, S3, Scale, Serve, checker, left_out, private, run,
};
use anyhow::{Context, ensure};
use serde_json::Value;

#[tokio::test]
async fn every_value_and_every_attachment_of_a_folder_arrives() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let house = House::new(Scale::Small)?;
    lake(&house)?;
    house.set_silos(&format!("{}{DATAPOINTS}", folder()))?;
    let daemon = Serve::new().set("log.level=trace").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&FORMATS).await?;
    caller.downloadable(&request).await?;
    eprintln!("{}", checked(&house, &caller, &request).await?.trim());
    // Another reader of archives than Python's.
    run(Path::new("unzip"), house.root(), &["-tqq", "bundle.zip"])?.ok()?;
    let face = format!("unzip -p bundle.zip lake/faces/0001.png | cmp - {FACE}");
    run(Path::new("sh"), house.root(), &["-c", &face])?.ok()?;
    let downloads = caller.downloads(&request).await?;
    for (name, media_type, file) in [
        ("lake/faces/0001.png", "image/png", FACE),
        ("lake/uploads/0001.png", "image/png", "lake/uploads/2024/07/p e.png"),
        (
            "lake/letters/0001.pdf",
            "application/pdf",
            "lake/letters/penelope.penumbra@example.org/empty.pdf",
        ),
        (
            "lake/letters/0002.pdf",
            "application/pdf",
            "lake/letters/penelope.penumbra@example.org/long.pdf",
        ),
    ] {
        let bytes = fs::read(house.path(file))?;
        let download = downloads.iter().find(|download| download.name == name);
        let download = download.with_context(|| format!("no {name} in {downloads:?}"))?;
        ensure!(
            download.media_type == media_type && download.size == bytes.len() as u64,
            "{download:?}"
        );
        for encoding in ["identity", "gzip"] {
            let whole = caller.download(download, &[("accept-encoding", encoding)]).await?;
            ensure!(whole.complete(), "{name}: {}", whole.status);
            if whole.header("content-encoding").is_empty() {
                ensure!(whole.body == bytes, "{name} has other bytes");
            }
            if let Some(last) = whole.body.len().checked_sub(1) {
                let range = format!("bytes={}-{last}", last / 2);
                let headers = [("accept-encoding", encoding), ("range", &*range)];
                let part = caller.download(download, &headers).await?;
                ensure!(part.status == 206 && whole.body.ends_with(&part.body), "{name}: {range}");
                ensure!(part.body.len() == last - last / 2 + 1);
            }
        }
    }
    assert_eq!(daemon.terminate().await?, 0);
    // Names of files and values of others are in no log, no store and no temporary file.
    let needles =
        Needles::new(["canary".to_owned(), "penelope.penumbra@example.org/long".to_owned()])?;
    for folder in ["data", "logs", "tmp"] {
        let (found, _) = needles.found_below(&house.path(folder))?;
        assert!(found.is_empty(), "in clear in {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn bad_rows_are_named_by_file_and_line_and_not_quoted() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let house = House::new(Scale::Small)?;
    lake(&house)?;
    for (name, text, section, told) in [
        (
            "orders/canary.csv.gz",
            gzipped("id,customer_id,price,note\n1,42,1,x\n2,42,canary\n")?,
            "orders",
            "file 3 of 3 that orders/*.csv.gz names: row 2 has 3 cells, and the header 4",
        ),
        (
            "orders/canary.csv.gz",
            gzipped("id,customer,price,note\n1,42,1,x\n")?,
            "orders",
            "column: customer_id in file 3 of 3 that orders/*.csv.gz names is missing",
        ),
        (
            "clicks/canary.ndjson.zst",
            b"no zstd".to_vec(),
            "clicks",
            "file 2 of 2 that clicks/*.ndjson.zst names: compressed data is damaged",
        ),
        (
            "events/canary.parquet",
            b"PAR1\xff\xff\xff\x7fPAR1".to_vec(),
            "events",
            "file 3 of 3 that events/*.parquet names: it",
        ),
        (
            "profile.json",
            b"{\"data\":[{\"customer_id\":42},{\"canary\":]}".to_vec(),
            "profile",
            "profile.json: item 2 is not one JSON value",
        ),
        (
            "people.csv",
            format!("id,email,avatar_key\n42,{EMAIL},\u{e9}\n43,x,y\n")
                .into_bytes()
                .into_iter()
                .filter(|byte| *byte != 0xc3)
                .collect(),
            "people",
            "people.csv: row 1 is not UTF-8",
        ),
    ] {
        let path = house.path("lake").join(name);
        let before = fs::read(&path).ok();
        fs::write(&path, text)?;
        house.set_silos(&format!("{}{DATAPOINTS}", folder()))?;
        let daemon = Serve::new()
            .set("export.on_silo_error=partial")
            .set("log.level=trace")
            .start(&house)
            .await?;
        let caller = Caller::new(&house, &daemon)?;
        let request = caller.submit(&["JSON"]).await?;
        let answer = caller.ended(&request).await?;
        let reason = reason(&answer, section)?;
        ensure!(reason.contains(told), "{section}: {reason:?} and not {told:?}");
        assert_eq!(daemon.terminate().await?, 0);
        match before {
            Some(before) => fs::write(&path, before)?,
            None => fs::remove_file(&path)?,
        }
    }
    let (found, _) = Needles::new(["canary".to_owned()])?.found_below(&house.path("logs"))?;
    assert!(found.is_empty(), "in clear in {found:?}");
    Ok(())
}

#[tokio::test]
async fn file_that_changes_while_it_is_read_is_refused() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let house = House::new(Scale::Small)?;
    lake(&house)?;
    let mut text = String::from("id,customer_id,price,note\n");
    (0..400_000).for_each(|row| text.push_str(&format!("{row},42,1.50,note {row}\n")));
    let path = house.path("lake/orders/2.csv.gz");
    fs::write(&path, gzipped(&text)?)?;
    house.set_silos(&format!("{}{DATAPOINTS}", folder()))?;
    let over = Arc::new(AtomicBool::new(false));
    let changing = std::thread::spawn({
        let over = Arc::clone(&over);
        move || -> anyhow::Result<u64> {
            let file = File::options().append(true).open(path)?;
            let mut changes = 0;
            while !over.load(Ordering::SeqCst) {
                changes += 1;
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_micros(changes))?;
            }
            Ok(changes)
        }
    });
    let daemon = Serve::new()
        .set("export.on_silo_error=partial")
        .set("export.silo_attempts=2")
        .set("export.silo_backoff=20ms")
        .start(&house)
        .await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON"]).await?;
    let answer = caller.ended(&request).await;
    over.store(true, Ordering::SeqCst);
    let changes = changing.join().ok().context("the thread died")??;
    let reason = reason(&answer?, "orders")?;
    ensure!(
        reason.contains("a file changed while it was read"),
        "{reason} after {changes} changes"
    );
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

#[tokio::test]
async fn every_value_and_every_attachment_of_a_bucket_arrives() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let house = House::new(Scale::Small)?;
    lake(&house)?;
    let server = S3::start().await?;
    server.fill(&house.path("lake"), "exports", "in/2026", MANY)?;
    let secret = &server.user().secret_access_key;
    house.set_silos(&format!("{}{DATAPOINTS}", bucket(&house, &server, secret)?))?;
    let daemon = Serve::new().set("log.level=trace").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&FORMATS).await?;
    caller.downloadable(&request).await?;
    eprintln!("{}", checked(&house, &caller, &request).await?.trim());
    assert_eq!(daemon.terminate().await?, 0);

    // Many files: the listing has more than one page.
    house.set_silos(&format!("{}{}", bucket(&house, &server, secret)?, many()))?;
    let before = server.calls("continuation-token=")?;
    let daemon = Serve::new().set("log.level=trace").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON"]).await?;
    let answer = caller.downloadable(&request).await?;
    let rows = answer.pointer("/progress/rowsCollected").and_then(Value::as_u64);
    ensure!(rows == Some(u64::from(MANY / 10) + 1), "{answer}");
    ensure!(server.calls("continuation-token=")? > before, "the listing had one page");
    assert_eq!(daemon.terminate().await?, 0);

    // A wrong key is told as such; nothing of it and nothing that the store says is passed on.
    house.set_silos(&format!("{}{DATAPOINTS}", bucket(&house, &server, "canary-wrong-secret")?))?;
    let daemon = Serve::new()
        .set("export.on_silo_error=partial")
        .set("log.level=trace")
        .start(&house)
        .await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON"]).await?;
    let told = reason(&caller.ended(&request).await?, "people")?;
    ensure!(told == "the store refuses the request (HTTP 403)", "{told}");
    assert_eq!(daemon.terminate().await?, 0);
    let needles =
        Needles::new([secret.clone(), "canary".to_owned(), "SignatureDoesNotMatch".to_owned()])?;
    for folder in ["data", "logs", "tmp"] {
        let (found, _) = needles.found_below(&house.path(folder))?;
        assert!(found.is_empty(), "in clear in {found:?}");
    }
    Ok(())
}

/// Makes the files.
fn lake(house: &House) -> anyhow::Result<()> {
    checker("files_lake.py", &["make".to_owned(), house.path("lake").display().to_string()])
        .map(drop)
}

/// Downloads the bundle, verifies it and compares it with the files; returns what was compared.
async fn checked(house: &House, caller: &Caller, request: &str) -> anyhow::Result<String> {
    let zip = house.path("bundle.zip");
    fs::write(&zip, caller.bundle(request).await?)?;
    assert!(house.verified(&zip)?.contains("VERIFIED"));
    let args =
        ["check".to_owned(), zip.display().to_string(), house.path("lake").display().to_string()];
    checker("files_lake.py", &args)
}

/// Why a section failed.
fn reason(answer: &Value, datapoint: &str) -> anyhow::Result<String> {
    let sections = answer.get("sections").and_then(Value::as_array).context("no sections")?;
    let of = |section: &&Value| section.get("datapoint").and_then(Value::as_str) == Some(datapoint);
    let reason = sections.iter().find(of).and_then(|section| section.get("reason")?.as_str());
    reason.map(str::to_owned).with_context(|| format!("{datapoint} did not fail: {answer}"))
}

fn gzipped(text: &str) -> anyhow::Result<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?)
}

fn folder() -> String {
    "[[silo]]\nname = \"lake\"\ntype = \"files\"\nlocation = { path = \"lake\" }\n".to_owned()
}

fn bucket(house: &House, server: &S3, secret: &str) -> anyhow::Result<String> {
    private(&house.path("keys/s3-secret"), secret)?;
    Ok(format!(
        r#"[[silo]]
name = "lake"
type = "files"

[silo.location]
s3 = "exports"
prefix = "in/2026"
region = "eu-central-1"
endpoint = "{}"
path_style = true
access_key_id = "{}"
secret_access_key = {{ file = "keys/s3-secret" }}
"#,
        server.url(),
        server.user().access_key_id,
    ))
}

fn many() -> String {
    format!(
        "{PEOPLE}\n[[silo.datapoint]]\nname = \"many\"\nfiles = {{ pattern = \"many/*8.csv\" }}\n\
         match = {{ customer_id = \"customer_id\" }}\n"
    )
}

const FORMATS: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
const FACE: &str = "lake/avatars/42.png";
/// More than a page of a listing.
const MANY: u32 = 1_100;
const PEOPLE: &str = r#"
[[silo.datapoint]]
name = "people"
files = { pattern = "people.csv" }
match = { email = "email" }
provides = { customer_id = "id", avatar_key = "avatar_key" }
"#;
const DATAPOINTS: &str = r#"
[[silo.datapoint]]
name = "people"
files = { pattern = "people.csv" }
match = { email = "email" }
provides = { customer_id = "id", avatar_key = "avatar_key" }

[[silo.datapoint]]
name = "orders"
files = { pattern = "orders/*.csv.gz", columns = { id = "integer", price = "decimal(12,2)" } }
match = { customer_id = "customer_id" }

[[silo.datapoint]]
name = "clicks"
files = { pattern = "clicks/*.ndjson.zst" }
match = { customer_id = "customer_id" }

[[silo.datapoint]]
name = "profile"
files = { pattern = "profile.json", items = "/data" }
match = { customer_id = "customer_id" }

[[silo.datapoint]]
name = "events"
files = { pattern = "events/*.parquet" }
match = { customer_id = "customer_id" }

[[silo.datapoint]]
name = "faces"
attachment = { path = "avatars/{customer_id}.png" }

[[silo.datapoint]]
name = "uploads"
attachment = { path = "uploads/{avatar_key}" }

[[silo.datapoint]]
name = "letters"
attachment = { path = "letters/{email}/*.pdf" }
"#;
