//! Which request follows an answer?

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use antumbra_config::Paging;
use http::StatusCode;
use percent_encoding::utf8_percent_encode;
use url::{Url, form_urlencoded};

use super::answer::{Answer, Page};
use super::fault::strange;
use super::link;
use super::template::PLAIN;
use crate::SiloError;
use crate::silo::items::text_of;

/// The requests of one address, page after page.
pub(super) struct Series {
    first: Url,
    paging: Paging,
    /// The next request; `None` after the last.
    next: Option<Url>,
    /// Items and pages so far.
    items: u64,
    pages: u64,
    /// What the next request was made of, as hashes: a cursor or a link that comes again goes round in circles.
    seen: HashSet<u64>,
    /// The items of the last page, as a hash.
    last: Option<u64>,
}

impl Series {
    pub(super) fn new(first: Url, paging: &Paging) -> Self {
        let mut series = Self {
            next: None,
            first,
            paging: paging.clone(),
            items: 0,
            pages: 0,
            seen: HashSet::new(),
            last: None,
        };
        series.next = Some(series.numbered());
        series.seen.insert(hash(series.first.as_str()));
        series
    }

    /// The request that is to be sent; `None` after the last page.
    pub(super) const fn next(&self) -> Option<&Url> {
        self.next.as_ref()
    }

    /// Goes on behind an answer with its page.
    ///
    /// # Errors
    /// Pages that go round in circles.
    pub(super) fn advance(&mut self, answer: &Answer, page: &Page) -> Result<(), SiloError> {
        let found = page.items().count() as u64;
        self.items += found;
        self.pages += 1;
        self.next = match &self.paging {
            Paging::None => None,
            Paging::Offset { .. } | Paging::Page { .. } if found == 0 => None,
            Paging::Offset { .. } | Paging::Page { .. } => {
                // Whoever does not know the parameter sends the first page for ever.
                let items = hash(page.items_text());
                if self.last == Some(items) {
                    return Err(strange(
                        "a page repeats the one before it: does the service know the parameters of paging?",
                    ));
                }
                self.last = Some(items);
                Some(self.numbered())
            }
            Paging::Cursor { parameter, pointer } => {
                if page.is_lines() {
                    return Err(strange("an answer of lines has no place for a cursor"));
                }
                match page.at(pointer).map_or(Ok(None), cursor)? {
                    None => None,
                    Some(cursor) if !self.seen.insert(hash(&cursor)) => {
                        return Err(strange(
                            "a cursor came a second time: the pages go round in circles",
                        ));
                    }
                    Some(cursor) => Some(with(&self.first, &[(parameter, &cursor)])),
                }
            }
            Paging::Link => match link::next(&answer.headers, &answer.url)? {
                Some(next) if !self.seen.insert(hash(next.as_str())) => {
                    return Err(strange(
                        "a link came a second time: the pages go round in circles",
                    ));
                }
                next => next,
            },
        };
        Ok(())
    }

    /// Ends at an answer that there is no such thing: whoever is not known at a path has no rows (`may_be_missing`), and some
    /// services answer so behind their last page. What a cursor or a link leads to was promised to be there.
    ///
    /// # Errors
    /// An end that is none.
    pub(super) fn end_at_missing(
        &mut self,
        may_be_missing: bool,
        status: StatusCode,
    ) -> Result<(), SiloError> {
        match (&self.paging, self.pages) {
            (_, 0) if may_be_missing => {}
            (_, 0) => return Err(SiloError::Missing { what: "the endpoint".to_owned() }),
            (Paging::Offset { .. } | Paging::Page { .. }, _) => {}
            (Paging::None | Paging::Cursor { .. } | Paging::Link, _) => {
                return Err(strange(&format!(
                    "the service answered {} for a page that the one before it leads to",
                    status.as_u16()
                )));
            }
        }
        self.next = None;
        Ok(())
    }

    /// The address with the number of the page, where pages have one.
    fn numbered(&self) -> Url {
        match &self.paging {
            Paging::None | Paging::Cursor { .. } | Paging::Link => self.first.clone(),
            Paging::Offset { offset, limit, size } => with(
                &self.first,
                &[(offset, &self.items.to_string()), (limit, &size.get().to_string())],
            ),
            Paging::Page { page, size, limit, first } => {
                let number = (u64::from(*first) + self.pages).to_string();
                let limit = limit.get().to_string();
                match size {
                    Some(size) => with(&self.first, &[(page, &number), (size, &limit)]),
                    None => with(&self.first, &[(page, &number)]),
                }
            }
        }
    }
}

/// A cursor's value: a text or a number; `null`, `false`, an empty text and nothing are the end.
fn cursor(token: &str) -> Result<Option<String>, SiloError> {
    let text = match token.as_bytes().first() {
        None | Some(b'n' | b'f') => return Ok(None),
        Some(b'"') => text_of(token).map(String::from),
        Some(b'-' | b'0'..=b'9') => Some(token.to_owned()),
        Some(_) => None,
    };
    let text = text.ok_or_else(|| {
        strange("where the cursor should be is neither a text nor a number nor null")
    })?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// An address with parameters in place of those of the same name; the others stay as they are written.
fn with(url: &Url, parameters: &[(&String, &String)]) -> Url {
    let is_own = |pair: &str| {
        let mut named = form_urlencoded::parse(pair.as_bytes());
        named.next().is_some_and(|(name, _)| parameters.iter().any(|(own, _)| name == own.as_str()))
    };
    let kept = url.query().unwrap_or_default().split('&');
    let kept = kept.filter(|pair| !pair.is_empty() && !is_own(pair)).map(str::to_owned);
    let own = parameters.iter().map(|(name, value)| {
        format!("{}={}", utf8_percent_encode(name, PLAIN), utf8_percent_encode(value, PLAIN))
    });
    let query: Vec<String> = kept.chain(own).collect();
    let mut with = url.clone();
    with.set_query(Some(&query.join("&")));
    with
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
