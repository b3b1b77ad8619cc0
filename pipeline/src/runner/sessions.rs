//! Which silo sessions does a run hold? Of each silo one, and some beside it that read at the same time, so that all of its
//! sections see one snapshot.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;

use crate::SiloError;
use crate::silo::{Identifiers, SectionSpec, Session, Shape, Silos};

/// The silos of one run, connected when they are first needed.
pub struct Sessions {
    silos: Silos,
    open: HashMap<String, Pool>,
    /// Makes sessions that were lent before a silo was forgotten different from those after it.
    pools: u64,
}

/// The sessions of one silo.
struct Pool {
    number: u64,
    /// The one the others were opened beside; `None` while it is lent.
    first: Option<Box<dyn Session>>,
    beside: Vec<Box<dyn Session>>,
    lent: usize,
    /// Opening one more failed: this run goes on with those it has.
    complete: bool,
}

/// What a silo says of a section.
#[derive(Debug)]
pub struct Described {
    /// Its columns and order.
    pub shape: Shape,
    /// Rows it would have without window and filters, if it has any of them and the silo could say.
    pub whole: Option<u64>,
}

/// A session that somebody reads with. It goes back with [`Sessions::give_back`], or is lost to the run.
pub(super) struct Lent {
    pub(super) session: Box<dyn Session>,
    silo: String,
    pool: u64,
    first: bool,
}

impl Lent {
    /// Returns the name of its silo.
    pub(super) fn silo(&self) -> &str {
        &self.silo
    }
}

impl Sessions {
    /// Knows the silos of settings; nothing is connected yet.
    #[must_use]
    pub fn new(silos: &Silos) -> Self {
        Self { silos: silos.clone(), open: HashMap::new(), pools: 0 }
    }

    /// Returns a silo's session, connecting if there is none yet. A silo that failed to connect is tried again.
    ///
    /// # Errors
    /// As [`Silo::connect`](crate::silo::Silo::connect); [`SiloError::Missing`] for a name that settings do not have (any more);
    /// [`SiloError::Unavailable`] while all of them are lent.
    pub async fn of(&mut self, name: &str) -> Result<&mut dyn Session, SiloError> {
        let pool = self.pool(name).await?;
        match pool.first.as_mut().or_else(|| pool.beside.last_mut()) {
            Some(session) => Ok(session.as_mut()),
            None => Err(SiloError::Unavailable { reason: IN_USE.to_owned() }),
        }
    }

    /// Describes sections, in the order given, several at the same time where their silos allow it, and counts what those had that are
    /// narrowed.
    pub async fn describe_all(
        &mut self,
        sections: &[&SectionSpec],
        known: &Identifiers,
    ) -> Vec<Result<Described, SiloError>> {
        let mut by_silo: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, section) in sections.iter().enumerate() {
            by_silo.entry(&section.silo).or_default().push(place);
        }
        let mut shapes: Vec<Result<Described, SiloError>> =
            sections.iter().map(|_| Err(SiloError::ShapeChanged)).collect();
        let mut groups = Vec::new();
        for (silo, places) in by_silo {
            match self.lend_several(silo, places.len()).await {
                Ok(lent) => groups.push((lent, places, AtomicUsize::new(0))),
                Err(error) => {
                    for place in places {
                        if let Some(shape) = shapes.get_mut(place) {
                            *shape = Err(error.clone());
                        }
                    }
                }
            }
        }
        let readers = groups.iter_mut().flat_map(|(lent, places, next)| {
            let (places, next) = (&*places, &*next);
            lent.iter_mut().map(move |lent| async move {
                let mut found = Vec::new();
                while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(section) = sections.get(*place) {
                        found.push((*place, describe(lent.session.as_mut(), section, known).await));
                    }
                }
                found
            })
        });
        for (place, found) in join_all(readers).await.into_iter().flatten() {
            if let Some(shape) = shapes.get_mut(place) {
                *shape = found;
            }
        }
        for (lent, ..) in groups {
            for lent in lent {
                self.give_back(lent);
            }
        }
        shapes
    }

    /// Lends a session to one of `waiting` sections of a silo, opening one more if several wait and settings allow it; `None` while
    /// none is free.
    pub(super) async fn lend(
        &mut self,
        name: &str,
        waiting: usize,
    ) -> Result<Option<Lent>, SiloError> {
        let most = most_sections(&self.silos, name);
        let pool = self.pool(name).await?;
        let lend =
            |session, first| Lent { session, silo: name.to_owned(), pool: pool.number, first };
        if let Some(session) = pool.beside.pop() {
            pool.lent += 1;
            return Ok(Some(lend(session, false)));
        }
        let Some(mut session) = pool.first.take() else { return Ok(None) };
        // The first is needed to open others, so it is the last to be lent.
        if waiting > 1 && pool.lent + 1 < most && !pool.complete {
            match session.beside().await {
                Ok(Some(beside)) => {
                    pool.first = Some(session);
                    pool.lent += 1;
                    return Ok(Some(lend(beside, false)));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(
                        silo = name,
                        code = error.code(),
                        "no session beside the first"
                    );
                    pool.complete = true;
                }
            }
        }
        pool.lent += 1;
        Ok(Some(lend(session, true)))
    }

    /// Takes back what was lent. The session of a silo that was forgotten meanwhile is dropped: it sees an old snapshot.
    pub(super) fn give_back(&mut self, lent: Lent) {
        let Lent { session, silo, pool: number, first } = lent;
        let Some(pool) = self.open.get_mut(&silo).filter(|pool| pool.number == number) else {
            return;
        };
        pool.lent = pool.lent.saturating_sub(1);
        if first {
            pool.first = Some(session);
        } else {
            pool.beside.push(session);
        }
    }

    /// Gives back to others what this run does not need: sessions that are idle beside the first, and the first too, with its
    /// snapshot, where nothing of the silo is `left` to be read.
    pub(super) fn rest(&mut self, left: impl Fn(&str) -> bool) {
        self.open.retain(|silo, pool| {
            pool.beside.clear();
            pool.lent > 0 || left(silo)
        });
    }

    /// Says whether a silo is connected.
    pub(super) fn has(&self, name: &str) -> bool {
        self.open.contains_key(name)
    }

    /// Drops a silo's sessions, so that the next use connects anew, to another snapshot; says whether there was one.
    pub fn forget(&mut self, name: &str) -> bool {
        self.open.remove(name).is_some()
    }

    /// Drops every session that is not lent: nothing is read any more.
    pub(super) fn close(&mut self) {
        self.open.clear();
    }

    async fn lend_several(&mut self, name: &str, waiting: usize) -> Result<Vec<Lent>, SiloError> {
        let mut all = Vec::new();
        while all.len() < waiting {
            match self.lend(name, waiting - all.len()).await {
                Ok(Some(lent)) => all.push(lent),
                Err(error) if all.is_empty() => return Err(error),
                Ok(None) | Err(_) => break,
            }
        }
        Ok(all)
    }

    async fn pool(&mut self, name: &str) -> Result<&mut Pool, SiloError> {
        let missing = || SiloError::Missing { what: format!("silo {name}") };
        if !self.open.contains_key(name) {
            let session = self.silos.get(name).ok_or_else(missing)?.connect().await?;
            self.pools += 1;
            let number = self.pools;
            let (first, beside) = (Some(session), Vec::new());
            let pool = Pool { number, first, beside, lent: 0, complete: false };
            self.open.insert(name.to_owned(), pool);
        }
        self.open.get_mut(name).ok_or_else(missing)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("open", &self.open.keys()).finish_non_exhaustive()
    }
}

/// Describes a section; a count that fails is not known.
async fn describe(
    session: &mut dyn Session,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Described, SiloError> {
    let shape = session.describe(section, known).await?;
    let is_narrowed = section.window.is_some() || !section.filters.is_empty();
    let whole = match is_narrowed {
        true => session.count_whole(section, known).await.ok().flatten(),
        false => None,
    };
    Ok(Described { shape, whole })
}

/// What is said while every session of a silo is lent.
pub(super) const IN_USE: &str = "its sessions are in use";

/// How many sections of a silo one run reads at once.
fn most_sections(silos: &Silos, name: &str) -> usize {
    usize::try_from(silos.limits(name).max_sections.get()).unwrap_or(usize::MAX)
}
