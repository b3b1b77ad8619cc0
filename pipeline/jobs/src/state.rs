//! Which states does a job have, and which moves between them are legal?
//!
//! One function, [`next`], answers; every store and every handler asks it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobState {
    /// Recorded, nobody works on it yet.
    Requested,
    /// A worker plans it and collects its sections.
    Collecting,
    /// All sections ended; the bundle is verified, signed and counted.
    Packaging,
    /// The bundle can be downloaded.
    Ready,
    /// The bundle was downloaded completely at least once, and still can be.
    Delivered,
    /// The bundle's time is over.
    Expired,
    /// The job ended without a bundle.
    Failed,
    /// An operator stopped it.
    Cancelled,
}

impl JobState {
    /// Every state, in the order of a job's life.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Collecting,
        Self::Packaging,
        Self::Ready,
        Self::Delivered,
        Self::Expired,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Says whether a worker still has something to do.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Requested | Self::Collecting | Self::Packaging)
    }

    /// Returns the word used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Collecting => "COLLECTING",
            Self::Packaging => "PACKAGING",
            Self::Ready => "READY",
            Self::Delivered => "DELIVERED",
            Self::Expired => "EXPIRED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = crate::InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(crate::InvalidId { expected: "a job state" })
    }
}

/// What can happen to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Move {
    /// A worker starts, or starts again after a crash.
    Collect,
    /// All sections ended.
    Package,
    /// The signed bundle is published.
    Publish,
    /// A complete download ended.
    Deliver,
    /// The bundle's time is over, or its key was destroyed.
    Expire,
    /// The job cannot be done.
    Fail,
    /// An operator stops it.
    Cancel,
}

impl Move {
    /// Every move.
    pub const ALL: [Self; 7] = [
        Self::Collect,
        Self::Package,
        Self::Publish,
        Self::Deliver,
        Self::Expire,
        Self::Fail,
        Self::Cancel,
    ];
}

/// A move that the job's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job that is {from} cannot {what:?}")]
pub struct IllegalMove {
    /// The state the job is in.
    pub from: JobState,
    /// What was tried.
    pub what: Move,
}

/// Returns the state after `what`; the only place that knows the legal moves.
///
/// `Collect` on a collecting job and `Package` on a packaging one are resumptions and keep the state. `Deliver` on
/// a delivered job keeps it too: later downloads change nothing.
///
/// # Errors
/// [`IllegalMove`] for every other pair.
pub const fn next(from: JobState, what: Move) -> Result<JobState, IllegalMove> {
    use JobState::{
        Cancelled, Collecting, Delivered, Expired, Failed, Packaging, Ready, Requested,
    };
    match (from, what) {
        (Requested | Collecting, Move::Collect) => Ok(Collecting),
        (Collecting | Packaging, Move::Package) => Ok(Packaging),
        (Packaging, Move::Publish) => Ok(Ready),
        (Ready | Delivered, Move::Deliver) => Ok(Delivered),
        (Ready | Delivered, Move::Expire) => Ok(Expired),
        (Requested | Collecting | Packaging, Move::Fail) => Ok(Failed),
        (Requested | Collecting | Packaging, Move::Cancel) => Ok(Cancelled),
        _ => Err(IllegalMove { from, what }),
    }
}

/// Where a request stands, in the words of the Sombra contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RequestStatus {
    /// Recorded.
    RequestMade,
    /// More identifiers are being gathered.
    Enriching,
    /// Data is being collected and packaged.
    Compiling,
    /// A person has to approve the result.
    Approving,
    /// The bundle can be downloaded.
    Downloadable,
    /// The bundle was downloaded.
    Completed,
    /// The job failed or was cancelled.
    Canceled,
    /// Retention is over; only the audit log remembers.
    Archived,
}

impl RequestStatus {
    /// Every status, in the order of a request's life.
    pub const ALL: [Self; 8] = [
        Self::RequestMade,
        Self::Enriching,
        Self::Compiling,
        Self::Approving,
        Self::Downloadable,
        Self::Completed,
        Self::Canceled,
        Self::Archived,
    ];

    /// Returns the word used on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestMade => "REQUEST_MADE",
            Self::Enriching => "ENRICHING",
            Self::Compiling => "COMPILING",
            Self::Approving => "APPROVING",
            Self::Downloadable => "DOWNLOADABLE",
            Self::Completed => "COMPLETED",
            Self::Canceled => "CANCELED",
            Self::Archived => "ARCHIVED",
        }
    }

    /// Returns what the state of a request's latest job means for the request.
    #[must_use]
    pub const fn of_job(state: JobState) -> Self {
        match state {
            JobState::Requested => Self::RequestMade,
            JobState::Collecting | JobState::Packaging => Self::Compiling,
            JobState::Ready => Self::Downloadable,
            JobState::Delivered => Self::Completed,
            JobState::Expired => Self::Archived,
            JobState::Failed | JobState::Cancelled => Self::Canceled,
        }
    }
}

impl fmt::Display for RequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_ended_never_becomes_active_again() {
        for from in JobState::ALL.into_iter().filter(|state| !state.is_active()) {
            for what in Move::ALL {
                if let Ok(to) = next(from, what) {
                    assert!(!to.is_active(), "{from} {what:?} {to}");
                }
            }
        }
    }

    #[test]
    fn every_legal_move_is_in_the_table_of_the_contract() {
        let mut legal = Vec::new();
        for from in JobState::ALL {
            for what in Move::ALL {
                if let Ok(to) = next(from, what) {
                    legal.push(format!("{from} {to}"));
                }
            }
        }
        legal.sort();
        legal.dedup();
        let expected = [
            "COLLECTING CANCELLED",
            "COLLECTING COLLECTING",
            "COLLECTING FAILED",
            "COLLECTING PACKAGING",
            "DELIVERED DELIVERED",
            "DELIVERED EXPIRED",
            "PACKAGING CANCELLED",
            "PACKAGING FAILED",
            "PACKAGING PACKAGING",
            "PACKAGING READY",
            "READY DELIVERED",
            "READY EXPIRED",
            "REQUESTED CANCELLED",
            "REQUESTED COLLECTING",
            "REQUESTED FAILED",
        ];
        assert_eq!(legal, expected);
    }
}
