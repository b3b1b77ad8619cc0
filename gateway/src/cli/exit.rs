//! With which code does the process end?

use std::process::ExitCode;

/// Says how a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked: 0.
    Done,
    /// It could not: 1.
    Failed,
    /// `verify` found everything consistent and nobody vouching for it: 2.
    Untrusted,
    /// The settings or the command line are wrong: 64.
    Usage,
}

impl Exit {
    /// Returns the code that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Untrusted => 2,
            Self::Usage => 64,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What `--help` says about exit codes.
pub(super) const HELP: &str = "\
Exit codes:
  0   done
  1   failed; stderr says why
  2   verify: consistent, but UNTRUSTED because no key was given
  64  the settings or the command line are wrong";
