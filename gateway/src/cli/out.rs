//! Where does a command write? Its answer to stdout, everything else to stderr.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line of the answer.
///
/// # Errors
/// When nobody reads stdout any more.
pub(crate) fn say(line: impl Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Writes a line beside the answer. A reader who left is no reason to stop.
pub(crate) fn note(line: impl Display) {
    let _gone = writeln!(io::stderr().lock(), "{line}");
}
