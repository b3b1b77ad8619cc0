//! How is a JSON body read so that every fault names its field?
//!
//! A fault says the path, what was expected and which kind of value was found, never the value: it may be personal.

use serde_json::{Map, Value};

use crate::http::ApiError;

/// Parses a body.
///
/// # Errors
/// Malformed, with line and column.
pub(super) fn parse(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        // serde_json's own words can quote the body.
        let (line, column) = (error.line(), error.column());
        ApiError::malformed(format!("the body is not JSON: line {line}, column {column}"))
    })
}

/// A value and how one gets there from the body's root.
#[derive(Clone)]
pub(super) struct Field<'v> {
    path: String,
    value: &'v Value,
}

impl<'v> Field<'v> {
    /// Starts at the root, which must be an object.
    ///
    /// # Errors
    /// Malformed, when it is none.
    pub(super) fn root(value: &'v Value) -> Result<Self, ApiError> {
        if value.is_object() {
            Ok(Self { path: String::new(), value })
        } else {
            let found = kind(value);
            Err(ApiError::malformed(format!("the body: expected an object, found {found}")))
        }
    }

    /// Returns a member; `None` when it is absent or null, which mean the same in the contract.
    ///
    /// # Errors
    /// When this is no object.
    pub(super) fn get(&self, name: &str) -> Result<Option<Self>, ApiError> {
        let member = self.object()?.get(name).filter(|value| !value.is_null());
        Ok(member.map(|value| Self { path: self.member_path(name), value }))
    }

    /// Returns a member that must be there.
    ///
    /// # Errors
    /// When it is absent or null, or this is no object.
    pub(super) fn require(&self, name: &str) -> Result<Self, ApiError> {
        self.get(name)?.ok_or_else(|| ApiError::field(&self.member_path(name), "is missing"))
    }

    /// Returns every member that is not null, with its name.
    ///
    /// # Errors
    /// When this is no object.
    pub(super) fn members(&self) -> Result<Vec<(&'v str, Self)>, ApiError> {
        let members = self.object()?.iter().filter(|(_, value)| !value.is_null());
        Ok(members
            .map(|(name, value)| (name.as_str(), Self { path: self.member_path(name), value }))
            .collect())
    }

    /// Returns the items of an array.
    ///
    /// # Errors
    /// When this is no array.
    pub(super) fn items(&self) -> Result<Vec<Self>, ApiError> {
        let items = self.value.as_array().ok_or_else(|| self.wrong("an array"))?;
        let item = |(index, value)| Self { path: format!("{}[{index}]", self.path), value };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// Returns a string.
    ///
    /// # Errors
    /// When this is none.
    pub(super) fn text(&self) -> Result<&'v str, ApiError> {
        self.value.as_str().ok_or_else(|| self.wrong("a string"))
    }

    /// Returns a string with something else than blanks in it.
    ///
    /// # Errors
    /// When this is none, or longer than an identifier may be.
    pub(super) fn word(&self) -> Result<&'v str, ApiError> {
        let text = self.text()?;
        if text.trim().is_empty() {
            return Err(self.fault("must not be empty"));
        }
        if text.len() > MAX_WORD {
            return Err(self.fault(&format!("is longer than {MAX_WORD} bytes")));
        }
        Ok(text)
    }

    /// Returns a boolean.
    ///
    /// # Errors
    /// When this is none.
    pub(super) fn boolean(&self) -> Result<bool, ApiError> {
        self.value.as_bool().ok_or_else(|| self.wrong("`true` or `false`"))
    }

    /// Says whether the value asks for nothing: `false`, an empty string, array or object.
    pub(super) fn asks_nothing(&self) -> bool {
        match self.value {
            Value::Null | Value::Bool(false) => true,
            Value::Bool(true) | Value::Number(_) => false,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(members) => members.is_empty(),
        }
    }

    /// Makes the error for this field.
    pub(super) fn fault(&self, fault: &str) -> ApiError {
        ApiError::field(&self.path, fault)
    }

    fn wrong(&self, expected: &str) -> ApiError {
        self.fault(&format!("expected {expected}, found {}", kind(self.value)))
    }

    fn object(&self) -> Result<&'v Map<String, Value>, ApiError> {
        self.value.as_object().ok_or_else(|| self.wrong("an object"))
    }

    /// A member's name is the caller's text: what does not look like a name is not repeated.
    fn member_path(&self, name: &str) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let shown = if name.len() <= 64 && name.bytes().all(plain) { name } else { "*" };
        let dot = if self.path.is_empty() { "" } else { "." };
        format!("{}{dot}{shown}", self.path)
    }
}

impl std::fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field").field("path", &self.path).finish_non_exhaustive()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// More than any real identifier or slug has.
const MAX_WORD: usize = 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_names_the_path_and_the_kinds_but_not_the_value() {
        let body = json!({ "a": { "b": [{ "c": "x" }, { "c": 7 }] } });
        let root = Field::root(&body).unwrap();
        let items = root.require("a").unwrap().require("b").unwrap().items().unwrap();
        let error = items[1].require("c").unwrap().text().unwrap_err();
        assert_eq!(error.message(), "`a.b[1].c`: expected a string, found a number");
        let error = items[0].require("d").unwrap_err();
        assert_eq!(error.message(), "`a.b[0].d`: is missing");
    }

    #[test]
    fn text_that_is_not_json_has_a_line_and_a_column() {
        let error = parse(b"{\n  \"secret\": oops\n}").unwrap_err();
        assert_eq!(error.message(), "the body is not JSON: line 2, column 13");
    }

    #[test]
    fn a_name_that_may_be_personal_is_not_repeated() {
        let body = json!({ "jane@example.org": 1 });
        let members = Field::root(&body).unwrap().members().unwrap();
        assert_eq!(members[0].1.fault("no").message(), "`*`: no");
    }
}
