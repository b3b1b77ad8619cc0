//! How is a name written so that it is only a name?

/// Quotes a name as SQL's standard and every silo here read it: `"` around it, inner `"` doubled.
#[must_use]
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_quote_in_a_name_cannot_end_the_name() {
        assert_eq!(super::quote("a\" or 1=1 --"), "\"a\"\" or 1=1 --\"");
    }
}
