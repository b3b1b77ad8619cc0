//! A silo that is missing or broken: its section fails with a name and a reason, and the policy decides about the job.
//! Never a bundle that is silently less.

use std::fs;
use std::path::Path;

use antumbra_e2e::{Caller, House, Scale, Serve, run};
use anyhow::{Context, ensure};
use serde_json::{Value, json};

/// A second silo beside the shop, about the same person.
const ARCHIVE: &str = r#"
[[silo]]
name = "archive"
type = "sqlite"
path = "source/archive.db"

[[silo.datapoint]]
name = "letters"
table = "letters"
match = { email = "email" }
key = ["id"]
"#;

/// What is wrong with the second silo's file.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Missing,
    Header,
    Truncated,
    NoTable,
}

impl Fault {
    const ALL: [Self; 4] = [Self::Missing, Self::Header, Self::Truncated, Self::NoTable];

    /// The word that status and manifest have for it.
    const fn code(self) -> &'static str {
        match self {
            Self::Missing | Self::NoTable => "silo_missing",
            Self::Header | Self::Truncated => "silo_corrupt",
        }
    }

    fn make(self, house: &House) -> anyhow::Result<()> {
        let path = house.path("source/archive.db");
        let table = if matches!(self, Self::NoTable) { "other" } else { "letters" };
        let archive = rusqlite::Connection::open(&path)?;
        archive.execute_batch(&format!(
            "create table {table} (id integer primary key, email text, body text);
             with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
             insert into {table} select i, '{}', hex(randomblob(40)) from n;",
            antumbra_e2e::EMAIL
        ))?;
        archive.close().map_err(|(_, error)| error)?;
        let mut bytes = fs::read(&path)?;
        match self {
            Self::Missing => return Ok(fs::remove_file(&path)?),
            Self::Header => bytes[..64].fill(0xAA),
            Self::Truncated => bytes.truncate(bytes.len() / 2 + 100),
            Self::NoTable => {}
        }
        Ok(fs::write(&path, bytes)?)
    }
}

#[tokio::test]
async fn partial_names_the_failed_section_everywhere() -> anyhow::Result<()> {
    for fault in Fault::ALL {
        let house = House::new(Scale::Small)?;
        house.add_settings(ARCHIVE)?;
        fault.make(&house)?;
        let daemon = Serve::new().set("export.on_silo_error=partial").start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        let request = caller.submit(&["JSON"]).await?;
        let answer = caller.downloadable(&request).await.with_context(|| format!("{fault:?}"))?;
        assert_eq!(answer.pointer("/partial"), Some(&json!(true)), "{fault:?}");
        let section = failed_letters(&answer, fault)?;
        no_path(&house, &answer.to_string()).with_context(|| format!("{fault:?}: status"))?;

        let zip = house.path("bundle.zip");
        fs::write(&zip, caller.bundle(&request).await?)?;
        let verified = house.verified(&zip)?;
        assert!(verified.contains("partial"), "{verified}");
        let manifest: Value = serde_json::from_str(&entry(&zip, "manifest.json")?)?;
        assert_eq!(manifest.pointer("/content/outcome"), Some(&json!("partial")));
        let listed =
            letters(manifest.pointer("/content/sections")).context("no section in the manifest")?;
        assert_eq!(listed.pointer("/outcome"), Some(&json!("failed")), "{fault:?}: {listed}");
        assert_eq!(listed.get("code"), section.get("code"));
        no_path(&house, &manifest.to_string()).with_context(|| format!("{fault:?}: manifest"))?;
        let files =
            manifest.pointer("/content/files").and_then(Value::as_array).context("no files")?;
        assert!(
            files.iter().all(|file| file.pointer("/silo") == Some(&json!("shop"))),
            "{fault:?}"
        );
        assert_eq!(files.len(), 9, "the other silo's sections are all there");
        let report = entry(&zip, "report/index.html")?;
        assert!(
            report.contains("letters") && report.contains("archive"),
            "{fault:?}: not in the report"
        );
        assert!(report.to_lowercase().contains("failed"), "{fault:?}: the report does not say so");
        no_path(&house, &report).with_context(|| format!("{fault:?}: report"))?;
        eprintln!("{fault:?}: {}", section.get("reason").unwrap_or(&Value::Null));
    }
    Ok(())
}

#[tokio::test]
async fn fail_ends_the_job_and_names_the_section() -> anyhow::Result<()> {
    for fault in Fault::ALL {
        let house = House::new(Scale::Small)?;
        house.add_settings(ARCHIVE)?;
        fault.make(&house)?;
        // A fault that may pass is tried again when the lease ends.
        let daemon = Serve::new()
            .set("export.on_silo_error=fail")
            .set("worker.lease=2s")
            .set("worker.heartbeat=500ms")
            .start(&house)
            .await?;
        let caller = Caller::new(&house, &daemon)?;
        let request = caller.submit(&["JSON"]).await?;
        let answer = caller.ended(&request).await.with_context(|| format!("{fault:?}"))?;
        ensure!(answer.pointer("/job/state") == Some(&json!("FAILED")), "{fault:?}: {answer}");
        let status = answer.pointer("/status").and_then(Value::as_str).unwrap_or_default();
        assert!(!["DOWNLOADABLE", "COMPLETED"].contains(&status), "{fault:?}: {status}");
        failed_letters(&answer, fault)?;
        let failure = answer.get("failure").context("no failure in the status")?.to_string();
        assert!(
            failure.contains("archive/letters"),
            "{fault:?}: the failure does not name the section: {failure}"
        );
        no_path(&house, &answer.to_string()).with_context(|| format!("{fault:?}: status"))?;
        assert!(caller.downloads(&request).await?.is_empty(), "{fault:?}: something to download");
    }
    Ok(())
}

#[tokio::test]
async fn repaired_silo_gives_the_whole_bundle() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let source = house.own_source()?;
    let away = house.path("source/away.db");
    fs::rename(&source, &away)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON"]).await?;
    let answer = caller.ended(&request).await?;
    assert_eq!(answer.pointer("/job/state"), Some(&json!("FAILED")), "{answer}");
    fs::rename(&away, &source)?;
    let request = caller.submit(&["JSON"]).await?;
    let answer = caller.downloadable(&request).await?;
    assert_eq!(answer.pointer("/partial"), Some(&json!(false)));
    Ok(())
}

fn letters(sections: Option<&Value>) -> Option<&Value> {
    let sections = sections?.as_array()?;
    sections.iter().find(|section| section.pointer("/datapoint") == Some(&json!("letters")))
}

/// Takes the second silo's section from a status, which says that it failed, and why.
fn failed_letters(status: &Value, fault: Fault) -> anyhow::Result<&Value> {
    let section = letters(status.get("sections"))
        .with_context(|| format!("{fault:?}: no section in the status: {status}"))?;
    ensure!(section.get("state") == Some(&json!("FAILED")), "{fault:?}: {section}");
    ensure!(section.get("code") == Some(&json!(fault.code())), "{fault:?}: {section}");
    ensure!(section.get("reason").is_some_and(Value::is_string), "{fault:?}: {section}");
    Ok(section)
}

/// Where the gateway keeps its files is nobody else's business: neither the house nor any directory above it is named.
fn no_path(house: &House, text: &str) -> anyhow::Result<()> {
    for directory in house.root().ancestors().filter(|directory| directory.parent().is_some()) {
        let path = format!("{}/", directory.display());
        ensure!(!text.contains(&path), "{path} is named: {text}");
    }
    Ok(())
}

fn entry(zip: &Path, name: &str) -> anyhow::Result<String> {
    let here = zip.parent().context("the bundle lies nowhere")?;
    run(Path::new("unzip"), here, &["-p", &zip.display().to_string(), name])?.ok()
}
