//! What was promised? Every aim of every bench, in one table.

/// A promise about a figure of our side, to be kept by every run: a bound that half of the runs keep bounds nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Aim {
    /// The bench that measures it.
    pub(crate) bench: &'static str,
    /// The figure, by its name in the report.
    pub(crate) figure: &'static str,
    /// Not more than this, in the figure's unit.
    pub(crate) at_most: f64,
    /// The unit.
    pub(crate) unit: &'static str,
    /// Why it matters.
    pub(crate) why: &'static str,
}

impl Aim {
    /// Words it.
    pub(crate) fn worded(&self) -> String {
        let Self { figure, at_most, unit, why, .. } = self;
        format!("{figure} at most {at_most} {unit} in every run ({why})")
    }
}

/// All of them.
pub(crate) const AIMS: [Aim; 1] = [Aim {
    bench: "demo-export",
    figure: "peak RSS",
    at_most: 96.0,
    unit: "MiB",
    why: "an export needs as much memory for a million rows as for a thousand",
}];
