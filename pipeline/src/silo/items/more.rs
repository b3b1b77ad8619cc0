//! Which members may leave in the column of those that have none?

use super::scan::{Members, text_of};

/// Returns a cell of [`MORE`](super::MORE) without the members whose names `withheld` takes: what a column is protected from must not
/// leave beside it. `None` if nothing is left. A cell that is no object is as it was.
pub(crate) fn without_members(
    more: &str,
    mut withheld: impl FnMut(&str) -> bool,
) -> Option<String> {
    let Some(members) = Members::of(more) else { return Some(more.to_owned()) };
    let mut kept = String::new();
    for (name, value) in members.map_while(Result::ok) {
        // A name that is no text is no column's.
        if text_of(name).is_some_and(|name| withheld(&name)) {
            continue;
        }
        kept.push(if kept.is_empty() { '{' } else { ',' });
        kept.push_str(name);
        kept.push(':');
        kept.push_str(value);
    }
    if kept.is_empty() {
        return None;
    }
    kept.push('}');
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_go_by_name_however_it_is_spelled() {
        let ssn = |name: &str| name.eq_ignore_ascii_case("ssn");
        let more = r#"{"SSN":1,"a":{"ssn":2},"\u0073sn":3,"\ud800":4,"b":5}"#;
        let left = r#"{"a":{"ssn":2},"\ud800":4,"b":5}"#;
        assert_eq!(without_members(more, ssn).as_deref(), Some(left));
        assert_eq!(without_members(r#"{"SSN":1}"#, ssn), None);
        assert_eq!(without_members("[1]", ssn).as_deref(), Some("[1]"));
    }
}
