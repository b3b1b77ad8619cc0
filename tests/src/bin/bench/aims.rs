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
    /// Not less than this on our side, in every run.
    AtLeast(f64),
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
            Bound::AtLeast(least) => {
                format!("{figure} at least {least} {unit} in every run ({why})")
            }
            Bound::TimesYardstick(least) => {
                format!("{figure} at least {least} × the yardstick, median by median ({why})")
            }
        }
    }
}

/// All of them.
pub(crate) const AIMS: [Aim; 7] = [
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
    Aim {
        bench: "small",
        figure: "p50 alone",
        unit: "ms",
        bound: Bound::AtMost(150.0),
        why: "a person who waits at a screen does not notice",
    },
    Aim {
        bench: "small",
        figure: "16 at a time",
        unit: "requests/s",
        bound: Bound::AtLeast(20.0),
        why: "a campaign of erasures and access requests is over in an hour",
    },
    Aim {
        bench: "small",
        figure: "objects",
        unit: "/request",
        bound: Bound::AtMost(6.0),
        why: "buckets bill by the call",
    },
];

/// A promise about `export`, of the medians of its runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ExportAim {
    /// Whose figure, by its name in the report.
    pub(crate) side: &'static str,
    /// With how many rows.
    pub(crate) rows: u64,
    /// Which figure.
    pub(crate) figure: ExportFigure,
    /// What is promised of it.
    pub(crate) bound: ExportBound,
}

/// A figure of `export`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportFigure {
    /// Processor time, in seconds.
    Cpu,
    /// Seconds by the clock.
    Wall,
    /// Peak RSS, in MiB.
    Peak,
    /// Bytes written, in MB.
    Out,
    /// Seconds until the first slice is sealed.
    First,
}

/// What is promised of a figure of `export`; each is not more than this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ExportBound {
    /// In the figure's unit.
    AtMost(f64),
    /// Times another side's.
    OfSide(&'static str, f64),
    /// Times its own with fewer rows.
    OfFewerRows(u64, f64),
    /// Times the greatest of the four single formats.
    OfDearestSingle(f64),
}

impl ExportAim {
    /// Words it.
    pub(crate) fn worded(&self) -> String {
        let Self { side, rows, figure, bound } = self;
        let (name, unit) = match figure {
            ExportFigure::Cpu => ("CPU", "s"),
            ExportFigure::Wall => ("wall", "s"),
            ExportFigure::Peak => ("peak RSS", "MiB"),
            ExportFigure::Out => ("output", "MB"),
            ExportFigure::First => ("first sealed slice", "s"),
        };
        let bound = match bound {
            ExportBound::AtMost(most) => format!("{most} {unit}"),
            ExportBound::OfSide(other, most) => format!("{most} × {other}"),
            ExportBound::OfFewerRows(fewer, most) => format!("{most} × the same at {fewer} rows"),
            ExportBound::OfDearestSingle(most) => format!("{most} × the dearest single format"),
        };
        format!("{side}, {rows} rows: {name} at most {bound}")
    }
}

/// All of `export`.
pub(crate) const EXPORT_AIMS: [ExportAim; 20] = [
    of("antumbra CSV", ExportFigure::Cpu, ExportBound::OfSide(PIPE, 0.9)),
    of("antumbra CSV", ExportFigure::Out, ExportBound::OfSide(PIPE, 1.3)),
    of("antumbra NDJSON", ExportFigure::Cpu, ExportBound::OfSide(PIPE, 0.9)),
    of("antumbra NDJSON", ExportFigure::Out, ExportBound::OfSide(PIPE, 1.3)),
    of("antumbra Parquet", ExportFigure::Cpu, ExportBound::OfSide("ADBC+pyarrow Parquet", 0.95)),
    of("antumbra, all four", ExportFigure::Cpu, ExportBound::OfDearestSingle(2.2)),
    of("antumbra CSV", ExportFigure::Peak, ExportBound::AtMost(64.0)),
    of("antumbra NDJSON", ExportFigure::Peak, ExportBound::AtMost(64.0)),
    of("antumbra JSON", ExportFigure::Peak, ExportBound::AtMost(64.0)),
    of("antumbra Parquet", ExportFigure::Peak, ExportBound::AtMost(64.0)),
    of("antumbra, all four", ExportFigure::Peak, ExportBound::AtMost(112.0)),
    flat("antumbra CSV"),
    flat("antumbra NDJSON"),
    flat("antumbra JSON"),
    flat("antumbra Parquet"),
    flat("antumbra, all four"),
    of("antumbra CSV", ExportFigure::First, ExportBound::AtMost(1.0)),
    of("antumbra NDJSON", ExportFigure::First, ExportBound::AtMost(1.0)),
    of("antumbra Parquet", ExportFigure::First, ExportBound::AtMost(1.0)),
    of("antumbra, all four", ExportFigure::First, ExportBound::AtMost(1.0)),
];

const fn of(side: &'static str, figure: ExportFigure, bound: ExportBound) -> ExportAim {
    ExportAim { side, rows: 1_000_000, figure, bound }
}

/// Memory does not grow with the rows.
const fn flat(side: &'static str) -> ExportAim {
    let bound = ExportBound::OfFewerRows(1_000_000, 1.1);
    ExportAim { side, rows: 10_000_000, figure: ExportFigure::Peak, bound }
}

const PIPE: &str = "psql|gzip|openssl";
