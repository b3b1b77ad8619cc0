//! How does a plan read?

use antumbra_pipeline::plan::{Known, Outline, Section};

use crate::cli::words::{count, plain, plural};

/// Words a plan: identifiers, sections, one last line.
pub(super) fn text(outline: &Outline) -> String {
    let scope = match outline.scope {
        "DATA_SUBJECT" => "one person",
        "TENANT_SLICE" => "the tenant's data of the window",
        _ => "everything of the tenant",
    };
    let mut lines = vec![format!("tenant {}: {scope}", outline.tenant), String::new()];
    if !outline.identifiers.is_empty() {
        lines.push("identifiers".to_owned());
        let names = outline.identifiers.iter().map(|known| known.name.chars().count());
        let width = names.max().unwrap_or(0);
        for known in &outline.identifiers {
            lines.push(format!("  {:width$}  {}", known.name, identifier(outline, known)));
        }
        lines.push(String::new());
    }
    for section in &outline.sections {
        lines.extend(block(section));
    }
    lines.push(total(outline));
    lines.extend(outline.plan_hash.as_ref().map(|hash| format!("plan hash {hash}")));
    // Names and statements are others' texts.
    lines.iter().map(|line| plain(line)).collect::<Vec<_>>().join("\n")
}

fn identifier(outline: &Outline, known: &Known) -> String {
    let mut parts = Vec::new();
    if known.given > 0 {
        parts.push(format!("{} given", known.given));
    }
    let providers = outline.providers(&known.name);
    let found = match known.known.saturating_sub(known.given) {
        0 => "none".to_owned(),
        found => found.to_string(),
    };
    if !providers.is_empty() {
        parts.push(format!("{found} found by {}", providers.join(", ")));
    }
    parts.join(", ")
}

fn block(section: &Section) -> Vec<String> {
    let mut head = format!("{}/{}", section.silo, section.datapoint);
    let mut lines = Vec::new();
    if let Some(reason) = &section.reason {
        let word = section.code.as_ref().unwrap_or(&section.outcome);
        head.push_str(&format!("  {word}: {reason}"));
    } else if let Some(rows) = section.rows {
        head.push_str(&format!("  {}", plural(rows, "row")));
    }
    if let Some(statement) = &section.statement {
        let body = statement.trim().lines().map(str::trim_end);
        lines.extend(body.map(|line| format!("    {line}")));
    }
    let mut say = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("  {name:<9} {value}"));
        }
    };
    let columns: Vec<String> = section
        .columns
        .iter()
        .map(|column| match column.declared.as_str() {
            "" => format!("{} {}", column.name, column.r#type),
            declared => format!("{} {declared} → {}", column.name, column.r#type),
        })
        .collect();
    say("columns", columns.join(", "));
    if section.statement.is_some() {
        let proven = if section.keyed {
            "proven unique"
        } else {
            "not proven unique: starts again after an interruption"
        };
        say("order", format!("{}, {proven}", section.ordered_by.join(", ")));
    }
    say("narrowed", section.narrowed_by.join(", "));
    if let Some(rows) = section.rows_before_filter {
        say("of", plural(rows, "row"));
    }
    say("unlisted", section.unlisted.join(", "));
    let redactions: Vec<String> =
        section.redactions.iter().map(|(column, how)| format!("{column} ({how})")).collect();
    say("redacted", redactions.join(", "));
    for note in &section.notes {
        say("note", note.clone());
    }
    lines.insert(0, head);
    lines.push(String::new());
    lines
}

fn total(outline: &Outline) -> String {
    let planned = outline.sections.iter().filter(|section| section.outcome == "planned").count();
    let all = plural(u64::try_from(outline.sections.len()).unwrap_or(u64::MAX), "section");
    let rows = outline.rows_expected.map_or_else(
        || "rows unknown".to_owned(),
        |rows| format!("about {} {}", count(rows), if rows == 1 { "row" } else { "rows" }),
    );
    format!("{planned} of {all} would be read, {rows}")
}
