//! Is every command's help as recorded, and are wrong command lines refused?

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};

use super::Cli;
use crate::cli::exit;

/// Every command's help, by file name.
fn helps() -> Vec<(String, String)> {
    fn add(command: &mut clap::Command, name: &str, to: &mut Vec<(String, String)>) {
        to.push((format!("{name}.txt"), command.render_long_help().to_string()));
        for sub in command.get_subcommands_mut() {
            let name = format!("{name}-{}", sub.get_name());
            add(sub, &name, to);
        }
    }
    let mut cli = Cli::command();
    cli.build();
    let mut all = Vec::new();
    add(&mut cli, "antumbra", &mut all);
    all
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/help")
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

#[test]
fn help_is_as_recorded() {
    let mut expected: Vec<String> = fs::read_dir(golden())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    expected.sort();
    let mut found = Vec::new();
    for (name, text) in helps() {
        let recorded = fs::read_to_string(golden().join(&name)).unwrap_or_default();
        assert_eq!(text, recorded, "{name}: record it again with `{RECORD}`");
        found.push(name);
    }
    found.sort();
    assert_eq!(found, expected, "commands and files in golden/help");
}

#[test]
#[ignore = "records the help again"]
fn record_help() {
    for (name, text) in helps() {
        fs::write(golden().join(name), text).unwrap();
    }
}

#[test]
fn definitions_hold_together() {
    Cli::command().debug_assert();
}

/// What clap says to a command line; `None` if it takes it.
fn refusal(line: &str) -> Option<String> {
    let words = ["antumbra"].into_iter().chain(line.split(' '));
    Cli::try_parse_from(words).err().map(|error| error.to_string())
}

#[test]
fn an_export_names_somebody_or_everybody_and_not_both() {
    let taken = [
        "export --email a@example.org --out x.zip",
        "export --identifier customer_id=7 --identifier phone=1 --out x.zip --format csv --format JSON",
        "export --tenant-full --out x.zip --on-silo-error partial --force --json",
        "plan --email a@example.org --window-start 2026-01-01T00:00:00Z --scope-field campaignIds=a,b",
        "request submit --data-subject a@example.org --format parquet",
        "request list --state ready",
    ];
    for line in taken {
        assert_eq!(refusal(line), None, "{line}");
    }
    let refused = [
        "export --out x.zip",
        "export --email a@example.org",
        "export --email a@example.org --tenant-full --out x.zip",
        "export --identifier a=b --tenant-full --out x.zip",
        "export --email a@example.org --format xls --out x.zip",
        "plan --window-start 2026-01-01 --email a@example.org",
        "plan --scope-field region=a --email a@example.org",
        "request submit",
        "request submit --data-subject a --tenant-full",
        "request list --state gone",
        "request show",
        "api-key revoke",
        "audit show --limit 0",
    ];
    for line in refused {
        assert!(refusal(line).is_some(), "{line}");
    }
}

#[test]
fn every_command_is_in_the_documentation() {
    let text = fs::read_to_string(docs().join("TERMINAL.md")).unwrap();
    let mut headings: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("### `antumbra ")?.strip_suffix('`'))
        .collect();
    headings.sort_unstable();
    let mut cli = Cli::command();
    cli.build();
    let mut commands = Vec::new();
    for command in cli.get_subcommands() {
        let before = commands.len();
        for sub in command.get_subcommands() {
            commands.push(format!("{} {}", command.get_name(), sub.get_name()));
        }
        if commands.len() == before {
            commands.push(command.get_name().to_owned());
        }
    }
    commands.sort_unstable();
    assert_eq!(headings, commands);
}

#[test]
fn exit_codes_in_the_documentation_are_those_of_the_help() {
    let text = fs::read_to_string(docs().join("TERMINAL.md")).unwrap();
    let documented: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter(|row| row.starts_with(|first: char| first.is_ascii_digit()))
        .map(|row| row.replace('`', "").replace(" | ", " "))
        .collect();
    let helped: Vec<String> = exit::HELP
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(documented, helped);
}

#[test]
fn no_personal_value_is_printed_with_the_command_line() {
    let line = [
        "antumbra",
        "export",
        "--email",
        "jane@example.org",
        "--identifier",
        "phone=+49 1",
        "--out",
        "x",
    ];
    let shown = format!("{:?}", Cli::try_parse_from(line).unwrap());
    assert!(!shown.contains("jane") && !shown.contains("+49"), "{shown}");
}

const RECORD: &str = "cargo test -p antumbra --lib record_help -- --ignored";
