//! Does a guard hold what it promises of whole batches?

use std::sync::Arc;

use antumbra_bundle::SectionContent;
use antumbra_config::{CsvFormulas, GuardAction, Redaction};
use antumbra_crypto::Secret32;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::Schema;

use super::Guard;
use crate::Value;
use crate::plan::{Guards, Plan, Planned};
use crate::silo::{ColumnType, SectionSource, SectionSpec};

fn planned(columns: &[&str], redactions: &[(&str, Redaction)]) -> Planned {
    Planned {
        spec: SectionSpec {
            silo: "shop".to_owned(),
            datapoint: "people".to_owned(),
            source: SectionSource::Query { sql: "select 1".to_owned() },
            tenant_wide: false,
            key: vec![],
            window: None,
            filters: vec![],
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        },
        redactions: redactions.iter().map(|(name, how)| ((*name).to_owned(), *how)).collect(),
        notes: vec![],
        skipped: None,
        shape: None,
        provided: vec![],
        whole: None,
    }
}

fn plan(secrets: GuardAction, foreign_identifiers: GuardAction) -> Plan {
    let email = vec![Value::Text("ada@example.org".to_owned())];
    Plan {
        identifiers: [("email".to_owned(), email)].into(),
        sections: vec![],
        csv_formulas: CsvFormulas::Keep,
        guards: Guards { secrets, foreign_identifiers },
        bound: false,
        origins: [].into(),
    }
}

fn guard(batch: &RecordBatch, planned: &Planned, plan: &Plan) -> Guard {
    let key = Secret32::from_slice(&[1; 32]).unwrap();
    Guard::new(&batch.schema(), planned, plan, &key, None).unwrap()
}

/// Column, how, how many values.
type Told = (String, String, u64);

fn told(guard: &Guard) -> (Vec<Told>, Vec<String>) {
    let mut document = SectionContent {
        silo: String::new(),
        datapoint: String::new(),
        outcome: String::new(),
        reason: None,
        code: None,
        rows: 0,
        query: None,
        ordered_by: vec![],
        resumable: false,
        columns: vec![],
        redactions: vec![],
        notes: vec![],
        attachments: None,
    };
    guard.tell(&mut document);
    let redactions = document.redactions.into_iter();
    (redactions.map(|told| (told.column, told.how, told.values)).collect(), document.notes)
}

fn batch() -> RecordBatch {
    let schema = Schema::new(vec![
        ColumnType::Integer.field("id"),
        ColumnType::Text.field("card"),
        ColumnType::Text.field("note"),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2, 3])),
        Arc::new(StringArray::from(vec![Some("4111"), None, Some("4111")])),
        Arc::new(StringArray::from(vec![Some("a"), None, Some("a")])),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

/// A batch with one column of text, and one of JSON.
fn texts(text: &[&str], json: &[&str]) -> RecordBatch {
    let schema = Schema::new(vec![ColumnType::Text.field("text"), ColumnType::Json.field("json")]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(text)),
        Arc::new(StringArray::from_iter_values(json)),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn token() -> String {
    use base64::Engine as _;
    let part = |text: &str| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"HS256"}"#), part(r#"{"sub":"1"}"#), part("signature"))
}

fn bcrypt() -> String {
    format!("$2b$12${}", "Ab9./".repeat(11).get(..53).unwrap())
}

#[test]
fn dropped_columns_are_gone_and_hashed_ones_keep_only_equality() {
    let batch = batch();
    let planned = planned(&[], &[("card", Redaction::Drop), ("note", Redaction::Hash)]);
    let plan = plan(GuardAction::Redact, GuardAction::Note);
    let mut one = guard(&batch, &planned, &plan);
    let out = one.apply(&batch).unwrap();
    assert_eq!(out.num_columns(), 2);
    let notes = out.column(1).as_string::<i32>();
    assert_eq!(notes.value(0), notes.value(2));
    assert!(notes.value(0).len() == 64 && notes.is_null(1));
    assert_eq!(one.counts(), [2, 2]);
    let key = Secret32::from_slice(&[2; 32]).unwrap();
    let mut other = Guard::new(&batch.schema(), &planned, &plan, &key, None).unwrap();
    let differs = other.apply(&batch).unwrap();
    assert_ne!(differs.column(1).as_string::<i32>().value(0), notes.value(0));
}

#[test]
fn what_a_column_is_protected_from_does_not_leave_beside_it() {
    let schema =
        Schema::new(vec![ColumnType::Integer.field("card"), ColumnType::Json.field("_more")]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(4111), None, None])),
        Arc::new(StringArray::from(vec![
            None,
            Some(r#"{"card":"4111-x","other":{"card":1}}"#),
            Some(r#"{"Card":"4111-x"}"#),
        ])),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let planned = planned(&[], &[("card", Redaction::Hash)]);
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Off, GuardAction::Off));
    let out = guard.apply(&batch).unwrap();
    let more: Vec<_> = out.column(1).as_string::<i32>().iter().collect();
    assert_eq!(more, [None, Some(r#"{"other":{"card":1}}"#), None]);
    assert_eq!(guard.counts(), [3]);
}

#[test]
fn a_member_beside_the_columns_leaves_as_its_column_does() {
    let schema = Schema::new(vec![
        ColumnType::Integer.field("id"),
        ColumnType::Text.field("email"),
        ColumnType::Text.field("phone"),
        ColumnType::Json.field("_more"),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1, 2])),
        Arc::new(StringArray::from(vec![Some("a"), None])),
        Arc::new(StringArray::from(vec![Some("1"), None])),
        Arc::new(StringArray::from(vec![None, Some(r#"{"email":7,"Phone":8,"free":9}"#)])),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let plan = plan(GuardAction::Off, GuardAction::Off);
    let unlisted = |name: &str, values| (name.to_owned(), "unlisted".to_owned(), values);

    let listed = planned(&["id", "email"], &[]);
    let mut without = guard(&batch, &listed, &plan);
    assert_eq!(without.apply(&batch).unwrap().num_columns(), 2);
    let (redactions, notes) = told(&without);
    assert_eq!(redactions, [unlisted("phone", 1), unlisted("_more", 1)]);
    assert_eq!(
        notes,
        [
            "column _more: 1 values of listed columns did not fit their columns and stood here, which is not listed: they are left out"
        ]
    );

    let listed = planned(&["id", "email", "_more"], &[]);
    let mut with = guard(&batch, &listed, &plan);
    let out = with.apply(&batch).unwrap();
    assert_eq!(out.column(2).as_string::<i32>().value(1), r#"{"email":7,"free":9}"#);
    assert_eq!(told(&with), (vec![unlisted("phone", 2)], vec![]));
}

#[test]
fn what_is_masked_or_shortened_is_searched_first() {
    let (token, hash) = (token(), bcrypt());
    let text = [hash.as_str(), "eve@example.org and ada@example.org", "plain"];
    let json = [&format!(r#"{{"a":"{token}"}}"#), "{}", "{}"];
    let batch = texts(&text, &json.map(|text| text as &str));
    let long = Redaction::Truncate(std::num::NonZeroU32::new(200).unwrap());
    let planned = planned(&[], &[("text", long), ("json", Redaction::Mask)]);
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Redact, GuardAction::Redact));
    let out = guard.apply(&batch).unwrap();
    let left: Vec<_> = out.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(left, ["[secret withheld]", "[address withheld] and ada@example.org", "plain"]);
    assert_eq!(out.column(1).as_string::<i32>().value(0), r#"{"*":"[****** *******d]"}"#);
    let told: Vec<_> = told(&guard).0.into_iter().map(|(_, how, values)| (how, values)).collect();
    let expected = [("secret:password-hash", 1), ("foreign-address", 1), ("secret:jwt", 1)];
    assert_eq!(told, expected.map(|(how, values)| (how.to_owned(), values)));
}

#[test]
fn a_redacted_column_that_is_missing_is_an_error() {
    let key = Secret32::from_slice(&[1; 32]).unwrap();
    let plan = plan(GuardAction::Off, GuardAction::Off);
    let redactions = [("Card", Redaction::Drop)];
    let new = |columns: &[&str]| {
        let planned = planned(columns, &redactions);
        Guard::new(&batch().schema(), &planned, &plan, &key, None).err()
    };
    assert_eq!(new(&[]), Some("Card".to_owned()));
    assert_eq!(new(&["Card"]), Some("Card".to_owned()));
    // It does not leave anyway.
    assert_eq!(new(&["id"]), None);
}

#[test]
fn a_redacted_member_that_no_item_has_is_noted_and_withheld_where_it_comes_up() {
    let schema = Schema::new(vec![ColumnType::Text.field("name"), ColumnType::Json.field("_more")]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["a", "b"])),
        Arc::new(StringArray::from(vec![None, Some(r#"{"Ssn":"canary","age":7}"#)])),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let plan = plan(GuardAction::Off, GuardAction::Off);
    let mut guard = guard(&batch, &planned(&[], &[("ssn", Redaction::Drop)]), &plan);
    let none = guard.apply(&batch.slice(0, 1)).unwrap();
    assert!(none.column(1).is_null(0));
    assert_eq!(guard.counts(), [0]);
    let (_, notes) = told(&guard);
    assert!(notes.len() == 1 && notes[0].contains("column ssn"), "{notes:?}");
    let out = guard.apply(&batch.slice(1, 1)).unwrap();
    assert_eq!(out.column(1).as_string::<i32>().value(0), r#"{"age":7}"#);
    assert_eq!(guard.counts(), [1]);
    // A column that differs in case only would leave as it is.
    let key = Secret32::from_slice(&[1; 32]).unwrap();
    let other = planned(&[], &[("NAME", Redaction::Drop)]);
    let refused = Guard::new(&batch.schema(), &other, &plan, &key, None).err();
    assert_eq!(refused, Some("NAME".to_owned()));
}

#[test]
fn rows_are_kept_when_every_column_is_dropped() {
    let batch = batch();
    let planned = planned(&[], &["id", "card", "note"].map(|name| (name, Redaction::Drop)));
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Off, GuardAction::Off));
    assert_eq!(guard.apply(&batch).unwrap().num_rows(), 3);
}

#[test]
fn only_listed_columns_leave_and_the_others_are_counted() {
    let batch = batch();
    let planned = planned(&["id", "gone"], &[("note", Redaction::Hash)]);
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Redact, GuardAction::Note));
    let out = guard.apply(&batch).unwrap();
    assert_eq!(out.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["id"]);
    let (redactions, notes) = told(&guard);
    let unlisted = |name: &str| (name.to_owned(), "unlisted".to_owned(), 2);
    assert_eq!(redactions, [unlisted("card"), unlisted("note")]);
    assert_eq!(notes, ["column gone, which settings list, is not there"]);
}

#[test]
fn secrets_are_withheld_in_texts_and_in_strings_of_json() {
    let (token, hash) = (token(), bcrypt());
    let text = [&hash, "nothing here", &format!("see {token} in the log")];
    let member = format!(r#"{{"a":[1,"x","{token}"],"{hash}":"kept"}}"#);
    let json = [
        member.as_str(),
        r#"{"a":"b"}"#,
        r#"{"api_key":"x7Kq+9/2LmZpR4tVw8Yb","id":"x7Kq+9/2LmZpR4tVw8Yb"}"#,
    ];
    let batch = texts(&text, &json);
    let planned = planned(&[], &[]);
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Redact, GuardAction::Off));
    let out = guard.apply(&batch).unwrap();
    let left: Vec<_> = out.column(0).as_string::<i32>().iter().flatten().collect();
    assert_eq!(left, ["[secret withheld]", "nothing here", "[secret withheld]"]);
    let left: Vec<_> = out.column(1).as_string::<i32>().iter().flatten().collect();
    assert_eq!(
        left,
        [
            r#"{"a":[1,"x","[secret withheld]"],"[secret withheld]":"kept"}"#,
            r#"{"a":"b"}"#,
            r#"{"api_key":"[secret withheld]","id":"x7Kq+9/2LmZpR4tVw8Yb"}"#,
        ]
    );
    let told = told(&guard).0;
    let told: Vec<_> = told.iter().map(|(a, b, n)| (a.as_str(), b.as_str(), *n)).collect();
    assert_eq!(
        told,
        [
            ("text", "secret:password-hash", 1),
            ("text", "secret:jwt", 1),
            ("json", "secret:password-hash", 1),
            ("json", "secret:jwt", 1),
            ("json", "secret:credential", 1),
        ]
    );
}

#[test]
fn a_secret_that_json_escapes_is_found() {
    let escaped = token().replace("ey", "\\u0065y");
    let batch = texts(
        &["", ""],
        &[&format!(r#"["{escaped}"]"#), r#"["-----BEGIN\nRSA PRI\u0056ATE KEY-----"]"#],
    );
    let planned = planned(&[], &[]);
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Redact, GuardAction::Off));
    let out = guard.apply(&batch).unwrap();
    for text in out.column(1).as_string::<i32>().iter().flatten() {
        assert_eq!(text, r#"["[secret withheld]"]"#);
    }
}

#[test]
fn what_only_looks_random_leaves() {
    let uuid = "3f2a9c1e-7b64-4d0f-9a51-0c8e2d7b6f43";
    let order = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    // An image is random base64, long enough for every three letters to occur in it.
    let mut state = 7_u64;
    let image: String = (0..400_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            char::from(letters[usize::try_from(state >> 58).unwrap()])
        })
        .collect();
    let image = format!("data:image/png;base64,{image}");
    let json = format!(
        r#"{{"id":"{uuid}","order":"{order}","token_type":"Bearer","password_changed_at":"2024-01-01T10:00:00Z"}}"#
    );
    let batch =
        texts(&[uuid, order, &image, "costs $1$ or $5$, reworked."], &[&json, "null", "7", "\"\""]);
    let planned = planned(&[], &[]);
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Redact, GuardAction::Redact));
    assert_eq!(guard.apply(&batch).unwrap(), batch);
    assert_eq!(told(&guard), (vec![], vec![]));
}

#[test]
fn a_clean_column_is_passed_on_as_it_is() {
    let batch = texts(&["a", "b@"], &["{}", "[]"]);
    let planned = planned(&[], &[]);
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Redact, GuardAction::Redact));
    let out = guard.apply(&batch).unwrap();
    for (before, after) in batch.columns().iter().zip(out.columns()) {
        assert!(Arc::ptr_eq(before, after));
    }
}

#[test]
fn noting_counts_and_changes_nothing() {
    let batch =
        texts(&[&bcrypt(), "bob@example.org"], &["{}", r#"["ADA@example.org","eve@example.org"]"#]);
    let planned = planned(&[], &[]);
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Note, GuardAction::Note));
    assert_eq!(guard.apply(&batch).unwrap(), batch);
    assert_eq!(told(&guard), (vec![], vec![
        "column text: 1 values have the shape of a secret (password-hash) and were left as they are".to_owned(),
        "column text: 1 values hold an e-mail address that is not known to be this person's".to_owned(),
        "column json: 1 values hold an e-mail address that is not known to be this person's".to_owned(),
    ]));
}

#[test]
fn without_a_known_address_nothing_is_noted_and_everything_taken_out() {
    let batch = texts(&["ada@example.org"], &["{}"]);
    let planned = planned(&[], &[]);
    for (action, expected) in
        [(GuardAction::Note, "ada@example.org"), (GuardAction::Redact, "[address withheld]")]
    {
        let mut plan = plan(GuardAction::Off, action);
        plan.identifiers = [("id".to_owned(), vec![Value::Integer(7)])].into();
        let mut guard = guard(&batch, &planned, &plan);
        let out = guard.apply(&batch).unwrap();
        assert_eq!(out.column(0).as_string::<i32>().value(0), expected);
        assert!(told(&guard).1.is_empty());
    }
}

#[test]
fn a_whole_tenant_has_no_foreign_addresses() {
    let batch = texts(&["bob@example.org"], &["{}"]);
    let mut planned = planned(&[], &[]);
    planned.spec.tenant_wide = true;
    let mut guard = guard(&batch, &planned, &plan(GuardAction::Redact, GuardAction::Redact));
    assert_eq!(guard.apply(&batch).unwrap(), batch);
}

#[test]
fn a_run_that_goes_on_counts_as_one_that_was_not_interrupted() {
    let (hash, token) = (bcrypt(), token());
    let batch = texts(
        &[&hash, "bob@example.org", &token, "x"],
        &["{}", "{}", r#"["bob@example.org"]"#, "1"],
    );
    let planned = planned(&[], &[("json", Redaction::Hash)]);
    let plan = plan(GuardAction::Redact, GuardAction::Redact);
    let mut whole = guard(&batch, &planned, &plan);
    whole.apply(&batch).unwrap();
    for cut in 0..=4 {
        let mut first = guard(&batch, &planned, &plan);
        first.apply(&batch.slice(0, cut)).unwrap();
        let key = Secret32::from_slice(&[1; 32]).unwrap();
        let saved = Some(first.counts().to_vec());
        let mut second = Guard::new(&batch.schema(), &planned, &plan, &key, saved).unwrap();
        second.apply(&batch.slice(cut, 4 - cut)).unwrap();
        assert_eq!(second.counts(), whole.counts(), "cut at {cut}");
        assert_eq!(told(&second), told(&whole));
    }
}
