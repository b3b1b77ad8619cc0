//! How are they asked? One at a time, then many.

use std::io::Read as _;
use std::process::Stdio;

use antumbra_e2e::{Caller, House, Scale, Serve, command, repository};
use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::time::{Duration, Instant};

use super::server::Server;
use super::submit::all_at_once;
use crate::figures::{Figure, Measured};
use crate::measure::{Bench, finished};
use crate::product::python;
use crate::report::Yardstick;

/// The people that both sides read.
pub(crate) struct Small {
    server: Server,
    subjects: u32,
}

impl Small {
    /// Fills a server with so many people.
    pub(crate) fn prepare(subjects: u32) -> anyhow::Result<Self> {
        Ok(Self { server: Server::filled(subjects)?, subjects })
    }

    /// A quarter of the people ask one after the other, the others [`AT_ONCE`] at a time.
    fn alone(&self) -> u32 {
        (self.subjects / 4).max(1)
    }
}

impl Bench for Small {
    async fn prepare() -> anyhow::Result<Self> {
        Self::prepare(100)
    }

    /// A daemon of its own for each run; what requests cost is counted by a few more, after the clock was stopped.
    async fn ours(&self) -> anyhow::Result<Measured> {
        let house = House::new(Scale::Small)?;
        self.server.settle(&house)?;
        let concurrency = format!("worker.concurrency={JOBS_AT_ONCE}");
        let daemon = Serve::new().set(&concurrency).start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        // Connections, statements and the store's pages are there from the first request on.
        all_at_once(&caller, 1..=WARM_UP.min(self.subjects), AT_ONCE).await?;
        let first = WARM_UP.min(self.subjects) + 1;
        let cpu = daemon.cpu_seconds()?;
        let start = Instant::now();
        let people = first..=(first + self.alone()).min(self.subjects);
        let alone = all_at_once(&caller, people.clone(), 1).await?;
        let took = start.elapsed();
        let start = Instant::now();
        let together = all_at_once(&caller, people.end() + 1..=self.subjects, AT_ONCE).await?;
        let took_together = start.elapsed();
        let cpu = daemon.cpu_seconds()? - cpu;
        ensure!(!alone.is_empty() && !together.is_empty(), "too few people: at least 40");
        let requests = float(alone.len() + together.len());
        let cost = super::cost::counted(&self.server, &house, &daemon, &caller).await?;
        let figure = |name, unit, value| Figure { name, unit, value };
        let mut figures = vec![
            figure("p50 alone", "ms", percentile(&alone, 50)),
            figure("p99 alone", "ms", percentile(&alone, 99)),
            figure("alone", "requests/s", float(alone.len()) / took.as_secs_f64()),
            figure("p50 of 16", "ms", percentile(&together, 50)),
            figure("p99 of 16", "ms", percentile(&together, 99)),
            figure(
                "16 at a time",
                "requests/s",
                float(together.len()) / took_together.as_secs_f64(),
            ),
            figure("CPU", "ms/request", cpu * 1e3 / requests),
            figure("queries", "/request", cost.queries),
            figure("objects", "/request", cost.objects),
        ];
        if let Some(syncs) = cost.syncs {
            figures.push(figure("syncs", "/request", syncs.all));
            figures.push(figure("transactions", "/request", syncs.store));
        }
        Ok(Measured(figures))
    }

    async fn yardstick(&self) -> anyhow::Result<Measured> {
        let program = python()?;
        let scratch = tempfile::tempdir()?;
        let mut child = command(&program)
            .arg("-B")
            .arg(repository().join("tests/python/plain_small.py"))
            .args([self.server.url(), self.alone().to_string()])
            .arg(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let out = child.stdout.take();
        let took = finished(child, &program).await?;
        let mut said = String::new();
        out.context("no standard output")?.read_to_string(&mut said)?;
        let said: Value = serde_json::from_str(&said).context("what the yardstick said")?;
        let times = said.get("milliseconds").and_then(Value::as_array).context("no times")?;
        let times: Vec<Duration> = times
            .iter()
            .filter_map(Value::as_f64)
            .map(|milliseconds| Duration::try_from_secs_f64(milliseconds / 1e3))
            .collect::<Result<_, _>>()?;
        ensure!(times.len() == usize::try_from(self.alone())?, "the yardstick did less");
        let seconds: f64 = times.iter().map(Duration::as_secs_f64).sum();
        let figure = |name, unit, value| Figure { name, unit, value };
        Ok(Measured(vec![
            figure("p50 alone", "ms", percentile(&times, 50)),
            figure("p99 alone", "ms", percentile(&times, 99)),
            figure("alone", "requests/s", float(times.len()) / seconds),
            figure("CPU", "ms/request", took.cpu * 1e3 / float(times.len())),
            figure("queries", "/request", super::server::DATAPOINTS.into()),
        ]))
    }

    fn described(&self) -> Yardstick {
        Yardstick {
            name: format!(
                "tests/python/plain_small.py: the same {} queries over one connection, plain JSON; ours with \
                 {JOBS_AT_ONCE} jobs at once, JSON and CSV",
                super::server::DATAPOINTS
            ),
            less: "requests, HTTP, a plan, CSV, sealing, keys, hashes, manifest, signature, report, resuming, audit, syncs; \
                   its CPU counts the start of Python",
        }
    }
}

/// The value below which so many of a hundred lie, in milliseconds.
fn percentile(times: &[Duration], of_hundred: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort();
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() * of_hundred).div_ceil(100).saturating_sub(1).min(last);
    sorted.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

pub(super) fn float(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::NAN, f64::from)
}

/// Requests that are under way at the same time.
pub(super) const AT_ONCE: usize = 16;
/// Jobs that the daemon works on at the same time.
const JOBS_AT_ONCE: u32 = 4;
/// Requests before the clock is started.
const WARM_UP: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), 50.0);
        assert_eq!(percentile(&times, 99), 99.0);
        assert_eq!(percentile(&times[..1], 99), 100.0);
        assert!(percentile(&[], 50).is_nan());
    }
}
