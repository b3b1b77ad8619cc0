//! How are the sides run? In rounds, each beginning with another.

use std::fs;

use antumbra_e2e::{House, Scale, proc};
use anyhow::Context;

use crate::arguments::Arguments;
use crate::report::Machine;

use super::sides::{Ran, SIDES, Side};
use super::source::Source;
use super::table::ExportReport;

/// Everything that one side measured at one number of rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) side: &'static str,
    pub(super) rows: u64,
    pub(super) runs: Vec<Ran>,
}

/// Measures every side at every number of rows.
///
/// # Errors
/// When the server cannot be made, a side fails, or one exported other rows than there are.
pub(crate) async fn export(arguments: &Arguments) -> anyhow::Result<ExportReport> {
    let house = House::new(Scale::Small)?;
    let source =
        Source::start(&house, arguments.partitions).context("the server that all sides read")?;
    let out = house.path("out");
    fs::create_dir(&out)?;
    let load_before = proc::load()?;
    let mut found = Vec::new();
    for rows in &arguments.rows {
        source.fill(&house, *rows).with_context(|| format!("{rows} rows"))?;
        let mut all: Vec<Row> = SIDES
            .iter()
            .map(|side| Row { side: side.name, rows: *rows, runs: Vec::new() })
            .collect();
        // Once for the caches; not measured.
        for side in [SIDES.first(), SIDES.last()].into_iter().flatten() {
            run(side, &house, &source, *rows).await?;
        }
        for round in 0..arguments.runs {
            let turn = usize::try_from(round).unwrap_or(0);
            for place in 0..SIDES.len() {
                // Another one begins in each round.
                let place = (place + turn) % SIDES.len();
                let (Some(side), Some(row)) = (SIDES.get(place), all.get_mut(place)) else {
                    continue;
                };
                row.runs.push(run(side, &house, &source, *rows).await?);
            }
        }
        found.append(&mut all);
    }
    let machine = Machine {
        cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        load_before,
        load_after: proc::load()?,
    };
    Ok(ExportReport::new(arguments.runs, machine, found))
}

async fn run(side: &Side, house: &House, source: &Source, rows: u64) -> anyhow::Result<Ran> {
    side.run(house, source, rows).await.with_context(|| format!("{}, {rows} rows", side.name))
}
