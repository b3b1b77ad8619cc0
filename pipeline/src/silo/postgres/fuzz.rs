//! What must hold for any bytes whatever that a server sends as a value.

use super::column::Decode;
use super::{numeric, scalar};

/// Takes the first byte for the form of a value and the others for the value; says whether they are one.
///
/// # Panics
/// When what is written of it is not JSON, or when the two ways of reading a `numeric` disagree.
pub fn postgres_value(data: &[u8]) -> bool {
    let Some((form, bytes)) = data.split_first() else { return false };
    let decode = form_of(*form);
    let mut written = Vec::new();
    let taken = match &decode {
        Decode::Array(element) => super::array::json(bytes, element, &mut written),
        scalar => scalar::write_json(bytes, scalar, &mut written),
    };
    let mut scratch = Vec::new();
    let as_text = scalar::text(bytes, &decode, &mut scratch, str::to_owned);
    if matches!(decode, Decode::Numeric | Decode::Uuid | Decode::Interval | Decode::Text) {
        assert_eq!(taken.is_ok(), as_text.is_ok(), "text, or none");
    }
    if let (Decode::Numeric, Ok(text)) = (&decode, &as_text) {
        same_number(bytes, text);
    }
    if taken.is_ok() {
        let json = serde_json::from_slice::<serde::de::IgnoredAny>(&written);
        assert!(json.is_ok(), "no JSON: {:?}", String::from_utf8_lossy(&written));
    }
    taken.is_ok()
}

/// Compares the digits of a number with what a column of 38 digits holds of it.
fn same_number(bytes: &[u8], text: &str) {
    for scale in [0, 2, 10] {
        let Ok(unscaled) = numeric::unscaled(bytes, 38, scale) else { continue };
        let mut digits = Vec::new();
        crate::text::number::decimal(unscaled, scale, &mut digits);
        let digits = String::from_utf8_lossy(&digits);
        assert_eq!(plain(&digits), plain(text), "{text} with {scale} digits behind the point");
    }
}

/// A number's text without what does not change it.
fn plain(text: &str) -> &str {
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    if text == "-0" { "0" } else { text }
}

fn form_of(byte: u8) -> Decode {
    let scalar = match byte & 31 {
        0 => Decode::Boolean,
        1 => Decode::Int2,
        2 => Decode::Int4,
        3 => Decode::Int8,
        4 => Decode::Oid,
        5 => Decode::Single,
        6 => Decode::Real,
        7 => Decode::Decimal { precision: 12, scale: 2 },
        8 => Decode::Decimal { precision: 38, scale: 10 },
        9 => Decode::Numeric,
        10 => Decode::Uuid,
        11 => Decode::Bytes,
        12 => Decode::Date,
        13 => Decode::Time,
        14 => Decode::Timestamp,
        15 => Decode::TimestampTz,
        16 => Decode::Interval,
        17 => Decode::Json,
        18 => Decode::Jsonb,
        _ => Decode::Text,
    };
    if byte & 32 == 0 { scalar } else { Decode::Array(Box::new(scalar)) }
}
