//! What is a key to the `mysql` silo, and does reading go on behind one without losing or repeating a row?

use antumbra_pipeline::silo::{Cursor, Identifiers, SectionSpec, Session};
use antumbra_pipeline::{SiloError, Value};

use crate::my_server::{MyServer, all};
use crate::pg_server::{ada, cells, drain, keyed, query, read, table};
use crate::room::block_on;

#[test]
fn mysql_keys_are_proven_and_reading_goes_on_behind_each() {
    let server = MyServer::start();
    block_on(proven(&server));
    block_on(every_cursor(&server));
    block_on(without_one(&server));
}

async fn proven(server: &MyServer) {
    server.run(
        "create table k (id int primary key, u varchar(20) not null unique, half varchar(20) unique, part text not null, email varchar(80), t text, unique (part(10)));
         insert into k values (1, 'a', null, 'p', 'ada@example.com', 'x'), (2, 'b', 'B', 'q', 'ada@example.com', 'x'), (3, 'c', 'c', 'r', 'bob', 'x');
         create view v as select * from k; create table heap (a int, b int) engine = innodb; insert into heap values (1, 1), (1, 2), (null, 3);",
    );
    let mut session = server.session().await;
    for (section, keyed_by) in [
        (table("k"), Some(&["id"][..])),
        (keyed(table("k"), &["u"]), Some(&["u"])),
        (keyed(table("k"), &["u", "id"]), Some(&["u", "id"])),
        (keyed(table("k"), &["half"]), None),
        (keyed(table("k"), &["t"]), None),
        (keyed(table("v"), &["id"]), Some(&["id"])),
        (keyed(table("v"), &["email"]), None),
        (keyed(query("select * from k where email = :email"), &["u"]), Some(&["u"])),
        (keyed(query("select * from k"), &["half"]), None),
        (all("heap"), None),
        (keyed(all("heap"), &["a", "b"]), None),
        (keyed(all("heap"), &["b"]), Some(&["b"])),
    ] {
        let shape = session.describe(&section, &ada()).await.unwrap();
        assert_eq!(
            shape.keyed.then_some(shape.ordered_by),
            keyed_by.map(|key| key.iter().map(|name| (*name).to_owned()).collect()),
            "{section:?}"
        );
    }
}

/// Every row's key is a cursor: what is behind it is what was behind it in the whole.
async fn every_cursor(server: &MyServer) {
    server.run(
        "create table c (n int auto_increment primary key, ci varchar(60) collate utf8mb4_general_ci not null unique, sw varchar(40) character set latin1 collate latin1_swedish_ci not null unique,
           uca varchar(100) collate utf8mb4_unicode_ci not null unique, bin varchar(300) collate utf8mb4_bin not null unique, raw varbinary(16) not null unique,
           big bigint unsigned not null unique, de decimal(40,5) not null unique, ts timestamp(6) not null unique, dt datetime(6) not null unique, tm time(6) not null unique,
           e enum('z', 'm', 'a', 'B', '10', '9') not null unique, f float not null unique, d double not null unique, y year not null unique, b bit(64) not null unique,
           u uuid not null unique, da date not null unique);
         insert into c (ci, sw, uca, bin, raw, big, de, ts, dt, tm, e, f, d, y, b, u, da) values
           ('a', 'a', 'a', 'a', x'00', 0, -1.5, '2024-01-01 00:00:00.000001', '0001-01-01', '-838:59:59', 'z', 0.1, 0.1, 0, 0, '00000000-0000-0000-0000-000000000001', '0001-01-01'),
           ('B', 'B', 'B', 'B', x'ff', 18446744073709551615, 99999999999999999999999999999999999.99999, '2024-01-01', '9999-12-31 23:59:59.999999', '838:59:59', 'm', -3.4e38, 1e308, 1901, 18446744073709551615, '00000000-0000-0000-0000-000000000100', '9999-12-31'),
           ('\u{e9}', '\u{e9}', '\u{e9}', '\u{e9}', x'00ff', 9223372036854775808, 0.00001, '2038-01-19 03:14:07', '2024-02-29 12:00:00.5', '00:00:00.000001', 'a', 1e-38, 5e-324, 2155, 9223372036854775808, '10000000-0000-0000-0000-000000000000', '2024-02-29'),
           ('z', 'z', 'z', 'z', x'6162', 1, 0, '1970-01-01 00:00:01', '2024-02-29 12:00:00', '-00:00:00.000001', 'B', 3.3333333, 3.3333333333333335, 2000, 1, 'ffffffff-0000-0000-0000-000000000000', '1970-01-01'),
           ('\u{df}\u{1f642}', '\u{df}', 'ch', repeat('\u{1f642}', 300), x'', 2, 5, '2000-02-29', '2000-02-29', '12:34:56', '10', 16777216, 9007199254740993, 1999, 2, '00000000-0000-0001-0000-000000000000', '2000-02-29'),
           ('o''k \\\\', '\u{f6}', 'c h', concat(repeat('\u{1f642}', 299), 'x'), x'27', 10, 9, '2001-02-28', '2001-02-28', '00:00:00', '9', 0, 0, 2024, 10, '00000000-0000-0000-1000-000000000000', '2001-02-28');",
    );
    let mut session = server.session().await;
    for name in [
        "n", "ci", "sw", "uca", "bin", "raw", "big", "de", "ts", "dt", "tm", "e", "f", "d", "y",
        "b", "u", "da",
    ] {
        goes_on(session.as_mut(), keyed(all("c"), &[name])).await;
        goes_on(session.as_mut(), keyed(query("select * from c"), &[name])).await;
    }
    server.run("create table two (a varchar(10) not null, b int not null, c date not null, primary key (a, b, c));
        insert into two values ('x', 1, '2024-01-01'), ('X', 2, '2024-01-01'), ('x', 2, '2024-01-02'), ('y', 0, '2023-01-01'), ('Y', 0, '2023-01-02'), ('', 7, '2022-01-01');");
    let mut session = server.session().await;
    goes_on(session.as_mut(), all("two")).await;
    goes_on(session.as_mut(), keyed(query("select * from two"), &["c", "a", "b"])).await;
}

async fn goes_on(session: &mut dyn Session, section: SectionSpec) {
    let none = Identifiers::new();
    let (shape, batches) = read(session, &section, &none).await.unwrap();
    assert!(shape.keyed, "{:?} {:?}", section.key, shape.notes);
    let all = cells(&shape, &batches);
    let rows = all.values().next().unwrap().len();
    assert_eq!(rows, 6);
    let mut cursors = vec![Vec::new(); rows];
    for name in &shape.ordered_by {
        let at = shape.columns.iter().position(|column| column.name == *name).unwrap();
        for (row, cursor) in cursors.iter_mut().enumerate() {
            cursor.push(as_cursor(batches[0].column(at), row));
        }
    }
    for (row, cursor) in cursors.into_iter().enumerate() {
        let after = session.read(&section, &none, &shape, Some(Cursor(cursor))).await.unwrap();
        let rest = cells(&shape, &drain(after).await.unwrap());
        for (name, whole) in &all {
            assert_eq!(rest[name], whole[row + 1..], "{:?}: behind row {row}, {name}", section.key);
        }
    }
}

/// What the runner takes for the cursor of a row.
fn as_cursor(column: &dyn arrow_array::Array, row: usize) -> Value {
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Float64Type, Int64Type};
    use arrow_schema::DataType;
    match column.data_type() {
        DataType::Int64 => Value::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Real(column.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Binary => Value::Bytes(column.as_binary::<i32>().value(row).to_vec()),
        DataType::Date32 => Value::Text(civil(column, row, "%Y-%m-%d")),
        DataType::Timestamp(..) => Value::Text(civil(column, row, "%Y-%m-%dT%H:%M:%S%.f")),
        _ => Value::Text(crate::pg_server::cell(column, row).unwrap()),
    }
}

fn civil(column: &dyn arrow_array::Array, row: usize, format: &str) -> String {
    let number: i64 = crate::pg_server::cell(column, row).unwrap().parse().unwrap();
    let micros = if format.contains('T') { number } else { number * 86_400_000_000 };
    let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
    (epoch + jiff::SignedDuration::from_micros(micros)).strftime(format).to_string()
}

/// Rows without a key come in the same order each time, whatever the server found first.
async fn without_one(server: &MyServer) {
    server.run(
        "create table o (a int, t varchar(20), long1 text, f float, doc json);
         insert into o values (1, 'a', 'x', 0.1, '{}'), (1, 'A', 'x', 0.1, '{}'), (1, 'a', 'y', 0.1, '{}'), (null, null, null, null, null), (1, 'a ', 'x', 0.1, '{}');
         create table p as select * from o order by t desc, long1 desc; create table q as select * from o order by long1 asc, t asc;",
    );
    let mut session = server.session().await;
    let mut seen = Vec::new();
    for name in ["o", "p", "q"] {
        let (shape, batches) = read(session.as_mut(), &all(name), &ada()).await.unwrap();
        assert!(!shape.keyed);
        let mut found = cells(&shape, &batches);
        found.remove("doc");
        seen.push(found);
        let error =
            session.read(&all(name), &ada(), &shape, Some(Cursor(vec![]))).await.unwrap_err();
        assert_eq!(error, SiloError::ShapeChanged);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}
