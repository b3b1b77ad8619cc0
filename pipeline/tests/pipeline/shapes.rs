//! Shapes of tables and statements: keys proven or not, wide and empty and odd ones.

use std::fmt::Write;

use serde_json::json;

use crate::room::{Outcome, Room, request};

fn query(sql: &str, rest: &str) -> String {
    format!("[[silo.datapoint]]\nname = \"t\"\nquery = '''{sql}'''\n{rest}\n")
}

fn keyed(out: &Outcome) -> (bool, Vec<&str>) {
    let section = out.section("t");
    (section.resumable, section.ordered_by.iter().map(String::as_str).collect())
}

#[test]
fn only_a_key_that_is_unique_and_not_null_and_of_one_kind_is_one() {
    let room = Room::with(
        "create table s (unique_int integer, unique_text text, twice integer, hole integer, kinds, flt real, email text);
         insert into s values (3, 'b', 1, 1, 1, 0.5, 'ada@example.com'),
           (1, 'B', 1, null, 'x', 1.5, 'ada@example.com'), (2, 'a', 2, 2, 2, 2.5, 'ada@example.com');",
    );
    let out = |key: &str| {
        room.export(&query("select * from s where email in (:email)", &format!("key = {key}")))
    };
    let proven = out("[\"unique_int\"]");
    assert_eq!(keyed(&proven), (true, vec!["unique_int"]));
    assert_eq!(proven.column("t", "unique_int"), [1, 2, 3].map(|id| json!(id)));
    assert!(proven.section("t").notes.iter().all(|note| !note.contains("key")));
    let texts = out("[\"unique_text\"]");
    assert_eq!(keyed(&texts), (true, vec!["unique_text"]));
    assert_eq!(texts.column("t", "unique_text"), ["B", "a", "b"].map(|text| json!(text)));
    assert_eq!(keyed(&out("[\"twice\", \"unique_int\"]")), (true, vec!["twice", "unique_int"]));
    for key in
        ["[\"twice\"]", "[\"hole\"]", "[\"kinds\"]", "[\"flt\"]", "[\"unique_int\", \"hole\"]"]
    {
        let out = out(key);
        let all = ["unique_int", "unique_text", "twice", "hole", "kinds", "flt", "email"];
        assert_eq!(keyed(&out), (false, all.to_vec()), "{key}");
        assert!(out.section("t").notes.iter().any(|note| note.contains("is not unique")), "{key}");
        assert_eq!(out.rows("t").len(), 3);
    }
    assert!(!keyed(&room.export(&query("select * from s where email in (:email)", ""))).0);
}

#[test]
fn a_key_that_a_collation_calls_equal_is_ordered_by_its_bytes() {
    let room = Room::with(
        "create table s (k text collate nocase, email text);
         insert into s values ('b', 'ada@example.com'), ('A', 'ada@example.com'),
           ('a', 'ada@example.com'), ('B', 'ada@example.com');",
    );
    let points = "[[silo.datapoint]]\nname = \"t\"\ntable = \"s\"\nmatch = { email = \"email\" }\n";
    for rest in ["key = [\"k\"]", ""] {
        let out = room.export(&format!("{points}{rest}\n"));
        assert_eq!(out.column("t", "k"), ["A", "B", "a", "b"].map(|text| json!(text)), "{rest}");
    }
}

#[test]
fn rows_larger_than_a_slice_are_whole() {
    let room = Room::with(
        "create table s (id integer primary key, email text, big blob);
         insert into s values (1, 'ada@example.com', zeroblob(17000000)), (2, 'ada@example.com', x'01'),
           (3, 'ada@example.com', zeroblob(20000000)), (4, 'ada@example.com', null);",
    );
    let points = "[[silo.datapoint]]\nname = \"t\"\ntable = \"s\"\nmatch = { email = \"email\" }\n";
    let out = room.run("[export]\nmax_memory = \"512 MiB\"\n", points, request());
    let lengths: Vec<_> = out
        .parquet("t")
        .iter()
        .flat_map(|batch| {
            use arrow_array::cast::AsArray;
            let big = batch.column(2).as_binary::<i32>();
            big.iter().map(|bytes| bytes.map(<[u8]>::len)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(lengths, [Some(17_000_000), Some(1), Some(20_000_000), None]);
    // Base64 is four thirds as long.
    assert!(out.file("shop/t.json").len() > 37_000_000 / 3 * 4);
    assert_eq!(out.section("t").rows, 4);
}

#[test]
fn sixteen_hundred_columns_are_as_good_as_one() {
    let room = Room::new();
    let mut columns = String::new();
    (0..1_600).for_each(|n| write!(columns, ", c{n}").unwrap());
    let db = room.silo();
    db.execute_batch(&format!("create table s (email text, id integer primary key{columns})"))
        .unwrap();
    db.execute(
        "insert into s (email, id, c0, c1599) values ('ada@example.com', 1, 'first', 'last')",
        [],
    )
    .unwrap();
    drop(db);
    let points = "[[silo.datapoint]]\nname = \"t\"\ntable = \"s\"\nmatch = { email = \"email\" }\n
        [[silo.datapoint]]\nname = \"u\"\nquery = \"select * from s where email in (:email)\"\n";
    let out = room.export(points);
    for (name, keyed) in [("t", true), ("u", false)] {
        let row = out.rows(name).remove(0);
        assert_eq!(
            (&row["c0"], &row["c1599"], &row["c7"]),
            (&json!("first"), &json!("last"), &json!(null))
        );
        assert_eq!(out.section(name).resumable, keyed);
    }
}

#[test]
fn a_table_without_rows_has_its_files() {
    let room = Room::with("create table s (id integer primary key, email text, d decimal(5,1))");
    let points = "[[silo.datapoint]]\nname = \"t\"\ntable = \"s\"\nmatch = { email = \"email\" }\n";
    let out = room.export(points);
    assert_eq!(out.section("t").outcome, "empty");
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(out.file("shop/t.json")).unwrap(),
        json!([])
    );
    assert!(out.parquet("t").is_empty());
}

#[test]
fn two_columns_of_one_name_are_an_error_and_not_renamed() {
    let room = Room::with(
        "create table a (id integer primary key, email text); create table b (ID integer, x text);
         insert into a values (1, 'ada@example.com'); insert into b values (1, 'x');",
    );
    for sql in [
        "select a.*, b.* from a join b on a.id = b.id where email in (:email)",
        "select id, 2 as ID from a where email in (:email)",
    ] {
        let out = room.export(&query(sql, ""));
        let (code, reason) = out.fault("t");
        assert_eq!(code, "silo_settings");
        assert!(reason.to_lowercase().contains("column id occurs twice"), "{reason}");
    }
}

#[test]
fn statements_of_every_form_are_read() {
    let room = Room::with(
        "create table a (id integer primary key, email text);
         insert into a values (1, 'ada@example.com'), (2, 'ada@example.com');",
    );
    for (sql, rows) in [
        ("select * from a where email in (:email) -- a comment", 2),
        ("select * from a where email in (:email) -- a comment;\n;", 2),
        ("with w as (select * from a where email in (:email)) select * from w;", 2),
        ("select count(*), max(id) as \"say \"\"hi\"\"\" from a where email in (:email)", 1),
        ("select id from a where email in (:email) union all select 9", 3),
        ("select id, ':email' as literal from a where email = :email order by id desc limit 1", 1),
        ("values (:email)", 1),
    ] {
        assert_eq!(room.export(&query(sql, "")).rows("t").len(), rows, "{sql}");
    }
}

#[test]
fn statements_that_write_or_do_not_parse_are_refused_and_change_nothing() {
    let room = Room::with(
        "create table a (id integer primary key, email text); insert into a values (1, 'ada@example.com');",
    );
    for sql in [
        "delete from a where email in (:email)",
        "delete from a where email in (:email) returning id",
        "selct * from a where email in (:email)",
        "select * from a where email in (:email",
        "pragma user_version = 7 /* :email */ -- :email",
        "select 1 where :email; drop table a",
    ] {
        let out = room.export(&query(sql, ""));
        let section = out.section("t");
        assert!(matches!(section.outcome.as_str(), "failed" | "unreachable"), "{sql}: {section:?}");
    }
    let left: i64 = room.silo().query_row("select count(*) from a", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
}

#[test]
fn two_jobs_over_the_same_data_have_the_same_content_hash() {
    let room = Room::with(
        "create table s (id integer primary key, email text, x real, y blob);
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 30000)
         insert into s select i, 'ada@example.com', i / 7.0, randomblob(40) from n;",
    );
    let points = "[[silo.datapoint]]\nname = \"t\"\ntable = \"s\"\nmatch = { email = \"email\" }\n
        [[silo.datapoint]]\nname = \"u\"\nquery = \"select x, y from s where email in (:email)\"\n";
    let (first, second) = (room.export(points), room.export(points));
    assert_eq!(first.manifest().content_sha256, second.manifest().content_sha256);
    assert_ne!(first.manifest().run.job_id, second.manifest().run.job_id);
    room.silo().execute("update s set x = 0 where id = 30000", []).unwrap();
    assert_ne!(room.export(points).manifest().content_sha256, first.manifest().content_sha256);
}
