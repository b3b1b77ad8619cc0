//! How is a name written so that it is only a name?

/// Quotes a name as the server reads it whatever its settings: backquotes around it, inner ones doubled.
pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Quotes the parts of a table's name.
pub(super) fn table(parts: &[String]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| quote(part)).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backquote_in_a_name_cannot_end_the_name() {
        assert_eq!(quote("a` or 1=1 -- "), "`a`` or 1=1 -- `");
        assert_eq!(table(&["Shop".to_owned(), "my `orders`".to_owned()]), "`Shop`.`my ``orders```");
    }
}
