//! When is a silo left alone? After failures in a row; then one try decides.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use antumbra_crypto::Retry;
use metrics::Gauge;
use tokio::time::Instant;

use super::CircuitState;
use crate::SiloError;

/// Counts failures and refuses calls while the silo is left alone.
pub(super) struct Circuit {
    most: u32,
    pause: Duration,
    /// Shows where it stands.
    gauge: Gauge,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    /// Grows with each change of phase: what a call of an earlier one found out counts no more.
    epoch: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Calls go through.
    Closed { failures: u32, last: Option<Instant> },
    /// Calls are refused.
    Open { since: Instant, until: Instant },
    /// One call goes through, the others are refused.
    Trying { since: Instant },
}

/// Leave to call the silo. Dropped without a verdict, it was as if nobody had called.
#[derive(Debug)]
#[must_use]
pub(super) struct Pass {
    circuit: Arc<Circuit>,
    epoch: u64,
    trial: bool,
}

/// Says that the silo is left alone.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    since: Duration,
    more: Duration,
}

impl Circuit {
    /// Opens after `most` failures, for `pause`.
    pub(super) fn new(most: u32, pause: Duration, gauge: Gauge) -> Self {
        gauge.set(0.0);
        let inner = Inner { phase: Phase::Closed { failures: 0, last: None }, epoch: 0 };
        Self { most, pause, gauge, inner: Mutex::new(inner) }
    }

    /// Lets a call through or refuses it.
    pub(super) fn admit(self: &Arc<Self>, now: Instant) -> Result<Pass, Refused> {
        let mut inner = self.lock();
        let trial = match inner.phase {
            Phase::Closed { .. } => false,
            Phase::Open { since, until } if now < until => {
                return Err(Refused { since: now - since, more: until - now });
            }
            Phase::Trying { since } => {
                return Err(Refused { since: now - since, more: Duration::ZERO });
            }
            Phase::Open { since, .. } => {
                self.change(&mut inner, Phase::Trying { since });
                true
            }
        };
        Ok(Pass { circuit: Arc::clone(self), epoch: inner.epoch, trial })
    }

    /// Takes the answer of a call that was let through in `epoch`. Says whether this opened the circuit.
    fn note(&self, epoch: u64, verdict: Verdict, now: Instant) -> bool {
        let mut inner = self.lock();
        if inner.epoch != epoch {
            return false;
        }
        let open = |since| Phase::Open { since, until: now + self.pause };
        match (inner.phase, verdict) {
            (_, Verdict::Silent) | (Phase::Open { .. }, _) => false,
            (Phase::Closed { .. }, Verdict::Answered) => {
                inner.phase = Phase::Closed { failures: 0, last: None };
                false
            }
            (Phase::Trying { .. }, Verdict::Answered) => {
                self.change(&mut inner, Phase::Closed { failures: 0, last: None });
                false
            }
            (Phase::Closed { failures, last }, Verdict::Failed) => {
                // Calls that fail together tell of one outage.
                if last.is_some_and(|last| now.saturating_duration_since(last) < TOGETHER) {
                    return false;
                }
                let failures = failures + 1;
                if failures < self.most {
                    inner.phase = Phase::Closed { failures, last: Some(now) };
                    return false;
                }
                self.change(&mut inner, open(now));
                true
            }
            (Phase::Trying { since }, Verdict::Failed) => {
                self.change(&mut inner, open(since));
                true
            }
        }
    }

    /// Gives a try back that nobody made: the next call may.
    fn give_back(&self, epoch: u64) {
        let mut inner = self.lock();
        if let Phase::Trying { since } = inner.phase
            && inner.epoch == epoch
        {
            self.change(&mut inner, Phase::Open { since, until: since });
        }
    }

    /// Says where it stands.
    pub(super) fn state(&self, now: Instant) -> CircuitState {
        match self.lock().phase {
            Phase::Closed { failures, .. } => CircuitState::Closed { failures },
            Phase::Open { since, until } => CircuitState::Open {
                since: now.saturating_duration_since(since),
                more: until.saturating_duration_since(now),
            },
            Phase::Trying { since } => {
                CircuitState::Trying { since: now.saturating_duration_since(since) }
            }
        }
    }

    fn change(&self, inner: &mut Inner, phase: Phase) {
        inner.phase = phase;
        inner.epoch += 1;
        self.gauge.set(match phase {
            Phase::Closed { .. } => 0.0,
            Phase::Trying { .. } => 1.0,
            Phase::Open { .. } => 2.0,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Circuit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Circuit").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Pass {
    /// Takes what a call found out. Says whether this opened the circuit.
    pub(super) fn note<T>(&self, answer: &Result<T, SiloError>) -> bool {
        self.note_at(Verdict::of(answer), Instant::now())
    }

    /// Says whether it is the one call that decides.
    pub(super) const fn is_trial(&self) -> bool {
        self.trial
    }

    fn note_at(&self, verdict: Verdict, now: Instant) -> bool {
        self.circuit.note(self.epoch, verdict, now)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.trial {
            self.circuit.give_back(self.epoch);
        }
    }
}

impl From<Refused> for SiloError {
    fn from(refused: Refused) -> Self {
        let seconds = |time: Duration| time.as_millis().div_ceil(1_000);
        let (since, more) = (seconds(refused.since), seconds(refused.more));
        let reason = if refused.more.is_zero() {
            format!("it is left alone since {since} s, after failures in a row, and is being tried")
        } else {
            format!("it is left alone since {since} s, after failures in a row, for {more} s more")
        };
        Self::Held { reason, more: refused.more }
    }
}

/// What a call says of the silo's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It did its work, or said why not.
    Answered,
    /// It could not be reached, or not in time.
    Failed,
    /// It was not asked.
    Silent,
}

impl Verdict {
    fn of<T>(answer: &Result<T, SiloError>) -> Self {
        match answer {
            Ok(_) | Err(SiloError::ShapeChanged) => Self::Answered,
            Err(
                SiloError::Settings { .. }
                | SiloError::ProviderFailed { .. }
                | SiloError::Held { .. },
            ) => Self::Silent,
            Err(error) if error.retry() == Retry::Later => Self::Failed,
            Err(_) => Self::Answered,
        }
    }
}

/// Failures that are nearer to each other count as one.
const TOGETHER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    fn circuit(most: u32) -> Arc<Circuit> {
        Arc::new(Circuit::new(most, PAUSE, Gauge::noop()))
    }

    fn fail(circuit: &Arc<Circuit>, now: Instant) -> bool {
        circuit.admit(now).unwrap().note_at(Verdict::Failed, now)
    }

    /// A circuit that opened at the moment it returns.
    fn opened() -> (Arc<Circuit>, Instant) {
        let (circuit, now) = (circuit(1), Instant::now());
        assert!(fail(&circuit, now));
        (circuit, now)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_an_answer_ends_the_row() {
        let (circuit, start) = (circuit(3), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(!fail(&circuit, at(0)) && !fail(&circuit, at(2)));
        circuit.admit(at(3)).unwrap().note_at(Verdict::Answered, at(3));
        assert!(!fail(&circuit, at(4)) && !fail(&circuit, at(6)));
        assert_eq!(circuit.state(at(6)), CircuitState::Closed { failures: 2 });
        assert!(fail(&circuit, at(8)));
        let refused = circuit.admit(at(10)).unwrap_err();
        let seconds = Duration::from_secs;
        assert_eq!(refused, Refused { since: seconds(2), more: seconds(28) });
        assert_eq!(
            SiloError::from(refused).to_string(),
            "cannot be opened: it is left alone since 2 s, after failures in a row, for 28 s more"
        );
    }

    #[test]
    fn calls_that_fail_together_are_one_failure() {
        let (circuit, start) = (circuit(2), Instant::now());
        let passes: Vec<Pass> = (0..9).map(|_| circuit.admit(start).unwrap()).collect();
        for pass in &passes {
            assert!(!pass.note_at(Verdict::Failed, start));
        }
        assert_eq!(circuit.state(start), CircuitState::Closed { failures: 1 });
        assert!(passes[0].note_at(Verdict::Failed, start + TOGETHER));
    }

    #[test]
    fn one_try_decides() {
        let (circuit, start) = opened();
        let pass = circuit.admit(start + PAUSE).unwrap();
        assert!(circuit.admit(start + PAUSE).is_err(), "one is enough");
        assert!(pass.note_at(Verdict::Failed, start + PAUSE));
        drop(pass);
        assert!(circuit.admit(start + PAUSE * 2 - TOGETHER).is_err());
        let pass = circuit.admit(start + PAUSE * 2).unwrap();
        pass.note_at(Verdict::Answered, start + PAUSE * 2);
        assert_eq!(circuit.state(start + PAUSE * 2), CircuitState::Closed { failures: 0 });
        drop(pass);
        assert!(circuit.admit(start + PAUSE * 2).is_ok());
    }

    #[test]
    fn a_try_that_was_given_up_is_made_by_the_next() {
        let (circuit, start) = opened();
        drop(circuit.admit(start + PAUSE).unwrap());
        let next = circuit.admit(start + PAUSE).unwrap();
        assert!(next.trial && circuit.admit(start + PAUSE).is_err());
    }

    #[test]
    fn what_began_before_it_opened_neither_closes_it_nor_keeps_it_open() {
        let (circuit, start) = (circuit(1), Instant::now());
        let early = circuit.admit(start).unwrap();
        assert!(fail(&circuit, start));
        early.note_at(Verdict::Answered, start);
        assert!(circuit.admit(start).is_err());
        let trial = circuit.admit(start + PAUSE).unwrap();
        early.note_at(Verdict::Failed, start + PAUSE);
        trial.note_at(Verdict::Answered, start + PAUSE);
        assert!(circuit.admit(start + PAUSE).is_ok());
    }

    #[test]
    fn only_silos_that_cannot_be_reached_fail() {
        let text = || "x".to_owned();
        let of = |error| Verdict::of::<()>(&Err(error));
        assert_eq!(of(SiloError::Unavailable { reason: text() }), Verdict::Failed);
        for error in [
            SiloError::Query { reason: text() },
            SiloError::Missing { what: text() },
            SiloError::Corrupt { reason: text() },
            SiloError::ShapeChanged,
        ] {
            assert_eq!(of(error), Verdict::Answered);
        }
        assert_eq!(of(SiloError::Settings { what: text() }), Verdict::Silent);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Admit,
        Note(usize, bool),
        Silent(usize),
        Drop(usize),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Admit),
            4 => (any::<usize>(), any::<bool>()).prop_map(|(which, well)| Step::Note(which, well)),
            1 => any::<usize>().prop_map(Step::Silent),
            2 => any::<usize>().prop_map(Step::Drop),
            3 => (0..40_u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: while a silo is left alone at most one call is under way that was let through since.
        #[test]
        fn never_more_than_one_try(steps in prop::collection::vec(step(), 1..120)) {
            let circuit = circuit(2);
            let mut now = Instant::now();
            let mut passes: Vec<Pass> = Vec::new();
            for step in steps {
                let closed = matches!(circuit.state(now), CircuitState::Closed { .. });
                match step {
                    Step::Admit => {
                        if let Ok(pass) = circuit.admit(now) {
                            prop_assert_eq!(pass.trial, !closed);
                            passes.push(pass);
                        } else {
                            prop_assert!(!closed, "refused though closed");
                        }
                    }
                    Step::Note(which, well) if !passes.is_empty() => {
                        let verdict = if well { Verdict::Answered } else { Verdict::Failed };
                        passes[which % passes.len()].note_at(verdict, now);
                    }
                    Step::Silent(which) if !passes.is_empty() => {
                        passes[which % passes.len()].note_at(Verdict::Silent, now);
                    }
                    Step::Drop(which) if !passes.is_empty() => {
                        drop(passes.swap_remove(which % passes.len()));
                    }
                    Step::Wait(seconds) => now += Duration::from_secs(seconds),
                    _ => {}
                }
                let epoch = circuit.lock().epoch;
                let trying = passes.iter().filter(|pass| pass.trial && pass.epoch == epoch).count();
                match circuit.state(now) {
                    CircuitState::Trying { .. } => prop_assert_eq!(trying, 1),
                    CircuitState::Open { .. } => prop_assert_eq!(trying, 0),
                    CircuitState::Closed { failures } => prop_assert!(failures < 2),
                }
            }
        }
    }
}
