//! Which items are inside a window and hold a scope's values? Those of a service that was not asked for them alone.

use antumbra_config::Endpoint;
use jiff::Timestamp;

use super::template::names;
use crate::silo::items::{Members, text_of};
use crate::silo::{SectionSpec, Window};

/// What an item must hold.
pub(super) struct Narrow {
    window: Option<Window>,
    /// Member and values.
    filters: Vec<(String, Vec<String>)>,
}

impl Narrow {
    /// What is left to us: the window always (it is half-open, whatever the service takes it for), and scope fields that stand in no
    /// placeholder.
    pub(super) fn new(section: &SectionSpec, endpoint: &Endpoint) -> Self {
        let asked = names(endpoint);
        let filters = section
            .filters
            .iter()
            .filter(|filter| !asked.contains(&filter.field.as_str()))
            .map(|filter| (filter.column.clone(), filter.values.clone()))
            .collect();
        Self { window: section.window.clone(), filters }
    }

    /// The members it looks at.
    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        let window = self.window.iter().map(|window| window.column.as_str());
        window.chain(self.filters.iter().map(|(member, _)| member.as_str()))
    }

    /// Says whether an item is inside. A time that cannot be read as one keeps its item; an item without a time, or without what a
    /// filter looks for, is outside.
    pub(super) fn keeps(&self, item: &str) -> bool {
        let in_window =
            self.window.as_ref().is_none_or(|window| match member(item, &window.column) {
                None | Some("null") => false,
                Some(token) => token_in(token, window),
            });
        in_window
            && self.filters.iter().all(|(name, values)| {
                member(item, name).and_then(text).is_some_and(|text| values.contains(&text))
            })
    }

    /// What a reader of the rows should know.
    pub(super) fn notes(&self) -> Vec<String> {
        let note = |window: &Window| {
            format!(
                "rows without {column} are outside the window; rows whose {column} is no time with an offset from UTC are kept",
                column = window.column
            )
        };
        self.window.iter().map(note).collect()
    }
}

/// Returns a member's value, the first of its name.
pub(super) fn member<'a>(item: &'a str, name: &str) -> Option<&'a str> {
    Members::of(item)?
        .map_while(Result::ok)
        .find(|(token, _)| text_of(token).is_some_and(|text| text == name))
        .map(|(_, value)| value)
}

/// Returns a scalar as text.
pub(super) fn text(token: &str) -> Option<String> {
    match token.as_bytes().first()? {
        b'"' => text_of(token).map(String::from),
        b'{' | b'[' | b'n' => None,
        _ => Some(token.to_owned()),
    }
}

fn token_in(token: &str, window: &Window) -> bool {
    let Some(at) = text_of(token).and_then(|text| text.parse::<Timestamp>().ok()) else {
        return true;
    };
    window.start.is_none_or(|start| at >= start) && window.end.is_none_or(|end| at < end)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{endpoint, section};
    use super::*;
    use crate::silo::Filter;

    #[test]
    fn a_window_is_half_open_and_keeps_what_it_cannot_read() {
        let endpoint = endpoint("/x", &[]);
        let mut section = section(&endpoint);
        section.window = Some(Window {
            column: "at".to_owned(),
            start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            end: Some("2026-02-01T00:00:00Z".parse().unwrap()),
        });
        let narrow = Narrow::new(&section, &endpoint);
        for (item, kept) in [
            (r#"{"at":"2026-01-01T00:00:00Z"}"#, true),
            (r#"{"at":"2026-01-01T01:00:00+01:00"}"#, true),
            (r#"{"at":"2025-12-31T23:59:59.999Z"}"#, false),
            (r#"{"at":"2026-02-01T00:00:00Z"}"#, false),
            (r#"{"at":"2026-01-31 23:59:59Z"}"#, true),
            (r#"{"at":"yesterday"}"#, true),
            (r#"{"at":1767225600}"#, true),
            (r#"{"at":null}"#, false),
            (r"{}", false),
            (r"7", false),
        ] {
            assert_eq!(narrow.keeps(item), kept, "{item}");
        }
        assert_eq!(narrow.notes().len(), 1);
    }

    #[test]
    fn filters_compare_texts_and_those_the_service_has_are_its_own() {
        let filter = |field: &str| Filter {
            column: "campaign".to_owned(),
            field: field.to_owned(),
            values: vec!["7".to_owned(), "true".to_owned()],
        };
        let plain = endpoint("/x", &[]);
        let mut section = section(&plain);
        section.filters = vec![filter("campaignIds")];
        let narrow = Narrow::new(&section, &plain);
        for (item, kept) in [
            (r#"{"campaign":"7"}"#, true),
            (r#"{"campaign":7}"#, true),
            (r#"{"campaign":true}"#, true),
            (r#"{"campaign":"\u0037"}"#, true),
            (r#"{"campaign":70}"#, false),
            (r#"{"campaign":["7"]}"#, false),
            (r#"{"campaign":null}"#, false),
            (r"{}", false),
        ] {
            assert_eq!(narrow.keeps(item), kept, "{item}");
        }
        section.filters[0].values.clear();
        assert!(!Narrow::new(&section, &plain).keeps(r#"{"campaign":7}"#));
        let asked = endpoint("/x", &[("c", "{campaignIds}")]);
        assert!(Narrow::new(&section, &asked).keeps("{}"));
    }
}
