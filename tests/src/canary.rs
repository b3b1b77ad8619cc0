//! Does any of many strings stand anywhere in a tree of files, in clear?

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// Strings to look for. Each is at least [`SHORTEST`] bytes long, so that sealed bytes do not hold it by chance.
#[derive(Debug)]
pub struct Needles {
    /// By their first bytes.
    by_head: HashMap<[u8; HEAD], Vec<Vec<u8>>>,
    /// One bit for each hash of first bytes: most places need no more than this.
    filter: Vec<bool>,
    count: usize,
}

impl Needles {
    /// Takes the strings, each once.
    ///
    /// # Errors
    /// When one is shorter than [`SHORTEST`]: it could not be told from chance, and must not be left out in silence.
    pub fn new(needles: impl IntoIterator<Item = String>) -> anyhow::Result<Self> {
        let mut by_head: HashMap<[u8; HEAD], Vec<Vec<u8>>> = HashMap::new();
        let mut filter = vec![false; 1 << FILTER_BITS];
        let mut count = 0;
        for needle in needles {
            let needle = needle.into_bytes();
            ensure!(needle.len() >= SHORTEST, "a canary of only {} bytes", needle.len());
            let head = needle.first_chunk::<HEAD>().context("shorter than its head")?;
            if let Some(bit) = filter.get_mut(place(*head)) {
                *bit = true;
            }
            let list = by_head.entry(*head).or_default();
            if !list.contains(&needle) {
                list.push(needle);
                count += 1;
            }
        }
        Ok(Self { by_head, filter, count })
    }

    /// Returns how many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Says whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns how many different ones some bytes hold.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> usize {
        let mut found: HashSet<&[u8]> = HashSet::new();
        for (position, window) in bytes.windows(HEAD).enumerate() {
            let Some(head) = window.first_chunk::<HEAD>() else { continue };
            if !self.filter.get(place(*head)).copied().unwrap_or_default() {
                continue;
            }
            let rest = bytes.get(position..).unwrap_or_default();
            let here = self.by_head.get(head).into_iter().flatten();
            found.extend(here.map(Vec::as_slice).filter(|needle| rest.starts_with(needle)));
        }
        found.len()
    }

    /// Looks through every file below a directory; returns the files that hold one, and how many bytes were read.
    ///
    /// # Errors
    /// When a file cannot be read. A file that goes away meanwhile is no error.
    pub fn found_below(&self, directory: &Path) -> anyhow::Result<(Vec<PathBuf>, u64)> {
        let mut holding = Vec::new();
        let mut read = 0;
        let mut folders = vec![directory.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                    continue;
                }
                let bytes = match fs::read(entry.path()) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                    bytes => bytes?,
                };
                read += bytes.len() as u64;
                if self.found_in(&bytes) > 0 {
                    holding.push(entry.path());
                }
            }
        }
        Ok((holding, read))
    }
}

fn place(head: [u8; HEAD]) -> usize {
    let hash = u32::from_le_bytes(head).wrapping_mul(0x9E37_79B1) >> (32 - FILTER_BITS);
    usize::try_from(hash).unwrap_or_default()
}

const HEAD: usize = 4;
const FILTER_BITS: u32 = 20;
/// Shorter ones occur by chance: one of six bytes does once in about 2⁴⁸ places.
const SHORTEST: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_are_found_wherever_they_stand() {
        let strings = ["anna@example.org", "影山 健太", "返品", "anna@example.org"];
        let needles = Needles::new(strings.map(str::to_owned)).unwrap();
        assert_eq!(needles.len(), 3);
        assert_eq!(needles.found_in("anna@example.org".as_bytes()), 1);
        assert_eq!(needles.found_in("xx影山 健太annaanna@example.orgyy".as_bytes()), 2);
        assert_eq!(needles.found_in(b"anna@example.or"), 0);
        assert_eq!(needles.found_in("返".as_bytes()), 0);
        assert_eq!(needles.found_in("返品".as_bytes()), 1);
    }

    #[test]
    fn needle_that_cannot_be_searched_for_is_an_error() {
        assert!(Needles::new(["short".to_owned()]).is_err());
        assert!(Needles::new(["sixsix".to_owned()]).is_ok());
    }
}
