//! How are the pages of a section fetched, one after the other? A page is asked for when the one before it was used.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use antumbra_config::{Endpoint, Paging};
use http::StatusCode;
use url::Url;

use super::answer::Page;
use super::client::Client;
use super::paging::Series;
use crate::SiloError;
use crate::silo::SectionSpec;

/// Pages of all addresses of a section, in their order.
pub(super) struct Pages {
    client: Arc<Client>,
    pointer: String,
    paging: Paging,
    /// The path selects: who is not known there has no rows.
    may_be_missing: bool,
    addresses: VecDeque<Url>,
    series: Option<Series>,
    left: u32,
    max_pages: u32,
    /// Pages fetched before, in place of all of the above.
    kept: VecDeque<Arc<Page>>,
}

impl Pages {
    pub(super) fn new(
        client: &Arc<Client>,
        endpoint: &Endpoint,
        addresses: Vec<Url>,
        max_pages: u32,
    ) -> Self {
        Self {
            client: Arc::clone(client),
            pointer: endpoint.items.clone(),
            paging: endpoint.paging.clone(),
            may_be_missing: !SectionSpec::placeholders(&endpoint.path).is_empty(),
            addresses: addresses.into(),
            series: None,
            left: max_pages,
            max_pages,
            kept: VecDeque::new(),
        }
    }

    /// Returns the next page; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Arc<Page>>, SiloError> {
        if let Some(page) = self.kept.pop_front() {
            return Ok(Some(page));
        }
        loop {
            if self.series.is_none() {
                let Some(address) = self.addresses.pop_front() else { return Ok(None) };
                self.series = Some(Series::new(address, &self.paging));
            }
            let Some(series) = &mut self.series else { continue };
            let Some(url) = series.next() else {
                self.series = None;
                continue;
            };
            self.left = self.left.checked_sub(1).ok_or_else(|| SiloError::Settings {
                what: format!("more than {} answers would be needed (max_pages)", self.max_pages),
            })?;
            let mut answer = self.client.get(url).await?;
            if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
                series.end_at_missing(self.may_be_missing, answer.status)?;
                continue;
            }
            let page = Page::read(&mut answer, &self.pointer)?;
            series.advance(&answer, &page)?;
            return Ok(Some(Arc::new(page)));
        }
    }
}

/// Pages of small sections, so that a service is asked once for what is planned, described and read in one run. Shared by the sessions
/// of a run; a section's pages go with its reading.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<ByKey>>);

type ByKey = HashMap<Key, Vec<Arc<Page>>>;

/// What was asked for: the same requests, read in the same way.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    section: String,
    addresses: Vec<String>,
}

impl Key {
    pub(super) fn new(section: &SectionSpec, addresses: &[Url]) -> Self {
        Self { section: section.name(), addresses: addresses.iter().map(Url::to_string).collect() }
    }

    /// How many addresses were asked for, pages aside.
    pub(super) const fn requests(&self) -> usize {
        self.addresses.len()
    }
}

impl Kept {
    /// Has the pages come from here, if all of them are; `last`: they are not needed again.
    pub(super) fn serve(&self, key: &Key, last: bool, pages: &mut Pages) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = if last { kept.remove(key) } else { kept.get(key).cloned() };
        if let Some(found) = found {
            pages.kept = found.into();
            pages.addresses.clear();
        }
    }

    /// Keeps all pages of a section, if there is room for them.
    pub(super) fn keep(&self, key: Key, pages: Vec<Arc<Page>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |pages: &[Arc<Page>]| pages.iter().map(|page| page.len()).sum::<usize>();
        let full: usize = kept.values().map(|pages| size(pages)).sum();
        if full.saturating_add(size(&pages)) <= ROOM {
            kept.insert(key, pages);
        }
    }
}

/// Collects pages while they are few.
#[derive(Default)]
pub(super) struct Collected {
    pages: Vec<Arc<Page>>,
    bytes: usize,
}

impl Collected {
    pub(super) fn push(&mut self, page: &Arc<Page>) {
        self.bytes = self.bytes.saturating_add(page.len());
        if self.bytes <= ROOM_OF_ONE {
            self.pages.push(Arc::clone(page));
        } else {
            self.pages.clear();
        }
    }

    /// All pages; `None` if they were too many.
    pub(super) fn all(self) -> Option<Vec<Arc<Page>>> {
        (self.bytes <= ROOM_OF_ONE).then_some(self.pages)
    }
}

/// Bytes that are kept for all sections of a run.
const ROOM: usize = 8 << 20;
/// Bytes that are kept for one section.
const ROOM_OF_ONE: usize = 1 << 20;
