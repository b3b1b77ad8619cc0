//! What is printed? A table for each number of rows, the ratios that are promised beside them, and both again as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::rounds::Row;
use super::sides::{CSV, JSON, NDJSON, PARQUET, Ran};
use crate::aims::{EXPORT_AIMS, ExportAim, ExportBound, ExportFigure};
use crate::report::Machine;

/// What was measured, and what came of the aims.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExportReport {
    runs: u32,
    machine: Machine,
    rows: Vec<Row>,
    verdicts: Vec<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Verdict {
    aim: ExportAim,
    found: f64,
    met: bool,
}

impl ExportReport {
    /// Judges what was measured. Aims of rows that were not asked for are left out.
    pub(super) fn new(runs: u32, machine: Machine, rows: Vec<Row>) -> Self {
        let verdicts = EXPORT_AIMS.into_iter().filter_map(|aim| judged(aim, &rows)).collect();
        Self { runs, machine, rows, verdicts }
    }

    /// Says whether every aim was met that could be judged.
    pub(crate) fn met(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.met)
    }

    /// Words it for people.
    pub(crate) fn table(&self) -> String {
        let Machine { cores, load_before, load_after } = self.machine;
        let mut text = format!(
            "export: {} runs of each side in turns; {cores} cores, load {load_before:.2} before and {load_after:.2} after\n\
             the yardsticks leave out: the customer's own row, keys, authentication, manifest, hashes, signature, report, the verifying \
             read, ranges, resuming; ADBC's files are in clear\n",
            self.runs
        );
        let mut last = None;
        for row in &self.rows {
            if last != Some(row.rows) {
                last = Some(row.rows);
                let title = format!("{} rows, medians", row.rows);
                let _infallible = writeln!(
                    text,
                    "\n{title:<24}{:>20}{:>10}{:>10}{:>10}{:>16}",
                    "CPU s", "wall s", "RSS MiB", "out MB", "first sealed s"
                );
            }
            let of = |figure| number(median(row, figure));
            let cpu = format!(
                "{} ({}–{})",
                of(ExportFigure::Cpu),
                number(extreme(row, ExportFigure::Cpu, f64::min)),
                number(extreme(row, ExportFigure::Cpu, f64::max)),
            );
            let first = median(row, ExportFigure::First);
            let first = if first.is_nan() { "–".to_owned() } else { number(first) };
            let _infallible = writeln!(
                text,
                "{:<24}{cpu:>20}{:>10}{:>10}{:>10}{first:>16}",
                row.side,
                of(ExportFigure::Wall),
                of(ExportFigure::Peak),
                of(ExportFigure::Out),
            );
        }
        text.push('\n');
        for Verdict { aim, found, met } in &self.verdicts {
            let word = if *met { "met" } else { "MISSED" };
            text.push_str(&format!("aim {word}: {}; found {found:.2}\n", aim.worded()));
        }
        text
    }

    /// Words it for programs.
    pub(crate) fn json(&self) -> String {
        let Machine { cores, load_before, load_after } = self.machine;
        let sides: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let all = |figure| -> Vec<Option<f64>> {
                    row.runs.iter().map(|ran| value(ran, figure)).collect()
                };
                json!({
                    "side": row.side,
                    "rows": row.rows,
                    "cpuSeconds": all(ExportFigure::Cpu),
                    "wallSeconds": all(ExportFigure::Wall),
                    "peakMiB": all(ExportFigure::Peak),
                    "outMB": all(ExportFigure::Out),
                    "firstSealedSeconds": all(ExportFigure::First),
                })
            })
            .collect();
        let aims: Vec<Value> = self
            .verdicts
            .iter()
            .map(|Verdict { aim, found, met }| {
                json!({ "aim": aim.worded(), "found": found, "met": met })
            })
            .collect();
        let machine = json!({ "cores": cores, "loadBefore": load_before, "loadAfter": load_after });
        json!({ "bench": "export", "runs": self.runs, "machine": machine, "sides": sides, "aims": aims })
            .to_string()
    }
}

/// `None` if a side that the aim speaks of did not run with so many rows.
fn judged(aim: ExportAim, all: &[Row]) -> Option<Verdict> {
    let ExportAim { side, rows, figure, bound } = aim;
    let of = |side: &str, rows: u64| {
        let row = all.iter().find(|row| row.side == side && row.rows == rows)?;
        Some(median(row, figure))
    };
    let ours = of(side, rows)?;
    let (found, most) = match bound {
        ExportBound::AtMost(most) => (ours, most),
        ExportBound::OfSide(other, most) => (ours / of(other, rows)?, most),
        ExportBound::OfFewerRows(fewer, most) => (ours / of(side, fewer)?, most),
        ExportBound::OfDearestSingle(most) => {
            let single = [CSV, NDJSON, JSON, PARQUET].into_iter().filter_map(|side| of(side, rows));
            (ours / single.fold(f64::NAN, f64::max), most)
        }
    };
    Some(Verdict { aim, found, met: found <= most })
}

fn value(ran: &Ran, figure: ExportFigure) -> Option<f64> {
    match figure {
        ExportFigure::Cpu => Some(ran.cpu),
        ExportFigure::Wall => Some(ran.wall),
        ExportFigure::Peak => Some(ran.peak),
        ExportFigure::Out => Some(ran.out),
        ExportFigure::First => ran.first,
    }
}

/// The middle value, of two middle ones the lower; not a number if no run has one.
fn median(row: &Row, figure: ExportFigure) -> f64 {
    let mut values: Vec<f64> = row.runs.iter().filter_map(|ran| value(ran, figure)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

fn extreme(row: &Row, figure: ExportFigure, pick: fn(f64, f64) -> f64) -> f64 {
    row.runs.iter().filter_map(|ran| value(ran, figure)).fold(f64::NAN, pick)
}

fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sides::{ALL, PIPE};
    use super::*;

    fn row(side: &'static str, rows: u64, cpu: &[f64], peak: f64) -> Row {
        let ran = |cpu: &f64| Ran { cpu: *cpu, wall: 1.0, peak, out: 10.0, first: None };
        Row { side, rows, runs: cpu.iter().map(ran).collect() }
    }

    fn report(all: Vec<Row>) -> ExportReport {
        ExportReport::new(3, Machine { cores: 2, load_before: 0.0, load_after: 0.0 }, all)
    }

    #[test]
    fn aims_compare_medians_and_name_what_they_missed() {
        let all = vec![
            row(CSV, 1_000_000, &[1.0, 9.0, 2.0], 40.0),
            row(PIPE, 1_000_000, &[2.0, 4.0, 1.0], 9.0),
        ];
        let report = report(all);
        let cpu = report.verdicts.iter().find(|verdict| verdict.aim.figure == ExportFigure::Cpu);
        let cpu = cpu.unwrap();
        assert_eq!(cpu.found, 1.0);
        assert!(!cpu.met && !report.met());
        assert!(report.table().contains("aim MISSED: antumbra CSV"), "{}", report.table());
        let read: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(read["sides"][0]["cpuSeconds"], json!([1.0, 9.0, 2.0]));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        assert!(report(vec![row(CSV, 1_000, &[1.0], 4.0)]).verdicts.is_empty());
        let all = vec![row(CSV, 1_000_000, &[1.0], 40.0), row(CSV, 10_000_000, &[1.0], 45.0)];
        let report = report(all);
        let flat = |aim: &ExportAim| matches!(aim.bound, ExportBound::OfFewerRows(..));
        let flat = report.verdicts.iter().find(|verdict| flat(&verdict.aim)).unwrap();
        assert!(!flat.met, "{flat:?}");
        assert!(report.verdicts.iter().all(|verdict| verdict.aim.side != ALL));
    }
}
