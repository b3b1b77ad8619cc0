//! Nothing of an item is lost, whatever was sampled.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use proptest::prelude::*;

use super::*;
use crate::silo::{ColumnShape, ColumnType};
use crate::text::minify_json;

fn rows_of(items: &[String], sample: usize) -> (Vec<ColumnShape>, RecordBatch) {
    let mut inferred = Inferred::new(&[]);
    for item in items.iter().take(sample) {
        inferred.look(item).unwrap();
    }
    let columns = inferred.columns();
    let mut rows = ItemRows::new(&columns);
    for item in items {
        rows.push(item).unwrap();
    }
    assert_eq!(rows.rows(), items.len());
    (columns, rows.finish().unwrap())
}

/// Members as a reader of the cells sees them, sorted: name and value, those that are `null` left out.
fn members_of_row(batch: &RecordBatch, row: usize) -> Vec<(String, String)> {
    let mut members = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.is_null(row) {
            continue;
        }
        let json = match column.data_type() {
            DataType::Boolean => column.as_boolean().value(row).to_string(),
            DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
            DataType::Float64 => {
                serde_json::to_string(&column.as_primitive::<Float64Type>().value(row)).unwrap()
            }
            _ => {
                let text = column.as_string::<i32>().value(row);
                if field.metadata().is_empty() {
                    serde_json::to_string(text).unwrap()
                } else {
                    text.to_owned()
                }
            }
        };
        if field.name() == MORE {
            members.extend(members_of_item(&json));
        } else {
            members.push((field.name().clone(), canonical(&json)));
        }
    }
    members.sort();
    members
}

fn members_of_item(item: &str) -> Vec<(String, String)> {
    let item = whole(item).unwrap();
    let Some(members) = Members::of(item) else {
        return if item == "null" { vec![] } else { vec![("(item)".to_owned(), canonical(item))] };
    };
    let mut members: Vec<_> = members
        .map(Result::unwrap)
        .filter(|(_, value)| *value != "null")
        .map(|(name, value)| {
            (text_of(name).map_or_else(|| name.to_owned(), Into::into), canonical(value))
        })
        .collect();
    members.sort();
    members
}

/// One spelling of a scalar's value; containers as they are, without whitespace.
fn canonical(json: &str) -> String {
    match json.as_bytes()[0] {
        b'"' => text_of(json).map_or_else(|| json.to_owned(), |text| format!("text {text}")),
        b'-' | b'0'..=b'9' => {
            let (negative, rest) =
                json.strip_prefix('-').map_or((false, json), |rest| (true, rest));
            let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let digits = format!("{whole}{fraction}");
            let mut exponent: i128 = exponent.parse().unwrap();
            exponent -= fraction.len() as i128;
            let kept = digits.trim_end_matches('0');
            exponent += (digits.len() - kept.len()) as i128;
            let kept = kept.trim_start_matches('0');
            if kept.is_empty() {
                return format!("number {negative} 0");
            }
            format!("number {negative} {kept}e{exponent}")
        }
        _ => minify_json(json).unwrap(),
    }
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        (-3..3_i8).prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| serde_json::to_string(&value).unwrap()),
        "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|value| serde_json::to_string(&value).unwrap()),
        Just("\"\\ud800\"".to_owned()),
        Just("\"\\u0061\"".to_owned()),
        Just("-0".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    scalar().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| format!("[ {} ]", values.join(" , "))),
            prop::collection::vec(inner, 0..4).prop_map(|values| {
                let members: Vec<_> =
                    values.iter().map(|value| format!("\"k\" : {value}")).collect();
                format!("{{ {} }}", members.join(" ,\t"))
            }),
        ]
    })
}

fn item() -> impl Strategy<Value = String> {
    // Few names, so that they meet: with cases, escapes, repeats, and the name that is taken.
    let name = prop_oneof![
        5 => "[a-c]".prop_map(|name| format!("\"{name}\"")),
        1 => Just("\"A\"".to_owned()),
        1 => Just("\"\\u0061\"".to_owned()),
        1 => Just("\"\\ud800\"".to_owned()),
        1 => Just("\"_more\"".to_owned()),
        1 => Just("\"\"".to_owned()),
    ];
    prop_oneof![
        9 => prop::collection::vec((name, value()), 0..6).prop_map(|members| {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            format!("{{{}}}", members.join(", "))
        }),
        1 => value().prop_filter("objects have members", |value| !value.starts_with('{')),
    ]
}

proptest! {
    #[test]
    fn cells_hold_all_of_the_items_whatever_the_sample(
        items in prop::collection::vec(item(), 0..8),
        sample in 0..9_usize,
    ) {
        let (_, batch) = rows_of(&items, sample);
        prop_assert_eq!(batch.num_rows(), items.len());
        for (row, item) in items.iter().enumerate() {
            prop_assert_eq!(members_of_row(&batch, row), members_of_item(item), "{}", item);
        }
    }

    #[test]
    fn the_shape_is_that_of_the_sample_alone(items in prop::collection::vec(item(), 0..8), sample in 0..9_usize) {
        let (columns, batch) = rows_of(&items, sample);
        let kept: Vec<String> = items.iter().take(sample).cloned().collect();
        let (alone, _) = rows_of(&kept, sample);
        prop_assert_eq!(&columns, &alone);
        let types: Vec<DataType> = columns.iter().map(|column| column.kind.data_type()).collect();
        let found: Vec<DataType> = batch.columns().iter().map(|column| column.data_type().clone()).collect();
        prop_assert_eq!(types, found);
    }

    #[test]
    fn what_is_no_json_is_a_fault_and_no_panic(text in "[\\[\\]{},:\"\\\\0-9eE+\\-. \ntrufalsn]{0,16}") {
        let columns = Inferred::new(&[("a".to_owned(), antumbra_config::ColumnWord::Text)]).columns();
        let mut rows = ItemRows::new(&columns);
        let well_formed = whole(&text).is_ok();
        prop_assert_eq!(rows.push(&text).is_ok(), well_formed);
        prop_assert_eq!(Inferred::new(&[]).look(&text).is_ok(), well_formed);
    }

    #[test]
    fn texts_are_kept_too(cells in prop::collection::vec((".{0,2}", prop::option::of("-?[0-9]{0,3}|x")), 0..6)) {
        let declared = [("a".to_owned(), "integer".parse().unwrap()), ("b".to_owned(), "text".parse().unwrap())];
        let columns = Inferred::new(&declared).columns();
        let mut rows = ItemRows::new(&columns);
        let named = cells.iter().map(|(name, text)| (name.as_str(), text.as_deref()));
        rows.push_texts(named).unwrap();
        let batch = rows.finish().unwrap();
        let mut found: Vec<_> = members_of_row(&batch, 0).into_iter().map(|(name, value)| {
            let value = value.strip_prefix("text ").map(str::to_owned);
            // An integer of the column `a` is the text it was read from.
            (name, value.unwrap_or_else(|| batch.column(0).as_primitive::<Int64Type>().value(0).to_string()))
        }).collect();
        let mut expected: Vec<_> = cells.iter()
            .filter_map(|(name, text)| Some((name.clone(), text.clone()?))).collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }
}

fn declared(word: &str, values: &[&str]) -> (RecordBatch, Vec<Option<String>>) {
    let columns = Inferred::new(&[("a".to_owned(), word.parse().unwrap())]).columns();
    let mut rows = ItemRows::new(&columns);
    for value in values {
        rows.push(&format!("{{\"a\":{value}}}")).unwrap();
    }
    let batch = rows.finish().unwrap();
    let more = batch.column(1).as_string::<i32>();
    let more = more.iter().map(|more| more.map(str::to_owned)).collect();
    (batch, more)
}

#[test]
fn declared_columns_read_texts_and_leave_the_rest_exact() {
    let values = ["\"12.30\"", "1.5", "1.234", "\"x\"", "null", "true"];
    let (batch, more) = declared("decimal(6,2)", &values);
    let cells = batch.column(0).as_primitive::<arrow_array::types::Decimal128Type>();
    let cells: Vec<_> = cells.iter().collect();
    assert_eq!(cells, [Some(1230), Some(150), None, None, None, None]);
    let left = |value: &str| Some(format!("{{\"a\":{value}}}"));
    assert_eq!(more, [None, None, left("1.234"), left("\"x\""), None, left("true")]);

    let (batch, more) = declared("text", &["\"x\"", "007", "7.10", "false", "[]"][..1]);
    assert_eq!(batch.column(0).as_string::<i32>().value(0), "x");
    assert_eq!(more, [None]);
    let (batch, more) = declared("text", &["7.10", "false", "[]"]);
    let cells: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
    assert_eq!(cells, [Some("7.10"), Some("false"), None]);
    assert_eq!(more, [None, None, left("[]")]);

    let (batch, more) = declared("timestamptz", &["\"2026-01-31T12:00:00Z\"", "1769860800"]);
    assert!(batch.column(0).is_valid(0) && batch.column(0).is_null(1));
    assert_eq!(more, [None, left("1769860800")]);
}

#[test]
fn columns_of_a_shape_without_the_last_one_take_all_or_nothing() {
    let columns = [ColumnShape {
        name: "a".to_owned(),
        declared: "integer".to_owned(),
        kind: ColumnType::Integer,
    }];
    let mut rows = ItemRows::new(&columns);
    rows.push("{\"a\":1}").unwrap();
    let fault = rows.push("{\"a\":\"canary-email\"}").unwrap_err();
    assert_eq!(fault.item, 2);
    assert_eq!(fault.member.as_deref(), Some("a"));
    assert!(!format!("{fault} {fault:?}").contains("canary"));
    assert!(ItemRows::new(&columns).push("{\"b\":1}").is_err());
}

#[test]
fn items_go_on_being_counted_over_batches() {
    let columns = Inferred::new(&[]).columns();
    let mut rows = ItemRows::new(&columns);
    rows.push("{\"a\":\"x\"}").unwrap();
    assert!(rows.bytes() > 8);
    assert_eq!(rows.finish().unwrap().num_rows(), 1);
    assert_eq!((rows.rows(), rows.bytes()), (0, 0));
    assert_eq!(rows.finish().unwrap().num_rows(), 0);
    assert_eq!(rows.push("[").unwrap_err().item, 2);
}
