//! How long does a request take, from submit to DOWNLOADABLE?

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, Ordering};

use antumbra_e2e::{Caller, PATIENCE, submission_of};
use anyhow::{bail, ensure};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

/// Submits a request for each of the people, so many at a time, and returns how long each took.
pub(super) async fn all_at_once(
    caller: &Caller,
    people: RangeInclusive<u32>,
    at_once: usize,
) -> anyhow::Result<Vec<Duration>> {
    let next = AtomicU32::new(*people.start());
    let pause = if at_once == 1 { ALONE } else { TOGETHER };
    let clients = (0..at_once).map(|_| async {
        let mut times = Vec::new();
        loop {
            let person = next.fetch_add(1, Ordering::Relaxed);
            if person > *people.end() {
                return anyhow::Ok(times);
            }
            times.push(one(caller, person, pause).await?);
        }
    });
    Ok(futures::future::try_join_all(clients).await?.concat())
}

async fn one(caller: &Caller, person: u32, pause: Duration) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let request = caller.submit_body(&submission_of(person, &FORMATS)).await?;
    loop {
        let answer = caller.poll(&request).await?;
        let status = answer.get("status").and_then(Value::as_str).unwrap_or_default();
        match status {
            "DOWNLOADABLE" => {
                let took = start.elapsed();
                let rows = answer.pointer("/progress/rowsCollected").and_then(Value::as_u64);
                ensure!(rows.is_some_and(|rows| rows > 500), "not what was asked for: {answer}");
                return Ok(took);
            }
            "REQUEST_MADE" | "ENRICHING" | "COMPILING" | "APPROVING" => {}
            _ => bail!("not DOWNLOADABLE: {answer}"),
        }
        ensure!(start.elapsed() < PATIENCE, "waited in vain: {}", json!(answer));
        sleep(pause).await;
    }
}

const FORMATS: [&str; 2] = ["JSON", "CSV"];
/// Between two looks at a request: short beside what is measured, and not a load of its own. Sixteen that looked fifty times a second
/// were a third of the daemon's work.
const ALONE: Duration = Duration::from_millis(5);
const TOGETHER: Duration = Duration::from_millis(100);
