//! Where a setting came from.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// Says which layer a setting came from. Ordered as faults are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The settings file.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line, from 1; 0 stands for the file as a whole.
        line: usize,
    },
    /// An environment variable.
    Env {
        /// The variable's name.
        name: String,
    },
    /// A flag of the command line.
    Flag {
        /// The dotted path that the flag set.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line: 0 } => one_line(f, path),
            Self::File { path, line } => {
                one_line(f, path)?;
                write!(f, ":{line}")
            }
            Self::Env { name } => write!(f, "{}", name.escape_debug()),
            Self::Flag { name } => write!(f, "flag {}", name.escape_debug()),
        }
    }
}

/// Maps paths of settings to where they came from.
#[derive(Debug, Default)]
pub(crate) struct Places {
    pub(crate) file: Option<PathBuf>,
    /// Lines of everything in the file, tables and list elements included.
    pub(crate) lines: BTreeMap<Vec<String>, usize>,
    /// What variables and flags set.
    pub(crate) overrides: BTreeMap<Vec<String>, Origin>,
}

impl Places {
    /// Says where the setting at `path` came from; [`Origin::Default`] if nobody set it.
    pub(crate) fn of(&self, path: &[String]) -> Origin {
        if path.is_empty() {
            return self.at_line(0);
        }
        // A variable may set part of a reference (`keys.root.file`), so what lies below counts too.
        let below = self.overrides.range(path.to_vec()..).next();
        if let Some((key, origin)) = below
            && key.starts_with(path)
        {
            return origin.clone();
        }
        self.line(path).unwrap_or(Origin::Default)
    }

    /// Says where to look for the fault at `path`: the setting itself, or the nearest table above it in the file.
    pub(crate) fn near(&self, path: &[String]) -> Origin {
        let place = self.of(path);
        if place != Origin::Default {
            return place;
        }
        let above = (1..path.len()).rev().find_map(|end| self.line(path.get(..end)?));
        above.unwrap_or(Origin::Default)
    }

    /// Names line `line` of the settings file.
    pub(crate) fn at_line(&self, line: usize) -> Origin {
        match &self.file {
            Some(path) => Origin::File { path: path.clone(), line },
            None => Origin::Default,
        }
    }

    fn line(&self, path: &[String]) -> Option<Origin> {
        self.lines.get(path).map(|line| self.at_line(*line))
    }
}

fn one_line(f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
    write!(f, "{}", path.to_string_lossy().escape_debug())
}
