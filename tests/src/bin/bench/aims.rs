//! What was promised? Every aim of every bench, in one table.

/// A promise about a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Aim {
    /// The bench that measures it.
    pub(crate) bench: &'static str,
    /// The figure, by its name in the report.
    pub(crate) figure: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// What is promised of it.
    pub(crate) bound: Bound,
    /// Why it matters.
    pub(crate) why: &'static str,
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// Not more than this on our side, in the figure's unit, in every run: a bound that half of the runs keep bounds nothing.
    AtMost(f64),
    /// At least this many times the yardstick. Of medians: one run of either side says little about a ratio.
    TimesYardstick(f64),
}

impl Aim {
    /// Words it.
    pub(crate) fn worded(&self) -> String {
        let Self { figure, unit, why, .. } = self;
        match self.bound {
            Bound::AtMost(most) => {
                format!("{figure} at most {most} {unit} in every run ({why})")
            }
            Bound::TimesYardstick(least) => {
                format!("{figure} at least {least} × the yardstick, median by median ({why})")
            }
        }
    }
}

/// All of them.
pub(crate) const AIMS: [Aim; 4] = [
    Aim {
        bench: "demo-export",
        figure: "peak RSS",
        unit: "MiB",
        bound: Bound::AtMost(96.0),
        why: "an export needs as much memory for a million rows as for a thousand",
    },
    Aim {
        bench: "seal",
        figure: "seal",
        unit: "GB/s",
        bound: Bound::TimesYardstick(1.2),
        why: "sealing is never what an export waits for",
    },
    Aim {
        bench: "seal",
        figure: "open",
        unit: "GB/s",
        bound: Bound::TimesYardstick(1.2),
        why: "nor is opening what a download waits for",
    },
    Aim {
        bench: "seal",
        figure: "message",
        unit: "GB/s",
        bound: Bound::TimesYardstick(0.7),
        why: "a client that knows no streams does not wait much longer",
    },
];
