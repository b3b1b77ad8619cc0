//! Table names: parts separated by dots, a part in double quotes if it holds a dot.

/// Splits `main."my.table"` into its parts; a doubled quote inside quotes is one. `None` if it is not such a name.
pub(crate) fn split(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(inside) => quoted(inside)?,
            None => {
                let end = rest.find(['.', '"']).unwrap_or(rest.len());
                let (part, after) = rest.split_at(end);
                (part.trim().to_owned(), after)
            }
        };
        if part.is_empty() || part.contains('\0') {
            return None;
        }
        parts.push(part);
        if after.is_empty() {
            return Some(parts);
        }
        rest = after.strip_prefix('.')?;
    }
}

/// Joins parts into a text that splits into the same parts.
pub(crate) fn join(parts: &[String]) -> String {
    let written: Vec<String> = parts
        .iter()
        .map(|part| {
            if part.contains(['.', '"']) || part.trim() != part {
                format!("\"{}\"", part.replace('"', "\"\""))
            } else {
                part.clone()
            }
        })
        .collect();
    written.join(".")
}

/// Reads up to the closing quote; returns the part and what follows it.
fn quoted(inside: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = inside;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dots_inside_quotes_do_not_split() {
        for (text, parts) in [
            ("orders", vec!["orders"]),
            ("main.orders", vec!["main", "orders"]),
            (r#"main."my.table""#, vec!["main", "my.table"]),
            (r#""a""b".c"#, vec![r#"a"b"#, "c"]),
            ("order details", vec!["order details"]),
        ] {
            assert_eq!(split(text).unwrap(), parts, "{text}");
        }
    }

    #[test]
    fn names_with_an_empty_part_or_an_open_quote_are_refused() {
        for text in ["", ".", "a.", ".a", "a..b", "\"\"", "\"a", "a\"b\"", "\"a\"b", "a\0"] {
            assert!(split(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn joined_parts_split_again(parts in prop::collection::vec("[a-z\\. \"]{1,6}", 1..4)) {
            prop_assert_eq!(split(&join(&parts)), Some(parts));
        }

        #[test]
        fn any_text_is_answered(text in ".*") {
            prop_assert!(split(&text).is_none_or(|parts| !parts.is_empty()));
        }
    }
}
