//! What is asked for on the command line?

use anyhow::{Context, bail, ensure};

use crate::aims::AIMS;

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
        let (mut bench, mut runs, mut check, mut json) = (None, RUNS, false, false);
        while let Some(word) = words.next() {
            match word.as_str() {
                "-h" | "--help" => return Ok(Ask::Help),
                "--check" => check = true,
                "--json" => json = true,
                "--runs" => {
                    let number = words.next().context("--runs needs a number")?;
                    runs = number.parse().with_context(|| format!("--runs {number}"))?;
                    ensure!(runs > 0, "--runs 0 measures nothing");
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
        Ok(Ask::Measure(Self { bench, runs, check, json }))
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
    }
    text
}

/// Every bench, with what it measures.
pub(crate) const BENCHES: [(&str, &str); 2] = [
    (
        "demo-export",
        "the busiest person of the demo's shop in four formats: submit, poll, download; beside plain Python",
    ),
    (
        "seal",
        "1 GiB in memory through sealed streams and as one message, ranges of a sealed object; beside openssl",
    ),
];

const RUNS: u32 = 5;

const HELP: &str = "\
Measures the real binary beside a yardstick, in turns.

  bench NAME [--runs N] [--check] [--json]

  --runs N   how often each side runs [default: 5]; medians are printed
  --check    exit with 1 when an aim is missed
  --json     one JSON object instead of the table

`seal` measures what is linked into this program. For others the binary is what ANTUMBRA_BIN names, else `cargo build --release -p antumbra` makes it. ANTUMBRA_PYTHON names a Python with
pyarrow; without one the yardstick leaves Parquet out, and the report says so.

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
        let expected = Arguments { bench: "demo-export", runs: 2, check: true, json: true };
        assert_eq!(found, expected);
    }

    #[test]
    fn mistakes_are_named() {
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
