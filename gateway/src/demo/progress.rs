//! How does the demo show that it gets on? One line that changes on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use crate::cli::say;

/// Shows how far a job is.
#[derive(Debug)]
pub(super) struct Progress {
    terminal: bool,
    shown: String,
    width: usize,
}

impl Progress {
    /// Starts on stdout.
    pub(super) fn new() -> Self {
        Self { terminal: io::stdout().is_terminal(), shown: String::new(), width: 0 }
    }

    /// Shows a line, unless it is the one shown last.
    pub(super) fn show(&mut self, line: String) -> io::Result<()> {
        if line == self.shown {
            return Ok(());
        }
        if self.terminal {
            let mut out = io::stdout().lock();
            write!(out, "\r{line:width$}", width = self.width)?;
            out.flush()?;
            self.width = line.chars().count();
        } else {
            say(&line)?;
        }
        self.shown = line;
        Ok(())
    }

    /// Ends the line.
    pub(super) fn end(self) -> io::Result<()> {
        if self.terminal && !self.shown.is_empty() { say("") } else { Ok(()) }
    }
}

/// Words a status answer of `GET /v1/data-subject-request/{id}`.
pub(super) fn worded(answer: &Value) -> String {
    let status = answer.get("status").and_then(Value::as_str).unwrap_or("?");
    let number = |name: &str| answer.pointer(&format!("/progress/{name}")).and_then(Value::as_u64);
    let mut line = format!("progress  {status}");
    if let Some(total) = number("sectionsTotal").filter(|total| *total > 0) {
        let done = number("sectionsDone").unwrap_or(0);
        line.push_str(&format!(", {done} of {total} sections"));
    }
    if let Some(rows) = number("rowsCollected").filter(|rows| *rows > 0) {
        line.push_str(&format!(", {rows}"));
        if let Some(expected) = number("rowsExpected") {
            line.push_str(&format!(" of {expected}"));
        }
        line.push_str(" rows");
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_unknown_is_left_out() {
        let line = |answer: Value| worded(&answer);
        assert_eq!(line(json!({"status": "REQUEST_MADE"})), "progress  REQUEST_MADE");
        let progress = json!({"rowsCollected": 5, "rowsExpected": null, "sectionsDone": 1, "sectionsTotal": 9});
        assert_eq!(
            line(json!({"status": "COMPILING", "progress": progress})),
            "progress  COMPILING, 1 of 9 sections, 5 rows"
        );
        let progress =
            json!({"rowsCollected": 5, "rowsExpected": 7, "sectionsDone": 0, "sectionsTotal": 9});
        assert_eq!(
            line(json!({"status": "COMPILING", "progress": progress})),
            "progress  COMPILING, 0 of 9 sections, 5 of 7 rows"
        );
    }
}
