//! Which addresses does a template stand for? One for each value of each placeholder.

use std::fmt::Write as _;

use antumbra_config::Endpoint;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::silo::spec::{WINDOW_END, WINDOW_START, is_of_scope};
use crate::silo::{Identifiers, SectionSpec};
use crate::{SiloError, Value};

/// Returns the addresses a section asks for, and the placeholders by which the service narrows. No address: nothing is selected.
///
/// `{windowStart}` and `{windowEnd}` of a query are moments of the window, and leave their parameter out where it has no such end (or
/// `narrowed` is off); a scope field's name stands for each of its values.
///
/// # Errors
/// An identifier that is not known, a value that no address can carry or that might change what is asked, more addresses than [`MOST`].
pub(super) fn addresses(
    base: &str,
    section: &SectionSpec,
    endpoint: &Endpoint,
    known: &Identifiers,
    narrowed: bool,
) -> Result<Vec<Url>, SiloError> {
    let names = names(endpoint);
    let mut choices = vec![Choice::default()];
    for name in names {
        let values = values_of(name, section, known, narrowed)?;
        if choices.len().saturating_mul(values.len()) > MOST {
            let what = format!(
                "more than {MOST} requests would be needed for the values of its placeholders"
            );
            return Err(SiloError::Settings { what });
        }
        choices = choices
            .iter()
            .flat_map(|choice| values.iter().map(|value| choice.with(name, value.clone())))
            .collect();
    }
    choices.iter().map(|choice| choice.address(base, endpoint)).collect()
}

/// Returns what is asked for, placeholders by name. Values that settings spell out are left out: keys stand in them.
pub(super) fn shown(endpoint: &Endpoint) -> String {
    let mut shown = format!("GET {}", endpoint.path);
    for (index, (name, value)) in endpoint.query.iter().enumerate() {
        let value = if SectionSpec::placeholders(value).is_empty() { "…" } else { value };
        let mark = if index == 0 { '?' } else { '&' };
        write!(shown, "{mark}{name}={value}").expect("a text takes every piece");
    }
    shown
}

/// Returns the placeholders of an endpoint, each once.
pub(super) fn names(endpoint: &Endpoint) -> Vec<&str> {
    let templates = std::iter::once(&endpoint.path).chain(endpoint.query.iter().map(|(_, v)| v));
    let mut names: Vec<&str> = Vec::new();
    for name in templates.flat_map(|template| SectionSpec::placeholders(template)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A value for each placeholder; `None` leaves the parameter out that holds it.
#[derive(Default)]
struct Choice<'a>(Vec<(&'a str, Option<String>)>);

impl<'a> Choice<'a> {
    fn with(&self, name: &'a str, value: Option<String>) -> Self {
        Self(self.0.iter().cloned().chain([(name, value)]).collect())
    }

    fn address(&self, base: &str, endpoint: &Endpoint) -> Result<Url, SiloError> {
        let path = self.fill(&endpoint.path, true, |name, value| {
            let value = value.ok_or_else(|| unknown(name))?;
            check_segment(name, value)?;
            Ok(Some(utf8_percent_encode(value, PLAIN).to_string()))
        })?;
        let path = path.unwrap_or_default();
        let mut address =
            format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'));
        let mut mark = '?';
        for (name, template) in &endpoint.query {
            let filled = self.fill(template, false, |_, value| Ok(value.map(str::to_owned)))?;
            if let Some(filled) = filled {
                let name = utf8_percent_encode(name, PLAIN);
                let filled = utf8_percent_encode(&filled, PLAIN);
                write!(address, "{mark}{name}={filled}").expect("a text takes every piece");
                mark = '&';
            }
        }
        Url::parse(&address).map_err(|_| SiloError::Settings {
            what: "base_url and path are no address together".to_owned(),
        })
    }

    /// Fills a template; `None` if one of its values is to be left out. Where a placeholder is not the whole parameter, or of a path the
    /// whole part between two slashes, its value is [`check_part`]ed.
    fn fill(
        &self,
        template: &str,
        is_path: bool,
        encode: impl Fn(&str, Option<&str>) -> Result<Option<String>, SiloError>,
    ) -> Result<Option<String>, SiloError> {
        let mut filled = String::new();
        let mut rest = template;
        while let Some(at) = rest.find(['{', '}']) {
            let begins = template.len() - rest.len() + at;
            let before_it = template.get(..begins).unwrap_or_default();
            let (before, after) = rest.split_at(at);
            filled.push_str(before);
            if let Some(after) = after.strip_prefix("{{") {
                filled.push('{');
                rest = after;
            } else if let Some(after) = after.strip_prefix("}}") {
                filled.push('}');
                rest = after;
            } else if let Some((name, after)) =
                after.strip_prefix('{').and_then(|after| after.split_once('}'))
            {
                let value = self.0.iter().find(|(known, _)| *known == name);
                let value = value.and_then(|(_, value)| value.as_deref());
                let is_whole = if is_path {
                    before_it.ends_with('/') && (after.is_empty() || after.starts_with('/'))
                } else {
                    before_it.is_empty() && after.is_empty()
                };
                if let Some(value) = value.filter(|_| !is_whole) {
                    check_part(name, value)?;
                }
                match encode(name, value)? {
                    Some(value) => filled.push_str(&value),
                    None => return Ok(None),
                }
                rest = after;
            } else {
                let what = "a placeholder of a template is not closed".to_owned();
                return Err(SiloError::Settings { what });
            }
        }
        filled.push_str(rest);
        Ok(Some(filled))
    }
}

fn values_of(
    name: &str,
    section: &SectionSpec,
    known: &Identifiers,
    narrowed: bool,
) -> Result<Vec<Option<String>>, SiloError> {
    if matches!(name, WINDOW_START | WINDOW_END) {
        let window = section.window.as_ref().filter(|_| narrowed);
        let end =
            window.and_then(|window| if name == WINDOW_START { window.start } else { window.end });
        return Ok(vec![end.map(|end| end.to_string())]);
    }
    if let Some(filter) = section.filters.iter().find(|filter| filter.field == name) {
        if !narrowed {
            return Ok(vec![None]);
        }
        return filter
            .values
            .iter()
            .map(|value| not_empty(name, value.clone()).map(Some))
            .collect();
    }
    if is_of_scope(name) {
        // The request has no such field.
        return Ok(vec![None]);
    }
    let values =
        known.get(name).filter(|values| !values.is_empty()).ok_or_else(|| unknown(name))?;
    let mut texts = Vec::with_capacity(values.len());
    for value in values {
        let text = match value {
            Value::Integer(number) => number.to_string(),
            Value::Real(bits) => f64::from_bits(*bits).to_string(),
            Value::Text(text) => not_empty(name, text.clone())?,
            Value::Bytes(_) => {
                let what = format!("a value of {name} is bytes, which no address can carry");
                return Err(SiloError::Settings { what });
            }
        };
        // The text and the number 7 are one address.
        if !texts.contains(&Some(text.clone())) {
            texts.push(Some(text));
        }
    }
    Ok(texts)
}

/// A parameter without a value is mostly taken for no restriction at all: it would select everybody.
fn not_empty(name: &str, value: String) -> Result<String, SiloError> {
    if value.trim().is_empty() {
        let what = format!("a value of {name} is empty, which would select everybody");
        return Err(SiloError::Settings { what });
    }
    Ok(value)
}

/// Dots lead out of a path, also percent-encoded and between slashes that some servers decode first.
fn check_segment(name: &str, value: &str) -> Result<(), SiloError> {
    if value.split(['/', '\\']).any(|segment| matches!(segment, "." | ".." | "")) {
        let what = format!("a value of {name} would lead to another path");
        return Err(SiloError::Settings { what });
    }
    Ok(())
}

/// Beside other text a value may be a part of a language that the service speaks: a quote in `email eq '{email}'` would end the text
/// and select everybody. Ends of a window are ours.
fn check_part(name: &str, value: &str) -> Result<(), SiloError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@._+-".contains(c);
    if matches!(name, WINDOW_START | WINDOW_END) || value.chars().all(is_plain) {
        return Ok(());
    }
    let what = format!(
        "a value of {name} holds other characters than letters, digits and @._+-, and stands beside other text: it might change what is asked"
    );
    Err(SiloError::Settings { what })
}

fn unknown(name: &str) -> SiloError {
    SiloError::Settings { what: format!("no value of {name} is known") }
}

/// Addresses of one section, at most.
const MOST: usize = 10_000;
/// What may stand unencoded in a value: [unreserved characters](https://www.rfc-editor.org/rfc/rfc3986#section-2.3).
pub(super) const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{endpoint, section};
    use super::*;
    use crate::silo::{Filter, Window};

    fn known(values: &[(&str, &[&str])]) -> Identifiers {
        let texts =
            |texts: &[&str]| texts.iter().map(|text| Value::Text((*text).to_owned())).collect();
        values.iter().map(|(name, values)| ((*name).to_owned(), texts(values))).collect()
    }

    fn ask(
        path: &str,
        query: &[(&str, &str)],
        values: &[(&str, &[&str])],
    ) -> Result<Vec<String>, SiloError> {
        let endpoint = endpoint(path, query);
        let section = section(&endpoint);
        let found = addresses("https://api.example/v1", &section, &endpoint, &known(values), true)?;
        Ok(found.into_iter().map(String::from).collect())
    }

    #[test]
    fn every_combination_of_values_has_its_address() {
        let found = ask(
            "/people/{id}/x",
            &[("mail", "{email}"), ("all", "a b&c"), ("lit", "{{}}")],
            &[("id", &["a/b", "2"]), ("email", &["x+y@example.org", "ü"])],
        )
        .unwrap();
        let expected = [
            "https://api.example/v1/people/a%2Fb/x?mail=x%2By%40example.org&all=a%20b%26c&lit=%7B%7D",
            "https://api.example/v1/people/a%2Fb/x?mail=%C3%BC&all=a%20b%26c&lit=%7B%7D",
            "https://api.example/v1/people/2/x?mail=x%2By%40example.org&all=a%20b%26c&lit=%7B%7D",
            "https://api.example/v1/people/2/x?mail=%C3%BC&all=a%20b%26c&lit=%7B%7D",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn values_that_would_reach_elsewhere_are_refused() {
        for value in ["", " ", ".", "..", "a/../b", "..\\x", "a//b", "/"] {
            let error = ask("/p/{id}", &[], &[("id", &[value])]).unwrap_err();
            assert!(matches!(error, SiloError::Settings { .. }), "{value:?}");
        }
        assert!(ask("/p", &[("id", "{id}")], &[("id", &[""])]).is_err());
        assert!(ask("/p/{id}", &[], &[]).is_err());
        let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let error = ask("/{a}/{b}", &[], &[("a", &many), ("b", &many)]).unwrap_err();
        assert!(error.to_string().contains("10000"), "{error}");
    }

    #[test]
    fn beside_other_text_a_value_is_plain_or_refused() {
        let structured = |value: &str| {
            [
                ask("/p", &[("$filter", "email eq '{id}'")], &[("id", &[value])]),
                ask("/p", &[("q", "id:{id}")], &[("id", &[value])]),
                ask("/p", &[("q", "{id},{id}")], &[("id", &[value])]),
                ask("/people('{id}')/x", &[], &[("id", &[value])]),
                ask("/people/{id}.json", &[], &[("id", &[value])]),
            ]
        };
        for value in ["7", "x+y@example.org", "A_b-C.d"] {
            assert!(structured(value).iter().all(Result::is_ok), "{value}");
        }
        for value in [
            "canary' or 'a' eq 'a",
            "canary*",
            "canary\"",
            "a,canary",
            "canär",
            "a b canary",
            "(canary)",
        ] {
            for error in structured(value).map(Result::unwrap_err) {
                assert!(matches!(error, SiloError::Settings { .. }), "{value}");
                assert!(
                    error.to_string().contains("id") && !error.to_string().contains("can"),
                    "{error}"
                );
            }
            assert!(ask("/p/{id}", &[("q", "{id}")], &[("id", &[value])]).is_ok(), "{value}");
        }
        let endpoint = endpoint("/x", &[("$filter", "at ge {windowStart}")]);
        let mut section = section(&endpoint);
        let start = Some("2026-01-01T00:00:00Z".parse().unwrap());
        section.window = Some(Window { column: "at".to_owned(), start, end: None });
        let found = addresses("http://x.example", &section, &endpoint, &known(&[]), true).unwrap();
        assert_eq!(found[0].query(), Some("%24filter=at%20ge%202026-01-01T00%3A00%3A00Z"));
    }

    #[test]
    fn windows_and_scope_fields_are_put_in_where_they_are() {
        let endpoint = endpoint(
            "/x",
            &[("from", "{windowStart}"), ("to", "{windowEnd}"), ("c", "{campaignIds}")],
        );
        let mut section = section(&endpoint);
        section.window = Some(Window {
            column: "at".to_owned(),
            start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            end: None,
        });
        section.filters = vec![Filter {
            column: "campaign".to_owned(),
            field: "campaignIds".to_owned(),
            values: vec!["a".to_owned(), "b".to_owned()],
        }];
        let ask = |section: &SectionSpec, narrowed| -> Vec<String> {
            addresses("http://x.example", section, &endpoint, &known(&[]), narrowed)
                .unwrap()
                .into_iter()
                .map(String::from)
                .collect()
        };
        let expected = [
            "http://x.example/x?from=2026-01-01T00%3A00%3A00Z&c=a",
            "http://x.example/x?from=2026-01-01T00%3A00%3A00Z&c=b",
        ];
        assert_eq!(ask(&section, true), expected);
        assert_eq!(ask(&section, false), ["http://x.example/x"]);
        section.filters[0].values.clear();
        assert!(ask(&section, true).is_empty());
    }

    #[test]
    fn what_is_shown_names_placeholders_and_hides_the_rest() {
        let endpoint = endpoint("/p/{id}", &[("key", "canary-key"), ("mail", "{email}")]);
        assert_eq!(shown(&endpoint), "GET /p/{id}?key=…&mail={email}");
    }

    proptest! {
        #[test]
        fn a_value_stays_in_its_place(value in any::<String>()) {
            if let Ok(found) = ask("/p/{id}/x", &[("q", "{id}")], &[("id", &[&value])]) {
                let url = Url::parse(&found[0]).unwrap();
                let segments: Vec<_> = url.path_segments().unwrap().collect();
                prop_assert_eq!(segments.len(), 4);
                prop_assert_eq!((segments[1], segments[3]), ("p", "x"));
                let decoded = percent_encoding::percent_decode_str(segments[2]).decode_utf8().unwrap();
                prop_assert_eq!(decoded.as_ref(), value.as_str());
                let query: Vec<_> = url.query_pairs().collect();
                prop_assert_eq!(query.len(), 1);
                prop_assert_eq!(query[0].1.as_ref(), value.as_str());
                prop_assert!(url.fragment().is_none());
            }
        }
    }
}
