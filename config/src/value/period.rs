//! Lengths of time as people write them.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::value::{ValueError, text::text_serde};

/// Holds a length of time above zero and at most 36 525 days (a hundred years).
///
/// Written `"30s"`, `"24h"`, `"7 days"`, `"1h 30m"`; a day has 24 hours, months and years are not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    /// Builds a period from a standard duration.
    ///
    /// # Errors
    /// [`ValueError`] if it is zero or longer than 36 525 days.
    pub fn new(duration: Duration) -> Result<Self, ValueError> {
        if duration.is_zero() || duration > LONGEST {
            return Err(ValueError::new(EXPECTED, &format!("{duration:?}")));
        }
        Ok(Self(duration))
    }

    /// Builds a period of so many seconds, at least one.
    pub(crate) const fn seconds(count: u32) -> Self {
        assert!(count > 0 && (count as u64) <= LONGEST.as_secs(), "a period has its limits");
        Self(Duration::from_secs(count as u64))
    }

    /// Builds a period of so many milliseconds, at least one.
    pub(crate) const fn milliseconds(count: u32) -> Self {
        assert!(count > 0, "a period is above zero, and 2^32 ms are 50 days");
        Self(Duration::from_millis(count as u64))
    }

    /// Returns the standard duration.
    pub fn duration(self) -> Duration {
        self.0
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl FromStr for Period {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let misfit = || ValueError::new(EXPECTED, text);
        let span: Span = text.trim().parse().map_err(|_| misfit())?;
        let signed: SignedDuration =
            span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| misfit())?;
        let duration = Duration::try_from(signed).map_err(|_| misfit())?;
        Self::new(duration).map_err(|_| misfit())
    }
}

impl fmt::Display for Period {
    /// Writes one unit where one suffices; the text parses back to the same period.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        if nanos != 0 {
            if seconds != 0 {
                write!(f, "{seconds}s ")?;
            }
            return match (nanos.is_multiple_of(1_000_000), nanos.is_multiple_of(1_000)) {
                (true, _) => write!(f, "{}ms", nanos / 1_000_000),
                (_, true) => write!(f, "{}us", nanos / 1_000),
                _ => write!(f, "{nanos}ns"),
            };
        }
        if seconds.is_multiple_of(DAY) && seconds > DAY {
            write!(f, "{} days", seconds / DAY)
        } else if seconds.is_multiple_of(HOUR) {
            write!(f, "{}h", seconds / HOUR)
        } else if seconds.is_multiple_of(MINUTE) && seconds > MINUTE {
            write!(f, "{}m", seconds / MINUTE)
        } else {
            write!(f, "{seconds}s")
        }
    }
}

text_serde!(Period, EXPECTED);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const LONGEST: Duration = Duration::from_secs(36_525 * DAY);
const EXPECTED: &str = r#"a length of time above zero such as "30s", "24h" or "7 days""#;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn periods_are_read_as_written() {
        for (text, seconds) in [
            ("30s", 30),
            ("24h", 86_400),
            ("7 days", 604_800),
            ("1h 30m", 5_400),
            ("1 week", 604_800),
        ] {
            assert_eq!(text.parse::<Period>().unwrap().duration().as_secs(), seconds, "{text}");
        }
    }

    #[test]
    fn periods_that_are_zero_negative_unitless_or_of_uncertain_length_are_refused() {
        for text in ["", "0s", "-5s", "5s ago", "30", "1 month", "1 year", "forever", "40000 days"]
        {
            assert!(text.parse::<Period>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn printed_as_a_person_would() {
        for text in ["30s", "24h", "7 days", "60s", "90s", "2m", "1h", "250ms", "1s 5us", "7ns"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn a_printed_period_parses_back(seconds in 0..=LONGEST.as_secs() - 1, nanos in 1u32..1_000_000_000) {
            let period = Period::new(Duration::new(seconds, nanos)).unwrap();
            prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
            let whole = Period::new(Duration::from_secs(seconds + 1)).unwrap();
            prop_assert_eq!(whole.to_string().parse::<Period>().unwrap(), whole);
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            if let Ok(period) = text.parse::<Period>() {
                prop_assert!(period.duration() <= LONGEST);
            }
        }
    }
}
