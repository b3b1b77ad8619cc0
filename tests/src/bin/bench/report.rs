//! What is printed? A table for people, one JSON object for programs; both hold the same numbers.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::aims::{AIMS, Aim, Bound};
use crate::arguments::Arguments;
use crate::figures::Series;

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    bench: &'static str,
    runs: u32,
    machine: Machine,
    ours: Vec<Series>,
    theirs: Vec<Series>,
    yardstick: Yardstick,
    /// Whether each aim was met.
    pub(crate) verdicts: Vec<Verdict>,
}

/// What it was measured on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Machine {
    /// Cores this process may use.
    pub(crate) cores: usize,
    /// Load of the minute before.
    pub(crate) load_before: f64,
    /// Load of the last minute of it.
    pub(crate) load_after: f64,
}

/// What it was measured against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Yardstick {
    /// What it is.
    pub(crate) name: String,
    /// What it does not do and we do.
    pub(crate) less: &'static str,
}

/// An aim and what came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    /// The aim.
    pub(crate) aim: Aim,
    /// The worst run's value, or the ratio of the medians; not a number if nothing measured it.
    pub(crate) found: f64,
    /// Whether it was met.
    pub(crate) met: bool,
}

impl Report {
    /// Judges what was measured by the aims.
    pub(crate) fn new(
        arguments: &Arguments,
        machine: Machine,
        ours: Vec<Series>,
        theirs: Vec<Series>,
        yardstick: Yardstick,
    ) -> Self {
        let aims = AIMS.into_iter().filter(|aim| aim.bench == arguments.bench);
        let verdicts = aims.map(|aim| judged(aim, &ours, &theirs)).collect();
        let Arguments { bench, runs, .. } = *arguments;
        Self { bench, runs, machine, ours, theirs, yardstick, verdicts }
    }

    /// Words it for people.
    pub(crate) fn table(&self) -> String {
        let Machine { cores, load_before, load_after } = self.machine;
        let mut text = format!(
            "{}: {} runs of each side in turns; {cores} cores, load {load_before:.2} before and {load_after:.2} after\n\
             yardstick: {}\nwhich leaves out: {}\n\n",
            self.bench, self.runs, self.yardstick.name, self.yardstick.less
        );
        let out = &mut text;
        let _infallible = writeln!(
            out,
            "{:<16}{:>32}{:>32}{:>8}",
            "median (range)", "ours", "yardstick", "ratio"
        );
        for ours in &self.ours {
            let theirs = self.theirs.iter().find(|theirs| theirs.name == ours.name);
            let ratio =
                theirs.map_or_else(String::new, |theirs| format!("{:.2}", ratio(ours, theirs)));
            let theirs = theirs.map_or_else(String::new, shown);
            let _infallible = writeln!(
                out,
                "{:<16}{:>32}{:>32}{:>8}",
                format!("{}, {}", ours.name, ours.unit),
                shown(ours),
                theirs,
                ratio
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
        let side = |all: &[Series]| -> Value {
            let entries = all.iter().map(|series| {
                let Series { name, unit, values } = series;
                (
                    (*name).to_owned(),
                    json!({ "unit": unit, "median": series.median(), "runs": values }),
                )
            });
            Value::Object(entries.collect())
        };
        let ratios = self.ours.iter().filter_map(|ours| {
            let theirs = self.theirs.iter().find(|theirs| theirs.name == ours.name)?;
            Some((ours.name.to_owned(), json!(ratio(ours, theirs))))
        });
        let aims: Vec<Value> = self
            .verdicts
            .iter()
            .map(|Verdict { aim, found, met }| {
                let Aim { figure, unit, .. } = aim;
                let (bound, value) = match aim.bound {
                    Bound::AtMost(most) => ("atMost", most),
                    Bound::AtLeast(least) => ("atLeast", least),
                    Bound::TimesYardstick(least) => ("timesYardstick", least),
                };
                json!({ "figure": figure, bound: value, "unit": unit, "found": found, "met": met })
            })
            .collect();
        let report = json!({
            "bench": self.bench,
            "runs": self.runs,
            "machine": { "cores": cores, "loadBefore": load_before, "loadAfter": load_after },
            "yardstick": { "name": self.yardstick.name, "leavesOut": self.yardstick.less },
            "ours": side(&self.ours),
            "theirs": side(&self.theirs),
            "ratios": Value::Object(ratios.collect()),
            "aims": aims,
        });
        report.to_string()
    }
}

/// What nothing measured is not met.
fn judged(aim: Aim, ours: &[Series], theirs: &[Series]) -> Verdict {
    let named = |series: &&Series| series.name == aim.figure && series.unit == aim.unit;
    let (ours, theirs) = (ours.iter().find(named), theirs.iter().find(named));
    match aim.bound {
        Bound::AtMost(most) => {
            let found = ours.map_or(f64::NAN, Series::greatest);
            Verdict { aim, found, met: found <= most }
        }
        Bound::AtLeast(least) => {
            let found = ours.map_or(f64::NAN, Series::least);
            Verdict { aim, found, met: found >= least }
        }
        Bound::TimesYardstick(least) => {
            let found = ours.zip(theirs).map_or(f64::NAN, |(ours, theirs)| ratio(ours, theirs));
            Verdict { aim, found, met: found >= least }
        }
    }
}

fn ratio(ours: &Series, theirs: &Series) -> f64 {
    ours.median() / theirs.median()
}

/// Three digits are as many as such a number has.
fn shown(series: &Series) -> String {
    let number = |value: f64| match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    };
    let (least, greatest) = (number(series.least()), number(series.greatest()));
    format!("{} ({least}–{greatest})", number(series.median()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(peak: &[f64]) -> Report {
        let rows = Vec::new();
        let arguments = Arguments {
            bench: "demo-export",
            runs: 2,
            rows,
            partitions: None,
            subjects: 0,
            check: true,
            json: false,
        };
        let machine = Machine { cores: 2, load_before: 0.5, load_after: 1.0 };
        let series = |name, unit, values: &[f64]| Series { name, unit, values: values.to_vec() };
        let ours = vec![series("peak RSS", "MiB", peak), series("wall", "s", &[1.0, 3.0])];
        let theirs = vec![series("wall", "s", &[4.0, 5.0])];
        let yardstick = Yardstick { name: "a stick".to_owned(), less: "everything" };
        Report::new(&arguments, machine, ours, theirs, yardstick)
    }

    #[test]
    fn one_run_beyond_the_bound_misses_the_aim() {
        assert!(report(&[96.0, 12.0]).verdicts[0].met);
        assert!(!report(&[10.0, 96.5]).verdicts[0].met);
        assert!(!report(&[]).verdicts[0].met, "what was not measured is not met");
        assert!(report(&[10.0, 96.5]).table().contains("aim MISSED: peak RSS"));
    }

    #[test]
    fn ratio_of_the_medians_is_what_a_yardstick_bounds() {
        let aim = Aim {
            bench: "seal",
            figure: "seal",
            unit: "GB/s",
            bound: Bound::TimesYardstick(1.2),
            why: "x",
        };
        let series =
            |values: &[f64]| [Series { name: "seal", unit: "GB/s", values: values.to_vec() }];
        let met = |ours: &[f64], theirs: &[f64]| judged(aim, &series(ours), &series(theirs)).met;
        assert!(met(&[1.0, 2.5, 3.0], &[2.0, 2.0, 9.0]));
        assert!(!met(&[9.0, 2.3, 2.0], &[2.0, 2.0, 2.0]));
        assert!(!judged(aim, &series(&[5.0]), &[]).met, "nothing to compare with");
    }

    #[test]
    fn table_and_json_hold_the_same_ratio() {
        let report = report(&[50.0, 60.0]);
        assert!(report.table().contains("0.25"), "{}", report.table());
        let read: Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!(read["ratios"], json!({ "wall": 0.25 }));
        assert_eq!(read["aims"][0]["met"], json!(true));
        assert_eq!(read["ours"]["peak RSS"]["runs"], json!([50.0, 60.0]));
    }
}
