//! Templates: texts in which `{identifier}` stands for a value; `{{` and `}}` for a brace.

use crate::value::{IdentifierName, ScopeField};

/// Returns the identifiers that a template names, in their order; `None` if its braces do not match or hold no such name.
pub(crate) fn placeholders(template: &str) -> Option<Vec<IdentifierName>> {
    let mut names = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (_, brace) = rest.split_at(at);
        if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
            rest = after;
            continue;
        }
        let (name, after) = brace.strip_prefix('{')?.split_once('}')?;
        names.push(name.parse().ok()?);
        rest = after;
    }
    Some(names)
}

/// Says whether a placeholder is filled by a request's scope rather than by an identifier.
pub(crate) fn is_of_scope(name: &IdentifierName) -> bool {
    is_of_window(name) || name.as_str().parse::<ScopeField>().is_ok()
}

/// Says whether a placeholder is an end of a request's window.
pub(crate) fn is_of_window(name: &IdentifierName) -> bool {
    matches!(name.as_str(), "windowStart" | "windowEnd")
}

/// Returns a template with a plain letter in the place of each placeholder: what its other characters are can be looked at.
pub(crate) fn filled(template: &str) -> String {
    filled_with(template, 'x')
}

/// Says whether a glob touches a placeholder: `{id}*` would take what begins with a value, and so belongs to others.
pub(crate) fn has_glob_beside(template: &str) -> bool {
    const PLACEHOLDER: char = '\0';
    let is_glob = |c: char| matches!(c, '*' | '?' | '[' | ']');
    let (mut before, mut in_class) = ('/', false);
    for c in filled_with(template, PLACEHOLDER).chars() {
        let touches =
            (c == PLACEHOLDER && is_glob(before)) || (before == PLACEHOLDER && is_glob(c));
        if touches || (in_class && c == PLACEHOLDER) {
            return true;
        }
        in_class = c == '[' || (in_class && c != ']');
        before = c;
    }
    false
}

fn filled_with(template: &str, letter: char) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, brace) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
            text.push_str(brace.get(..1).unwrap_or_default());
            rest = after;
        } else {
            text.push(letter);
            rest = brace.split_once('}').map_or("", |(_, after)| after);
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(template: &str) -> Option<Vec<String>> {
        let names = placeholders(template)?;
        Some(names.iter().map(|name| name.as_str().to_owned()).collect())
    }

    #[test]
    fn placeholders_are_found_and_doubled_braces_are_none() {
        assert_eq!(names("/a/b"), Some(vec![]));
        assert_eq!(names("/{id}/{email}"), Some(vec!["id".to_owned(), "email".to_owned()]));
        assert_eq!(names("{{id}}"), Some(vec![]));
        assert_eq!(names("{{{id}}}"), Some(vec!["id".to_owned()]));
        assert_eq!(filled("/{id}.{{x}}/a"), "/x.{x}/a");
    }

    #[test]
    fn braces_that_do_not_match_or_hold_no_identifier_are_refused() {
        for template in ["{", "}", "{id", "id}", "{}", "{a b}", "{1st}", "{{id}", "{id}}", "{a{b}}"]
        {
            assert_eq!(names(template), None, "{template}");
        }
    }

    #[test]
    fn globs_beside_placeholders_are_seen() {
        for template in [
            "d/{id}*.pdf",
            "d/*{id}",
            "d/?{id}",
            "d/{id}?",
            "d/{id}[a]",
            "[a]{id}",
            "[{id}]",
            "[x{id}x]",
            "**{id}",
        ] {
            assert!(has_glob_beside(template), "{template}");
        }
        for template in
            ["d/{id}.*", "d/{id}/*", "*/{id}-*", "**/{id}", "{{*}}{id}", "[a]-{id}", "{a}{b}"]
        {
            assert!(!has_glob_beside(template), "{template}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(template in "[{}a1 ]{0,12}") {
            if let Some(found) = placeholders(&template) {
                let open = template.matches('{').count();
                prop_assert!(open >= found.len());
                prop_assert!(filled(&template).len() <= template.len());
            }
        }
    }
}
