//! Paths of settings: their parts, their written form, and which may hold a secret.
//!
//! A path is a list of keys and, for elements of lists, of their indexes in decimal.

use crate::value::{DatapointName, SiloName, clip};

/// Holds the name of each silo and the names of its datapoints, as far as they are names.
pub(crate) type Names = Vec<(Option<SiloName>, Vec<Option<DatapointName>>)>;

/// Adds one part to a path.
pub(crate) fn child(path: &[String], part: &str) -> Vec<String> {
    let mut longer = path.to_vec();
    longer.push(part.to_owned());
    longer
}

/// Splits a dotted path whose parts hold no dots.
pub(crate) fn split(dotted: &str) -> Vec<String> {
    dotted.split('.').map(str::to_owned).collect()
}

/// Says whether what stands at a path may be a secret and must not be quoted.
pub(crate) fn is_secret(path: &[String]) -> bool {
    reference(path).is_some()
        || path.starts_with(&split(HASHES))
        || path == split(OLDER_ROOTS)
        || KEYS_OF_SILOS.iter().any(|pattern| beginning(path, pattern).is_some())
}

/// Finds the reference to a secret that stands at a path or above it.
pub(crate) fn reference(path: &[String]) -> Option<&[String]> {
    let inside = REFERENCES.iter().find_map(|pattern| beginning(path, pattern));
    inside.or_else(|| {
        let whole = ROOTS.iter().find_map(|pattern| beginning(path, pattern))?;
        // What else is in the table of a root key is no part of a reference.
        let part = path.get(whole.len());
        part.is_none_or(|part| matches!(part.as_str(), "file" | "env" | "credential"))
            .then_some(whole)
    })
}

/// Says whether a name may stand at a path as well as a reference to a secret.
pub(crate) fn names_a_key(path: &[String]) -> bool {
    path.split_last().is_some_and(|(last, above)| last == "key" && is_root(above))
}

fn is_root(path: &[String]) -> bool {
    ROOTS.iter().any(|pattern| beginning(path, pattern) == Some(path))
}

/// Cuts a path off where it fits the whole of a pattern.
fn beginning<'p>(path: &'p [String], pattern: &[&str]) -> Option<&'p [String]> {
    let start = path.get(..pattern.len())?;
    let fits = |(part, wanted): (&String, &&str)| match *wanted {
        ANY => true,
        SECRETS => ROOT_SECRETS.contains(&part.as_str()),
        wanted => part == wanted,
    };
    start.iter().zip(pattern).all(fits).then_some(start)
}

/// Writes a path with dots, silos and datapoints by name where they have one.
pub(crate) fn dotted(path: &[String], names: &Names) -> String {
    let mut text = String::new();
    for (depth, part) in path.iter().enumerate() {
        match element(path, depth, names) {
            Some(Element::Nameless) => text.push_str(&format!("[{part}]")),
            Some(Element::Named(name)) => text.push_str(&format!(".{name}")),
            None if depth == 0 => text.push_str(&written(part)),
            None => text.push_str(&format!(".{}", written(part))),
        }
    }
    text
}

enum Element<'a> {
    Named(&'a str),
    Nameless,
}

/// Says whether the part at `depth` is an element of a list, and what it is called.
fn element<'a>(path: &[String], depth: usize, names: &'a Names) -> Option<Element<'a>> {
    let index: usize = path.get(depth)?.parse().ok()?;
    let list = path.get(depth.checked_sub(1)?)?.as_str();
    let name = match (depth, list) {
        (1, "silo") => names.get(index).and_then(|(name, _)| Some(name.as_ref()?.as_str())),
        (3, "datapoint") => {
            let silo: usize = path.get(1)?.parse().ok()?;
            names.get(silo).and_then(|(_, names)| Some(names.get(index)?.as_ref()?.as_str()))
        }
        (2, "formats" | "internal_key_hashes" | "older_roots")
        | (3, "allow_private")
        | (5, "key" | "columns") => None,
        _ => return None,
    };
    Some(name.map_or(Element::Nameless, Element::Named))
}

/// Quotes a part of a path unless TOML would take it bare.
fn written(part: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !part.is_empty() && part.len() <= 64 && part.bytes().all(bare) {
        part.to_owned()
    } else {
        clip(part)
    }
}

/// References to secrets.
const REFERENCES: &[&[&str]] = &[
    &["silo", ANY, "url"],
    &["silo", ANY, "auth", "bearer"],
    &["silo", ANY, "auth", "password"],
    &["silo", ANY, "auth", "value"],
    &["silo", ANY, "auth", "client_secret"],
    &["silo", ANY, "location", "secret_access_key"],
    &["silo", ANY, "location", "session_token"],
    &["silo", ANY, "location", "service_account"],
    &["silo", ANY, "location", "access_key"],
    &["silo", ANY, "location", "sas"],
    &["silo", ANY, "secret_options", ANY],
    &["keys", "root", SECRETS],
    &["keys", "older_roots", ANY, SECRETS],
];
/// Somebody may have put a secret in the place of the table, or of one of its texts.
const KEYS_OF_SILOS: &[&[&str]] = &[
    &["silo", ANY, "auth"],
    &["silo", ANY, "location"],
    &["silo", ANY, "headers"],
    &["silo", ANY, "options"],
    &["silo", ANY, "secret_options"],
];
/// Root keys: references to secrets, or tables that may hold such.
const ROOTS: &[&[&str]] = &[&["keys", "root"], &["keys", "older_roots", ANY]];
/// What the table of a root key refers to; its `key` may be a name instead.
const ROOT_SECRETS: [&str; 7] =
    ["key", "access_key_id", "secret_access_key", "session_token", "token", "role_id", "secret_id"];
/// An element of a list, whichever.
const ANY: &str = "*";
/// Any of [`ROOT_SECRETS`].
const SECRETS: &str = "<secret>";
/// Somebody may have put a root key in the place of the list.
const OLDER_ROOTS: &str = "keys.older_roots";
/// Somebody may have put the key in the place of its hash.
const HASHES: &str = "gateway.internal_key_hashes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_known_at_any_depth() {
        for (path, found) in [
            ("keys.root", Some("keys.root")),
            ("keys.root.file", Some("keys.root")),
            ("keys.root.token", Some("keys.root.token")),
            ("keys.root.key.env", Some("keys.root.key")),
            ("keys.root.region", None),
            ("keys.older_roots.7", Some("keys.older_roots.7")),
            ("keys.older_roots.7.env", Some("keys.older_roots.7")),
            ("keys.older_roots.7.secret_id.file", Some("keys.older_roots.7.secret_id")),
            ("keys.older_roots.7.address", None),
            ("silo.3.url.env", Some("silo.3.url")),
            ("silo.3", None),
            ("silo.3.path", None),
            ("keys", None),
        ] {
            assert_eq!(reference(&split(path)), found.map(split).as_deref(), "{path}");
        }
        assert!(is_secret(&split("gateway.internal_key_hashes.0")));
        assert!(is_secret(&split("keys.older_roots")));
        assert!(!is_secret(&split("gateway")));
    }

    #[test]
    fn silos_are_called_by_name_where_they_have_one() {
        let names = vec![
            (Some("shop".parse().unwrap()), vec![None, Some("orders".parse().unwrap())]),
            (None, vec![]),
        ];
        for (path, text) in [
            ("listen.address", "listen.address"),
            ("silo.0.datapoint.1.key.2", "silo.shop.datapoint.orders.key[2]"),
            ("silo.0.datapoint.0.match.0", "silo.shop.datapoint[0].match.0"),
            ("silo.1", "silo[1]"),
            ("silo.9.datapoint.9", "silo[9].datapoint[9]"),
            ("export.formats.1", "export.formats[1]"),
            ("keys.older_roots.0.region", "keys.older_roots[0].region"),
        ] {
            assert_eq!(dotted(&split(path), &names), text);
        }
        assert_eq!(dotted(&["a b\n".to_owned()], &names), r#""a b\n""#);
    }
}
