//! Every type through the `postgres` silo: what it becomes, value for value.

use std::fmt::Write as _;

use antumbra_pipeline::silo::ColumnType;

use crate::pg_server::{PgServer, ada, cells, query, read, table, whole};
use crate::room::block_on;

/// Name, type, what it becomes, and values: as SQL, and as the cell that Arrow holds.
type Case = (&'static str, &'static str, ColumnType, &'static [(&'static str, &'static str)]);

#[rustfmt::skip]
const SCALARS: &[Case] = &[
    ("bool", "boolean", ColumnType::Boolean, &[("true", "true"), ("false", "false")]),
    ("i2", "int2", ColumnType::Integer, &[("-32768", "-32768"), ("32767", "32767")]),
    ("i4", "int4", ColumnType::Integer, &[("-2147483648", "-2147483648"), ("7", "7")]),
    ("i8", "int8", ColumnType::Integer, &[("-9223372036854775808", "-9223372036854775808"), ("9223372036854775807", "9223372036854775807")]),
    ("oid", "oid", ColumnType::Integer, &[("4294967295", "4294967295"), ("0", "0")]),
    ("f4", "float4", ColumnType::Single, &[("'0.1'", "0.1"), ("'-Infinity'", "-inf"), ("'NaN'", "NaN")]),
    ("f8", "float8", ColumnType::Real, &[("'0.1'", "0.1"), ("'-0'", "-0"), ("'2.5e-5'", "0.000025"), ("'NaN'", "NaN")]),
    ("n12", "numeric(12,2)", ColumnType::Decimal { precision: 12, scale: 2 }, &[("'-9999999999.99'", "-9999999999.99"), ("'0.005'", "0.01"), ("'0'", "0.00")]),
    ("n38", "numeric(38,10)", ColumnType::Decimal { precision: 38, scale: 10 }, &[("'9999999999999999999999999999.9999999999'", "9999999999999999999999999999.9999999999"), ("'-0.0000000001'", "-0.0000000001")]),
    ("n0", "numeric(5)", ColumnType::Decimal { precision: 5, scale: 0 }, &[("'10000'", "10000"), ("'-1'", "-1")]),
    ("n39", "numeric(39,1)", ColumnType::Text, &[("'12345678901234567890123456789012345678.9'", "12345678901234567890123456789012345678.9")]),
    ("nneg", "numeric(5,-2)", ColumnType::Text, &[("'12345'", "12300")]),
    ("num", "numeric", ColumnType::Text, &[("'1.50'", "1.50"), ("'NaN'", "NaN"), ("'-Infinity'", "-Infinity"), ("'0.00000000000000000001'", "0.00000000000000000001"), ("'1e50'", "100000000000000000000000000000000000000000000000000")]),
    ("txt", "text", ColumnType::Text, &[("''", ""), ("E'e\u{301}\u{1f600}\\n\"'", "e\u{301}\u{1f600}\n\"")]),
    ("vc", "varchar(20)", ColumnType::Text, &[("'x'", "x")]),
    ("ch", "char(3)", ColumnType::Text, &[("'x'", "x  ")]),
    ("one", "\"char\"", ColumnType::Text, &[("'x'", "x"), ("''", "")]),
    ("nm", "name", ColumnType::Text, &[("'some_name'", "some_name")]),
    ("raw", "bytea", ColumnType::Bytes, &[("'\\x00ff'", "[00, ff]"), ("''", "[]")]),
    ("uid", "uuid", ColumnType::Text, &[("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")]),
    ("d", "date", ColumnType::Date, &[("'1970-01-02'", "1"), ("'infinity'", "2147483647"), ("'-infinity'", "-2147483648"), ("'4714-11-24 BC'", "-2440588"), ("'5874897-12-31'", "2145042905")]),
    ("t", "time", ColumnType::Time, &[("'23:59:59.123456'", "86399123456"), ("'24:00:00'", "86400000000")]),
    ("tz", "timetz", ColumnType::Text, &[("'12:30:00.5+05:30'", "12:30:00.5+05:30")]),
    ("ts", "timestamp", ColumnType::Timestamp, &[("'1970-01-01 00:00:01'", "1000000"), ("'0044-03-15 12:00 BC'", "-63517780800000000"), ("'infinity'", "9223372036854775807")]),
    ("tstz", "timestamptz", ColumnType::TimestampTz, &[("'1970-01-01 02:00:00+02'", "0"), ("'2024-02-29 23:59:59.999999Z'", "1709251199999999"), ("'-infinity'", "-9223372036854775808")]),
    ("iv", "interval", ColumnType::Text, &[("'1 year 2 mons 3 days 04:05:06.789'", "P1Y2M3DT4H5M6.789S"), ("'0'", "PT0S"), ("'-1 mon 1 day -00:00:00.5'", "P-1M1DT-0.5S")]),
    ("js", "json", ColumnType::Json, &[("'{ \"b\" : 1e400, \"a\": [1 , 2], \"a\": \"x y\" }'", "{\"b\":1e400,\"a\":[1,2],\"a\":\"x y\"}"), ("'null'", "null")]),
    ("jb", "jsonb", ColumnType::Json, &[("'{\"b\": 12345678901234567890123, \"a\": null}'", "{\"a\":null,\"b\":12345678901234567890123}")]),
    ("mood", "mood", ColumnType::Text, &[("'it''s ok'", "it's ok")]),
    ("dom", "posint", ColumnType::Integer, &[("7", "7")]),
    ("dec_dom", "price", ColumnType::Decimal { precision: 10, scale: 2 }, &[("7", "7.00")]),
    ("ip", "inet", ColumnType::Text, &[("'10.0.0.1/8'", "10.0.0.1/8"), ("'::1'", "::1/128")]),
    ("mac", "macaddr", ColumnType::Text, &[("'08:00:2b:01:02:03'", "08:00:2b:01:02:03")]),
    ("cash", "money", ColumnType::Text, &[("12.5", "$12.50")]),
    ("bits", "bit(3)", ColumnType::Text, &[("B'101'", "101")]),
    ("vbits", "varbit", ColumnType::Text, &[("B''", "")]),
    ("rng", "int4range", ColumnType::Text, &[("'[1,5)'", "[1,5)"), ("'empty'", "empty")]),
    ("trng", "tstzrange", ColumnType::Text, &[("'[2024-01-01 00:00+02,)'", "[\"2023-12-31 22:00:00+00\",)")]),
    ("comp", "pair", ColumnType::Text, &[("row(1, 'a,b')", "(1,\"a,b\")")]),
    ("pt", "point", ColumnType::Text, &[("'(1,2.5)'", "(1,2.5)")]),
    ("tsv", "tsvector", ColumnType::Text, &[("'a fat cat'", "'a' 'cat' 'fat'")]),
    ("doc", "xml", ColumnType::Text, &[("'<a>1</a>'", "<a>1</a>")]),
    ("hs", "hstore", ColumnType::Text, &[("'a=>1'", "\"a\"=>\"1\"")]),
    ("ci", "citext", ColumnType::Text, &[("'Ada'", "Ada")]),
];

#[rustfmt::skip]
const ARRAYS: &[Case] = &[
    ("a_i4", "int4[]", ColumnType::Json, &[("'{1,NULL,-3}'", "[1,null,-3]"), ("'{}'", "[]"), ("'{{1,2},{3,4}}'", "[[1,2],[3,4]]"), ("'[0:1]={5,6}'", "[5,6]")]),
    ("a_txt", "text[]", ColumnType::Json, &[("array['a\"b', null, 'NULL', '', E'x\\ny']", "[\"a\\\"b\",null,\"NULL\",\"\",\"x\\ny\"]")]),
    ("a_bool", "bool[]", ColumnType::Json, &[("'{t,f}'", "[true,false]")]),
    ("a_f8", "float8[]", ColumnType::Json, &[("'{0.1,NaN,-Infinity}'", "[0.1,\"NaN\",\"-Infinity\"]")]),
    ("a_f4", "float4[]", ColumnType::Json, &[("'{0.1}'", "[0.1]")]),
    ("a_n", "numeric[]", ColumnType::Json, &[("'{1.50,NaN}'", "[\"1.50\",\"NaN\"]")]),
    ("a_n12", "numeric(12,2)[]", ColumnType::Json, &[("'{1.5,-0.01}'", "[1.50,-0.01]")]),
    ("a_n20", "numeric(20,2)[]", ColumnType::Json, &[("'{1.5}'", "[\"1.50\"]")]),
    ("a_d", "date[]", ColumnType::Json, &[("'{2024-02-29,infinity,0044-03-15 BC}'", "[\"2024-02-29\",\"infinity\",\"-0043-03-15\"]")]),
    ("a_t", "time[]", ColumnType::Json, &[("'{23:59:59.5}'", "[\"23:59:59.5\"]")]),
    ("a_ts", "timestamp[]", ColumnType::Json, &[("'{2024-02-29 23:59:59.5}'", "[\"2024-02-29T23:59:59.5\"]")]),
    ("a_tstz", "timestamptz[]", ColumnType::Json, &[("'{2024-02-29 23:59:59+02}'", "[\"2024-02-29T21:59:59Z\"]")]),
    ("a_uid", "uuid[]", ColumnType::Json, &[("'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'", "[\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"]")]),
    ("a_raw", "bytea[]", ColumnType::Json, &[("array['\\x00ff'::bytea]", "[\"AP8=\"]")]),
    ("a_js", "jsonb[]", ColumnType::Json, &[("array['{\"a\": [1, 2]}'::jsonb]", "[{\"a\":[1,2]}]")]),
    ("a_iv", "interval[]", ColumnType::Json, &[("'{1 day}'", "[\"P1D\"]")]),
    ("a_mood", "mood[]", ColumnType::Json, &[("array['it''s ok']::mood[]", "[\"it's ok\"]")]),
    ("a_ip", "inet[]", ColumnType::Json, &[("'{10.0.0.1}'", "[\"10.0.0.1/32\"]")]),
    ("a_pair", "pair[]", ColumnType::Json, &[("array[row(1,'x')]::pair[]", "[\"(1,x)\"]")]),
    ("a_dom", "posint[]", ColumnType::Json, &[("array[7]::posint[]", "[7]")]),
];

#[test]
fn postgres_values_of_every_type_are_what_they_were() {
    let server = PgServer::start();
    block_on(async {
        server
            .run(
                "create extension hstore; create extension citext; create type mood as enum ('it''s ok', 'sad');
                 create type pair as (a int, b text); create domain posint as int check (value > 0);
                 create domain price as numeric(10,2);",
            )
            .await;
        let mut session = server.session().await;
        for (table_name, cases) in [("scalars", SCALARS), ("arrays", ARRAYS)] {
            let mut sql = format!("create table {table_name} (email text, n int");
            for (name, kind, ..) in cases {
                write!(sql, ", {name} {kind}").unwrap();
            }
            write!(sql, "); insert into {table_name} values ('ada@example.com', -1);").unwrap();
            let most = cases.iter().map(|(.., values)| values.len()).max().unwrap();
            for row in 0..most {
                let at = |values: &[(&'static str, &str)]| {
                    values.get(row).map_or("null", |(sql, _)| *sql)
                };
                let values: Vec<&str> = cases.iter().map(|(.., values)| at(values)).collect();
                write!(
                    sql,
                    "insert into {table_name} values ('ada@example.com', {row}, {});",
                    values.join(", ")
                )
                .unwrap();
            }
            server.run(&sql).await;
            session = server.session().await;
            // As a table without a key, and as a query with one.
            for section in [
                table(table_name),
                crate::pg_server::keyed(
                    query(&format!("select * from {table_name} where email in (:email)")),
                    &["n"],
                ),
            ] {
                let (shape, batches) = read(session.as_mut(), &section, &ada()).await.unwrap();
                assert_eq!(shape.keyed, !section.key.is_empty());
                let cells = cells(&shape, &batches);
                let order = &cells["n"];
                for (name, kind, becomes, values) in cases {
                    let column = shape.columns.iter().find(|column| column.name == *name).unwrap();
                    assert_eq!(column.kind, *becomes, "{name} {kind}");
                    for (row, found) in order.iter().zip(&cells[*name]) {
                        let row = row.as_ref().unwrap().parse::<usize>().ok();
                        let expected = row.and_then(|row| values.get(row)).map(|(_, cell)| *cell);
                        assert_eq!(found.as_deref(), expected, "{name} {kind} in row {row:?}");
                    }
                }
            }
        }
        drop(session);
    });
    block_on(intervals_and_numbers_are_the_servers_own(&server));
    block_on(shapes_of_every_size(&server));
    block_on(values_that_do_not_fit_are_errors(&server));
}

async fn intervals_and_numbers_are_the_servers_own(server: &PgServer) {
    let mut session = server.session().await;
    let sql = "select i, i::text as it, n, n::text as nt from (
        select make_interval(months => (x * 7919 % 400)::int - 200, days => (x * 104729 % 200)::int - 100,
          secs => (x::int8 * 15485863 % 1000000) / 977.0 - 400) as i,
          ((x * 7919 % 100003) - 50000)::numeric * power(10::numeric, (x % 41)::numeric - 20) as n
        from generate_series(1, 3000) x) s";
    let (shape, batches) = read(session.as_mut(), &query(sql), &ada()).await.unwrap();
    let cells = cells(&shape, &batches);
    assert_eq!(cells["i"].len(), 3_000);
    assert_eq!(cells["i"], cells["it"]);
    assert_eq!(cells["n"], cells["nt"]);
}

async fn shapes_of_every_size(server: &PgServer) {
    let mut columns = String::new();
    (0..1_590).for_each(|n| write!(columns, ", c{n} int").unwrap());
    server
        .run(&format!(
            "create table wide (email text, id text{columns}); insert into wide (email, id, c0, c1589) values ('ada@example.com', 'x', 1, 2);
             create table big (id int primary key, email text, body text, raw bytea);
             insert into big select g, 'ada@example.com', repeat('\u{e9}', 500000 + g), decode(repeat('ab', 1000000), 'hex') from generate_series(1, 5) g;
             create table none (id int primary key, email text, n numeric(5,1));
             create table many (id int primary key, email text, body text);
             insert into many select g, 'ada@example.com', repeat('x', 40) from generate_series(1, 50000) g;"
        ))
        .await;
    let mut session = server.session().await;
    let (shape, batches) = read(session.as_mut(), &table("wide"), &ada()).await.unwrap();
    assert_eq!(shape.columns.len(), 1_592);
    let found = cells(&shape, &batches);
    assert_eq!((&found["c0"], &found["c1589"]), (&vec![Some("1".into())], &vec![Some("2".into())]));
    assert_eq!(found["c7"], [None]);
    let (shape, batches) = read(session.as_mut(), &table("big"), &ada()).await.unwrap();
    let found = cells(&shape, &batches);
    let lengths: Vec<usize> = found["body"].iter().flatten().map(String::len).collect();
    assert_eq!(lengths, [1, 2, 3, 4, 5].map(|g| (500_000 + g) * 2));
    assert!(batches.iter().all(|batch| batch.num_rows() == 1));
    let (shape, batches) = read(session.as_mut(), &table("none"), &ada()).await.unwrap();
    assert!(shape.keyed && batches.is_empty());
    let (shape, batches) = read(session.as_mut(), &whole(table("many")), &ada()).await.unwrap();
    assert!(batches.len() > 5 && batches.iter().all(|batch| batch.num_rows() <= 8_192));
    assert_eq!(cells(&shape, &batches)["id"].len(), 50_000);
    assert!((25_000..100_000).contains(&shape.rows.unwrap()), "{:?}", shape.rows);
}

async fn values_that_do_not_fit_are_errors(server: &PgServer) {
    server
        .run(
            "create table unfit (id int primary key, email text, n numeric(5,1), ts timestamp);
             insert into unfit values (1, 'ada@example.com', 1, null), (2, 'ada@example.com', 'NaN', null);
             create table late (id int primary key, email text, ts timestamp);
             insert into late values (1, 'ada@example.com', '294276-12-31');",
        )
        .await;
    let mut session = server.session().await;
    let error = read(session.as_mut(), &table("unfit"), &ada()).await.unwrap_err();
    assert!(error.to_string().starts_with("row 2, column n: not a number that"), "{error}");
    let error = read(session.as_mut(), &table("late"), &ada()).await.unwrap_err();
    assert!(error.to_string().starts_with("row 1, column ts: a moment after"), "{error}");
    // The session goes on.
    assert!(read(session.as_mut(), &table("none"), &ada()).await.is_ok());
}
