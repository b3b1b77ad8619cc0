//! How is a document carried out? Its shell blocks are run in order, and what they print is compared with what it says.

use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::run;

/// A step of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The lines of a block marked `sh`.
    pub script: String,
    /// The lines of the block marked `text` behind it, if there is one.
    pub expected: Option<String>,
    /// The comments before it, `<!-- such -->`.
    pub remarks: Vec<String>,
    /// The last heading before it.
    pub heading: String,
}

/// Reads the steps of a Markdown text.
///
/// # Errors
/// When a block has no end, or a `text` block does not follow a step.
pub fn steps(markdown: &str) -> anyhow::Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut remarks, mut heading) = (Vec::new(), String::new());
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix('#') {
            heading = title.trim_start_matches('#').trim().to_owned();
        } else if let Some(remark) = line.strip_prefix("<!--") {
            remarks.push(remark.trim_end_matches("-->").trim().to_owned());
        } else if let Some(kind) = line.strip_prefix("```") {
            let mut block = String::new();
            loop {
                let line = lines.next().context("a block without an end")?;
                if line == "```" {
                    break;
                }
                block.push_str(line);
                block.push('\n');
            }
            match kind {
                "sh" => steps.push(Step {
                    script: block,
                    expected: None,
                    remarks: std::mem::take(&mut remarks),
                    heading: heading.clone(),
                }),
                "text" => {
                    let step = steps.last_mut().context("output of nothing")?;
                    ensure!(step.expected.replace(block).is_none(), "two outputs of one step");
                }
                _ => {}
            }
        }
    }
    Ok(steps)
}

/// Runs steps as one shell session in a directory and compares what each printed; `before` is run first.
///
/// # Errors
/// When a command fails, or prints something else than the document says.
pub fn walk(steps: &[Step], directory: &Path, before: &str) -> anyhow::Result<()> {
    let mut script = format!("set -eu -o pipefail\n{before}\n");
    for step in steps {
        script.push_str(&step.script);
        script.push_str(&format!("printf '{MARK}\\n'\n"));
    }
    let ran = run(Path::new("bash"), directory, &["-c", &script])?;
    let mark = format!("{MARK}\n");
    let mut said = ran.stdout.split(&mark);
    for step in steps {
        let said = said.next().unwrap_or_default();
        let place = format!("{}: {}", step.heading, step.script);
        if let Some(expected) = &step.expected {
            ensure!(
                fits(said, expected),
                "{place}\nprinted\n{said}\nand not\n{expected}\n{}",
                ran.stderr
            );
        }
    }
    if ran.code != 0 {
        bail!("exit {}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
    }
    Ok(())
}

/// Says whether a text is as expected; `…` stands for any characters, also line ends.
fn fits(text: &str, expected: &str) -> bool {
    let mut rest = text;
    let mut parts = expected.split('…').peekable();
    let Some(first) = parts.next() else { return text.is_empty() };
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.is_empty()
}

const MARK: &str = "==== end of a step ====";

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A\n\n<!-- later -->\n\n```sh\necho one 17\n```\n\n```text\none …\n```\n\n```json\n{}\n```\n```sh\nX=2\n```\n";

    #[test]
    fn steps_are_shell_blocks_with_the_output_behind_them() {
        let found = steps(TEXT).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].expected.as_deref(), Some("one …\n"));
        assert_eq!(
            (found[0].remarks.clone(), found[0].heading.as_str()),
            (vec!["later".to_owned()], "A")
        );
        assert_eq!((found[1].script.as_str(), &found[1].expected), ("X=2\n", &None));
        assert!(steps("```sh\n").is_err());
        assert!(steps("```text\nx\n```\n").is_err());
    }

    #[test]
    fn output_that_differs_or_a_command_that_fails_is_an_error() {
        let here = Path::new("/");
        let ok = steps("```sh\nX=7\n```\n```sh\necho a $X b\n```\n```text\na … b\n```\n").unwrap();
        walk(&ok, here, "").unwrap();
        let other = steps("```sh\necho a b\n```\n```text\na … c\n```\n").unwrap();
        assert!(walk(&other, here, "").is_err());
        assert!(walk(&steps("```sh\nfalse\n```\n").unwrap(), here, "").is_err());
    }

    #[test]
    fn dots_stand_for_anything_and_nothing_else_does() {
        assert!(fits("abc\n", "abc\n") && fits("abc\n", "a…\n") && fits("a\nb\nc\n", "a…c\n"));
        assert!(!fits("abc\n", "ab\n") && !fits("abc\n", "a…d\n") && !fits("", "…a"));
        assert!(fits("x1y2z", "x…y…z") && !fits("x1y", "x…y…z"));
    }
}
