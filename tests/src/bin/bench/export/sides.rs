//! Who runs? The product once for each format and once for all of them, and the yardsticks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use antumbra_e2e::{House, binary, command, proc, repository};
use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::source::{EMAIL, QUERY, Source};
use crate::product::python;

/// A contestant.
#[derive(Debug)]
pub(super) struct Side {
    /// Its name in the table.
    pub(super) name: &'static str,
    how: How,
}

#[derive(Debug)]
enum How {
    /// `antumbra export` with these formats.
    Ours(&'static [&'static str]),
    /// `psql | gzip | openssl`.
    Pipe,
    /// `tests/python/adbc_export.py`.
    Adbc(&'static str),
}

/// What one run took. Every process of a side counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ran {
    /// Processor time, in seconds.
    pub(super) cpu: f64,
    /// From start to end, in seconds.
    pub(super) wall: f64,
    /// The most memory that its processes had resident, in MiB; the sum of each one's most.
    pub(super) peak: f64,
    /// What it wrote, in MB.
    pub(super) out: f64,
    /// Until the first slice was sealed, in seconds. The product says so every 200 ms. Nothing where nothing is sealed by slices.
    pub(super) first: Option<f64>,
}

/// In the order of the table.
pub(super) const SIDES: [Side; 8] = [
    Side { name: CSV, how: How::Ours(&["csv"]) },
    Side { name: NDJSON, how: How::Ours(&["ndjson"]) },
    Side { name: JSON, how: How::Ours(&["json"]) },
    Side { name: PARQUET, how: How::Ours(&["parquet"]) },
    Side { name: ALL, how: How::Ours(&["csv", "ndjson", "json", "parquet"]) },
    Side { name: PIPE, how: How::Pipe },
    Side { name: ADBC_CSV, how: How::Adbc("csv") },
    Side { name: ADBC_PARQUET, how: How::Adbc("parquet") },
];

pub(super) const CSV: &str = "antumbra CSV";
pub(super) const NDJSON: &str = "antumbra NDJSON";
pub(super) const JSON: &str = "antumbra JSON";
pub(super) const PARQUET: &str = "antumbra Parquet";
pub(super) const ALL: &str = "antumbra, all four";
pub(super) const PIPE: &str = "psql|gzip|openssl";
pub(super) const ADBC_CSV: &str = "ADBC+pyarrow CSV";
pub(super) const ADBC_PARQUET: &str = "ADBC+pyarrow Parquet";

impl Side {
    /// Runs it once.
    ///
    /// # Errors
    /// When it fails, or did not export `rows` rows.
    pub(super) async fn run(
        &self,
        house: &House,
        source: &Source,
        rows: u64,
    ) -> anyhow::Result<Ran> {
        let out = house.path("out").join("export");
        if out.try_exists()? {
            fs::remove_file(&out)?;
        }
        let (mut command, program) = self.command(house, source, &out)?;
        let before = proc::ended_children_cpu_seconds()?;
        let start = Instant::now();
        let mut child = command
            .current_dir(house.root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let said = child.stdout.take().context("no standard output")?;
        let listener = std::thread::spawn(move || Heard::listen(said, start));
        let peak = peak_until_end(&mut child).await?;
        let wall = start.elapsed().as_secs_f64();
        let cpu = proc::ended_children_cpu_seconds()? - before;
        let Ok(heard) = listener.join() else { bail!("its output could not be read") };
        let heard = heard?;
        if let Some(counted) = heard.rows {
            ensure!(counted == rows + heard.more_rows, "{counted} rows instead of {rows}");
        }
        let out = float(fs::metadata(&out)?.len()) / 1e6;
        Ok(Ran { cpu, wall, peak, out, first: heard.first })
    }

    fn command(
        &self,
        house: &House,
        source: &Source,
        out: &Path,
    ) -> anyhow::Result<(Command, PathBuf)> {
        let program = match self.how {
            How::Ours(_) => binary()?,
            How::Pipe => PathBuf::from("bash"),
            How::Adbc(_) => python()?,
        };
        let mut command = command(&program);
        match self.how {
            How::Ours(formats) => {
                command.args(["export", "--json", "--email", EMAIL, "--out"]).arg(out);
                for format in formats {
                    command.args(["--format", format]);
                }
            }
            How::Pipe => {
                let pipe = format!(
                    "psql -X -q -d \"$URL\" -c \"\\copy ({QUERY}) to stdout with (format csv, header)\" | gzip -1 | \
                     openssl enc -aes-256-ctr -K \"$KEY\" -iv 00000000000000000000000000000000 -out \"$OUT\""
                );
                command.args(["-o", "pipefail", "-c", &pipe]);
                command.env("URL", source.url()).env("KEY", "0".repeat(64)).env("OUT", out);
            }
            How::Adbc(format) => {
                let url = source.url();
                command.arg("-B").arg(repository().join("tests/python/adbc_export.py"));
                command.args([url.as_str(), QUERY, format]).arg(out);
            }
        }
        command.env("HOME", house.root());
        Ok((command, program))
    }
}

/// What a side said while it ran.
struct Heard {
    first: Option<f64>,
    rows: Option<u64>,
    /// Rows of other tables among them.
    more_rows: u64,
}

impl Heard {
    fn listen(said: ChildStdout, start: Instant) -> anyhow::Result<Self> {
        let mut heard = Self { first: None, rows: None, more_rows: 0 };
        for line in BufReader::new(said).lines() {
            match serde_json::from_str::<Value>(&line?) {
                Ok(Value::Number(rows)) => heard.rows = rows.as_u64(),
                Ok(event) => {
                    let number = |name: &str| event.get(name).and_then(Value::as_u64).unwrap_or(0);
                    if event.get("event").is_some_and(|event| event == "result") {
                        // The customer's own row is exported too.
                        (heard.rows, heard.more_rows) = (Some(number("rows")), 1);
                    } else if number("bytes") > 0 && heard.first.is_none() {
                        heard.first = Some(start.elapsed().as_secs_f64());
                    }
                }
                Err(_) => {}
            }
        }
        Ok(heard)
    }
}

/// Waits for a child that must end well, and looks at the memory of it and all it started.
async fn peak_until_end(child: &mut Child) -> anyhow::Result<f64> {
    let mut peaks: BTreeMap<u32, u64> = BTreeMap::new();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        let mut family = vec![child.id()];
        while let Some(process) = family.pop() {
            // One that ended meanwhile keeps what was seen of it.
            if let Ok(kib) = proc::peak_resident_kib(process) {
                let peak = peaks.entry(process).or_default();
                *peak = kib.max(*peak);
            }
            family.extend(children(process));
        }
        sleep(LOOK).await;
    };
    ensure!(status.success(), "ended with {status}");
    Ok(float(peaks.values().sum()) / 1024.0)
}

fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task/{process}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a measured amount, shown with three digits")]
fn float(number: u64) -> f64 {
    number as f64
}

const LOOK: Duration = Duration::from_millis(5);
