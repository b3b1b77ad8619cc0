//! What may leave in the column of members that have none? A value that does not fit its column stands there too.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringArray};

use super::counts::Counts;
use super::rows::{Found, place};
use crate::silo::without_members;

/// Which members are whose.
pub(super) struct Beside {
    /// Columns whose values settings withhold, in the order of the redactions, letter case folded.
    pub(super) withheld: Vec<String>,
    /// Columns that settings do not list, letter case folded, and which they are.
    pub(super) unlisted: Vec<(String, usize)>,
    /// Columns that settings list; none: all.
    pub(super) listed: Vec<String>,
}

impl Beside {
    /// Takes out the members whose column is withheld or not listed.
    pub(super) fn without(&self, more: &ArrayRef, counts: &mut Counts) -> ArrayRef {
        let is_free = self.withheld.is_empty() && self.unlisted.is_empty();
        let Some(texts) = more.as_string_opt::<i32>().filter(|_| !is_free) else {
            return Arc::clone(more);
        };
        let mut goes = |name: &str| {
            let folded = name.to_lowercase();
            if let Some(at) = self.withheld.iter().position(|column| *column == folded) {
                counts.redacted(at, 1);
                return true;
            }
            let unlisted = self.unlisted.iter().find(|(column, _)| *column == folded);
            match unlisted.filter(|_| !self.is_listed(name)) {
                Some((_, index)) => {
                    counts.found(place(*index, Found::Unlisted), 1);
                    true
                }
                None => false,
            }
        };
        let left = texts.iter().map(|cell| without_members(cell?, &mut goes));
        Arc::new(left.collect::<StringArray>())
    }

    /// Counts the members whose column is listed.
    pub(super) fn listed_in(&self, more: &ArrayRef) -> u64 {
        let mut found = 0;
        for cell in more.as_string_opt::<i32>().into_iter().flatten().flatten() {
            without_members(cell, |name| {
                found += u64::from(self.is_listed(name));
                false
            });
        }
        found
    }

    fn is_listed(&self, name: &str) -> bool {
        self.listed.iter().any(|column| column == name)
    }
}
