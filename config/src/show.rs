//! `config show`: every setting with its origin.

use std::{collections::BTreeMap, fmt::Write};

use toml_edit::{Item, Table, Value};

use crate::{
    Origin, Settings,
    path::{Names, child, dotted},
    report::Report,
};

/// Writes every setting as TOML, its origin as a comment.
pub(crate) fn show(settings: &Settings, origins: &BTreeMap<String, Origin>) -> String {
    let names = names(settings);
    let mut text = String::new();
    walk(settings, &mut |line| {
        let written = match line {
            Line::Header { path, list } => {
                let gap = if text.is_empty() { "" } else { "\n" };
                let tables: Vec<&str> = path
                    .iter()
                    .map(String::as_str)
                    .filter(|part| part.parse::<usize>().is_err())
                    .collect();
                let table = tables.join(".");
                if list {
                    writeln!(text, "{gap}[[{table}]]")
                } else {
                    writeln!(text, "{gap}[{table}]")
                }
            }
            Line::Setting { path, value } => {
                let origin = origins.get(&dotted(path, &names)).unwrap_or(&Origin::Default);
                let key = path.last().map(String::as_str).unwrap_or_default();
                writeln!(text, "{key} = {}  # {origin}", value.to_string().trim())
            }
        };
        written.expect("writing to a string does not fail");
    });
    text
}

/// Says where each setting came from.
pub(crate) fn origins(settings: &Settings, report: &Report) -> BTreeMap<String, Origin> {
    let mut origins = BTreeMap::new();
    walk(settings, &mut |line| {
        if let Line::Setting { path, .. } = line {
            origins.insert(dotted(path, &report.names), report.places.of(path));
        }
    });
    origins
}

enum Line<'a> {
    Header { path: &'a [String], list: bool },
    Setting { path: &'a [String], value: &'a Value },
}

/// Visits tables and settings in the order of the reference.
fn walk(settings: &Settings, visit: &mut dyn FnMut(Line<'_>)) {
    let document =
        toml_edit::ser::to_document(settings).expect("settings are tables, lists and scalars");
    for (name, item) in document.as_table() {
        let path = [name.to_owned()];
        match item.clone().into_table() {
            Ok(section) => walk_table(&section, &path, false, visit),
            Err(item) => walk_list(&item, &path, visit),
        }
    }
}

fn walk_table(table: &Table, path: &[String], list: bool, visit: &mut dyn FnMut(Line<'_>)) {
    visit(Line::Header { path, list });
    for (key, item) in table {
        let path = child(path, key);
        if key == "datapoint" {
            walk_list(item, &path, visit);
        } else if let Some(value) = item.as_value() {
            visit(Line::Setting { path: &path, value });
        }
    }
}

fn walk_list(item: &Item, path: &[String], visit: &mut dyn FnMut(Line<'_>)) {
    let tables = item.clone().into_array_of_tables().unwrap_or_default();
    for (index, table) in tables.iter().enumerate() {
        walk_table(table, &child(path, &index.to_string()), true, visit);
    }
}

fn names(settings: &Settings) -> Names {
    settings
        .silos
        .iter()
        .map(|silo| {
            let datapoints = silo.datapoints.iter().map(|d| Some(d.name.clone())).collect();
            (Some(silo.name.clone()), datapoints)
        })
        .collect()
}
