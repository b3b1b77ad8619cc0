//! What becomes of every type that `DuckDB` has: each value as its documentation says it is, and in every place a value can stand.

use antumbra_pipeline::silo::{ColumnType, Identifiers, SectionSource};
use arrow_array::Array as _;

use crate::duck::Duck;
use crate::my_server::all;
use crate::pg_server::{ada, cells, column, query, read, table, whole};
use crate::room::block_on;

#[test]
fn adbc_values_of_every_type_arrive_whole() {
    let (mut columns, mut rows) = (String::new(), [const { String::new() }; 3]);
    for (at, case) in CASES.iter().enumerate() {
        columns.push_str(&format!(", c{at} {}", case.declared));
        rows[0].push_str(&format!(", {}", case.one));
        rows[1].push_str(&format!(", {}", case.two));
        rows[2].push_str(", null");
    }
    let duck = Duck::with(&[
        "create type mood as enum ('happy', 'it''s, sad', '')",
        &format!("create table nasty (id int primary key{columns})"),
        &format!("insert into nasty values (1{}), (2{}), (3{})", rows[0], rows[1], rows[2]),
    ]);
    block_on(async {
        let mut session = duck.session().await;
        for section in [all("nasty"), whole(query("select * from nasty where id < 9"))] {
            let (shape, batches) = read(session.as_mut(), &section, &none()).await.unwrap();
            assert_eq!(shape.keyed, matches!(section.source, SectionSource::Table { .. }));
            let found = cells(&shape, &batches);
            for (at, case) in CASES.iter().enumerate() {
                let name = format!("c{at}");
                let kind = shape.columns.iter().find(|column| column.name == name).unwrap().kind;
                assert_eq!(kind, case.kind, "{}", case.declared);
                let expected = [Some(case.first.to_owned()), Some(case.second.to_owned()), None];
                let mut found = found[&name].clone();
                // Without a key the rows come in the order of their values; here of `id`, the first.
                found.truncate(3);
                assert_eq!(found, expected, "{}", case.declared);
            }
        }
    });
}

#[test]
fn adbc_values_that_have_no_exact_form_are_refused_with_their_place() {
    let duck = Duck::with(&[
        "create table t (id int primary key, h hugeint)",
        "insert into t values (1, 5), (2, 170141183460469231731687303715884105727)",
    ]);
    block_on(async {
        let mut session = duck.session().await;
        let section = whole(query("select id, h from t"));
        let error = read(session.as_mut(), &section, &none()).await.unwrap_err();
        assert_eq!(error.to_string(), "row 2, column h: a value that its type does not hold");
        // What was refused ended the transaction; the session goes on.
        let section = whole(query("select h::varchar as h from t"));
        let (shape, batches) = read(session.as_mut(), &section, &none()).await.unwrap();
        assert_eq!(column(&shape, &batches, "h"), ["170141183460469231731687303715884105727", "5"]);
    });
}

#[test]
fn adbc_names_of_any_spelling_are_only_names() {
    let duck = Duck::with(&[
        "create schema \"My \"\"Shop\"",
        "create table \"My \"\"Shop\".\"sel`ect :x\" (\"order\" int primary key, \"a\"\"b\" text, \":email\" text, \"\u{fc} \u{20ac}\" text, email text)",
        "insert into \"My \"\"Shop\".\"sel`ect :x\" values (2, 'x', 'y', 'z', 'ada@example.com'), (1, '', null, '', 'bob')",
    ]);
    block_on(async {
        let mut session = duck.session().await;
        let mut section = table("t");
        section.source = SectionSource::Table {
            parts: vec!["My \"Shop".to_owned(), "sel`ect :x".to_owned()],
            matches: vec![("email".to_owned(), "email".to_owned())],
        };
        let (shape, batches) = read(session.as_mut(), &section, &ada()).await.unwrap();
        for (name, value) in
            [("order", "2"), ("a\"b", "x"), (":email", "y"), ("\u{fc} \u{20ac}", "z")]
        {
            assert_eq!(column(&shape, &batches, name), [value], "{name}");
        }
        assert_eq!(
            shape.statement,
            "select * from \"My \"\"Shop\".\"sel`ect :x\" where (\"email\" in (:email)) order by \"order\""
        );
        let twice = query("select 1 as a, 2 as \"A\" where :email <> ''");
        // The database tells them apart before we see them.
        let shape = session.describe(&twice, &ada()).await.unwrap();
        assert_eq!(shape.ordered_by, ["a", "A_1"]);
    });
}

#[test]
fn adbc_rows_may_be_wide_big_or_none() {
    let columns: Vec<String> = (0..1_600).map(|n| format!("c{n} int")).collect();
    let duck = Duck::with(&[
        &format!("create table wide ({})", columns.join(", ")),
        "insert into wide (c7, c1599) values (2, 5), (1, 5), (2, 5)",
        "create table big (id int primary key, t text, b blob)",
        "insert into big select g, repeat('\u{1f642}', 262144), repeat('\\x00\\xFF', 524288)::blob from range(3) as r(g)",
        "create table empty (id int primary key, t text)",
    ]);
    block_on(async {
        let mut session = duck.session().await;
        let (shape, batches) = read(session.as_mut(), &all("wide"), &none()).await.unwrap();
        assert!(!shape.keyed);
        assert_eq!(column(&shape, &batches, "c7"), ["1", "2", "2"]);
        assert_eq!(column(&shape, &batches, "c1599"), ["5", "5", "5"]);
        let (shape, batches) = read(session.as_mut(), &all("big"), &none()).await.unwrap();
        assert_eq!(column(&shape, &batches, "t"), vec!["\u{1f642}".repeat(262_144); 3]);
        // Cut at a megabyte, though the driver gave them together.
        assert_eq!(batches.iter().map(|batch| batch.num_rows()).collect::<Vec<_>>(), [1, 1, 1]);
        let (shape, batches) = read(session.as_mut(), &all("empty"), &none()).await.unwrap();
        assert!(batches.iter().all(|batch| batch.column(0).is_empty()) && shape.keyed);
    });
}

fn none() -> Identifiers {
    Identifiers::new()
}

struct Case {
    declared: &'static str,
    kind: ColumnType,
    one: &'static str,
    two: &'static str,
    /// In Arrow's own units.
    first: &'static str,
    second: &'static str,
}

const fn case(
    declared: &'static str,
    kind: ColumnType,
    [one, first]: [&'static str; 2],
    [two, second]: [&'static str; 2],
) -> Case {
    Case { declared, kind, one, two, first, second }
}

const CASES: [Case; 41] = [
    case("boolean", ColumnType::Boolean, ["true", "true"], ["false", "false"]),
    case("tinyint", ColumnType::Integer, ["-128", "-128"], ["127", "127"]),
    case("utinyint", ColumnType::Integer, ["0", "0"], ["255", "255"]),
    case("smallint", ColumnType::Integer, ["-32768", "-32768"], ["32767", "32767"]),
    case("usmallint", ColumnType::Integer, ["0", "0"], ["65535", "65535"]),
    case("int", ColumnType::Integer, ["-2147483648", "-2147483648"], ["2147483647", "2147483647"]),
    case("uint32", ColumnType::Integer, ["0", "0"], ["4294967295", "4294967295"]),
    case(
        "bigint",
        ColumnType::Integer,
        ["-9223372036854775808", "-9223372036854775808"],
        ["9223372036854775807", "9223372036854775807"],
    ),
    case(
        "ubigint",
        ColumnType::Decimal { precision: 20, scale: 0 },
        ["0", "0"],
        ["18446744073709551615", "18446744073709551615"],
    ),
    case(
        "hugeint",
        ColumnType::Decimal { precision: 38, scale: 0 },
        ["-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"],
        ["7", "7"],
    ),
    case(
        "decimal(4,2)",
        ColumnType::Decimal { precision: 4, scale: 2 },
        ["-12.34", "-12.34"],
        ["0.05", "0.05"],
    ),
    case(
        "decimal(18,3)",
        ColumnType::Decimal { precision: 18, scale: 3 },
        ["123456789012345.678", "123456789012345.678"],
        ["0", "0.000"],
    ),
    case(
        "decimal(38,38)",
        ColumnType::Decimal { precision: 38, scale: 38 },
        ["0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"],
        ["0", "0.00000000000000000000000000000000000000"],
    ),
    case("float", ColumnType::Single, ["0.1", "0.1"], ["'nan'::float", "NaN"]),
    case("double", ColumnType::Real, ["0.1", "0.1"], ["'-infinity'::double", "-inf"]),
    case(
        "text",
        ColumnType::Text,
        ["''", ""],
        ["'it''s \u{1f642} \\ \u{e9}'", "it's \u{1f642} \\ \u{e9}"],
    ),
    case("text", ColumnType::Text, ["chr(0) || 'a' || chr(10)", "\0a\n"], ["'null'", "null"]),
    case("blob", ColumnType::Bytes, ["'\\x00\\xFF'::blob", "[00, ff]"], ["''::blob", "[]"]),
    case("mood", ColumnType::Text, ["'it''s, sad'", "it's, sad"], ["''", ""]),
    case(
        "uuid",
        ColumnType::Text,
        ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
        ["'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000"],
    ),
    case("date", ColumnType::Date, ["'0001-01-01'", "-719162"], ["'9999-12-31'", "2932896"]),
    case("date", ColumnType::Date, ["'infinity'", "2147483647"], ["'-infinity'", "-2147483648"]),
    case("time", ColumnType::Time, ["'00:00:00.000001'", "1"], ["'24:00:00'", "86400000000"]),
    case(
        "timestamp",
        ColumnType::Timestamp,
        ["'1969-12-31 23:59:59.999999'", "-1"],
        ["'9999-12-31 23:59:59.999999'", "253402300799999999"],
    ),
    case(
        "timestamp",
        ColumnType::Timestamp,
        ["'infinity'", "9223372036854775807"],
        ["'-infinity'", "-9223372036854775808"],
    ),
    case(
        "timestamp_s",
        ColumnType::Timestamp,
        ["'1970-01-01 00:00:01'", "1000000"],
        ["'9999-12-31 23:59:59'", "253402300799000000"],
    ),
    case(
        "timestamp_ms",
        ColumnType::Timestamp,
        ["'1969-12-31 23:59:59.999'", "-1000"],
        ["'1970-01-01'", "0"],
    ),
    case(
        "timestamp_ns",
        ColumnType::Text,
        ["'1970-01-01 00:00:00.000000001'", "1970-01-01T00:00:00.000000001"],
        ["'2024-02-29 12:00:00.12'", "2024-02-29T12:00:00.12"],
    ),
    case(
        "timestamptz",
        ColumnType::TimestampTz,
        ["'1970-01-01 02:00:00.000001+02'", "1"],
        ["'-infinity'", "-9223372036854775808"],
    ),
    case(
        "interval",
        ColumnType::Text,
        ["interval '14 months 3 days 4 hours 5 minutes 6.789 seconds'", "P1Y2M3DT4H5M6.789S"],
        ["interval '-1 day'", "P-1D"],
    ),
    case("int[]", ColumnType::Json, ["[1, null, -3]", "[1,null,-3]"], ["[]", "[]"]),
    case(
        "text[2]",
        ColumnType::Json,
        ["['a', null]", "[\"a\",null]"],
        ["['\"', '']", "[\"\\\"\",\"\"]"],
    ),
    case(
        "decimal(38,2)[]",
        ColumnType::Json,
        ["[123456789012345678901234567890123456.78]", "[123456789012345678901234567890123456.78]"],
        ["[0]", "[0.00]"],
    ),
    case(
        "struct(a int, \"b \"\"c\" text[])",
        ColumnType::Json,
        ["{'a': 1, 'b \"c': ['x']}", "{\"a\":1,\"b \\\"c\":[\"x\"]}"],
        ["{'a': null, 'b \"c': null}", "{\"a\":null,\"b \\\"c\":null}"],
    ),
    case(
        "map(text, int)",
        ColumnType::Json,
        ["map {'k': 1, 'l': null}", "[{\"key\":\"k\",\"value\":1},{\"key\":\"l\",\"value\":null}]"],
        ["map {}", "[]"],
    ),
    case(
        "struct(d date, t timestamptz, n timestamp_ns, b blob, f double, i interval)[]",
        ColumnType::Json,
        [
            "[{'d': '2024-02-29', 't': '2024-02-29 00:00:00+00', 'n': '2024-02-29 00:00:00.000000001', 'b': '\\x00'::blob, 'f': 'nan', 'i': interval '1 day'}]",
            "[{\"d\":\"2024-02-29\",\"t\":\"2024-02-29T00:00:00Z\",\"n\":\"2024-02-29T00:00:00.000000001\",\"b\":\"AA==\",\"f\":\"NaN\",\"i\":\"P1D\"}]",
        ],
        ["[null]", "[null]"],
    ),
    case("mood[]", ColumnType::Json, ["['happy', null]", "[\"happy\",null]"], ["['']", "[\"\"]"]),
    case(
        "union(num int, word text)",
        ColumnType::Json,
        ["union_value(num := 2)", "{\"num\":2}"],
        ["'b'", "{\"word\":\"b\"}"],
    ),
    // As DuckDB's own Arrow output has them.
    case("bit", ColumnType::Bytes, ["'101'", "[05, fd]"], ["'0'", "[07, fe]"]),
    case("json", ColumnType::Text, ["'{ \"a\" : 2.50 }'", "{ \"a\" : 2.50 }"], ["'null'", "null"]),
    case("timetz", ColumnType::Time, ["'10:00:00+02'", "36000000000"], ["'00:00:00+00'", "0"]),
];
