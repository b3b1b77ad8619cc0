//! How do conditions become a statement?

/// A statement whose rows meet all conditions.
pub(crate) fn select<'a>(
    list: &str,
    from: &str,
    conditions: impl Iterator<Item = &'a str>,
) -> String {
    let conditions: Vec<&str> = conditions.collect();
    if conditions.is_empty() {
        format!("select {list} from {from}")
    } else {
        format!("select {list} from {from} where {}", conditions.join(" and "))
    }
}

/// A condition that holds if one of these does.
pub(crate) fn either(conditions: &[String]) -> String {
    match conditions {
        [one] => one.clone(),
        many => format!("({})", many.join(" or ")),
    }
}
