//! What becomes of every type of the server: each value against what the server's own client says of it.

use antumbra_pipeline::silo::{ColumnType, Identifiers, SectionSource};
use arrow_array::Array as _;

use crate::my_server::{MyServer, all};
use crate::pg_server::{cells, column, keyed, query, read, table, whole};
use crate::room::block_on;

#[test]
fn mysql_values_of_every_type_arrive_whole() {
    let server = MyServer::start();
    block_on(every_type(&server));
    block_on(days_of_no_calendar(&server));
    block_on(odd_names(&server));
    block_on(wide(&server));
}

async fn every_type(server: &MyServer) {
    let mut columns = String::new();
    let mut rows = [const { String::new() }; 3];
    for (at, case) in CASES.iter().enumerate() {
        columns.push_str(&format!(", c{at} {} null", case.declared));
        rows[0].push_str(&format!(", {}", case.one));
        rows[1].push_str(&format!(", {}", case.two));
        rows[2].push_str(", null");
    }
    server.run(&format!(
        "create table nasty (id int primary key{columns});
         insert into nasty values (1{}), (2{}), (3{});",
        rows[0], rows[1], rows[2]
    ));
    let mut session = server.session().await;
    for section in [all("nasty"), keyed(whole(query("select * from nasty")), &["id"])] {
        let (shape, batches) = read(session.as_mut(), &section, &none()).await.unwrap();
        assert!(shape.keyed, "{:?}", shape.notes);
        let found = cells(&shape, &batches);
        for (at, case) in CASES.iter().enumerate() {
            let name = format!("c{at}");
            let kind = shape.columns.iter().find(|column| column.name == name).unwrap().kind;
            // What MariaDB calls JSON is known of a table only.
            let kind = if kind == ColumnType::Text && case.kind == ColumnType::Json {
                case.kind
            } else {
                kind
            };
            assert_eq!(kind, case.kind, "{}", case.declared);
            if case.kind == ColumnType::Json
                && !matches!(section.source, SectionSource::Table { .. })
            {
                continue;
            }
            let expected = vec![Some(case.first.to_owned()), Some(case.second.to_owned()), None];
            assert_eq!(found[&name], expected, "{}", case.declared);
        }
    }
}

/// The server's own client says what is in a column; so do we, and as what it is where it can be.
async fn days_of_no_calendar(server: &MyServer) {
    server.run(
        "create table days (id int primary key, email varchar(80), d date, dt datetime(3), ts timestamp null);
         insert into days values
           (1, 'ada@example.com', '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00'),
           (2, 'ada@example.com', '2024-00-15', '2024-02-31 10:11:12.345', null),
           (3, 'ada@example.com', '2024-02-29', '2024-02-29 23:59:59.999', '2024-02-29 01:02:03'),
           (4, 'bob@example.com', '2024-02-29', '2024-02-29 23:59:59.999', '2024-02-29 01:02:03');",
    );
    let mut session = server.session().await;
    let (shape, batches) =
        read(session.as_mut(), &table("days"), &crate::pg_server::ada()).await.unwrap();
    for name in ["d", "dt", "ts"] {
        let said =
            server.run(&format!("select {name} from days where email like 'ada%' order by id"));
        let said: Vec<&str> = said.split('\n').collect();
        assert_eq!(column(&shape, &batches, name), said, "{name}");
        assert!(
            shape.notes.iter().any(|note| note.starts_with(&format!("column {name} has days"))),
            "{:?}",
            shape.notes
        );
    }
    // Somebody whose days are all in the calendar has them as days.
    let bob = crate::pg_server::known("email", &["bob@example.com"]);
    let (shape, batches) = read(session.as_mut(), &table("days"), &bob).await.unwrap();
    let kinds: Vec<ColumnType> = shape.columns.iter().skip(2).map(|column| column.kind).collect();
    assert_eq!(kinds, [ColumnType::Date, ColumnType::Timestamp, ColumnType::TimestampTz]);
    assert_eq!(column(&shape, &batches, "d"), ["19782"]);
    assert_eq!(column(&shape, &batches, "ts"), ["1709168523000000"]);
    assert!(shape.notes.is_empty(), "{:?}", shape.notes);
}

async fn odd_names(server: &MyServer) {
    server.run(
        "create table `sel``ect :x` (`order` int primary key, `a``b` text, `:email` text, `ü \u{20ac}` text, hidden text invisible, email varchar(80));
         insert into `sel``ect :x` (`order`, `a``b`, `:email`, `ü \u{20ac}`, hidden, email) values (1, 'x', 'y', 'z', 'unseen', 'ada@example.com');",
    );
    let mut session = server.session().await;
    let section = table("sel`ect :x");
    let (shape, batches) =
        read(session.as_mut(), &section, &crate::pg_server::ada()).await.unwrap();
    for (name, value) in [("a`b", "x"), (":email", "y"), ("ü \u{20ac}", "z"), ("hidden", "unseen")]
    {
        assert_eq!(column(&shape, &batches, name), [value], "{name}");
    }
}

async fn wide(server: &MyServer) {
    let columns: Vec<String> = (0..1_000).map(|n| format!("c{n} int")).collect();
    server.run(&format!(
        "create table wide ({}) engine = myisam; insert into wide (c7, c999) values (2, 5), (1, 5), (2, 5);
         create table big (id int primary key, t longtext, b longblob);
         insert into big values (1, repeat('\u{1f642}', 262144), repeat(x'00ff', 524288));
         create table empty (id int primary key, t text);",
        columns.join(", ")
    ));
    let mut session = server.session().await;
    let (shape, batches) = read(session.as_mut(), &all("wide"), &none()).await.unwrap();
    assert!(!shape.keyed);
    assert_eq!(column(&shape, &batches, "c7"), ["1", "2", "2"]);
    assert!(shape.notes.iter().any(|note| note.contains("MyISAM")), "{:?}", shape.notes);
    let (shape, batches) = read(session.as_mut(), &all("big"), &none()).await.unwrap();
    assert_eq!(column(&shape, &batches, "t"), ["\u{1f642}".repeat(262_144)]);
    assert_eq!(batches[0].column(2).len(), 1);
    let (shape, batches) = read(session.as_mut(), &all("empty"), &none()).await.unwrap();
    assert!(batches.is_empty() && shape.keyed);
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
    case("tinyint", ColumnType::Integer, ["-128", "-128"], ["127", "127"]),
    case("tinyint(1)", ColumnType::Integer, ["1", "1"], ["-7", "-7"]),
    case("tinyint unsigned", ColumnType::Integer, ["0", "0"], ["255", "255"]),
    case("smallint", ColumnType::Integer, ["-32768", "-32768"], ["32767", "32767"]),
    case("mediumint", ColumnType::Integer, ["-8388608", "-8388608"], ["8388607", "8388607"]),
    case("mediumint unsigned", ColumnType::Integer, ["0", "0"], ["16777215", "16777215"]),
    case("int", ColumnType::Integer, ["-2147483648", "-2147483648"], ["2147483647", "2147483647"]),
    case("int(7) unsigned zerofill", ColumnType::Integer, ["5", "5"], ["4294967295", "4294967295"]),
    case(
        "bigint",
        ColumnType::Integer,
        ["-9223372036854775808", "-9223372036854775808"],
        ["9223372036854775807", "9223372036854775807"],
    ),
    case(
        "bigint unsigned",
        DECIMAL20,
        ["0", "0"],
        ["18446744073709551615", "18446744073709551615"],
    ),
    case(
        "decimal(12,2)",
        ColumnType::Decimal { precision: 12, scale: 2 },
        ["-1234567890.12", "-1234567890.12"],
        ["0.05", "0.05"],
    ),
    case(
        "decimal(38,38)",
        ColumnType::Decimal { precision: 38, scale: 38 },
        ["0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"],
        ["0", "0.00000000000000000000000000000000000000"],
    ),
    case(
        "decimal(20,0) unsigned",
        DECIMAL20,
        ["99999999999999999999", "99999999999999999999"],
        ["0", "0"],
    ),
    case(
        "decimal(65,30)",
        ColumnType::Text,
        [
            "-12345678901234567890123456789012345.123456789012345678901234567890",
            "-12345678901234567890123456789012345.123456789012345678901234567890",
        ],
        ["1", "1.000000000000000000000000000000"],
    ),
    case(
        "float",
        ColumnType::Single,
        ["0.1", "0.1"],
        ["-3.4028234663852886e38", "-340282350000000000000000000000000000000"],
    ),
    case("double", ColumnType::Real, ["0.1", "0.1"], ["-1.5e-7", "-0.00000015"]),
    case("bit(1)", ColumnType::Integer, ["b'1'", "1"], ["b'0'", "0"]),
    case("bit(9)", ColumnType::Integer, ["b'101010101'", "341"], ["b'1'", "1"]),
    case("bit(64)", DECIMAL20, ["18446744073709551615", "18446744073709551615"], ["1", "1"]),
    case("year", ColumnType::Integer, ["1901", "1901"], ["0", "0"]),
    case("date", ColumnType::Date, ["'0001-01-01'", "-719162"], ["'9999-12-31'", "2932896"]),
    case(
        "datetime",
        ColumnType::Timestamp,
        ["'1970-01-01 00:00:01'", "1000000"],
        ["'1969-12-31 23:59:59'", "-1000000"],
    ),
    case(
        "datetime(6)",
        ColumnType::Timestamp,
        ["'9999-12-31 23:59:59.999999'", "253402300799999999"],
        ["'0000-01-01 00:00:00.000001'", "-62167219199999999"],
    ),
    case(
        "timestamp(6)",
        ColumnType::TimestampTz,
        ["'2038-01-19 03:14:07.999999'", "2147483647999999"],
        ["'1970-01-01 00:00:01'", "1000000"],
    ),
    case("time", ColumnType::Text, ["'-838:59:59'", "-838:59:59"], ["'00:00:00'", "00:00:00"]),
    case(
        "time(6)",
        ColumnType::Text,
        ["'838:59:59.000001'", "838:59:59.000001"],
        ["'-00:00:00.000001'", "-00:00:00.000001"],
    ),
    case("char(5)", ColumnType::Text, ["'ab  '", "ab"], ["''", ""]),
    case(
        "varchar(20)",
        ColumnType::Text,
        ["'ab  '", "ab  "],
        ["'\u{1f642} \u{e9}'", "\u{1f642} \u{e9}"],
    ),
    case(
        "varchar(20) character set latin1",
        ColumnType::Text,
        ["'\u{e9}\u{20ac}'", "\u{e9}\u{20ac}"],
        ["'a'", "a"],
    ),
    case("tinytext", ColumnType::Text, ["'it''s'", "it's"], ["'\\\\\\n'", "\\\n"]),
    case("longtext", ColumnType::Text, ["'a,b\"c'", "a,b\"c"], ["'null'", "null"]),
    case(
        "binary(4)",
        ColumnType::Bytes,
        ["x'00ff'", "[00, ff, 00, 00]"],
        ["x'01020304'", "[01, 02, 03, 04]"],
    ),
    case("varbinary(4)", ColumnType::Bytes, ["x'00ff'", "[00, ff]"], ["''", "[]"]),
    case("blob", ColumnType::Bytes, ["x'deadbeef'", "[de, ad, be, ef]"], ["x'00'", "[00]"]),
    case(
        "enum('happy','it''s, sad','')",
        ColumnType::Text,
        ["'it''s, sad'", "it's, sad"],
        ["3", ""],
    ),
    case("set('a','b','c')", ColumnType::Text, ["'a,c'", "a,c"], ["''", ""]),
    case(
        "json",
        ColumnType::Json,
        ["'{ \"a\" : [1, 2.50, \"\u{1f642}\"] }'", "{\"a\":[1,2.50,\"\u{1f642}\"]}"],
        ["'null'", "null"],
    ),
    case(
        "point",
        ColumnType::Bytes,
        [
            "point(1, 2)",
            "[00, 00, 00, 00, 01, 01, 00, 00, 00, 00, 00, 00, 00, 00, 00, f0, 3f, 00, 00, 00, 00, 00, 00, 00, 40]",
        ],
        [
            "point(0, 0)",
            "[00, 00, 00, 00, 01, 01, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00, 00]",
        ],
    ),
    case(
        "uuid",
        ColumnType::Text,
        ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
        ["'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000"],
    ),
    case(
        "inet6",
        ColumnType::Text,
        ["'2001:db8::1'", "2001:db8::1"],
        ["'::ffff:10.0.0.1'", "::ffff:10.0.0.1"],
    ),
    case("boolean", ColumnType::Integer, ["true", "1"], ["false", "0"]),
];
const DECIMAL20: ColumnType = ColumnType::Decimal { precision: 20, scale: 0 };
