//! Windows and filters: half-open, and nothing left out without a word.

use std::collections::BTreeMap;
use std::time::Duration;

use antumbra_pipeline::silo::sqlite::SqliteSilo;
use antumbra_pipeline::silo::{Filter, Silo as _, Window};
use serde_json::json;

use crate::pg_server::{ada, known, query, table, whole};
use crate::room::{Outcome, PARTIAL, Room, block_on, request};

const POINT: &str = "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }
    time_column = \"at\"\nfilter = { campaign = \"campaignIds\" }\n
    [[silo.datapoint]]\nname = \"timeless\"\ntable = \"t\"\nmatch = { email = \"email\" }\n";

fn run(rows: &str, fields: &[(&str, &[&str])]) -> Outcome {
    let room = Room::with(&format!(
        "create table t (id integer primary key, email text, at, campaign integer);
         insert into t select value ->> 0, 'ada@example.com', value ->> 1, value ->> 2
         from json_each('{rows}');"
    ));
    let mut request = request();
    request.details.window_start = Some("2026-01-01T00:00:00Z".parse().unwrap());
    request.details.window_end = Some("2026-02-01T00:00:00Z".parse().unwrap());
    request.details.scope_fields = fields
        .iter()
        .map(|(name, values)| {
            ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
        })
        .collect::<BTreeMap<_, _>>();
    room.run(PARTIAL, POINT, request)
}

#[test]
fn the_window_takes_its_start_and_not_its_end() {
    let out = run(
        r#"[[1, "2025-12-31T23:59:59.999Z", 1], [2, "2026-01-01T00:00:00Z", 1],
            [3, "2026-01-01 00:00:00", 1], [4, "2026-01-31T23:59:59.999Z", 1],
            [5, "2026-02-01T00:00:00Z", 1], [6, "2026-02-01T01:00:00+02:00", 1],
            [7, 1767225600, 1], [8, 1767225599, 1], [9, 1769903999.5, 1], [10, 1769904000, 1],
            [11, "2026-01-15", 1], [12, null, 1]]"#,
        &[],
    );
    let expected = [2, 3, 4, 6, 7, 9, 11].map(|id| json!(id));
    assert_eq!(out.column("t", "id"), expected);
    assert_eq!(out.rows("timeless").len(), 12);
    let notes = |name: &str| out.section(name).notes.join("; ");
    assert!(notes("t").contains("1 rows without at are outside the window"), "{}", notes("t"));
    assert!(notes("timeless").contains("not narrowed by the window"));
    assert_eq!(out.content().scope.window_end.as_deref(), Some("2026-02-01T00:00:00Z"));
}

#[test]
fn what_a_window_and_filters_leave_out_is_counted_before() {
    let room = Room::with(
        "create table t (id integer primary key, email text, at);
         insert into t values (1, 'ada@example.com', '2026-01-15'), (2, 'ada@example.com', '2025-01-15'),
           (3, 'ADA@example.com', null), (4, 'bob@example.com', '2026-01-15');",
    );
    let silo = SqliteSilo::new(room.silo_path(), Duration::from_secs(5));
    let mut section = table("t");
    section.window = Some(Window {
        column: "at".to_owned(),
        start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        end: None,
    });
    section.filters = vec![Filter {
        column: "id".to_owned(),
        field: "f".to_owned(),
        values: vec!["1".to_owned()],
    }];
    block_on(async {
        let mut session = silo.connect().await.unwrap();
        let asked = query("select * from t where email in (:email)");
        for (section, known, expected) in [
            (&section, ada(), 2),
            (&section, known("email", &["bob@example.com"]), 1),
            (&section, known("email", &["nobody@example.com"]), 0),
            (&section, known("other", &["ada@example.com"]), 0),
            (&asked, ada(), 2),
            (&whole(table("t")), ada(), 4),
        ] {
            assert_eq!(session.count_whole(section, &known).await, Ok(Some(expected)), "{known:?}");
        }
    });
}

#[test]
fn a_scope_field_that_narrows_nothing_is_said() {
    let rows = r#"[[1, "2026-01-15", 1], [2, "2026-01-15", 2]]"#;
    let out = run(rows, &[("campaignIds", &["1"]), ("substrates", &["web"])]);
    let notes = |name: &str| out.section(name).notes.join("; ");
    assert_eq!((out.rows("t").len(), out.rows("timeless").len()), (1, 2));
    assert!(
        notes("t").contains("not narrowed by substrates") && !notes("t").contains("campaignIds")
    );
    assert!(notes("timeless").contains("not narrowed by campaignIds"));
}

#[test]
fn a_time_that_cannot_be_read_fails_the_section() {
    // SQLite itself would read the last four: a Julian day, a time of day, now, and a number of days.
    for at in ["yesterday", "", "2026-13-01", "01.02.2026", "2024", "12:30", "now", "2461000.5"] {
        let out = run(&format!(r#"[[1, "2026-01-05", 1], [2, "{at}", 1]]"#), &[]);
        let (code, reason) = out.fault("t");
        assert_eq!(code, "silo_settings", "{at}");
        assert_eq!(reason, "1 values of time column at cannot be read as a time");
    }
}

#[test]
fn a_scope_field_narrows_and_an_empty_one_selects_nothing() {
    let rows = r#"[[1, "2026-01-05", 7], [2, "2026-01-05", 8], [3, "2026-01-05", null]]"#;
    assert_eq!(run(rows, &[("campaignIds", &["7", "9"])]).column("t", "id"), [json!(1)]);
    assert!(run(rows, &[("campaignIds", &[])]).rows("t").is_empty());
    assert_eq!(run(rows, &[]).rows("t").len(), 3);
}

#[test]
fn columns_that_are_not_there_are_errors_and_not_texts() {
    // SQLite reads a quoted name that no column has as a text, which no row equals.
    let room = Room::with(
        "create table t (id integer primary key, email text, at text);
         insert into t values (1, 'ada@example.com', '2026-01-01');",
    );
    for (settings, what) in [
        ("match = { emial = \"email\" }", "emial"),
        ("match = { email = \"email\" }\nfilter = { campain = \"campaignIds\" }", "campain"),
        ("match = { email = \"email\" }\ntime_column = \"att\"", "att"),
        ("match = { email = \"email\" }\nkey = [\"idd\"]", "idd"),
    ] {
        let mut request = request();
        request.details.window_start = Some("2020-01-01T00:00:00Z".parse().unwrap());
        request.details.scope_fields = [("campaignIds".to_owned(), vec!["7".to_owned()])].into();
        let point = format!("[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\n{settings}\n");
        let out = room.run(PARTIAL, &point, request);
        let (code, reason) = out.fault("t");
        assert_eq!(code, "silo_missing", "{what}: {reason}");
        assert!(reason.contains(what), "{reason}");
    }
}
