//! Which files does a section read, and how is each of them called in an error?

use std::sync::Arc;

use antumbra_config::FileSet;
use arrow_array::RecordBatch;
use globset::{GlobBuilder, GlobMatcher};
use tokio::runtime::Handle;

use super::bytes::Stop;
use super::fault;
use super::place::{Found, Place};
use crate::SiloError;

/// What is done with a batch.
pub(super) type Send<'a> = dyn FnMut(RecordBatch) -> Result<(), SiloError> + 'a;

/// What is done with the names of a file's columns, by the number of the file.
pub(super) type Look<'a> = dyn FnMut(usize, &[&str]) + 'a;

/// The files of a section, to be read on a blocking thread.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) place: Place,
    pub(super) files: Arc<[Found]>,
    pub(super) set: FileSet,
    pub(super) handle: Handle,
    pub(super) stop: Stop,
}

impl Job {
    /// Names a file. Its own name may hold an identifier, so it is called by its place in the order of names.
    pub(super) fn file(&self, index: usize) -> String {
        let pattern = &self.set.pattern;
        if is_plain(pattern) {
            pattern.clone()
        } else {
            format!("file {} of {} that {pattern} names", index + 1, self.files.len())
        }
    }

    /// Names the file that lacks a column.
    pub(super) fn lacks(&self, index: usize, column: &str) -> SiloError {
        SiloError::Missing { what: format!("{column} in {}", self.file(index)) }
    }

    /// Names the file in which an error is.
    pub(super) fn at(&self, index: usize, error: SiloError) -> SiloError {
        let file = self.file(index);
        match error {
            SiloError::Corrupt { reason } => {
                SiloError::Corrupt { reason: format!("{file}: {reason}") }
            }
            SiloError::Value { row, column, what } => {
                SiloError::Value { row, column, what: format!("{what}; {file}") }
            }
            other => other,
        }
    }

    /// The delimiter of CSV files: settings take ASCII only.
    pub(super) fn delimiter(&self) -> u8 {
        u8::try_from(self.set.delimiter).unwrap_or(b',')
    }
}

/// Lists the files of a pattern, ascending by name.
pub(super) async fn list(place: &Place, pattern: &str) -> Result<Arc<[Found]>, SiloError> {
    if is_plain(pattern) {
        return Ok(place.find(pattern).await?.into_iter().collect());
    }
    let matcher = matcher(pattern)?;
    Ok(place.list(folder_of(pattern), &matcher).await?.into())
}

/// Compiles a glob in which `*` ends at a slash and `**` does not.
pub(super) fn matcher(pattern: &str) -> Result<GlobMatcher, SiloError> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
    let glob = glob.map_err(|_| fault::settings("a pattern is not a glob"))?;
    Ok(glob.compile_matcher())
}

/// Says whether a pattern names one file.
pub(super) fn is_plain(pattern: &str) -> bool {
    !pattern.contains(GLOB)
}

/// The folder that all files of a glob are in.
pub(super) fn folder_of(pattern: &str) -> &str {
    let plain = pattern.find(GLOB).and_then(|at| pattern.get(..at)).unwrap_or(pattern);
    plain.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Refuses names that a reader of files could not tell apart. Columns are called by their numbers: what a file has for a name may
/// be a value of somebody.
pub(super) fn distinct_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), SiloError> {
    let mut seen = std::collections::HashMap::new();
    for (number, name) in (1_u64..).zip(names) {
        if let Some(first) = seen.insert(name.to_lowercase(), number) {
            let what =
                format!("columns {first} and {number} have the same name, letter case aside");
            return Err(SiloError::Settings { what });
        }
    }
    Ok(())
}

const GLOB: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_ends_at_a_slash() {
        let events = matcher("events/*.csv.gz").unwrap();
        assert!(events.is_match("events/a.csv.gz"));
        assert!(!events.is_match("events/a/b.csv.gz") && !events.is_match("x/events/a.csv.gz"));
        let all = matcher("events/**/*.csv").unwrap();
        assert!(all.is_match("events/a/b/c.csv") && all.is_match("events/c.csv"));
        assert!(matcher("events/[").is_err());
    }

    #[test]
    fn a_listing_begins_at_the_folder_before_the_glob() {
        for (pattern, folder) in
            [("events/*.csv", "events"), ("a/b/2024-*/x", "a/b"), ("*.csv", ""), ("e?/x", "")]
        {
            assert_eq!((folder_of(pattern), is_plain(pattern)), (folder, false), "{pattern}");
        }
        assert!(is_plain("a/b.csv"));
    }
}
