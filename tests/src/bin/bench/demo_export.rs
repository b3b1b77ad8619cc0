//! `demo-export`: how fast is the busiest person of the demo's shop exported in four formats, through a real daemon?

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use antumbra_e2e::{Caller, EMAIL, House, LOYALTY, Prepared, Scale, Serve, command, repository};
use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::time::Instant;

use crate::figures::{Exported, Measured};
use crate::measure::{Bench, finished};
use crate::product::python;
use crate::report::Yardstick;

/// The shop that both sides read.
#[derive(Debug)]
pub(crate) struct DemoExport {
    shop: Prepared,
    formats: Vec<&'static str>,
}

impl Bench for DemoExport {
    async fn prepare() -> anyhow::Result<Self> {
        let shop = Prepared::of(Scale::Usual)?;
        let pyarrow =
            antumbra_e2e::run(&python()?, shop.root(), &["-c", "import pyarrow.parquet"])?;
        let formats =
            FORMATS.iter().copied().filter(|format| *format != "PARQUET" || pyarrow.code == 0);
        let formats = formats.collect();
        Ok(Self { shop, formats })
    }

    /// A daemon of its own for each run, so that its peak is this export's.
    async fn ours(&self) -> anyhow::Result<Measured> {
        let house = House::new(Scale::Usual)?;
        let daemon = Serve::new().start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        let cpu = daemon.cpu_seconds()?;
        let start = Instant::now();
        let request = caller.submit(&FORMATS).await?;
        let answer = caller.downloadable(&request).await?;
        let bundle = caller.bundle(&request).await?;
        let wall = start.elapsed();
        let cpu = daemon.cpu_seconds()? - cpu;
        let peak_kib = daemon.peak_resident_kib()?;
        let sections = answer.get("sections").and_then(Value::as_array).context("no sections")?;
        let rows = sections.iter().filter_map(|section| section.get("rows")?.as_u64()).sum();
        let files = caller.downloads(&request).await?;
        let plain = files.iter().filter(|file| file.media_type != "application/zip");
        let plain = plain.map(|file| file.size).sum();
        let archive = u64::try_from(bundle.len())?;
        ensure!(
            rows > 100_000 && plain > archive,
            "{rows} rows, {plain} bytes: not what was asked for"
        );
        Ok(Exported { wall, cpu, peak_kib, rows, plain, archive }.figures())
    }

    async fn yardstick(&self) -> anyhow::Result<Measured> {
        let scratch = tempfile::tempdir()?;
        let zip = scratch.path().join("plain.zip");
        let program = python()?;
        let mut child = command(&program)
            .arg("-B")
            .arg(repository().join("tests/python/plain_export.py"))
            .arg(self.shop.root().join("source/shop.db"))
            .args([EMAIL, LOYALTY])
            .arg(&zip)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let out = child.stdout.take();
        let took = finished(child, Path::new(&program)).await?;
        // One short line: it fits into the pipe.
        let mut said = String::new();
        out.context("no standard output")?.read_to_string(&mut said)?;
        let said: Value = serde_json::from_str(&said).context("what the yardstick said")?;
        let number = |name: &str| {
            let found = said.get(name).and_then(Value::as_u64);
            found.with_context(|| format!("the yardstick said no {name}"))
        };
        ensure!(said.get("formats").is_some_and(|found| *found == serde_json::json!(self.formats)));
        let exported = Exported {
            wall: took.wall,
            cpu: took.cpu,
            peak_kib: took.peak_kib,
            rows: number("rows")?,
            plain: number("plainBytes")?,
            archive: fs::metadata(&zip)?.len(),
        };
        Ok(exported.figures())
    }

    fn described(&self) -> Yardstick {
        Yardstick {
            name: format!("tests/python/plain_export.py, {}", self.formats.join(" ")),
            less: "sealing, keys, manifest, hashes, signature, report, resuming, ranges, HTTP, audit; \
                   a pass over the source for each file; in clear on the disk",
        }
    }
}

const FORMATS: [&str; 4] = ["JSON", "CSV", "NDJSON", "PARQUET"];
