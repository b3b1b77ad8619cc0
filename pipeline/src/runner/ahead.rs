//! Which sections are described and read before it is their turn? They wait in sessions of their own; nothing of them is encoded
//! or committed ahead, so that what is stored does not depend on which silo answers first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use antumbra_crypto::Secret32;
use antumbra_jobs::{PART_SLICES, SliceRecord};
use tokio::time::{Duration, Instant, timeout};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::collect::{Collector, MOST_OPEN};
use super::cutting::CommittedPart;
use super::parting::Table;
use super::section::{Stop, unless_stopped};
use super::sessions::{IN_USE, Lent};
use super::state::SectionState;
use super::stored::read_cursor;
use crate::plan::{Plan, Planned};
use crate::silo::{BATCH_BYTES, BATCHES_WAITING, Batches, Cursor, RowMemory, Session, Shape};
use crate::{PipelineError, SiloError};

/// The sections that are being opened, or wait with their first batches read.
#[derive(Default)]
pub(super) struct Ahead {
    pub(super) opening: BTreeMap<u32, Opening>,
    /// Of those who read parts, too.
    pub(super) tasks: TaskTracker,
}

/// A section that is being opened. Dropped, it ends what its session does, and the session.
pub(super) struct Opening {
    silo: String,
    since: Instant,
    task: AbortOnDropHandle<Opened>,
}

/// A section whose rows can be read.
pub(super) struct Opened {
    /// The session it is read with; to be given back once its batches are dropped.
    pub(super) lent: Lent,
    /// What the silo answered.
    pub(super) answer: Result<Read, SiloError>,
    /// What is committed of it already.
    pub(super) committed: Option<Committed>,
}

/// The rows of a section.
pub(super) struct Read {
    pub(super) shape: Shape,
    pub(super) rows: Rows,
    /// Whether they begin behind what is committed. If not, that is to be forgotten.
    pub(super) resumed: bool,
}

/// Where the rows of a section come from.
pub(super) enum Rows {
    /// One stream.
    Stream(Batches),
    /// Parts with these bounds, none of which is being read yet.
    Parts(Vec<Cursor>),
}

/// What earlier work on a section committed.
pub(super) struct Committed {
    /// What its parts are bounded by; none: it is one stream.
    pub(super) bounds: Vec<Cursor>,
    /// Its parts, or the stream, as far as something is committed of them.
    pub(super) parts: BTreeMap<u32, CommittedPart>,
}

impl Collector {
    /// Opens as many sections, from the first of `open` on, as sessions and memory allow. Those of a silo that is not connected yet
    /// are left until one of them is first: connecting may take long.
    pub(super) async fn read_ahead(&mut self, open: &[u32]) -> Result<(), PipelineError> {
        let plan = Arc::clone(&self.plan);
        let planned = |ordinal: &u32| plan.sections.get(usize::try_from(*ordinal).ok()?);
        let mut closed = BTreeSet::new();
        let mut sections = open
            .iter()
            .filter_map(|ordinal| Some((*ordinal, planned(ordinal)?)))
            .filter(|(_, planned)| planned.skipped.is_none());
        let Some((first, planned_first)) = sections.clone().next() else { return Ok(()) };
        let parts_of_first = sessions(self.parts_of(first, planned_first)).min(self.most_parts) - 1;
        let stop = self.halt.stop().clone();
        while let Some((ordinal, planned)) = sections.next() {
            let silo = planned.spec.silo.as_str();
            if closed.contains(silo) || self.ahead.opening.contains_key(&ordinal) {
                continue;
            }
            if ordinal != first && self.ahead.opening.len() + parts_of_first >= self.most_ahead {
                break;
            }
            // Who reads in parts takes all sessions there are.
            let parts = self.parts_of(ordinal, planned);
            let parted = parts > 1;
            if parted && ordinal != first || !can_wait(planned) || !self.sessions.has(silo) {
                closed.insert(silo);
                continue;
            }
            let waiting = 1 + sections.clone().filter(|(_, other)| other.spec.silo == silo).count();
            let waiting = waiting.max(sessions(parts));
            let committed = self.committed(ordinal).await?;
            match unless_stopped(&stop, self.sessions.lend(silo, waiting)).await {
                Ok(Some(lent)) => {
                    self.open_ahead(ordinal, planned, lent, committed);
                    if parted {
                        closed.insert(silo);
                    }
                }
                Err(Stop::Job(error)) => return Err(error),
                // A silo that fails now fails its first section when that is opened.
                Ok(None) | Err(Stop::Silo(_) | Stop::Parts(_)) => {
                    closed.insert(silo);
                }
            }
        }
        Ok(())
    }

    /// Returns a section whose turn it is, opened; waits until it is.
    pub(super) async fn opened(&mut self, ordinal: u32, planned: &Planned) -> Result<Opened, Stop> {
        let silo = planned.spec.silo.as_str();
        let stop = self.halt.stop().clone();
        if !self.ahead.opening.contains_key(&ordinal) {
            let committed = self.committed(ordinal).await?;
            let waiting = sessions(self.parts_of(ordinal, planned));
            let mut lent = unless_stopped(&stop, self.sessions.lend(silo, waiting)).await?;
            if lent.is_none() {
                self.settle(|opening| opening == silo).await?;
                lent = unless_stopped(&stop, self.sessions.lend(silo, waiting)).await?;
            }
            let lent = lent.ok_or_else(|| SiloError::Unavailable { reason: IN_USE.to_owned() })?;
            self.open_ahead(ordinal, planned, lent, committed);
        }
        let Some(opening) = self.ahead.opening.remove(&ordinal) else {
            return Err(Stop::Job(PipelineError::Document { what: "section" }));
        };
        let Opening { since, task, .. } = opening;
        let opened = unless_stopped(&stop, async { task.await.map_err(|_| stopped()) }).await?;
        let Ok(Read { rows: Rows::Stream(batches), .. }) = &opened.answer else {
            return Ok(opened);
        };
        if since.elapsed() < FRESH {
            batches.within(&self.memory.turn);
            return Ok(opened);
        }
        // The silo's clock for a statement went on while the section waited: it is asked again, for the same snapshot's rows.
        let Opened { lent, answer, committed } = opened;
        let known = answer.ok().map(|Read { shape, .. }| shape);
        let again =
            open(self.wanted(ordinal, planned, known), lent, committed, self.memory.turn.clone());
        unless_stopped(&stop, async { Ok(again.await) }).await
    }

    fn wanted(&self, ordinal: u32, planned: &Planned, known: Option<Shape>) -> Wanted {
        Wanted {
            plan: Arc::clone(&self.plan),
            ordinal,
            known,
            parts: self.parts_of(ordinal, planned),
            slice_key: self.slice_key.clone(),
        }
    }

    /// Gives back sessions that nothing of `open` needs now.
    pub(super) fn rest(&mut self, open: &[u32]) {
        let plan = &self.plan;
        let silos: BTreeSet<&str> = open
            .iter()
            .filter_map(|ordinal| plan.sections.get(usize::try_from(*ordinal).ok()?))
            .filter(|planned| planned.skipped.is_none())
            .map(|planned| planned.spec.silo.as_str())
            .collect();
        self.sessions.rest(|silo| silos.contains(silo));
    }

    /// Waits for what is being opened, drops its rows, and takes the sessions back: their snapshots are kept.
    pub(super) async fn settle(&mut self, which: impl Fn(&str) -> bool) -> Result<(), Stop> {
        let stop = self.halt.stop().clone();
        let ordinals: Vec<u32> = self
            .ahead
            .opening
            .iter()
            .filter(|(_, opening)| which(&opening.silo))
            .map(|(ordinal, _)| *ordinal)
            .collect();
        for ordinal in ordinals {
            let Some(opening) = self.ahead.opening.remove(&ordinal) else { continue };
            let opened = unless_stopped(&stop, async { Ok(opening.task.await.ok()) }).await?;
            if let Some(Opened { lent, answer, .. }) = opened {
                drop(answer);
                self.sessions.give_back(lent);
            }
        }
        Ok(())
    }

    /// Drops a silo's sessions and everything that was read ahead with them; says whether there were any.
    pub(super) fn forget_silo(&mut self, silo: &str) -> bool {
        self.ahead.opening.retain(|_, opening| opening.silo != silo);
        self.sessions.forget(silo)
    }

    /// Ends what is read ahead, and waits a moment until its sessions are put down.
    pub(super) async fn put_away(&mut self) {
        self.ahead.opening.clear();
        self.ahead.tasks.close();
        // A blocking call of a silo cannot be ended; it comes to its own end.
        if timeout(PATIENCE, self.ahead.tasks.wait()).await.is_err() {
            tracing::debug!(job = %self.desk.lease.job, "a silo is still busy");
        }
    }

    fn open_ahead(
        &mut self,
        ordinal: u32,
        planned: &Planned,
        lent: Lent,
        committed: Option<Committed>,
    ) {
        let silo = planned.spec.silo.clone();
        let known = match &planned.shape {
            Some(shape) if self.fresh && !self.reconnected.contains(&silo) => Some(shape.clone()),
            _ => None,
        };
        let wanted = self.wanted(ordinal, planned, known);
        let task = open(wanted, lent, committed, self.memory.ahead.clone());
        let task = AbortOnDropHandle::new(self.ahead.tasks.spawn(task));
        self.ahead.opening.insert(ordinal, Opening { silo, since: Instant::now(), task });
    }

    /// Returns what is committed of a section. Asked of the store only where there may be something.
    pub(super) async fn committed(
        &mut self,
        ordinal: u32,
    ) -> Result<Option<Committed>, PipelineError> {
        if !self.begun.contains(&ordinal) {
            return Ok(None);
        }
        let newest = self.desk.store.newest_slices(self.desk.lease.job, ordinal).await?;
        let Some(last) = newest.last() else { return Ok(None) };
        let bounds = SectionState::from_bytes(&last.state)?.bounds;
        let mut parts = BTreeMap::new();
        for last in newest {
            let committed = CommittedPart {
                state: SectionState::from_bytes(&last.state)?,
                cursor: read_cursor(&last.cursor)?,
                next_slice: last.ordinal.saturating_add(1),
                slices: slices_up_to(&last),
            };
            parts.insert(part_of(&last), committed);
        }
        Ok(Some(Committed { bounds, parts }))
    }
}

/// The part that a slice belongs to.
const fn part_of(slice: &SliceRecord) -> u32 {
    slice.ordinal / PART_SLICES
}

/// How many slices of its part there are up to this one.
pub(super) const fn slices_up_to(slice: &SliceRecord) -> u32 {
    slice.ordinal % PART_SLICES + 1
}

impl Committed {
    /// Says whether reading can go on behind what is committed.
    fn goes_on(&self, shape: &Shape) -> bool {
        shape.keyed && self.parts.values().all(|part| part.state.shape.same_columns(shape))
    }
}

/// A section that is to be opened.
struct Wanted {
    plan: Arc<Plan>,
    ordinal: u32,
    /// Its shape, if that is known.
    known: Option<Shape>,
    /// How many parts it is to be read in, if it has the rows.
    parts: u32,
    /// Picks natural cuts.
    slice_key: Secret32,
}

/// Describes a section, unless its shape is known to be that of the session's snapshot, and starts reading it, or parts it.
async fn open(
    wanted: Wanted,
    mut lent: Lent,
    committed: Option<Committed>,
    memory: RowMemory,
) -> Opened {
    let answer = rows_of(wanted, lent.session.as_mut(), committed.as_ref(), &memory).await;
    Opened { lent, answer, committed }
}

async fn rows_of(
    wanted: Wanted,
    session: &mut dyn Session,
    committed: Option<&Committed>,
    memory: &RowMemory,
) -> Result<Read, SiloError> {
    let Wanted { plan, ordinal, known, parts, slice_key } = wanted;
    let place = usize::try_from(ordinal).unwrap_or(usize::MAX);
    let planned = plan.sections.get(place).ok_or_else(stopped)?;
    let spec = &planned.spec;
    let shape = match known {
        Some(shape) => shape,
        None => session.describe(spec, &plan.identifiers).await?,
    };
    planned.check_bound(&plan, &shape)?;
    let resumed = committed.filter(|committed| committed.goes_on(&shape));
    let bounds = match resumed {
        // Where the parts began, they go on, whatever settings say by now.
        Some(committed) => committed.bounds.clone(),
        None => {
            let table = Table { spec, known: &plan.identifiers, shape: &shape };
            table.bounds(session, parts, &slice_key).await?
        }
    };
    let rows = if bounds.is_empty() {
        let stream = resumed.and_then(|committed| committed.parts.get(&0));
        let after = stream.map(|stream| stream.cursor.clone());
        let batches = session.read(spec, &plan.identifiers, &shape, after).await?;
        batches.within(memory);
        Rows::Stream(batches)
    } else {
        Rows::Parts(bounds)
    };
    Ok(Read { shape, rows, resumed: resumed.is_some() })
}

/// Returns how many sessions are of use for so many parts.
fn sessions(parts: u32) -> usize {
    usize::try_from(parts).unwrap_or(usize::MAX)
}

/// Says whether a section's rows come as batches, which wait in their session.
fn can_wait(planned: &Planned) -> bool {
    !super::section::is_attachment(planned)
}

/// Returns how many sections may wait in so many bytes, at least one: of each some batches, the largest of which holds one row more
/// than [`BATCH_BYTES`].
pub(super) fn most_ahead(bytes: u64) -> usize {
    let each = u64::try_from((BATCHES_WAITING + 1) * 2 * BATCH_BYTES).unwrap_or(u64::MAX);
    usize::try_from((bytes / each).min(MOST_OPEN)).unwrap_or(usize::MAX).max(1)
}

/// How long a section may have waited for its turn with a statement under way.
const FRESH: Duration = Duration::from_secs(10);
/// How long a run that ends waits for its silos.
const PATIENCE: Duration = Duration::from_secs(1);

/// The error of a task that panicked. Its message is not kept: it may quote data.
fn stopped() -> SiloError {
    SiloError::Unavailable { reason: "the reader stopped unexpectedly".to_owned() }
}
