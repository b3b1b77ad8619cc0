//! The hard values of every type, in the files the encoders' own tests compare byte for byte: foreign readers find in them what
//! docs/FORMATS.md promises.

use std::fs;

use antumbra_e2e::{checker, left_out, repository};
use anyhow::{Context, ensure};

#[test]
fn foreign_readers_agree_with_the_recorded_files() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let recorded = repository().join(RECORDED);
    eprintln!("{}", checker("check_types.py", &[&recorded])?.trim());

    // A reader that finds every file good finds nothing.
    let scratch = tempfile::tempdir()?;
    for entry in fs::read_dir(&recorded)? {
        let entry = entry?;
        fs::copy(entry.path(), scratch.path().join(entry.file_name()))?;
    }
    let csv = scratch.path().join("nasty.csv");
    let text = fs::read_to_string(&csv)?;
    let other = text.replacen("9007199254740993", "9007199254740992", 1);
    ensure!(other != text, "the recorded files have changed");
    fs::write(&csv, other)?;
    let found = checker("check_types.py", &[scratch.path()]).err();
    found.context("a digit was changed, and nobody noticed")?;
    Ok(())
}

const RECORDED: &str = "pipeline/tests/golden";
