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
    /// The bundle is there, and sections that failed are missing in it: 3.
    Partial,
    /// The daemon cannot be reached: 4.
    Unreachable,
    /// The request that was watched ended without a bundle: cancelled or expired: 5.
    Gone,
    /// The settings or the command line are wrong: 64.
    Usage,
    /// A signal asked it to stop, and it cleaned up: 130.
    Interrupted,
}

impl Exit {
    /// Returns the code that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Untrusted => 2,
            Self::Partial => 3,
            Self::Unreachable => 4,
            Self::Gone => 5,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that ends the process with a code of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The command line contradicts itself, in a way that clap does not see.
    #[error("{0}")]
    Usage(String),
    /// Nobody answers.
    #[error("{0}")]
    Unreachable(String),
}

impl Fault {
    /// Returns the code.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Unreachable(_) => Exit::Unreachable,
        }
    }
}

/// What `--help` says about exit codes.
pub(super) const HELP: &str = "\
Exit codes:
  0    done
  1    failed; stderr says why
  2    verify: consistent, but UNTRUSTED because no key was given
  3    export: the zip is there, but sections that failed are missing in it
  4    the daemon cannot be reached
  5    request watch: cancelled or expired, there is nothing to download
  64   the settings or the command line are wrong
  130  stopped by a signal; nothing unfinished is left";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once() {
        let all = [
            Exit::Done,
            Exit::Failed,
            Exit::Untrusted,
            Exit::Partial,
            Exit::Unreachable,
            Exit::Gone,
            Exit::Usage,
            Exit::Interrupted,
        ];
        let explained: Vec<u8> = HELP
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(explained, all.map(Exit::code));
    }
}
