//! How fast, how big, how dear? `cargo run --release -p antumbra-e2e --bin bench -- NAME` measures the real binary beside a
//! yardstick that anybody can run, in turns, on the same machine and in the same minutes.
//!
//! A number from here means: on this machine, under this load, against this yardstick. What the yardstick does less is printed
//! with it. Aims are in [`aims`], and nowhere else; `--check` fails when one is missed.

mod aims;
mod arguments;
mod demo_export;
mod export;
mod figures;
mod measure;
mod product;
mod report;
mod seal;
mod seal_ranges;
mod small;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context;

use arguments::{Arguments, Ask};
use demo_export::DemoExport;
use measure::{in_turns, measure};
use report::Report;
use seal::Seal;
use small::Small;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to hear that this could not be said.
            drop(writeln!(std::io::stderr().lock(), "bench: {error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let arguments = match Arguments::parse(std::env::args().skip(1))? {
        Ask::Help => return say(&arguments::help()).map(|()| ExitCode::SUCCESS),
        Ask::Measure(arguments) => arguments,
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.context("no runtime")?;
    let report = runtime.block_on(async {
        // One arm for each bench; `arguments::BENCHES` names them.
        match arguments.bench {
            "demo-export" => {
                product::choose()?;
                measure::<DemoExport>(&arguments).await.map(Done::Measured)
            }
            "export" => {
                product::choose()?;
                let report = export::export(&arguments).await?;
                say(&if arguments.json { report.json() } else { report.table() })?;
                let missed = arguments.check && !report.met();
                Ok(Done::Said(if missed { MISSED } else { 0 }))
            }
            "seal" => measure::<Seal>(&arguments).await.map(Done::Measured),
            "small" => {
                product::choose()?;
                let bench = Small::prepare(arguments.subjects)?;
                in_turns(&bench, &arguments).await.map(Done::Measured)
            }
            other => anyhow::bail!("{other} has a name and no steps"),
        }
    })?;
    let report = match report {
        Done::Measured(report) => report,
        Done::Said(code) => return Ok(ExitCode::from(code)),
    };
    say(&if arguments.json { report.json() } else { report.table() })?;
    let missed = report.verdicts.iter().any(|verdict| !verdict.met);
    Ok(ExitCode::from(if arguments.check && missed { MISSED } else { 0 }))
}

/// How a bench ended.
enum Done {
    /// With the report of two sides.
    Measured(Report),
    /// With a report of its own, which was printed, and this code.
    Said(u8),
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", text.trim_end()).context("cannot write to stdout")
}

const MISSED: u8 = 1;
const FAILED: u8 = 2;
