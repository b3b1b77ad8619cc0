//! What is asked for on the command line?

use anyhow::{Context, bail, ensure};

use crate::aims::{AIMS, EXPORT_AIMS};

/// What to do.
#[derive(Debug)]
pub(crate) enum Ask {
    /// Print the help.
    Help,
    /// Measure.
    Measure(Arguments),
}

/// What to measure, how often and how to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// A name out of [`BENCHES`].
    pub(crate) bench: &'static str,
    /// How often each side runs.
    pub(crate) runs: u32,
    /// How many rows `export` reads, one table for each; not used by others.
    pub(crate) rows: Vec<u64>,
    /// How many parts `export` reads its table in, if not as one stream; not used by others.
    pub(crate) partitions: Option<u32>,
    /// How many people `small` asks for; not used by others.
    pub(crate) subjects: u32,
    /// Whether a missed aim is a failure.
    pub(crate) check: bool,
    /// Whether the report is JSON.
    pub(crate) json: bool,
}

impl Arguments {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// When one is unknown, or no bench is named.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Ask> {
        let (mut bench, mut runs, mut check, mut json) = (None, None, false, false);
        let (mut rows, mut subjects, mut partitions) = (ROWS.to_vec(), SUBJECTS, None);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-h" | "--help" => return Ok(Ask::Help),
                "--check" => check = true,
                "--json" => json = true,
                "--runs" => {
                    let number = words.next().context("--runs needs a number")?;
                    let number = number.parse().with_context(|| format!("--runs {number}"))?;
                    ensure!(number > 0, "--runs 0 measures nothing");
                    runs = Some(number);
                }
                "--subjects" => {
                    let number = words.next().context("--subjects needs a number")?;
                    subjects = number.parse().with_context(|| format!("--subjects {number}"))?;
                    ensure!(subjects >= LEAST_SUBJECTS, "--subjects: at least {LEAST_SUBJECTS}");
                }
                "--partitions" => {
                    let number = words.next().context("--partitions needs a number")?;
                    let parsed =
                        number.parse().with_context(|| format!("--partitions {number}"))?;
                    ensure!(parsed > 0, "--partitions 0 reads nothing");
                    partitions = Some(parsed);
                }
                "--rows" => {
                    let list = words.next().context("--rows needs numbers, such as 1000,100000")?;
                    let parsed: Result<_, _> = list.split(',').map(str::parse).collect();
                    rows = parsed.with_context(|| format!("--rows {list}"))?;
                    ensure!(!rows.contains(&0), "no rows measure nothing");
                }
                name => {
                    let known = BENCHES.iter().find(|(known, _)| *known == name);
                    let (known, _) = known.with_context(|| {
                        format!("nothing is called {name}; `--help` lists what there is")
                    })?;
                    ensure!(bench.replace(*known).is_none(), "one bench at a time");
                }
            }
        }
        let Some(bench) = bench else { bail!("which one? `--help` lists what there is") };
        let runs = runs.unwrap_or(if bench == "export" { EXPORT_RUNS } else { RUNS });
        Ok(Ask::Measure(Self { bench, runs, rows, partitions, subjects, check, json }))
    }
}

/// Words the help, with every bench and every aim.
pub(crate) fn help() -> String {
    let mut text = HELP.to_owned();
    for (name, about) in BENCHES {
        text.push_str(&format!("  {name:<14} {about}\n"));
        for aim in AIMS.iter().filter(|aim| aim.bench == name) {
            text.push_str(&format!("  {:<14} aim: {}\n", "", aim.worded()));
        }
        for aim in EXPORT_AIMS.iter().filter(|_| name == "export") {
            text.push_str(&format!("  {:<14} aim: {}\n", "", aim.worded()));
        }
    }
    text
}

/// Every bench, with what it measures.
pub(crate) const BENCHES: [(&str, &str); 4] = [
    (
        "demo-export",
        "the busiest person of the demo's shop in four formats: submit, poll, download; beside plain Python",
    ),
    (
        "export",
        "one customer's events in PostgreSQL, each format and all four; beside psql|gzip|openssl and ADBC with pyarrow",
    ),
    (
        "seal",
        "1 GiB in memory through sealed streams and as one message, ranges of a sealed object; beside openssl",
    ),
    (
        "small",
        "people of ten rows in each of 60 tables, JSON and CSV, one at a time and 16 at a time; beside the same queries from Python",
    ),
];

const RUNS: u32 = 5;
/// A round of `export` is eight sides.
const EXPORT_RUNS: u32 = 3;
/// Enough for both ways of asking.
const LEAST_SUBJECTS: u32 = 40;
const SUBJECTS: u32 = 100;
const ROWS: [u64; 3] = [1_000, 100_000, 1_000_000];

const HELP: &str = "\
Measures the real binary beside a yardstick, in turns.

  bench NAME [--runs N] [--rows N,N] [--partitions N] [--subjects N] [--check] [--json]

  --runs N   how often each side runs [default: 5, of `export` 3]; medians are printed
  --rows N,N how many rows `export` reads [default: 1000,100000,1000000]; 10000000 takes its time
  --partitions N  how many parts `export` has its table read in [default: one stream]
  --subjects N  how many people `small` has [default: 100]; the aims are for 1000
  --check    exit with 1 when an aim is missed
  --json     one JSON object instead of the table

`seal` measures what is linked into this program. For others the binary is what ANTUMBRA_BIN names, else `cargo build --release -p antumbra` makes it. ANTUMBRA_PYTHON names a Python with
pyarrow; without one the yardstick of `demo-export` leaves Parquet out, and the report says so. `export` needs adbc-driver-postgresql there too, `small` psycopg.

";

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> anyhow::Result<Ask> {
        Arguments::parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_and_the_name_come_in_any_order() {
        let Ok(Ask::Measure(found)) = parsed("--check demo-export --runs 2 --json") else {
            panic!("refused");
        };
        let rows = ROWS.to_vec();
        let subjects = SUBJECTS;
        let expected = Arguments {
            bench: "demo-export",
            runs: 2,
            rows,
            partitions: None,
            subjects,
            check: true,
            json: true,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn mistakes_are_named() {
        for words in [
            "small --subjects",
            "small --subjects 3",
            "export --rows",
            "export --rows 1,x",
            "export --rows 0",
            "export --partitions",
            "export --partitions 0",
        ] {
            assert!(parsed(words).is_err(), "{words}");
        }
        for words in
            ["", "demo", "demo-export demo-export", "demo-export --runs", "demo-export --runs 0"]
        {
            assert!(parsed(words).is_err(), "{words}");
        }
    }

    #[test]
    fn help_names_every_bench_and_every_aim() {
        let help = help();
        assert!(BENCHES.iter().all(|(name, _)| help.contains(name)));
        assert!(AIMS.iter().all(|aim| help.contains(&aim.worded())));
        assert!(AIMS.iter().all(|aim| BENCHES.iter().any(|(name, _)| *name == aim.bench)));
    }
}
