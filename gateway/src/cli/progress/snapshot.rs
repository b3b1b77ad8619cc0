//! How far is a job? Numbers and words, the same for every way of showing them.

use std::time::Duration;

use antumbra_jobs::JobState;
use serde_json::{Value, json};

use crate::cli::words::{bytes, count, span};

/// How far a job is, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::cli) struct Snapshot {
    /// What is being done.
    pub(in crate::cli) phase: Phase,
    /// `silo/datapoint` of the section that is read.
    pub(in crate::cli) section: Option<String>,
    /// Sections that ended.
    pub(in crate::cli) sections_done: u32,
    /// Sections in all; 0 before the plan is made.
    pub(in crate::cli) sections_total: u32,
    /// Rows so far.
    pub(in crate::cli) rows: u64,
    /// Rows that were there when somebody began to look.
    pub(in crate::cli) rows_before: u64,
    /// Rows in all, where the plan could estimate it.
    pub(in crate::cli) rows_expected: Option<u64>,
    /// Bytes so far: sealed while collecting, of the zip while writing.
    pub(in crate::cli) bytes: u64,
    /// Bytes in all, while writing.
    pub(in crate::cli) bytes_expected: Option<u64>,
    /// Since somebody began to look at the collecting.
    pub(in crate::cli) elapsed: Duration,
}

/// What is being done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::cli) enum Phase {
    /// The root of the keys does not answer.
    Waiting,
    /// Identifiers are followed, sections are looked at.
    #[default]
    Planning,
    /// Sections are read and sealed.
    Collecting,
    /// Everything is read back, verified and signed.
    Packaging,
    /// The zip is written.
    Writing,
}

impl Phase {
    /// Says what a job in a state is doing.
    pub(in crate::cli) const fn of(state: JobState) -> Self {
        match state {
            JobState::Collecting => Self::Collecting,
            JobState::Packaging => Self::Packaging,
            JobState::Ready | JobState::Delivered => Self::Writing,
            JobState::Requested | JobState::Expired | JobState::Failed | JobState::Cancelled => {
                Self::Planning
            }
        }
    }

    /// Returns its word.
    pub(in crate::cli) const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for the root key",
            Self::Planning => "planning",
            Self::Collecting => "collecting",
            Self::Packaging => "packaging",
            Self::Writing => "writing",
        }
    }
}

impl Snapshot {
    /// Returns the rows of a second, on average since somebody began to look.
    pub(in crate::cli) fn rows_per_second(&self) -> Option<u64> {
        if self.phase != Phase::Collecting {
            return None;
        }
        let millis = u64::try_from(self.elapsed.as_millis()).ok().filter(|millis| *millis > 0)?;
        let rows = self.rows.saturating_sub(self.rows_before);
        (rows > 0).then(|| rows.saturating_mul(1000) / millis)
    }

    /// Returns how long the rest takes at the speed so far.
    pub(in crate::cli) fn left(&self) -> Option<Duration> {
        let rows = self.rows.saturating_sub(self.rows_before);
        if self.phase != Phase::Collecting || rows == 0 {
            return None;
        }
        let rest = self.rows_expected?.checked_sub(self.rows)?;
        let millis = u128::from(rest) * self.elapsed.as_millis() / u128::from(rows);
        Some(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
    }

    /// Returns how much is done, and of how much.
    pub(in crate::cli) fn position(&self) -> Option<(u64, u64)> {
        match self.phase {
            Phase::Waiting | Phase::Planning => None,
            Phase::Collecting => {
                let all = self.rows_expected.filter(|rows| *rows > 0)?;
                Some((self.rows.min(all), all))
            }
            Phase::Packaging => Some((1, 1)),
            Phase::Writing => {
                let all = self.bytes_expected.filter(|bytes| *bytes > 0)?;
                Some((self.bytes.min(all), all))
            }
        }
    }

    /// Words it for people, in one line.
    pub(in crate::cli) fn line(&self) -> String {
        let mut parts = vec![match &self.section {
            Some(section) => format!("{} {section}", self.phase.word()),
            None => self.phase.word().to_owned(),
        }];
        if self.sections_total > 0 && self.phase != Phase::Writing {
            parts.push(format!("{} of {} sections", self.sections_done, self.sections_total));
        }
        if self.rows > 0 && self.phase != Phase::Writing {
            let all = self.rows_expected.filter(|rows| *rows >= self.rows);
            let all = all.map_or_else(String::new, |rows| format!(" of {}", count(rows)));
            parts.push(format!("{}{all} rows", count(self.rows)));
        }
        parts.extend(self.rows_per_second().map(|rows| format!("{} rows/s", count(rows))));
        if self.bytes > 0 {
            let all = self.bytes_expected;
            let all = all.map_or_else(String::new, |all| format!(" of {}", bytes(all)));
            parts.push(format!("{}{all}", bytes(self.bytes)));
        }
        parts.extend(self.left().map(|left| format!("{} left", span(left))));
        parts.join(", ")
    }

    /// Words it for programs. Members are always all there.
    pub(in crate::cli) fn json(&self) -> Value {
        json!({
            "event": "progress",
            "phase": self.phase.word(),
            "section": self.section,
            "sectionsDone": self.sections_done,
            "sectionsTotal": self.sections_total,
            "rows": self.rows,
            "rowsExpected": self.rows_expected,
            "rowsPerSecond": self.rows_per_second(),
            "bytes": self.bytes,
            "bytesExpected": self.bytes_expected,
            "secondsLeft": self.left().map(|left| left.as_secs()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collecting() -> Snapshot {
        Snapshot {
            phase: Phase::Collecting,
            section: Some("shop/orders".to_owned()),
            sections_done: 2,
            sections_total: 9,
            rows: 30_000,
            rows_before: 0,
            rows_expected: Some(120_000),
            bytes: 5_000_000,
            bytes_expected: None,
            elapsed: Duration::from_secs(2),
        }
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        assert_eq!(Snapshot::default().line(), "planning");
        let begun = Snapshot { phase: Phase::Collecting, sections_total: 9, ..Snapshot::default() };
        assert_eq!(begun.line(), "collecting, 0 of 9 sections");
        let unforeseen = Snapshot { rows_expected: None, ..collecting() };
        assert_eq!(
            unforeseen.line(),
            "collecting shop/orders, 2 of 9 sections, 30 000 rows, 15 000 rows/s, 5.0 MB"
        );
    }

    #[test]
    fn the_rest_takes_as_long_as_the_speed_so_far_says() {
        assert_eq!(
            collecting().line(),
            "collecting shop/orders, 2 of 9 sections, 30 000 of 120 000 rows, 15 000 rows/s, 5.0 MB, 6 s left"
        );
        assert_eq!(collecting().position(), Some((30_000, 120_000)));
        // An estimate that was too low is neither shown nor reckoned with.
        let more = Snapshot { rows: 130_000, ..collecting() };
        assert_eq!((more.left(), more.position()), (None, Some((120_000, 120_000))));
        assert!(!more.line().contains(" of 120 000"));
        let joined = Snapshot { rows_before: 20_000, ..collecting() };
        assert_eq!(joined.rows_per_second(), Some(5_000));
        assert_eq!(joined.left(), Some(Duration::from_secs(18)));
    }

    #[test]
    fn writing_speaks_of_bytes() {
        let writing = Snapshot {
            phase: Phase::Writing,
            section: None,
            bytes: 1_500,
            bytes_expected: Some(3_000),
            ..collecting()
        };
        assert_eq!(writing.line(), "writing, 1.5 kB of 3.0 kB");
        assert_eq!(writing.position(), Some((1_500, 3_000)));
    }

    #[test]
    fn programs_find_every_member() {
        let value = Snapshot::default().json();
        assert_eq!(value.as_object().unwrap().len(), 11);
        assert_eq!(collecting().json()["secondsLeft"], 6);
    }
}
