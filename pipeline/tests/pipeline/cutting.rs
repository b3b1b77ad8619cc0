//! Bytes and texts that nobody wrote: errors, never panics.

use antumbra_pipeline::plan::Plan;
use antumbra_pipeline::sql::{Part, Statement};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_text_is_a_statement_of_which_no_byte_is_lost(sql in any::<String>()) {
        let parsed = Statement::parse(&sql);
        let joined: String = parsed.parts().iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Parameter { name, .. } => format!(":{name}"),
        }).collect();
        prop_assert_eq!(joined, sql.trim().trim_end_matches(';').trim_end());
    }

    #[test]
    fn what_looks_like_sql_is_cut_without_a_panic(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                ":", "::", ":a", "'", "''", "\"", "`", "[", "]", "$", "$$", "$t$", "$1", "--", "\n", "/*",
                "*/", "in (", ")", "IN(", ";", " ", "\u{e9}", "\u{1f600}", "a:b", ":\u{e9}", ":1", "?", "\0",
            ]),
            0..40,
        ),
    ) {
        let sql = tokens.concat();
        for name in Statement::parse(&sql).names() {
            let written = [":", name].concat();
            prop_assert!(sql.contains(&written));
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        }
    }

    #[test]
    fn any_bytes_as_a_stored_plan_are_an_error_or_a_plan(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Err(error) = Plan::from_bytes(&bytes) {
            prop_assert_eq!(error.code(), "document_unreadable");
        }
    }
}

#[test]
fn a_plan_that_was_cut_or_altered_is_an_error_or_another_plan() {
    // As it was stored before there were guards: it is read, and written again with what it means.
    let before = br#"{"identifiers":{"email":[{"Text":"a"}]},"sections":[{"spec":{"silo":"s","datapoint":"d","source":{"Query":{"sql":"select :a"}},"tenant_wide":false,"key":[],"window":null,"filters":[]},"redactions":[["c","hash"]],"notes":[],"skipped":null,"shape":null}],"csv_formulas":"keep"}"#;
    let plan = Plan::from_bytes(before).unwrap().to_bytes().unwrap();
    let now = br#"{"identifiers":{"email":[{"Text":"a"}]},"sections":[{"spec":{"silo":"s","datapoint":"d","source":{"Query":{"sql":"select :a"}},"tenant_wide":false,"key":[],"window":null,"filters":[],"columns":[]},"redactions":[["c","hash"]],"notes":[],"skipped":null,"shape":null,"provided":[],"whole":null}],"csv_formulas":"keep","guards":{"secrets":"off","foreign_identifiers":"off"},"bound":false,"origins":{}}"#;
    assert_eq!(std::str::from_utf8(&plan), std::str::from_utf8(now));
    assert_eq!(Plan::from_bytes(now).unwrap().to_bytes().unwrap(), now);
    for len in 0..plan.len() {
        assert!(Plan::from_bytes(&plan[..len]).is_err(), "{len}");
    }
    for at in 0..plan.len() {
        let mut other = plan.clone();
        other[at] ^= 0x15;
        drop(Plan::from_bytes(&other));
    }
}
