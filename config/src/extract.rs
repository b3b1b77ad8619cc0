//! From untyped layers to typed tables, collecting every misfit instead of stopping at the first.
//!
//! Serde stops at the first fault. So the faulty value is reported and taken out, which leaves its default, and
//! reading starts again until nothing is left to report.

use figment::{
    error::{Actual, Error, Kind},
    value::{Dict, Value},
};

use crate::{
    SecretRef,
    keys::{RootTable, root_paths},
    path::{Names, is_secret, names_a_key, reference},
    report::{Removed, Report},
    secret,
    settings::Tables,
    suggest::nearest,
    value::clip,
};

/// Types everything in `tree`. `None` if there is too much to report.
pub(crate) fn extract(mut tree: Value, report: &mut Report) -> Option<Tables> {
    report.names = names(&tree);
    check_references(&mut tree, report);
    for _ in 0..MOST {
        match tree.deserialize::<Tables>() {
            Ok(tables) => return Some(tables),
            Err(error) => {
                let path = whole_secret(&error.path);
                if !report.is_faulted(&report.removed.original(&path)) {
                    report.fault(&path, describe(&error, &path, &tree));
                }
                take_out(&mut tree, &path, &mut report.removed)?;
            }
        }
    }
    report.fault(&[], format!("more than {MOST} faults; further ones are not listed"));
    None
}

/// Reports each root key that has no `type` and is no reference to a secret, and takes it out: whatever else it holds may be the
/// secret itself.
fn check_references(tree: &mut Value, report: &mut Report) {
    let older = match tree.find_ref("keys.older_roots") {
        Some(Value::Array(_, list)) => list.len(),
        _ => 0,
    };
    for path in root_paths(older) {
        let Some(value) = find(tree, &path) else { continue };
        if report.is_faulted(&path) || has_type(value) {
            continue;
        }
        if let Err(error) = value.deserialize::<SecretRef>() {
            report.fault(&path, describe(&error, &path, tree));
            // The path was found, so there is something to take.
            let _taken = take_out(tree, &path, &mut report.removed);
        }
    }
}

/// Says whether a root key is meant to be one of a table's types; one that only lacks its `type` is told so later.
fn has_type(root: &Value) -> bool {
    root.as_dict()
        .is_some_and(|table| table.keys().any(|key| key == "type" || RootTable::needs_type(key)))
}

/// Takes the value at `path` out, or what holds it if it is not there. `None` if that is everything.
fn take_out(tree: &mut Value, path: &[String], removed: &mut Removed) -> Option<()> {
    let (last, above) = path.split_last()?;
    let taken = match find_mut(tree, above) {
        Some(Value::Dict(_, dict)) => dict.remove(last).is_some(),
        Some(Value::Array(_, list)) => match last.parse::<usize>() {
            Ok(index) if index < list.len() => {
                take_element(list, index, path, removed);
                true
            }
            _ => false,
        },
        _ => false,
    };
    if taken { Some(()) } else { take_out(tree, above, removed) }
}

fn take_element(list: &mut Vec<Value>, index: usize, path: &[String], removed: &mut Removed) {
    let above = path.len().checked_sub(2).and_then(|above| path.get(above));
    if matches!(above.map(String::as_str), Some("silo" | "datapoint" | "older_roots")) {
        // Paths of the others must not change: an empty one takes its place.
        if let Some(element) = list.get_mut(index) {
            *element = Value::from(Dict::new());
        }
    } else {
        list.remove(index);
        removed.note(path);
    }
}

fn describe(error: &Error, path: &[String], tree: &Value) -> String {
    match &error.kind {
        Kind::UnknownField(name, known) => {
            let mut known = known.to_vec();
            known.sort_unstable();
            match nearest(name, known.iter().copied()) {
                Some(meant) => format!("unknown setting, did you mean {meant:?}?"),
                None => format!("unknown setting, known here are {}", known.join(", ")),
            }
        }
        Kind::InvalidType(_, expected)
        | Kind::InvalidValue(_, expected)
        | Kind::InvalidLength(_, expected) => {
            let expected = match expected.as_str() {
                "a boolean" => "true or false",
                "a sequence" => "a list",
                "a map" => "a table",
                "path string" => "a path",
                other => other,
            };
            let whole = reference(path) == Some(path) && !names_a_key(path);
            let expected = if whole { secret::EXPECTED } else { expected };
            let found = match &error.kind {
                // A text may be the key of the table rather than the value that stands there.
                Kind::InvalidValue(Actual::Str(text), _) if !is_secret(path) => quote(text),
                _ => find(tree, path)
                    .map_or_else(|| "something else".to_owned(), |value| found(value, path)),
            };
            format!("expected {expected}, found {found}")
        }
        _ => "expected a value of another type".to_owned(),
    }
}

/// Says what a value is; quotes it unless it may be a secret.
fn found(value: &Value, path: &[String]) -> String {
    let what = match value {
        Value::String(..) | Value::Char(..) => "a plain string",
        Value::Bool(..) => "true or false",
        Value::Num(..) => "a number",
        Value::Empty(..) => "nothing",
        Value::Dict(..) => "a table",
        Value::Array(..) => "a list",
    };
    if is_secret(path) {
        return format!("{what} (not shown)");
    }
    match value {
        Value::String(_, text) => quote(text),
        Value::Bool(_, answer) => answer.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_u128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| format!("{number:?}")))
            .unwrap_or_else(|| what.to_owned()),
        Value::Char(..) | Value::Empty(..) | Value::Dict(..) | Value::Array(..) => what.to_owned(),
    }
}

/// Quotes a text, but not a URL with a user: there is a password beside it.
pub(crate) fn quote(text: &str) -> String {
    let url = text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    if url { "a URL with a user (not shown)".to_owned() } else { clip(text) }
}

/// A fault inside a reference is a fault of the reference: what is left of it would make no sense.
fn whole_secret(path: &[String]) -> Vec<String> {
    reference(path).unwrap_or(path).to_vec()
}

fn find<'a>(tree: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(tree, |value, part| match value {
        Value::Dict(_, dict) => dict.get(part),
        Value::Array(_, list) => list.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

fn find_mut<'a>(tree: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(tree, |value, part| match value {
        Value::Dict(_, dict) => dict.get_mut(part),
        Value::Array(_, list) => list.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Reads the names of silos and datapoints, for messages; what is not a valid name gets none.
fn names(tree: &Value) -> Names {
    let list = |value: &Value, key: &str| match value.find_ref(key) {
        Some(Value::Array(_, list)) => list.clone(),
        _ => Vec::new(),
    };
    let name = |value: &Value| value.find_ref("name").and_then(Value::as_str).map(str::to_owned);
    list(tree, "silo")
        .iter()
        .map(|silo| {
            let datapoints = list(silo, "datapoint");
            let datapoints = datapoints.iter().map(|d| name(d)?.parse().ok()).collect();
            (name(silo).and_then(|name| name.parse().ok()), datapoints)
        })
        .collect()
}

const MOST: usize = 200;
