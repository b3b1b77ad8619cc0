//! How is a section read in parts? Several readers at the same time, each with a session of one snapshot, lanes and commits of its own;
//! each takes the next part when it is done with one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use antumbra_crypto::Retry;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::collect::{Collector, MOST_OPEN};
use super::cutting::{CommittedPart, Cutting, Subject};
use super::desk::{ABORT, Desk};
use super::lanes::Lanes;
use super::pending::Pending;
use super::running::Halt;
use super::section::{Stop, unless_stopped};
use super::sessions::Lent;
use crate::PipelineError;
use crate::silo::Span;

/// Those who read the parts of a section.
#[derive(Default)]
pub(super) struct AtWork {
    readers: Vec<AbortOnDropHandle<Ended>>,
    signals: Signals,
}

/// A reader's session, and what came of it.
type Ended = (Lent, Result<(), Stop>);

/// How readers are told to stop, and tell one another.
#[derive(Debug, Clone, Default)]
struct Signals {
    /// Complete slices are committed.
    stop: CancellationToken,
    /// Everything is dropped.
    give_up: CancellationToken,
}

impl Signals {
    async fn given_up(&self, halt: &Halt) {
        tokio::select! {
            () = self.give_up.cancelled() => {}
            () = halt.abandoned() => {}
        }
    }
}

/// One who reads parts.
struct Reader {
    subject: Arc<Subject>,
    left: Arc<Left>,
    lent: Lent,
    desk: Desk,
    signals: Signals,
    halt: Halt,
}

/// The parts that nobody reads yet, and what is committed of each.
struct Left(Mutex<VecDeque<(u32, Option<CommittedPart>)>>);

impl Collector {
    /// Reads all parts of a section to their ends, and ends the section.
    pub(super) async fn read_parts(
        &mut self,
        subject: Arc<Subject>,
        mut committed: BTreeMap<u32, CommittedPart>,
        lent: Lent,
    ) -> Result<(), Stop> {
        let parts = u32::try_from(subject.bounds.len()).unwrap_or(u32::MAX).saturating_add(1);
        let left = (0..parts).map(|part| (part, committed.remove(&part))).collect();
        let left = Arc::new(Left(Mutex::new(left)));
        let open = u64::try_from(self.ahead.opening.len()).unwrap_or(u64::MAX);
        let beside = usize::try_from(MOST_OPEN.saturating_sub(open)).unwrap_or(usize::MAX).max(1);
        let most = usize::try_from(parts).unwrap_or(usize::MAX).min(self.most_parts).min(beside);
        let lents = self.lend_parts(lent, most).await;
        let stop = self.halt.stop().child_token();
        self.at_work.signals = Signals { stop, give_up: CancellationToken::new() };
        let beside = lents.len();
        for lent in lents {
            let desk = Desk {
                store: Arc::clone(&self.desk.store),
                lease: self.desk.lease.clone(),
                lanes: Lanes::new(&self.lane_maker, beside),
                pending: Pending::default(),
                ledger: Arc::clone(&self.desk.ledger),
            };
            let reader = Reader {
                subject: Arc::clone(&subject),
                left: Arc::clone(&left),
                lent,
                desk,
                signals: self.at_work.signals.clone(),
                halt: self.halt.clone(),
            };
            let task = self.ahead.tasks.spawn(reader.run());
            self.at_work.readers.push(AbortOnDropHandle::new(task));
        }
        self.all_read().await?;
        self.join_parts(subject).await
    }

    /// Lends as many sessions beside the first as there are and as are of use.
    async fn lend_parts(&mut self, first: Lent, most: usize) -> Vec<Lent> {
        let silo = first.silo().to_owned();
        let mut lents = vec![first];
        while lents.len() < most {
            match self.sessions.lend(&silo, most - lents.len()).await {
                Ok(Some(lent)) => lents.push(lent),
                Ok(None) | Err(_) => break,
            }
        }
        lents
    }

    /// Waits for all readers and takes their sessions back. Of several errors the gravest counts.
    async fn all_read(&mut self) -> Result<(), Stop> {
        let mut worst = Ok(());
        // They stay where they are while they are waited for: whoever stops waiting can give them up.
        while let Some(reader) = self.at_work.readers.last_mut() {
            let ended = reader.await;
            self.at_work.readers.pop();
            let ended = match ended {
                Ok((lent, ended)) => {
                    self.sessions.give_back(lent);
                    ended
                }
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The runtime is shutting down and never began it.
                    Err(_) => Err(Stop::Job(PipelineError::Interrupted)),
                },
            };
            if gravity(&ended) > gravity(&worst) {
                worst = ended;
            }
        }
        match worst {
            Err(Stop::Silo(error)) if error.retry() != Retry::Later => {
                Err(Stop::Parts(error.code()))
            }
            worst => worst,
        }
    }
}

impl AtWork {
    /// Has all readers drop what they have not committed, and waits a moment until they did.
    pub(super) async fn give_up(&mut self) {
        self.signals.give_up.cancel();
        for reader in self.readers.drain(..) {
            drop(timeout(ABORT + MOMENT, reader).await);
        }
    }
}

impl Left {
    fn next(&self) -> Option<(u32, Option<CommittedPart>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Reader {
    /// Reads parts until none is left. Whatever stops it stops the others.
    async fn run(mut self) -> Ended {
        let (signals, halt) = (self.signals.clone(), self.halt.clone());
        let mut ended = tokio::select! {
            biased;
            () = signals.given_up(&halt) => Err(Stop::Job(PipelineError::Interrupted)),
            ended = self.all() => ended,
        };
        if ended.is_err() {
            signals.stop.cancel();
        }
        if ended.is_err() && gravity(&ended) < GRAVEST {
            let put_down = tokio::select! {
                biased;
                () = signals.given_up(&halt) => Ok(()),
                put_down = self.desk.put_down() => put_down,
            };
            if let Err(error) = put_down {
                ended = Err(Stop::Job(error));
            }
        }
        if ended.is_err() {
            // The faults of store and objects are those of all.
            if gravity(&ended) == GRAVEST {
                signals.give_up.cancel();
            }
            self.desk.drop_uncommitted().await;
        }
        (self.lent, ended)
    }

    async fn all(&mut self) -> Result<(), Stop> {
        while let Some((part, committed)) = self.left.next() {
            self.part(part, committed).await?;
        }
        Ok(self.desk.flush().await?)
    }

    async fn part(&mut self, part: u32, committed: Option<CommittedPart>) -> Result<(), Stop> {
        let subject = Arc::clone(&self.subject);
        let place = usize::try_from(part).unwrap_or(usize::MAX);
        let bound = |place: usize| subject.bounds.get(place).cloned();
        let after = match &committed {
            Some(committed) => Some(committed.cursor.clone()),
            None => place.checked_sub(1).and_then(bound),
        };
        let span = Span { after, until: bound(place), keys_only: false };
        let (spec, known) = (&subject.planned()?.spec, &subject.plan.identifiers);
        let read = self.lent.session.read_span(spec, known, &subject.shape, span);
        let batches = unless_stopped(&self.signals.stop, read).await?;
        batches.within(&subject.memory.turn);
        let cutting = Cutting::begin(&mut self.desk, Arc::clone(&subject), part, committed);
        cutting.await?.all(&mut self.desk, batches, &self.signals.stop).await
    }
}

/// Orders what may come of a part: a fault of the job, one that lasts, one that passes, an interruption, none.
fn gravity(ended: &Result<(), Stop>) -> u8 {
    match ended {
        Ok(()) => 0,
        Err(Stop::Job(PipelineError::Interrupted)) => 1,
        Err(Stop::Silo(error)) if error.retry() == Retry::Later => 2,
        Err(Stop::Silo(_) | Stop::Parts(_)) => 3,
        Err(Stop::Job(_)) => GRAVEST,
    }
}

const GRAVEST: u8 = 4;
/// Beyond what an object store may take.
const MOMENT: Duration = Duration::from_millis(500);
