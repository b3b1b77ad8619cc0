//! Does any of many strings stand anywhere in a tree of files, in clear?

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

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
    /// Takes the strings that are long enough.
    #[must_use]
    pub fn new(needles: impl IntoIterator<Item = String>) -> Self {
        let mut by_head: HashMap<[u8; HEAD], Vec<Vec<u8>>> = HashMap::new();
        let mut filter = vec![false; 1 << FILTER_BITS];
        let mut count = 0;
        for needle in needles {
            let needle = needle.into_bytes();
            let Some(head) = needle.first_chunk::<HEAD>().filter(|_| needle.len() >= SHORTEST)
            else {
                continue;
            };
            if let Some(bit) = filter.get_mut(place(*head)) {
                *bit = true;
            }
            let list = by_head.entry(*head).or_default();
            if !list.contains(&needle) {
                list.push(needle);
                count += 1;
            }
        }
        Self { by_head, filter, count }
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
        let mut found: Vec<&[u8]> = Vec::new();
        for (position, window) in bytes.windows(HEAD).enumerate() {
            let Some(head) = window.first_chunk::<HEAD>() else { continue };
            if !self.filter.get(place(*head)).copied().unwrap_or_default() {
                continue;
            }
            let rest = bytes.get(position..).unwrap_or_default();
            let here = self.by_head.get(head).into_iter().flatten();
            for needle in here.filter(|needle| rest.starts_with(needle)) {
                if !found.contains(&needle.as_slice()) {
                    found.push(needle);
                }
            }
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
/// Shorter ones occur by chance.
const SHORTEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_are_found_wherever_they_stand() {
        let needles = Needles::new(["anna@example.org".into(), "影山 健太".into(), "short".into()]);
        assert_eq!(needles.len(), 2);
        assert_eq!(needles.found_in("anna@example.org".as_bytes()), 1);
        assert_eq!(needles.found_in("xx影山 健太annaanna@example.orgyy".as_bytes()), 2);
        assert_eq!(needles.found_in(b"anna@example.or"), 0);
        assert_eq!(needles.found_in(b"short"), 0);
    }
}
