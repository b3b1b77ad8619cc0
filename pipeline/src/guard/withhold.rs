//! What stands in the place of a value that settings withhold?

use std::sync::Arc;

use antumbra_bundle::hex;
use antumbra_config::Redaction;
use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};
use arrow_schema::{ArrowError, DataType, Field};
use ring::hmac;

use super::foreign;
use crate::text::{Years, scalar};

/// Returns the field of what stands in the place of a column's values; `None` if nothing does.
///
/// Hashed, masked and shortened values are text, also those of numbers and JSON; shortened bytes are bytes.
pub(super) fn field(field: &Field, how: Redaction) -> Option<Field> {
    match (how, field.data_type()) {
        (Redaction::Drop, _) => None,
        (Redaction::Truncate(_), DataType::Binary) => {
            Some(Field::new(field.name(), DataType::Binary, true))
        }
        _ => Some(Field::new(field.name(), DataType::Utf8, true)),
    }
}

/// Returns what stands in the place of the values, if anything does, and how many values were withheld.
///
/// - `hash`: HMAC-SHA256 of the value's text, as CSV has it without quotes (bytes as they are, floats without an exponent or a
///   zero behind the point), with the tenant's key, hex. Equal values stay equal.
/// - `mask`: letters and digits become `*`, but for the last four characters of values that have eight or more. Of a value that is one
///   e-mail address and nothing else the part before the `@` is masked whole and the domain stays. Bytes, true and false become `****`.
/// - `truncate(n)`: the first `n` characters, or bytes. Values that are no longer than that are not counted.
pub(super) fn values(
    column: &dyn Array,
    how: Redaction,
    key: &hmac::Key,
) -> Result<(Option<ArrayRef>, u64), ArrowError> {
    let valid = (column.len() - column.null_count()) as u64;
    match how {
        Redaction::Drop => Ok((None, valid)),
        Redaction::Hash => Ok((Some(hash(column, key)?), valid)),
        Redaction::Mask => Ok((Some(mask(column)?), valid)),
        Redaction::Truncate(kept) => {
            let kept = usize::try_from(kept.get()).unwrap_or(usize::MAX);
            let (column, shortened) = truncate(column, kept)?;
            Ok((Some(column), shortened))
        }
    }
}

fn hash(column: &dyn Array, key: &hmac::Key) -> Result<ArrayRef, ArrowError> {
    texts(column, "hashing", |text, out| {
        out.append_value(hex(hmac::sign(key, text).as_ref()));
        Ok(())
    })
}

fn mask(column: &dyn Array) -> Result<ArrayRef, ArrowError> {
    // Of two words the length says which it was.
    let is_whole = matches!(column.data_type(), DataType::Binary | DataType::Boolean);
    let mut masked = String::new();
    texts(column, "masking", |text, out| {
        masked.clear();
        match str::from_utf8(text) {
            Ok(text) if !is_whole => mask_text(text, &mut masked),
            _ => masked.push_str("****"),
        }
        out.append_value(&masked);
        Ok(())
    })
}

fn mask_text(text: &str, out: &mut String) {
    let star = |c: char| if c.is_alphanumeric() { '*' } else { c };
    match text.split_once('@') {
        Some((name, domain)) if foreign::is_address(name, domain) => {
            out.extend(name.chars().map(|_| '*'));
            out.push('@');
            out.push_str(domain);
        }
        _ => {
            let len = text.chars().count();
            let shown = if len >= MASKED_SHOWS { len - SHOWN } else { len };
            out.extend(
                text.chars().enumerate().map(|(at, c)| if at < shown { star(c) } else { c }),
            );
        }
    }
}

fn truncate(column: &dyn Array, kept: usize) -> Result<(ArrayRef, u64), ArrowError> {
    let mut shortened = 0;
    if let Some(bytes) = column.as_binary_opt::<i32>() {
        let mut out = BinaryBuilder::new();
        for value in bytes {
            let short = value.map(|value| value.get(..kept).unwrap_or(value));
            shortened += u64::from(short.map(<[u8]>::len) != value.map(<[u8]>::len));
            out.append_option(short);
        }
        return Ok((Arc::new(out.finish()), shortened));
    }
    let column = texts(column, "shortening", |text, out| {
        let text = str::from_utf8(text)
            .map_err(|_| ArrowError::InvalidArgumentError("a text is no UTF-8".to_owned()))?;
        let end = text.char_indices().nth(kept).map_or(text.len(), |(end, _)| end);
        shortened += u64::from(end < text.len());
        out.append_value(text.get(..end).unwrap_or(text));
        Ok(())
    })?;
    Ok((column, shortened))
}

/// Calls `each` with the text of each value that is there.
fn texts(
    column: &dyn Array,
    doing: &str,
    mut each: impl FnMut(&[u8], &mut StringBuilder) -> Result<(), ArrowError>,
) -> Result<ArrayRef, ArrowError> {
    let mut out = StringBuilder::new();
    let mut text = Vec::new();
    for row in 0..column.len() {
        if column.is_null(row) {
            out.append_null();
            continue;
        }
        text.clear();
        match column.data_type() {
            // As Rust writes them, without a point where they are whole: a number hashes alike as an integer and as a float.
            DataType::Float32 => {
                text.extend_from_slice(native::<Float32Type>(column, row).to_string().as_bytes());
            }
            DataType::Float64 => {
                text.extend_from_slice(native::<Float64Type>(column, row).to_string().as_bytes());
            }
            other => scalar(column, row, Years::Iso, &mut text).ok_or_else(|| {
                ArrowError::NotYetImplemented(format!("{doing} values of {other}"))
            })?,
        }
        each(&text, &mut out)?;
    }
    Ok(Arc::new(out.finish()))
}

fn native<T: ArrowPrimitiveType>(column: &dyn Array, row: usize) -> T::Native {
    column.as_primitive::<T>().value(row)
}

/// Characters of a masked value that stay.
const SHOWN: usize = 4;
/// Characters a value has at least of which some stay.
const MASKED_SHOWS: usize = 8;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use arrow_array::{BinaryArray, Int64Array, StringArray};

    use super::*;

    #[test]
    fn every_type_is_hashed_by_its_text() {
        use arrow_array::{
            BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
            Time64MicrosecondArray, TimestampMicrosecondArray,
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[3; 32]);
        let decimal = Decimal128Array::from(vec![-5]).with_precision_and_scale(5, 2).unwrap();
        let micros = TimestampMicrosecondArray::from(vec![i64::MIN]);
        let columns: [(ArrayRef, &[u8]); 13] = [
            (Arc::new(BooleanArray::from(vec![true])), b"true"),
            (Arc::new(Int64Array::from(vec![-7])), b"-7"),
            (Arc::new(Float32Array::from(vec![3.0])), b"3"),
            (Arc::new(Float32Array::from(vec![0.1])), b"0.1"),
            (Arc::new(Float64Array::from(vec![3.0])), b"3"),
            (Arc::new(decimal), b"-0.05"),
            (Arc::new(StringArray::from(vec!["=a\""])), b"=a\""),
            (Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..]])), b"\x00\xff"),
            (Arc::new(Date32Array::from(vec![-735_160])), b"-0043-03-15"),
            (Arc::new(Time64MicrosecondArray::from(vec![500_000])), b"00:00:00.5"),
            (Arc::new(TimestampMicrosecondArray::from(vec![0])), b"1970-01-01T00:00:00"),
            (Arc::new(micros.clone()), b"-infinity"),
            (Arc::new(micros.with_timezone("UTC")), b"-infinity"),
        ];
        for (column, text) in columns {
            let hashed = hash(&column, &key).unwrap();
            let expected = hex(hmac::sign(&key, text).as_ref());
            assert_eq!(hashed.as_string::<i32>().value(0), expected, "{}", column.data_type());
        }
    }

    #[test]
    fn masks_keep_the_shape_and_no_more_than_the_end() {
        for (text, expected) in [
            ("4111 1111 1111 1234", "**** **** **** 1234"),
            ("+49 30 123456", "+** ** **3456"),
            ("jane.doe@example.org", "********@example.org"),
            ("@example.org", "@*******.org"),
            ("a@b@c.org", "*@*@*.org"),
            (
                "ask bob@example.org about SSN 123-45-6789",
                "*** ***@*******.*** ***** *** ***-**-6789",
            ),
            ("bob@example.org,4111 1111", "***@*******.***,**** 1111"),
            ("4111 1111 a@b.org", "**** **** *@*.org"),
            ("bob@example.org/4111", "***@*******.***/4111"),
            ("ÄÖÜ-ß1234", "***-*1234"),
            ("12345678", "****5678"),
            ("1234567", "*******"),
            ("", ""),
        ] {
            let column = StringArray::from(vec![text]);
            assert_eq!(mask(&column).unwrap().as_string::<i32>().value(0), expected, "{text}");
        }
        let numbers = mask(&Int64Array::from(vec![Some(-123_456_789), None])).unwrap();
        let numbers = numbers.as_string::<i32>();
        assert!(numbers.value(0) == "-*****6789" && numbers.is_null(1));
        let truths = mask(&arrow_array::BooleanArray::from(vec![true, false])).unwrap();
        let truths = truths.as_string::<i32>();
        assert_eq!((truths.value(0), truths.value(1)), ("****", "****"));
        let bytes = mask(&BinaryArray::from(vec![&b"12345678"[..]])).unwrap();
        assert_eq!(bytes.as_string::<i32>().value(0), "****");
    }

    #[test]
    fn what_is_longer_is_shortened_and_counted() {
        let two = Redaction::Truncate(NonZeroU32::new(2).unwrap());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[3; 32]);
        let column = StringArray::from(vec![Some("äöü"), Some("äö"), Some(""), None]);
        let (out, shortened) = values(&column, two, &key).unwrap();
        let expected = StringArray::from(vec![Some("äö"), Some("äö"), Some(""), None]);
        assert_eq!((out.unwrap().as_string::<i32>(), shortened), (&expected, 1));
        let column = BinaryArray::from_opt_vec(vec![Some(&b"\xff\xfe\xfd"[..]), None]);
        let (out, shortened) = values(&column, two, &key).unwrap();
        assert_eq!(out.unwrap().as_binary::<i32>().value(0), b"\xff\xfe");
        assert_eq!(shortened, 1);
        let (out, shortened) = values(&Int64Array::from(vec![1990]), two, &key).unwrap();
        assert_eq!((out.unwrap().as_string::<i32>().value(0), shortened), ("19", 1));
    }
}
