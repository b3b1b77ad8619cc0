//! Names, keys and cursors of the `postgres` silo: what is proven, and that reading goes on behind a key with exactly the rest.

use antumbra_pipeline::silo::{ColumnType, Cursor, SectionSource, Shape};
use antumbra_pipeline::{SiloError, Value};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float64Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType,
};

use crate::pg_server::{PgServer, ada, cell, cells, column, keyed, query, read, read_after, table};
use crate::room::block_on;

#[test]
fn postgres_keys_are_proven_and_cursors_go_on_behind_them() {
    let server = PgServer::start();
    block_on(names(&server));
    block_on(keys(&server));
    block_on(collations(&server));
    block_on(cursors(&server));
    block_on(order_without_a_key(&server));
}

async fn names(server: &PgServer) {
    server
        .run(
            "create schema \"My Shop\";
             create table \"My Shop\".\"Order \"\"x\"\" Details\" (\"ID\" int primary key, \"id\" text, \"e mail\" text, \"select\" int, \"\u{fc}n\" int);
             insert into \"My Shop\".\"Order \"\"x\"\" Details\" values (2, 'b', 'ada@example.com', 1, 1), (1, 'a', 'ada@example.com', 1, 1), (3, 'c', 'bob', 1, 1);",
        )
        .await;
    let mut session = server.session().await;
    let mut section = table("My Shop.Order \"x\" Details");
    section.source = SectionSource::Table {
        parts: vec!["My Shop".to_owned(), "Order \"x\" Details".to_owned()],
        matches: vec![("e mail".to_owned(), "email".to_owned())],
    };
    let (shape, batches) = read(session.as_mut(), &section, &ada()).await.unwrap();
    assert_eq!(column(&shape, &batches, "ID"), ["1", "2"]);
    assert_eq!(column(&shape, &batches, "id"), ["a", "b"]);
    assert_eq!(shape.ordered_by, ["ID"]);
    assert_eq!(
        shape.statement,
        "select * from \"My Shop\".\"Order \"\"x\"\" Details\" where \"e mail\" in (:email) order by \"ID\""
    );
    let twice = session.describe(&query("select 1 as a, 2 as a where :email <> ''"), &ada()).await;
    assert_eq!(twice.unwrap_err().to_string(), "column a occurs twice");
}

async fn keys(server: &PgServer) {
    server
        .run(
            "create table k (pk int primary key, u text not null unique, nullable int unique, part int not null, expr text not null,
               pair_a int not null, pair_b int not null, loose int not null, twice int not null, js json not null, email text);
             create unique index on k (part) where part > 1; create unique index on k (lower(expr)); create unique index on k (pair_a, pair_b);
             insert into k select g, 'u' || g, g, g, 'e' || g, g / 3, g % 3, g, g / 2, '{}', 'ada@example.com' from generate_series(1, 9) g;
             create view v as select * from k;
             create table parent (id int primary key, email text); create table child () inherits (parent);
             insert into parent values (1, 'ada@example.com'); insert into child values (1, 'ada@example.com');
             create table parts (id int primary key, email text) partition by range (id);
             create table parts_1 partition of parts for values from (0) to (10); insert into parts values (1, 'ada@example.com');",
        )
        .await;
    let mut session = server.session().await;
    let why = |notes: &[String]| notes.join("; ");
    for (section, ordered_by, probed) in [
        (table("k"), &["pk"][..], false),
        (keyed(table("k"), &["u"]), &["u"], false),
        (keyed(table("k"), &["loose", "pk"]), &["loose", "pk"], false),
        (keyed(table("k"), &["pair_a", "pair_b"]), &["pair_a", "pair_b"], false),
        // No promise of the catalogue, but true of the rows.
        (keyed(table("k"), &["nullable"]), &["nullable"], true),
        (keyed(table("k"), &["part"]), &["part"], true),
        (keyed(table("k"), &["expr"]), &["expr"], true),
        (keyed(table("k"), &["loose"]), &["loose"], true),
        (keyed(table("v"), &["pk"]), &["pk"], true),
        (keyed(query("select * from k where email in (:email)"), &["pk"]), &["pk"], true),
        (table("parts"), &["id"], false),
    ] {
        let shape = session.describe(&section, &ada()).await.unwrap();
        assert!(shape.keyed, "{section:?}: {}", why(&shape.notes));
        assert_eq!(shape.ordered_by, ordered_by, "{section:?}");
        // A probe counts; the planner only guesses.
        if probed {
            assert_eq!(shape.rows, Some(9), "{section:?}");
        }
    }
    for (section, note) in [
        (keyed(table("k"), &["twice"]), "key (twice) is not unique and not null here"),
        (keyed(table("k"), &["js"]), "key (js) has a type that cannot be one"),
        (table("parent"), "key (id) is not unique and not null here"),
        (table("v"), ""),
    ] {
        let (shape, batches) = read(session.as_mut(), &section, &ada()).await.unwrap();
        assert!(
            !shape.keyed && why(&shape.notes).contains(note),
            "{section:?}: {}",
            why(&shape.notes)
        );
        assert_eq!(shape.ordered_by.len(), shape.columns.len());
        assert!(batches[0].num_rows() == 9 || batches[0].num_rows() == 2);
    }
    server.run("update k set nullable = null where pk = 5").await;
    let mut session = server.session().await;
    assert!(!session.describe(&keyed(table("k"), &["nullable"]), &ada()).await.unwrap().keyed);
    let missing = session.describe(&keyed(table("k"), &["idd"]), &ada()).await.unwrap_err();
    assert_eq!(missing, SiloError::Missing { what: "column idd".to_owned() });
}

/// What is unique by its bytes need not be where cases are equal, nor the other way round.
async fn collations(server: &PgServer) {
    server
        .run(
            "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             create table l (n int not null, loose text collate nocase not null, strict text not null, own text collate nocase not null, email text);
             create unique index on l (loose collate \"C\"); create unique index on l (n, strict collate nocase); create unique index on l (own);
             insert into l values (1, 'x', 'a', 'a', 'ada@example.com'), (1, 'X', 'b', 'b', 'ada@example.com');",
        )
        .await;
    let mut session = server.session().await;
    let loose = session.describe(&keyed(table("l"), &["loose"]), &ada()).await.unwrap();
    assert!(!loose.keyed);
    assert_eq!(loose.notes, ["key (loose) is not unique and not null here"]);
    // Looked at, and true of the rows.
    let strict = session.describe(&keyed(table("l"), &["n", "strict"]), &ada()).await.unwrap();
    assert!(strict.keyed && strict.rows == Some(2), "{strict:?}");
    for (key, advised) in [(&["loose"][..], 1), (&["n", "strict"], 1), (&["own"], 0)] {
        let explained = session.explain(&keyed(table("l"), key), &ada()).await.unwrap();
        assert_eq!(explained.advice.len(), advised, "{key:?}: {:?}", explained.advice);
    }
}

async fn cursors(server: &PgServer) {
    server
        .run(
            "create type level as enum ('low', 'mid', 'high');
             create table c (id int not null, i8 int8 not null, txt text not null, uid uuid not null, at timestamptz not null,
               wall timestamp not null, day date not null, dec numeric(20,4) not null, num numeric not null, raw bytea not null,
               flt float8 not null, sgl float4 not null, lvl level not null, yes bool not null, ip inet not null, tod time not null, email text);
             insert into c select g, (g - 15) * 1000000007::int8, chr(96 + g) || case when g % 2 = 0 then 'X' else '\u{e9}\"' end, md5(g::text)::uuid,
               '1969-12-31 23:59:55.123456Z'::timestamptz + g * interval '1.000001 sec', '0001-01-05 BC'::timestamp + g * interval '40 hours',
               '0001-12-20 BC'::date + g, g / 7.0 - 2, case when g = 30 then 'NaN' else g / 7.0 end, decode(md5(g::text), 'hex'), g / 7.0 - 2, g / 7.0 - 2,
               (enum_range(null::level))[1 + g % 3], g % 2 = 0, ('10.0.0.' || g)::inet, '00:00'::time + g * interval '0.1 sec', 'ada@example.com'
             from generate_series(1, 30) g;",
        )
        .await;
    let mut session = server.session().await;
    for key in [
        &["id"][..],
        &["i8"],
        &["txt"],
        &["uid"],
        &["at"],
        &["wall"],
        &["day"],
        &["dec"],
        &["num"],
        &["raw"],
        &["flt"],
        &["sgl"],
        &["tod"],
        &["lvl", "yes", "id"],
        &["yes", "txt"],
        &["at", "i8", "lvl"],
    ] {
        for section in [
            keyed(table("c"), key),
            keyed(query("select * from c where email in (:email) and id > 0"), key),
        ] {
            let (shape, all) = read(session.as_mut(), &section, &ada()).await.unwrap();
            assert!(shape.keyed, "{key:?}: {:?}", shape.notes);
            let ids = column(&shape, &all, "id");
            assert_eq!(ids.len(), 30);
            for at in [0, 11, 28, 29] {
                let cursor = cursor_at(&shape, &all[0], at, key);
                let rest = read_after(session.as_mut(), &section, &shape, cursor).await.unwrap();
                assert_eq!(column(&shape, &rest, "id"), ids[at + 1..], "{key:?} behind {at}");
            }
        }
    }
    // Another key than the shape's, and texts that are none of its type.
    let (shape, _) = read(session.as_mut(), &keyed(table("c"), &["id"]), &ada()).await.unwrap();
    for cursor in [vec![], vec![Value::Text("x".to_owned())]] {
        let section = keyed(table("c"), &["id"]);
        let error = read_after(session.as_mut(), &section, &shape, Cursor(cursor)).await;
        assert_eq!(error.unwrap_err(), SiloError::ShapeChanged);
    }
    drop(session);
    server.run("alter table c alter column i8 type int4 using 1").await;
    let mut session = server.session().await;
    let error = session.read(&keyed(table("c"), &["id"]), &ada(), &shape, None).await.err();
    assert_eq!(error, Some(SiloError::ShapeChanged));
}

/// The cursor that the runner makes: numbers and bytes as they are, everything else as text.
fn cursor_at(shape: &Shape, batch: &RecordBatch, row: usize, key: &[&str]) -> Cursor {
    let utc = |micros: i64| {
        let at = jiff::Timestamp::from_microsecond(micros).unwrap();
        at.to_zoned(jiff::tz::TimeZone::UTC).datetime()
    };
    let value = |name: &&str| {
        let index = shape.columns.iter().position(|column| column.name == *name).unwrap();
        let array = batch.column(index);
        match shape.columns[index].kind {
            ColumnType::Integer => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
            ColumnType::Real => {
                Value::Real(array.as_primitive::<Float64Type>().value(row).to_bits())
            }
            ColumnType::Bytes => Value::Bytes(array.as_binary::<i32>().value(row).to_vec()),
            ColumnType::Date => {
                let days = i64::from(array.as_primitive::<Date32Type>().value(row));
                Value::Text(
                    utc(days * 86_400_000_000)
                        .date()
                        .to_string()
                        .replacen("-00", "-", 1)
                        .replacen("-00000", "0000", 1),
                )
            }
            ColumnType::Time => {
                let micros = array.as_primitive::<Time64MicrosecondType>().value(row);
                Value::Text(utc(micros).time().to_string())
            }
            ColumnType::Timestamp | ColumnType::TimestampTz => {
                let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
                let zone =
                    if shape.columns[index].kind == ColumnType::TimestampTz { "Z" } else { "" };
                Value::Text(format!("{}{zone}", utc(micros)).replacen("-00", "-", 1))
            }
            _ => Value::Text(cell(array, row).unwrap()),
        }
    };
    Cursor(key.iter().map(value).collect())
}

async fn order_without_a_key(server: &PgServer) {
    server
        .run(
            "create table o (n numeric, f float8, js json, p point, iv interval, t text, email text);
             insert into o select v.* from (values
               (1.0, 0, '{}'::json, '(1,2)'::point, '1 mon'::interval, 'b', 'ada@example.com'), (1.00, '-0', '{}', '(1,2)', '30 days', 'b', 'ada@example.com'),
               (1.000, 0, '{\"a\": 1}', '(2,1)', '1 mon', 'B', 'ada@example.com'), (null, null, null, null, null, null, 'ada@example.com'))
               as v (n, f, js, p, iv, t, email), generate_series(1, 50);",
        )
        .await;
    let mut before = None;
    for order in ["n desc", "iv, random()", "js::text desc, random()"] {
        server
            .run(&format!("create table o2 as select * from o order by {order}; drop table o; alter table o2 rename to o"))
            .await;
        let mut session = server.session().await;
        let (shape, batches) = read(session.as_mut(), &table("o"), &ada()).await.unwrap();
        assert!(!shape.keyed);
        let found = cells(&shape, &batches);
        assert_eq!(found["t"].len(), 200);
        assert!(before.is_none_or(|before| before == found), "{order}");
        before = Some(found);
    }
}
