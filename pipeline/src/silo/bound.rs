//! Which values of an identifier does SQL compare with?

use super::Identifiers;
use crate::{SiloError, Value};

/// The values of an identifier; e-mail addresses also in lower case, which most systems store.
pub(super) fn values(identifier: &str, known: &Identifiers) -> Vec<Value> {
    let mut bound = known.get(identifier).cloned().unwrap_or_default();
    if identifier == "email" {
        for index in 0..bound.len() {
            if let Some(Value::Text(text)) = bound.get(index) {
                let lower = Value::Text(text.to_lowercase());
                if !bound.contains(&lower) {
                    bound.push(lower);
                }
            }
        }
    }
    bound
}

/// The values of a query's parameter; `list` if it stands where several may.
pub(super) fn parameter(
    name: &str,
    list: bool,
    known: &Identifiers,
) -> Result<Vec<Value>, SiloError> {
    let mut values = values(name, known);
    if !list && values.len() > 1 {
        // The e-mail's second spelling is ours, not a second value.
        values.truncate(known.get(name).map_or(0, Vec::len));
        if values.len() > 1 {
            let what = format!(
                "`= :{name}` cannot take the {} values of {name}: write `in (:{name})`",
                values.len()
            );
            return Err(SiloError::Settings { what });
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<Value> {
        values.iter().map(|text| Value::Text((*text).to_owned())).collect()
    }

    #[test]
    fn an_address_is_also_looked_for_in_lower_case() {
        let known: Identifiers = [
            ("email".to_owned(), texts(&["Ada@x.org", "bob@x.org"])),
            ("name".to_owned(), texts(&["Ada"])),
        ]
        .into();
        assert_eq!(values("email", &known), texts(&["Ada@x.org", "bob@x.org", "ada@x.org"]));
        assert_eq!(values("name", &known), texts(&["Ada"]));
        assert_eq!(values("nobody", &known), texts(&[]));
    }

    #[test]
    fn one_place_takes_one_value() {
        let known = |emails: &[&str]| Identifiers::from([("email".to_owned(), texts(emails))]);
        assert_eq!(
            parameter("email", false, &known(&["Ada@x.org"])).unwrap(),
            texts(&["Ada@x.org"])
        );
        assert_eq!(parameter("email", true, &known(&["a", "b"])).unwrap(), texts(&["a", "b"]));
        let error = parameter("email", false, &known(&["a", "b"])).unwrap_err();
        assert!(error.to_string().contains("write `in (:email)`"), "{error}");
    }
}
