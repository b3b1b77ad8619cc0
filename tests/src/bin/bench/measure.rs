//! In what order do the two sides run? In turns, so that whatever else the machine does falls on both.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use antumbra_e2e::proc;
use anyhow::{Context, ensure};
use tokio::time::{Instant, sleep};

use crate::arguments::Arguments;
use crate::figures::{Measured, series};
use crate::report::{Machine, Report, Yardstick};

/// A bench: two sides and what they start from.
pub(crate) trait Bench: Sized {
    /// Makes what both sides start from; not measured.
    async fn prepare() -> anyhow::Result<Self>;

    /// Runs the product once.
    async fn ours(&self) -> anyhow::Result<Measured>;

    /// Runs the yardstick once.
    async fn yardstick(&self) -> anyhow::Result<Measured>;

    /// Says what the yardstick is and what it does less.
    fn described(&self) -> Yardstick;
}

/// Runs both sides in turns and reports.
#[expect(clippy::future_not_send, reason = "main drives it where it stands")]
pub(crate) async fn measure<B: Bench>(arguments: &Arguments) -> anyhow::Result<Report> {
    let bench = B::prepare().await.context("what both sides start from")?;
    in_turns(&bench, arguments).await
}

/// Runs both sides of a bench that is prepared in turns and reports.
#[expect(clippy::future_not_send, reason = "main drives it where it stands")]
pub(crate) async fn in_turns<B: Bench>(bench: &B, arguments: &Arguments) -> anyhow::Result<Report> {
    let before = proc::load()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..arguments.runs {
        // The first goes second in every other round.
        if run % 2 == 0 {
            ours.push(bench.ours().await.context("our side")?);
            theirs.push(bench.yardstick().await.context("the yardstick")?);
        } else {
            theirs.push(bench.yardstick().await.context("the yardstick")?);
            ours.push(bench.ours().await.context("our side")?);
        }
    }
    let machine = Machine {
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        load_before: before,
        load_after: proc::load()?,
    };
    Ok(Report::new(arguments, machine, series(&ours), series(&theirs), bench.described()))
}

/// What a child took until it ended well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    /// From the start to the end.
    pub(crate) wall: Duration,
    /// Processor time, in seconds.
    pub(crate) cpu: f64,
    /// The most memory that was seen resident, in KiB. Looked at every few milliseconds: the last moment may be missing.
    pub(crate) peak_kib: u64,
}

/// Waits for a child that was just started, looking at its memory meanwhile. No other child may end at the same time.
pub(crate) async fn finished(mut child: Child, program: &Path) -> anyhow::Result<Took> {
    let start = Instant::now();
    let before = proc::ended_children_cpu_seconds()?;
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // It may end between the two calls, or not have begun yet.
        peak_kib = proc::peak_resident_kib(child.id()).map_or(peak_kib, |kib| kib.max(peak_kib));
        sleep(LOOK).await;
    };
    let wall = start.elapsed();
    ensure!(status.success(), "{} ended with {status}", program.display());
    Ok(Took { wall, cpu: proc::ended_children_cpu_seconds()? - before, peak_kib })
}

const LOOK: Duration = Duration::from_millis(5);
