//! Every kind of value: what JSON and Parquet say is what the silo holds.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type};
use serde_json::json;

use crate::room::Room;

const TABLE: &str =
    "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n";

#[test]
fn values_come_out_as_they_are_in_both_formats() {
    let room = Room::with(
        "create table t (id integer primary key, email text, txt text, num integer, flt real,
             dec decimal(10, 2), raw blob, \"select\" text, \"MiXeD Name\" text, \"\u{65e5}\u{672c}\" text);
         insert into t values
           (1, 'ada@example.com', 'a', 7, 0.1, 19.99, x'00ff', 'word', 'case', '\u{8a9e}'),
           (2, 'ada@example.com', '', 0, -0.5, 0, x'', '', '', ''),
           (3, 'ada@example.com', null, null, null, null, null, null, null, null),
           (4, 'ada@example.com', 'q\"\\' || char(10) || char(1) || '\u{1f600}', -9223372036854775808,
               1e300, -0.01, x'22', ':x', '</script>', 'e\u{301}'),
           (5, 'ada@example.com', 'nul' || char(0) || 'inside', 9223372036854775807, 3, 7, x'ff', '1', '2', '3'),
           (6, 'bob@example.com', 'other', 1, 1, 1, x'01', '', '', '');",
    );
    let out = room.export(TABLE);
    let name = "\u{65e5}\u{672c}";
    let expected = [
        json!({"id": 1, "email": "ada@example.com", "txt": "a", "num": 7, "flt": 0.1, "dec": 19.99,
               "raw": "AP8=", "select": "word", "MiXeD Name": "case", name: "\u{8a9e}"}),
        json!({"id": 2, "email": "ada@example.com", "txt": "", "num": 0, "flt": -0.5, "dec": 0.0,
               "raw": "", "select": "", "MiXeD Name": "", name: ""}),
        json!({"id": 3, "email": "ada@example.com", "txt": null, "num": null, "flt": null, "dec": null,
               "raw": null, "select": null, "MiXeD Name": null, name: null}),
        json!({"id": 4, "email": "ada@example.com", "txt": "q\"\\\n\u{1}\u{1f600}", "num": i64::MIN,
               "flt": 1e300, "dec": -0.01, "raw": "Ig==", "select": ":x", "MiXeD Name": "</script>",
               name: "e\u{301}"}),
        json!({"id": 5, "email": "ada@example.com", "txt": "nul\u{0}inside", "num": i64::MAX,
               "flt": 3.0, "dec": 7.0, "raw": "/w==", "select": "1", "MiXeD Name": "2", name: "3"}),
    ];
    assert_eq!(out.rows("t"), expected);

    let batch = out.parquet("t").remove(0);
    let names: Vec<String> = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
    assert_eq!(
        names,
        ["id", "email", "txt", "num", "flt", "dec", "raw", "select", "MiXeD Name", name]
    );
    let txt: Vec<_> = batch.column(2).as_string::<i32>().iter().collect();
    assert_eq!(txt[..3], [Some("a"), Some(""), None]);
    let num: Vec<_> = batch.column(3).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(num, [Some(7), Some(0), None, Some(i64::MIN), Some(i64::MAX)]);
    let flt: Vec<_> = batch.column(4).as_primitive::<Float64Type>().iter().collect();
    assert_eq!(flt, [Some(0.1), Some(-0.5), None, Some(1e300), Some(3.0)]);
    let dec: Vec<_> = batch.column(5).as_primitive::<Decimal128Type>().iter().collect();
    assert_eq!(dec, [Some(1999), Some(0), None, Some(-1), Some(700)]);
    let raw: Vec<_> = batch.column(6).as_binary::<i32>().iter().collect();
    assert_eq!(raw, [Some(&b"\x00\xff"[..]), Some(b""), None, Some(b"\""), Some(b"\xff")]);
    assert_eq!(out.section("t").notes, Vec::<String>::new());
    assert_eq!(out.content().outcome, "complete");
}

#[test]
fn a_column_of_several_storage_classes_keeps_every_value_and_says_so() {
    let room = Room::with(
        "create table t (id integer primary key, email text, x, y);
         insert into t values (1, 'ada@example.com', 1, 'a'), (2, 'ada@example.com', 'one', x'62'),
           (3, 'ada@example.com', 1.5, 3), (4, 'ada@example.com', null, null);",
    );
    let out = room.export(TABLE);
    assert_eq!(out.column("t", "x"), [json!("1"), json!("one"), json!("1.5"), json!(null)]);
    assert_eq!(out.column("t", "y"), [json!("YQ=="), json!("Yg=="), json!("Mw=="), json!(null)]);
    let notes = &out.section("t").notes;
    assert!(
        notes.len() == 2 && notes.iter().all(|note| note.contains("storage classes")),
        "{notes:?}"
    );
}

#[test]
fn a_decimal_that_does_not_fit_is_a_float_and_not_rounded() {
    let room = Room::with(
        "create table t (id integer primary key, email text, d decimal(6, 2), w decimal(20, 2));
         insert into t values (1, 'ada@example.com', 0.125, 1.25), (2, 'ada@example.com', 7, 3);",
    );
    let out = room.export(TABLE);
    assert_eq!(out.column("t", "d"), [json!(0.125), json!(7.0)]);
    // Beyond 15 digits a reader's double would round: a text.
    assert_eq!(out.column("t", "w"), [json!("1.25"), json!("3.00")]);
}

#[test]
fn text_that_is_not_utf8_names_its_row_and_column() {
    let room = Room::with(
        "create table t (id integer primary key, email text, note text);
         insert into t values (1, 'ada@example.com', 'fine'),
           (2, 'ada@example.com', cast(x'c328' as text)), (3, 'ada@example.com', 'fine');",
    );
    let out = room.export(TABLE);
    assert_eq!(out.fault("t"), ("silo_value", "row 2, column note: text that is not UTF-8"));
    assert_eq!(out.content().outcome, "partial");
}

#[test]
fn an_integer_that_a_float_cannot_hold_is_an_error_and_not_rounded() {
    let room = Room::with(
        "create table t (id integer primary key, email text, x);
         insert into t values (1, 'ada@example.com', 0.5), (2, 'ada@example.com', 9007199254740993);",
    );
    let out = room.export(TABLE);
    let (code, reason) = out.fault("t");
    assert_eq!(code, "silo_value");
    assert!(reason.starts_with("row 2, column x: "), "{reason}");
    assert!(!reason.contains("9007199254740993"));
}

#[test]
fn redacted_values_are_nowhere_in_the_bundle_and_are_counted() {
    let room = Room::with(
        "create table t (id integer primary key, email text, card text, note text, dec decimal(6,2));
         insert into t values (1, 'ada@example.com', 'CANARY-4111', 'CANARY-note', 1.5),
           (2, 'ada@example.com', null, 'CANARY-note', null), (3, 'ada@example.com', 'CANARY-9', 'x', 2);",
    );
    let redact =
        format!("{TABLE}redact = {{ card = \"drop\", note = \"hash\", dec = \"hash\" }}\n");
    let out = room.export(&redact);
    let notes = out.column("t", "note");
    assert!(notes[0] == notes[1] && notes[0] != notes[2], "{notes:?}");
    assert_eq!(notes[0].as_str().unwrap().len(), 64);
    assert!(out.rows("t")[0].get("card").is_none());
    assert_eq!(out.column("t", "dec")[1], json!(null));
    let section = out.section("t");
    let counted: Vec<_> =
        section.redactions.iter().map(|r| (r.column.as_str(), r.how.as_str(), r.values)).collect();
    assert_eq!(counted, [("card", "drop", 2), ("dec", "hash", 2), ("note", "hash", 3)]);
    let columns: Vec<_> =
        section.columns.iter().map(|c| (c.name.as_str(), c.data_type.as_str())).collect();
    assert_eq!(columns, [("id", "Int64"), ("email", "Utf8"), ("note", "Utf8"), ("dec", "Utf8")]);
    for name in
        ["shop/t.json", "shop/t.csv", "shop/t.ndjson", "shop/t.parquet", "report/index.html"]
    {
        assert!(!out.file(name).windows(6).any(|window| window == b"CANARY"), "{name}");
    }
    // Statistics too: a Parquet footer holds the least and the greatest value of each column.
    let batch = out.parquet("t").remove(0);
    assert!(batch.column_by_name("card").is_none());
    assert_eq!(batch.column_by_name("note").unwrap().null_count(), 0);
}

#[test]
fn a_redacted_column_that_the_table_does_not_have_fails_the_section() {
    let room = Room::with(
        "create table t (id integer primary key, email text, card text);
         insert into t values (1, 'ada@example.com', '4111');",
    );
    let out = room.export(&format!("{TABLE}redact = {{ Card = \"drop\" }}\n"));
    assert_eq!(out.fault("t").0, "silo_missing");
}
