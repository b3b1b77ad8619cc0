//! What did runs measure, and what stands for several of them?

use std::time::Duration;

/// One number of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figure {
    /// Its name, the same on both sides where both have it.
    pub(crate) name: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Its value.
    pub(crate) value: f64,
}

/// What one run of one side measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Measured(pub(crate) Vec<Figure>);

/// All runs of one figure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// The figure's name.
    pub(crate) name: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Its values, in the order of the runs.
    pub(crate) values: Vec<f64>,
}

/// What an export took: the figures that every export has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exported {
    /// From the first call to the last byte.
    pub(crate) wall: Duration,
    /// Processor time, in seconds.
    pub(crate) cpu: f64,
    /// The most memory ever resident, in KiB.
    pub(crate) peak_kib: u64,
    /// Rows of the source that were exported.
    pub(crate) rows: u64,
    /// Bytes of all files before they were compressed.
    pub(crate) plain: u64,
    /// Bytes of the archive.
    pub(crate) archive: u64,
}

impl Exported {
    /// Returns the figures.
    pub(crate) fn figures(&self) -> Measured {
        let seconds = self.wall.as_secs_f64();
        let figure = |name, unit, value| Figure { name, unit, value };
        Measured(vec![
            figure("wall", "s", seconds),
            figure("CPU", "s", self.cpu),
            figure("rows", "rows/s", float(self.rows) / seconds),
            figure("plain", "MB/s", float(self.plain) / 1e6 / seconds),
            figure("peak RSS", "MiB", float(self.peak_kib) / 1024.0),
            figure("archive", "MB", float(self.archive) / 1e6),
        ])
    }
}

/// Collects the runs' figures by name.
pub(crate) fn series(runs: &[Measured]) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for Figure { name, unit, value } in runs.iter().flat_map(|run| &run.0) {
        match all.iter_mut().find(|series| series.name == *name) {
            Some(series) => series.values.push(*value),
            None => all.push(Series { name, unit, values: vec![*value] }),
        }
    }
    all
}

impl Series {
    /// Returns the middle value; of two middle ones the lower.
    pub(crate) fn median(&self) -> f64 {
        self.sorted((self.values.len().saturating_sub(1)) / 2)
    }

    /// Returns the least value.
    pub(crate) fn least(&self) -> f64 {
        self.sorted(0)
    }

    /// Returns the greatest value.
    pub(crate) fn greatest(&self) -> f64 {
        self.sorted(self.values.len().saturating_sub(1))
    }

    fn sorted(&self, at: usize) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a measured amount, shown with three digits")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_a_value_that_was_measured() {
        let of = |values: &[f64]| Series { name: "wall", unit: "s", values: values.to_vec() };
        assert_eq!(of(&[3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]).median(), 2.0);
        assert_eq!(of(&[5.0]).median(), 5.0);
        let series = of(&[4.0, 1.0, 2.0]);
        assert_eq!((series.least(), series.greatest()), (1.0, 4.0));
    }

    #[test]
    fn figures_of_all_runs_are_gathered_by_name() {
        let run = |wall, cpu| {
            let figure = |name, value| Figure { name, unit: "s", value };
            Measured(vec![figure("wall", wall), figure("CPU", cpu)])
        };
        let found = series(&[run(1.0, 2.0), run(3.0, 4.0)]);
        let values: Vec<_> =
            found.iter().map(|series| (series.name, series.values.clone())).collect();
        assert_eq!(values, [("wall", vec![1.0, 3.0]), ("CPU", vec![2.0, 4.0])]);
    }

    #[test]
    fn an_export_is_told_per_second() {
        let exported = Exported {
            wall: Duration::from_secs(2),
            cpu: 1.5,
            peak_kib: 2048,
            rows: 1000,
            plain: 4_000_000,
            archive: 1_000_000,
        };
        let found: Vec<f64> = exported.figures().0.iter().map(|figure| figure.value).collect();
        assert_eq!(found, [2.0, 1.5, 500.0, 2.0, 2.0, 1.0]);
    }
}
