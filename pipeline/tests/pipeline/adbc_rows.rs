//! Which rows the `adbc` silo reads of a `DuckDB` file, in which order, behind which key, and how it ends when nobody wants them.

use antumbra_pipeline::silo::adbc::AdbcSilo;
use antumbra_pipeline::silo::{Cursor, Filter, SectionSource, Silo as _, Window};
use antumbra_pipeline::{SiloError, Value};

use crate::duck::{Duck, library, settings};
use crate::my_server::all;
use crate::pg_server::{ada, column, keyed, known, query, read, read_after, table, whole};
use crate::room::block_on;

#[test]
fn adbc_rows_are_those_of_the_person_and_of_nobody_else() {
    let duck = Duck::with(&[
        "create table t (id int primary key, email text, loyalty int, code text, big hugeint)",
        "insert into t values (1, 'ada@example.com', 7, '7', 7), (2, 'bob@example.com', 8, '07', 8), (3, 'x'' or 1=1 --', 9, '\\', 9),
           (4, 'ADA@example.com', 10, null, null), (5, null, 11, '', 11)",
    ]);
    block_on(async {
        let mut session = duck.session().await;
        let of = |column: &str, name: &str| {
            let mut section = table("t");
            let matches = vec![(column.to_owned(), name.to_owned())];
            section.source = SectionSource::Table { parts: vec!["t".to_owned()], matches };
            section
        };
        for (section, values, expected) in [
            (of("email", "email"), &["ada@example.com"][..], &["1"][..]),
            // As it was given, and in lower case.
            (of("email", "email"), &["ADA@example.com"], &["1", "4"]),
            (of("email", "email"), &["x' or 1=1 --"], &["3"]),
            (of("email", "email"), &["ada@example.com", "bob@example.com"], &["1", "2"]),
            (of("email", "email"), &["' or ''='", "%", "\\", "\0"], &[]),
            (of("email", "email"), &[], &[]),
            // A text that is no number as numbers are written is in no column of numbers.
            (of("loyalty", "id"), &["7", "08", " 9", "1e1", "x"], &["1"]),
            (of("big", "id"), &["8"], &["2"]),
            (of("code", "id"), &["7"], &["1"]),
            (of("code", "id"), &["\\"], &["3"]),
            (query("select * from t where email in (:email) -- all"), &["ada@example.com"], &["1"]),
            (query("select * from t where code = :email"), &["07"], &["2"]),
            (query("select * from t where code in (:email)"), &["7", "\\", "''"], &["1", "3"]),
            (query("select * from t where loyalty = :email"), &["7"], &["1"]),
            (query("select * from t where code not in (:email)"), &["7", ""], &["2", "3"]),
            (query("select * from t where code = :email"), &[], &[]),
        ] {
            let name = section.needs()[0][0].clone();
            let (shape, batches) =
                read(session.as_mut(), &section, &known(&name, values)).await.unwrap();
            let mut found = column(&shape, &batches, "id");
            found.sort();
            assert_eq!(found, expected, "{:?} {values:?}", section.source);
        }
        // `'07'` is 7 where a number is wanted, and another text than `'7'`.
        for value in ["07", " 7", "7.0", "7e0", "+7"] {
            let section = query("select * from t where loyalty in (:email)");
            let error = session.describe(&section, &known("email", &["7", value])).await;
            let error = error.unwrap_err().to_string();
            assert!(error.contains("compares email"), "{error}");
        }
        let both = known("email", &["ada@example.com", "bob@example.com"]);
        let error = session.describe(&query("select * from t where email = :email"), &both).await;
        assert!(error.unwrap_err().to_string().contains("write `in (:email)`"));
        let error = session.describe(&query("select $1, :email"), &ada()).await.unwrap_err();
        assert!(error.to_string().contains("by number"), "{error}");
        let integers = [("id".to_owned(), vec![Value::Integer(7)])].into();
        let (shape, batches) = read(session.as_mut(), &of("code", "id"), &integers).await.unwrap();
        assert_eq!(column(&shape, &batches, "id"), ["1"]);
    });
}

#[test]
fn adbc_windows_are_half_open_whatever_the_type_of_the_time() {
    let duck = Duck::with(&[
        "create table t (id int primary key, email text, d date, w timestamp, z timestamptz, s timestamp_s, ns timestamp_ns, n bigint, x text)",
        "insert into t select g, 'ada@example.com', '2024-01-01'::date + g::int, '2024-01-01'::timestamp + g * interval 1 day,
           '2024-01-01 00:00:00+00'::timestamptz + g * interval 1 day, ('2024-01-01'::timestamp + g * interval 1 day)::timestamp_s,
           ('2024-01-01'::timestamp + g * interval 1 day)::timestamp_ns, 1704067200 + g * 86400, '' from range(1, 6) as r(g)",
        "insert into t (id, email) values (9, 'ada@example.com')",
    ]);
    block_on(async {
        let mut session = duck.session().await;
        for (start, end, expected) in [
            (Some("2024-01-03T00:00:00Z"), Some("2024-01-05T00:00:00Z"), &["2", "3"][..]),
            (Some("2024-01-03T00:00:00.000001Z"), None, &["3", "4", "5"]),
            (None, Some("2024-01-03T00:00:00.000001Z"), &["1", "2"]),
            (None, Some("2024-01-02T00:00:00Z"), &[]),
        ] {
            for name in ["d", "w", "z", "s", "ns", "n"] {
                let mut section = table("t");
                section.window = Some(Window {
                    column: name.to_owned(),
                    start: start.map(|at| at.parse().unwrap()),
                    end: end.map(|at| at.parse().unwrap()),
                });
                let (shape, batches) = read(session.as_mut(), &section, &ada()).await.unwrap();
                assert_eq!(column(&shape, &batches, "id"), expected, "{name} {start:?} {end:?}");
                assert_eq!(shape.notes, [format!("1 rows without {name} are outside the window")]);
                assert_eq!(session.count_whole(&section, &ada()).await, Ok(Some(6)));
            }
        }
        let mut section = table("t");
        section.window = Some(Window {
            column: "x".to_owned(),
            start: Some("2024-01-03T00:00:00Z".parse().unwrap()),
            end: None,
        });
        let error = session.describe(&section, &ada()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "time column x is Utf8, which is no time: take a query that casts it"
        );
        section.window = None;
        section.filters = vec![Filter {
            column: "n".to_owned(),
            field: "campaignIds".to_owned(),
            values: vec!["1704153600".to_owned(), "x".to_owned()],
        }];
        let (shape, batches) = read(session.as_mut(), &section, &ada()).await.unwrap();
        assert_eq!(column(&shape, &batches, "id"), ["1"]);
        assert!(shape.statement.contains("\"n\" in (:campaignIds)"), "{}", shape.statement);
    });
}

#[test]
fn adbc_keys_are_the_drivers_and_cursors_go_on_behind_them() {
    let duck = Duck::with(&[
        "create table one (id bigint primary key, email text, name text not null unique, loose int)",
        "insert into one select g, 'ada@example.com', 'n' || (9 - g), g from range(10) as r(g)",
        "create table pair (a text, b int, email text, primary key (a, b))",
        "insert into pair select chr(97 + (g // 3)::int), g % 3, 'ada@example.com' from range(9) as r(g)",
        "create table days (d date primary key, email text)",
        "insert into days values ('2024-01-01', 'ada@example.com')",
        "create table none (a int, m map(text, int), email text)",
        "insert into none values (2, map {'k': 1}, 'ada@example.com'), (null, null, 'ada@example.com'), (1, null, 'ada@example.com')",
        "create view v as select * from one",
    ]);
    block_on(async {
        let mut session = duck.session().await;
        for (section, key) in [
            (table("one"), &["id"][..]),
            (table("main.one"), &["id"]),
            (keyed(table("one"), &["id"]), &["id"]),
            (keyed(table("one"), &["name"]), &["name"]),
            (table("pair"), &["a", "b"]),
            (keyed(table("pair"), &["b", "a"]), &["b", "a"]),
        ] {
            let (shape, batches) = read(session.as_mut(), &section, &ada()).await.unwrap();
            assert!(
                shape.keyed && shape.ordered_by == key,
                "{:?} {:?}",
                shape.ordered_by,
                shape.notes
            );
            let place = |name: &str| column(&shape, &batches, name);
            let keys: Vec<Vec<String>> = key.iter().map(|name| place(name)).collect();
            for at in 0..keys[0].len() {
                let value = |text: &String| {
                    text.parse().map_or_else(|_| Value::Text(text.clone()), Value::Integer)
                };
                let cursor = Cursor(keys.iter().map(|column| value(&column[at])).collect());
                let rest = read_after(session.as_mut(), &section, &shape, cursor).await.unwrap();
                for (name, column_of) in key.iter().zip(&keys) {
                    assert_eq!(
                        column(&shape, &rest, name),
                        column_of[at + 1..],
                        "{key:?} behind {at}"
                    );
                }
            }
        }
        for (section, note) in [
            (
                keyed(table("one"), &["loose"]),
                "key (loose) is not said to be unique and never NULL by the driver: it counts as none",
            ),
            (
                keyed(table("v"), &["id"]),
                "key (id) is not said to be unique and never NULL by the driver: it counts as none",
            ),
            (
                keyed(query("select * from one where email = :email"), &["id"]),
                "key (id) is not said to be unique and never NULL by the driver: it counts as none",
            ),
            (
                keyed(table("days"), &["d"]),
                "key (d) has a type that cannot be one: it counts as none",
            ),
        ] {
            let shape = session.describe(&section, &ada()).await.unwrap();
            assert!(!shape.keyed);
            assert_eq!(shape.notes, [note]);
        }
        let (shape, batches) = read(session.as_mut(), &table("none"), &ada()).await.unwrap();
        assert_eq!(shape.ordered_by, ["a", "email"]);
        assert_eq!(shape.notes, ["rows that differ in m alone come in any order"]);
        assert_eq!(column(&shape, &batches, "a"), ["1", "2", "NULL"]);
        let error = session.describe(&keyed(table("one"), &["gone"]), &ada()).await.unwrap_err();
        assert_eq!(error.to_string(), "column gone is missing");
    });
}

#[test]
fn adbc_columns_provide_identifiers_as_they_are() {
    let duck = Duck::with(&[
        "create table t (id int, email text, u uuid, n hugeint, m text, j int[])",
        "insert into t values (3, 'ada@example.com', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 5, null, [1]),
           (1, 'ada@example.com', null, 99999999999999999999, null, null), (3, 'ada@example.com', null, 5, null, null), (4, 'bob', null, 6, 'x', null)",
    ]);
    block_on(async {
        let mut session = duck.session().await;
        let names = ["id", "u", "n", "m"].map(str::to_owned);
        let found = session.distinct(&table("t"), &ada(), &names, 9).await.unwrap();
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            found,
            [
                vec![Value::Integer(1), Value::Integer(3)],
                vec![text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")],
                vec![Value::Integer(5), text("99999999999999999999")],
                vec![],
            ]
        );
        let all = session.distinct(&all("t"), &ada(), &names[..1], 1).await.unwrap();
        assert_eq!(all, [[Value::Integer(1), Value::Integer(3)]]);
        let error = session.distinct(&table("t"), &ada(), &["j".to_owned()], 9).await.unwrap_err();
        assert!(error.to_string().contains("column j provides identifiers"), "{error}");
    });
}

#[test]
fn adbc_plan_shows_the_statement_and_no_value() {
    let duck = Duck::with(&["create table t (id int, email text)"]);
    block_on(async {
        let mut session = duck.session().await;
        let explained = session
            .explain(&keyed(table("t"), &["id"]), &known("email", &["canary@example.com"]))
            .await
            .unwrap();
        assert_eq!(
            explained.statement,
            "select * from \"t\" where (\"email\" in (:email)) order by \"id\", \"email\""
        );
        assert_eq!(
            explained.advice,
            ["key (id) is not said to be unique and never NULL by the driver: it counts as none"]
        );
        assert!(!format!("{explained:?}").contains("canary"));
        let mut section = keyed(table("t"), &["idd"]);
        section.filters = vec![Filter {
            column: "c".to_owned(),
            field: "campaignIds".to_owned(),
            values: vec![],
        }];
        let explained = session.explain(&section, &Default::default()).await.unwrap();
        assert_eq!(
            explained.advice,
            [
                "`filter` names column c, which is missing",
                "`key` names column idd, which is missing"
            ]
        );
        let explained = session
            .explain(&query("select * from t where email in (:who)"), &Default::default())
            .await
            .unwrap();
        assert!(explained.statement.contains("in (:who)"), "{}", explained.statement);
    });
}

#[test]
fn adbc_errors_hold_nothing_that_the_driver_quoted() {
    let duck = Duck::with(&[
        "create table t (id int primary key, email text)",
        "insert into t values (1, 'ada@example.com'), (2, 'canary')",
    ]);
    block_on(async {
        let mut session = duck.session().await;
        let error = read(
            session.as_mut(),
            &query("select email::int as i from t where :email is not null"),
            &ada(),
        )
        .await;
        let error = error.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary") && !shown.contains("ada@"), "{shown}");
        let error = session.describe(&table("gone"), &ada()).await.unwrap_err();
        assert!(error.to_string().contains("table gone cannot be read"), "{error}");
        assert_eq!(error.code(), "silo_query");
        // The session goes on.
        let (shape, batches) = read(session.as_mut(), &table("t"), &ada()).await.unwrap();
        assert_eq!(column(&shape, &batches, "id"), ["1"]);
    });
}

#[test]
fn adbc_work_that_nobody_waits_for_ends() {
    let duck = Duck::with(&["create table t (id int primary key)", "insert into t values (1)"]);
    // Would take days.
    let endless =
        "select count(*) as n from range(9000000000000) as a(i) where i % 7 = hash(i) % 11";
    block_on(async {
        let mut session = duck.session().await;
        let section = whole(query(&format!("select * from ({endless})")));
        let shape = session.describe(&section, &Default::default()).await.unwrap();
        for _ in 0..2 {
            let batches = session.read(&section, &Default::default(), &shape, None).await.unwrap();
            drop(batches);
            // Waits for its turn, which comes when the driver has ended the statement.
            let (_, batches) =
                read(session.as_mut(), &all("t"), &Default::default()).await.unwrap();
            assert_eq!(batches.len(), 1);
        }
        let (section, known) = (whole(query(endless)), Default::default());
        let counting = session.count_whole(&section, &known);
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(300), counting).await;
        assert!(given_up.is_err());
        let (_, batches) = read(session.as_mut(), &all("t"), &Default::default()).await.unwrap();
        assert_eq!(batches.len(), 1);
        // Rows that nobody takes are not made: this would be 800 GB.
        let section = whole(query("select i, repeat('x', 80) as t from range(9000000000) as a(i)"));
        let mut shape = session.describe(&section, &Default::default()).await.unwrap();
        shape.ordered_by.clear();
        let mut batches = session.read(&section, &Default::default(), &shape, None).await.unwrap();
        assert!(batches.next().await.unwrap().is_some());
        drop(batches);
        let (_, batches) = read(session.as_mut(), &all("t"), &Default::default()).await.unwrap();
        assert_eq!(batches.len(), 1);
    });
}

#[test]
fn adbc_session_reads_one_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.duckdb").display().to_string();
    let driver = antumbra_adbc::Driver::load(&library(), Some("duckdb_adbc_init")).unwrap();
    let database = driver.database([("path".to_owned(), path)]).unwrap();
    let run = |sql: &str| {
        let mut connection = database.connect().unwrap();
        assert!(connection.statement(sql, None).unwrap().execute().unwrap().count() < 2);
    };
    run("create table t as select 1 as id");
    let mut reader = database.connect().unwrap();
    assert!(reader.begin());
    let count = |reader: &mut antumbra_adbc::Connection| {
        let rows = reader.statement("select * from t", None).unwrap().execute().unwrap();
        rows.map(|batch| batch.unwrap().num_rows()).sum::<usize>()
    };
    assert_eq!(count(&mut reader), 1);
    run("insert into t values (2)");
    assert_eq!(count(&mut reader), 1);
    reader.begin_again().unwrap();
    assert_eq!(count(&mut reader), 2);
}

#[test]
fn adbc_library_that_is_none_is_refused_when_silos_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("driver.so");
    std::fs::write(&text, "no library").unwrap();
    let mut gone = settings(vec![]);
    gone.driver = dir.path().join("gone.so");
    let mut other = settings(vec![]);
    other.driver = text;
    let mut strange = settings(vec![]);
    strange.entrypoint = Some("duckdb_open".repeat(2));
    for settings in [gone, other, strange] {
        let error = AdbcSilo::new(&settings, &[]).unwrap_err();
        assert!(error.starts_with(&format!("driver: {}: ", settings.driver.display())), "{error}");
    }
    // A database that is not there is no fault of the settings' form.
    let silo =
        AdbcSilo::new(&settings(vec![("path".to_owned(), "/gone/x".to_owned())]), &[]).unwrap();
    let error = block_on(async { silo.connect().await.map(|_| ()) }).unwrap_err();
    assert!(
        matches!(error, SiloError::Settings { .. } | SiloError::Unavailable { .. }),
        "{error:?}"
    );
}
