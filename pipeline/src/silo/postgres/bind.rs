//! What is bound to a statement's parameters? Texts, which the server reads as the types it compares them with.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};

use super::valid;
use crate::Value;

/// What stands for a parameter until its type is known.
#[derive(Clone)]
pub(super) enum Slot {
    /// An array of all values, for `= any(…)`.
    Any(Vec<Value>),
    /// One of the values of a list in which every value has a parameter of its own.
    Of(Arc<[Value]>, usize),
    /// Text of our own making, or NULL.
    Exact(Option<String>),
}

/// A value as text, or an array of them. Personal; prints nothing.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Bind {
    Null,
    Text(String),
    Array(Vec<String>),
}

/// Makes of slots what is bound to the parameters of a prepared statement.
pub(super) fn all(slots: &[Slot], parameters: &[Type]) -> Vec<Bind> {
    let mut stand_in = StandIn::default();
    let pairs = slots.iter().zip(parameters);
    pairs
        .map(|(slot, kind)| match slot {
            Slot::Any(values) => {
                let element = match kind.kind() {
                    Kind::Array(element) => element,
                    _ => kind,
                };
                Bind::Array(values.iter().filter_map(|value| valid::text(value, element)).collect())
            }
            Slot::Of(values, index) => {
                let own = values.get(*index).and_then(|value| valid::text(value, kind));
                own.or_else(|| stand_in.of(values, kind)).map_or(Bind::Null, Bind::Text)
            }
            Slot::Exact(text) => text.clone().map_or(Bind::Null, Bind::Text),
        })
        .collect()
}

/// The value of a list that stands for those that cannot be bound: a NULL would turn `not in` into nothing. Kept, because the
/// next parameter is most likely of the same list.
#[derive(Default)]
struct StandIn {
    list: Option<(Arc<[Value]>, Type)>,
    text: Option<String>,
}

impl StandIn {
    fn of(&mut self, values: &Arc<[Value]>, kind: &Type) -> Option<String> {
        let kept = self
            .list
            .as_ref()
            .is_some_and(|(known, of_kind)| Arc::ptr_eq(known, values) && of_kind == kind);
        if !kept {
            self.text = values.iter().find_map(|value| valid::text(value, kind));
            self.list = Some((Arc::clone(values), kind.clone()));
        }
        self.text.clone()
    }
}

impl fmt::Debug for Bind {
    // The driver prints parameters at its level `debug`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bind(..)")
    }
}

impl ToSql for Bind {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Text(text) => out.put_slice(text.as_bytes()),
            Self::Array(texts) => array(texts, out),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Writes [array input](https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO); in quotes a text is never NULL nor a nested
/// array.
fn array(texts: &[String], out: &mut BytesMut) {
    out.put_u8(b'{');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        out.put_u8(b'"');
        for byte in text.bytes() {
            if matches!(byte, b'"' | b'\\') {
                out.put_u8(b'\\');
            }
            out.put_u8(byte);
        }
        out.put_u8(b'"');
    }
    out.put_u8(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<Value> {
        values.iter().map(|text| Value::Text((*text).to_owned())).collect()
    }

    #[test]
    fn a_value_cannot_leave_its_array() {
        let mut out = BytesMut::new();
        let values = ["a", "NULL", "\"},{", "\\", ""].map(str::to_owned);
        Bind::Array(values.to_vec()).to_sql(&Type::TEXT_ARRAY, &mut out).unwrap();
        assert_eq!(&out[..], br#"{"a","NULL","\"},{","\\",""}"#);
    }

    #[test]
    fn values_that_the_type_does_not_have_are_left_out() {
        let values = texts(&["x", "7", "99999999999"]);
        let one = |slot: Slot, kind: Type| all(&[slot], &[kind]).remove(0);
        let seven = || "7".to_owned();
        assert!(one(Slot::Any(values.clone()), Type::INT4_ARRAY) == Bind::Array(vec![seven()]));
        let list: Arc<[Value]> = values.into();
        let slots: Vec<Slot> = (0..3).map(|index| Slot::Of(Arc::clone(&list), index)).collect();
        assert!(all(&slots, &[Type::INT4, Type::INT4, Type::INT4]) == vec![Bind::Text(seven()); 3]);
        assert!(one(Slot::Of(texts(&["x"]).into(), 0), Type::INT4) == Bind::Null);
        assert!(one(Slot::Any(texts(&["x"])), Type::INT4_ARRAY) == Bind::Array(vec![]));
    }

    #[test]
    fn nothing_of_a_value_is_printed() {
        assert_eq!(format!("{:?}", Bind::Text("canary".to_owned())), "Bind(..)");
    }
}
