//! Which rows the `mysql` silo selects: windows, filters, values that fit no type; what it refuses, and what it advises.

use antumbra_pipeline::silo::{Filter, Identifiers, SectionSource, SectionSpec, Session, Window};
use antumbra_pipeline::{SiloError, Value};

use crate::my_server::MyServer;
use crate::pg_server::{ada, column, keyed, known, query, read, table, whole};
use crate::room::block_on;

#[test]
fn mysql_rows_are_those_that_windows_filters_and_values_select() {
    let server = MyServer::start();
    block_on(texts_and_numbers(&server));
    block_on(queries(&server));
    block_on(long_numbers(&server));
    block_on(letters(&server));
    block_on(letters_of_queries(&server));
    block_on(windows(&server));
    block_on(filters(&server));
    block_on(distinct(&server));
    block_on(refused(&server));
    block_on(explained(&server));
}

async fn ids(
    session: &mut dyn Session,
    section: &SectionSpec,
    known: &Identifiers,
) -> Result<Vec<String>, SiloError> {
    let (shape, batches) = read(session, section, known).await?;
    Ok(column(&shape, &batches, "id"))
}

fn matching(name: &str, column: &str) -> SectionSpec {
    let mut section = table(name);
    section.source = SectionSource::Table {
        parts: vec![name.to_owned()],
        matches: vec![(column.to_owned(), "who".to_owned())],
    };
    section
}

/// The server takes a text beside a number for the number it begins with, or for nought, and a number beside a text likewise.
async fn texts_and_numbers(server: &MyServer) {
    server.run(
        "create table n (id int primary key, i int, big bigint unsigned, dec1 decimal(20,2), f float, d double, y year, b bit(9),
           day date, at datetime(6), t time, txt varchar(20), e enum('a', '0', 'c'), bin varbinary(8), key (i), key (txt));
         insert into n values
           (1, 0, 0, 0, 0, 0, 0, 0, '2024-01-01', '2024-01-01 00:00:00.5', '00:00:00', '0', 'a', '0'),
           (2, 12, 18446744073709551615, 12.50, 0.1, 0.1, 1999, 5, '2024-02-29', '2024-02-29 12:00:00', '12:00:00', '12abc', '0', 'x'),
           (3, 9, 9223372036854775808, 99999999999999999.99, 1.5, 1e300, 2020, 511, '2024-03-01', '2024-03-01', '-01:00:00', '9', 'c', x'00ff');",
    );
    let mut session = server.session().await;
    for (name, value, expected) in [
        ("i", Value::Text("abc".into()), &[][..]),
        ("i", Value::Text("12abc".into()), &[]),
        ("i", Value::Text(String::new()), &[]),
        ("i", Value::Text("12.0".into()), &["2"]),
        ("i", Value::Integer(0), &["1"]),
        ("big", Value::Text("18446744073709551615".into()), &["2"]),
        ("big", Value::Text("18446744073709551614".into()), &[]),
        ("big", Value::Text("9223372036854775808.0".into()), &["3"]),
        ("dec1", Value::Text("99999999999999999.99".into()), &["3"]),
        ("dec1", Value::Text("99999999999999999.98".into()), &[]),
        ("dec1", Value::Text("12.504".into()), &[]),
        ("dec1", Value::Text("1.25e1".into()), &["2"]),
        ("f", Value::Text("0.1".into()), &["2"]),
        ("f", Value::Text("x".into()), &[]),
        ("d", Value::Real(0.1_f64.to_bits()), &["2"]),
        ("d", Value::Text("1e300".into()), &["3"]),
        ("y", Value::Text("99".into()), &[]),
        ("y", Value::Integer(1999), &["2"]),
        ("y", Value::Text("abc".into()), &[]),
        ("b", Value::Text("511".into()), &["3"]),
        ("b", Value::Text("abc".into()), &[]),
        ("day", Value::Text("2024-02-29".into()), &["2"]),
        ("day", Value::Text("2024-02-29 00:00:01".into()), &[]),
        ("day", Value::Text("tomorrow".into()), &[]),
        ("at", Value::Text("2024-01-01T00:00:00.5".into()), &["1"]),
        ("t", Value::Text("-01:00:00".into()), &["3"]),
        ("txt", Value::Integer(12), &[]),
        ("txt", Value::Integer(9), &["3"]),
        ("txt", Value::Integer(0), &["1"]),
        ("e", Value::Integer(1), &[]),
        ("e", Value::Integer(0), &["2"]),
        ("bin", Value::Bytes(vec![0, 255]), &["3"]),
        ("bin", Value::Text("X".into()), &[]),
    ] {
        let known: Identifiers = [("who".to_owned(), vec![value.clone()])].into();
        let found = ids(session.as_mut(), &matching("n", name), &known).await.unwrap();
        let text = if let Value::Text(text) = &value { text.as_str() } else { "" };
        assert_eq!(found, expected, "{name} {value:?} {text}");
    }
}

async fn queries(server: &MyServer) {
    let mut session = server.session().await;
    for sql in [
        "select * from n where i = :who",
        "select * from n where i in (:who)",
        "select * from n where id = :who or i = :who",
        "select * from n where dec1 = :who",
        "select * from n where f = :who",
        "select * from n where :who = i + 0",
        "select n.* from n join (select :who as k) q on q.k = n.i",
        "select * from n where i between :who and :who",
        "select * from n where y = :who",
        "select * from n where b = :who",
        "select * from n where i in (select :who union select 77)",
        "select * from n where i = replace(:who, '-', '')",
        "select * from n where id = cast(:who as unsigned) or i = cast(:who as unsigned)",
    ] {
        for value in ["canary-4410", "12canary", "\u{fc}canary"] {
            let known = known("who", &[value]);
            let section = keyed(query(sql), &["id"]);
            // No row is found that way, or the query is refused.
            match ids(session.as_mut(), &section, &known).await {
                Ok(found) => {
                    assert!(value == "12canary" && found.is_empty(), "{sql} {value}: {found:?}");
                }
                Err(error) => {
                    assert!(
                        error.to_string().contains("which is no number here"),
                        "{sql}: {error}"
                    );
                    assert!(!error.to_string().contains("canary"), "{error}");
                    let asked = session.distinct(&section, &known, &["id".to_owned()], 5).await;
                    assert_eq!(asked, Err(error.clone()), "{sql}");
                    assert_eq!(session.count_whole(&section, &known).await, Err(error), "{sql}");
                }
            }
        }
    }
    for (sql, value, expected) in [
        ("select * from n where i = :who", "12", &["2"][..]),
        ("select * from n where i in (:who)", " 12.0 ", &["2"]),
        ("select * from n where cast(i as char) = :who", "abc", &[]),
        ("select * from n where txt = :who", "12abc", &["2"]),
        ("select * from n where txt = :who", "9", &["3"]),
        ("select * from n where txt = :who -- it's :who", "9", &["3"]),
        ("select * from n where txt = :who /* it's :who */", "9", &["3"]),
        ("select *, 'a:b' as `c:d`, 'x\\' as x from n where txt = :who and '\\' = '\\'", "9", &[]),
        ("select * from n where txt = replace(:who, '-', '')", "12-abc", &["2"]),
        ("select * from n where bin = unhex(:who)", "00FF", &["3"]),
        ("select *, :who as who from n where txt = :who", "12abc", &["2"]),
        ("select * from n where txt in ('9', :who) and e = 'c'", "abc", &["3"]),
        ("select * from n where i = :who", "abc7", &["refused"]),
        ("select * from n where txt <> :who and txt not in (:who)", "9", &["1", "2"]),
    ] {
        let section = keyed(query(sql), &["id"]);
        let found = ids(session.as_mut(), &section, &known("who", &[value])).await;
        match found {
            Ok(found) => assert_eq!(found, expected, "{sql}"),
            Err(error) if expected == ["refused"] => {
                assert!(error.to_string().contains("cast(id as char)"), "{error}");
            }
            Err(error) => assert!(
                sql.contains("a:b") && error.to_string().contains("backslash"),
                "{sql}: {error}"
            ),
        }
    }
}

/// Beside a text the server rounds a number to fifteen digits or so, and finds the neighbour's rows.
async fn long_numbers(server: &MyServer) {
    server.run(
        "create table big_ids (id int primary key, c decimal(18,0), b bigint, u bigint unsigned, f double, t varchar(40), cut decimal(30,12), key (b));
         insert into big_ids values
           (1, 100000000000000001, 100000000000000001, 18446744073709551614, 1e17, '100000000000000001', 123456.000000000001),
           (2, 100000000000000002, 100000000000000002, 18446744073709551615, 1e17, '100000000000000002', 123456.000000000002),
           (3, 100000000000000000, 100000000000000000, 3, 1e17, '1e17', 7), (4, 7, 7, 7, 7, '7', 7);",
    );
    let mut session = server.session().await;
    for (sql, values, expected) in [
        ("c = :who", &["100000000000000001"][..], &["1"][..]),
        ("c in (:who)", &["100000000000000001", "7"], &["1", "4"]),
        ("c in (:who)", &["100000000000000001", "7", "nobody"], &["refused"]),
        ("c = :who", &["100000000000000000"], &["3"]),
        ("c = :who", &["1e17"], &["3"]),
        ("c between :who and :who", &["100000000000000001"], &["1"]),
        ("coalesce(c, 0) = :who", &["100000000000000001"], &["1"]),
        ("c + 0 = :who", &["100000000000000001"], &["1"]),
        ("(c, 1) = (:who, 1)", &["100000000000000002"], &["2"]),
        ("c = (select :who)", &["100000000000000002"], &["2"]),
        ("c in (select :who union select 77)", &["100000000000000002"], &["2"]),
        ("b in (:who)", &["100000000000000001", "7"], &["1", "4"]),
        ("b + 0 in (:who)", &["100000000000000001", "7"], &["1", "4"]),
        ("b between :who and :who", &["100000000000000001"], &["1"]),
        ("coalesce(u, 0) = :who", &["18446744073709551614"], &["1"]),
        ("cut in (:who)", &["123456.000000000001"], &["1"]),
        ("c <> :who", &["100000000000000001"], &["2", "3", "4"]),
        ("t = :who", &["100000000000000001"], &["1"]),
        ("t = :who", &["100000000000000000"], &[]),
        ("t in (:who)", &["1e17", "7"], &["3", "4"]),
        ("t collate utf8mb4_bin = :who", &["100000000000000001"], &["1"]),
        ("t = replace(:who, '-', '')", &["100000000000000001"], &["1"]),
        ("cast(c as char) = :who", &["100000000000000001"], &["1"]),
        ("c = cast(:who as decimal(20,0))", &["100000000000000001"], &["1"]),
        ("c = replace(:who, '-', '')", &["100000000000000001"], &["refused"]),
        ("f = :who", &["100000000000000001"], &["refused"]),
        ("t + 0 = :who", &["100000000000000001"], &["refused"]),
        ("c = :who or f = :who", &["7"], &["4"]),
    ] {
        let section = keyed(query(&format!("select * from big_ids where {sql}")), &["id"]);
        let known = known("who", values);
        let found = ids(session.as_mut(), &section, &known).await;
        match found {
            Ok(found) => assert_eq!(found, expected, "{sql} {values:?}"),
            Err(error) => {
                assert_eq!(expected, ["refused"], "{sql} {values:?}: {error}");
                assert!(error.to_string().contains("cast(id as char) = :who"), "{error}");
                assert!(!error.to_string().contains("0000000"), "{error}");
            }
        }
    }
    let joined = "select big_ids.* from big_ids join (select :who as k) q on q.k = c";
    let who = known("who", &["100000000000000002"]);
    let found = ids(session.as_mut(), &keyed(query(joined), &["id"]), &who).await.unwrap();
    assert_eq!(found, ["2"]);
    let section = keyed(query("select * from big_ids where c in (:who)"), &["id"]);
    assert_eq!(session.count_whole(&section, &who).await, Ok(Some(1)));
    let found = session.distinct(&section, &who, &["t".to_owned()], 5).await.unwrap();
    assert_eq!(found, [[Value::Text("100000000000000002".into())]]);
}

/// A collation may find the rows of somebody whose name differs in an accent.
async fn letters(server: &MyServer) {
    server.run(
        "create table l (id int primary key, email varchar(80) collate utf8mb4_general_ci, plain varchar(80) character set latin1, exact varchar(80) collate utf8mb4_bin);
         insert into l values (1, 'jose@example.com', 'jose@example.com', 'jose@example.com'), (2, 'jos\u{e9}@example.com', 'jos\u{e9}@example.com', 'jos\u{e9}@example.com'),
           (3, 'JOSE@EXAMPLE.COM', 'JOSE@EXAMPLE.COM', 'JOSE@EXAMPLE.COM');",
    );
    let mut session = server.session().await;
    for (name, value, expected) in [
        ("email", "jose@example.com", &["1", "3"][..]),
        ("email", "JOS\u{c9}@example.com", &["2"]),
        ("plain", "jose@example.com", &["1", "3"]),
        ("plain", "jos\u{e9}@example.com", &["2"]),
        ("plain", "\u{1f642}@example.com", &[]),
        ("exact", "jose@example.com", &["1"]),
    ] {
        let known = known("who", &[value]);
        assert_eq!(
            ids(session.as_mut(), &matching("l", name), &known).await.unwrap(),
            expected,
            "{name} {value}"
        );
    }
}

/// In a query nobody but the server knows what a text is compared with.
async fn letters_of_queries(server: &MyServer) {
    let mut session = server.session().await;
    for (sql, values, expected) in [
        ("email = :who", &["jose@example.com"][..], &["refused"][..]),
        ("email in (:who)", &["jos\u{e9}@example.com"], &["refused"]),
        ("email = replace(:who, '-', '')", &["jo-se@example.com"], &["refused"]),
        ("plain = :who", &["JOSE@example.com"], &["refused"]),
        ("id <> 2 and plain = :who", &["JOSE@example.com"], &["1", "3"]),
        ("exact = :who", &["jose@example.com"], &["1"]),
        ("exact in (:who)", &["jose@example.com", "JOSE@EXAMPLE.COM"], &["1", "3"]),
        ("id > 1 and email = :who", &["bob@example.com"], &[]),
        ("id <> 2 and email = :who", &["Jose@example.com"], &["1", "3"]),
        ("id <> 2 and email in (:who)", &["jose@example.com", "x"], &["1", "3"]),
        ("id = 2 and email = :who", &["jos\u{e9}@example.com"], &["2"]),
        ("email = :who collate utf8mb4_bin", &["jose@example.com"], &["1"]),
        ("email collate utf8mb4_bin = :who", &["jos\u{e9}@example.com"], &["2"]),
        ("lower(email) collate utf8mb4_bin = lower(:who)", &["Jose@example.com"], &["1", "3"]),
        ("email <> :who", &["bob@example.com"], &["1", "2", "3"]),
        ("exact <> :who", &["jose@example.com"], &["2", "3"]),
    ] {
        let section = keyed(query(&format!("select * from l where {sql}")), &["id"]);
        let known = known("who", values);
        match ids(session.as_mut(), &section, &known).await {
            Ok(found) => assert_eq!(found, expected, "{sql} {values:?}"),
            Err(error) => {
                assert_eq!(expected, ["refused"], "{sql} {values:?}: {error}");
                assert!(error.to_string().contains(":who collate utf8mb4_bin"), "{error}");
                assert!(!error.to_string().contains("example"), "{error}");
                assert_eq!(session.count_whole(&section, &known).await, Err(error), "{sql}");
            }
        }
    }
}

fn windowed(mut section: SectionSpec, column: &str) -> SectionSpec {
    section.window = Some(Window {
        column: column.to_owned(),
        start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        end: Some("2026-02-01T00:00:00.000001Z".parse().unwrap()),
    });
    section
}

async fn windows(server: &MyServer) {
    server.run(
        "create table w (id int primary key, at timestamp(6) null, wall datetime(6), day date, i bigint, n decimal(20,6), txt text, email varchar(80));
         insert into w select id, at, at, date(at), unix_timestamp(at), unix_timestamp(at), at, 'ada@example.com' from (
           select 1 as id, timestamp'2025-12-31 23:59:59.999999' as at union select 2, '2026-01-01' union select 4, '2026-02-01'
           union select 5, '2026-02-01 00:00:00.000001' union select 6, null union select 7, '2026-01-15 12:00') v;
         insert into w values (8, '0000-00-00', '0000-00-00', '0000-00-00', null, null, null, 'ada@example.com');",
    );
    let mut session = server.session().await;
    for (name, expected, without) in [
        ("at", &["2", "4", "7"][..], 2),
        ("wall", &["2", "4", "7"], 2),
        // The last is a day, of which midnight counts.
        ("day", &["2", "4", "5", "7"], 2),
        // Rounded to 2026 when it became a whole number.
        ("i", &["1", "2", "4", "5", "7"], 2),
        ("n", &["2", "4", "7"], 2),
    ] {
        for section in [table("w"), query("select * from w where email in (:email)")] {
            let section = keyed(windowed(section, name), &["id"]);
            assert_eq!(ids(session.as_mut(), &section, &ada()).await.unwrap(), expected, "{name}");
            let notes = session.describe(&section, &ada()).await.unwrap().notes;
            let note = format!("{without} rows without {name} are outside the window");
            assert!(notes.contains(&note), "{notes:?}");
            assert_eq!(session.count_whole(&section, &ada()).await, Ok(Some(7)));
        }
    }
    let mut open = windowed(table("w"), "at");
    open.window.as_mut().unwrap().start = None;
    assert_eq!(ids(session.as_mut(), &open, &ada()).await.unwrap(), ["1", "2", "4", "7"]);
    let error = session.describe(&windowed(table("w"), "txt"), &ada()).await.unwrap_err();
    assert!(error.to_string().starts_with("time column txt is text, which is no time"), "{error}");
    let error = session.describe(&windowed(table("w"), "att"), &ada()).await.unwrap_err();
    assert_eq!(error, SiloError::Missing { what: "column att".to_owned() });
}

async fn filters(server: &MyServer) {
    server.run(
        "create table f (id int primary key, campaign int, code varchar(9), email varchar(80));
         insert into f values (1, 7, 'a', 'ada@example.com'), (2, 8, 'b', 'ada@example.com'), (3, null, null, 'ada@example.com'), (4, 7, 'a', 'bob'), (5, 0, '', 'ada@example.com');",
    );
    let mut session = server.session().await;
    let filtered = |values: &[&str], column: &str| {
        let mut section = table("f");
        section.filters = vec![Filter {
            column: column.to_owned(),
            field: "campaignIds".to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }];
        section
    };
    for (section, expected) in [
        (filtered(&["7", "9"], "campaign"), &["1"][..]),
        (filtered(&["seven", "8"], "campaign"), &["2"]),
        (filtered(&["seven"], "campaign"), &[]),
        (filtered(&[], "campaign"), &[]),
        (filtered(&["a", "b"], "code"), &["1", "2"]),
        (whole(filtered(&["7"], "campaign")), &["1", "4"]),
    ] {
        assert_eq!(ids(session.as_mut(), &section, &ada()).await.unwrap(), expected);
    }
}

async fn distinct(server: &MyServer) {
    server.run(
        "create table d (email varchar(80), customer bigint unsigned, code char(4), day date, doc json);
         insert into d values ('ada@example.com', 7, 'a', '2024-02-29', '{}'), ('ada@example.com', 7, 'A', '0000-00-00', '{}'),
           ('ada@example.com', 18446744073709551615, null, null, null), ('bob@example.com', 9, 'b', null, null);",
    );
    let mut session = server.session().await;
    let wanted = ["customer", "code", "day"].map(str::to_owned);
    let found = session.distinct(&table("d"), &ada(), &wanted, 10).await.unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(
        found,
        [
            vec![text("7"), text("18446744073709551615")],
            vec![text("A"), text("a")],
            vec![text("0000-00-00"), text("2024-02-29")],
        ]
    );
    let few = session.distinct(&table("d"), &ada(), &wanted[..1], 0).await.unwrap();
    assert_eq!(few[0].len(), 1);
    let error = session.distinct(&table("d"), &ada(), &["doc".to_owned()], 10).await.unwrap_err();
    assert!(error.to_string().contains("holds more than one"), "{error}");
}

async fn refused(server: &MyServer) {
    server.run("create procedure p() begin end; create function boom(x int) returns int deterministic return 1 / x;");
    let mut session = server.session().await;
    for (section, what) in [
        (table("nowhere"), "table nowhere is missing"),
        (table("a.b.c"), "one part, or two"),
        (query("select * from nowhere"), "table shop.nowhere is missing"),
        (query("select nothing from n"), "column nothing is missing"),
        (query("select 1 as a, 2 as a"), "occurs twice"),
        (query("selec 1"), "syntax"),
        (query("select ? as a"), "parameter by place"),
        (query("select * from n; drop table n"), "syntax"),
        (query("select * from n) as r; -- "), "syntax"),
        (query("delete from n"), "syntax"),
        (
            query("select 1 from n into outfile '/tmp/antumbra-must-not-be'"),
            "refused the statement",
        ),
    ] {
        let error = session.describe(&section, &ada()).await.unwrap_err();
        assert!(error.to_string().contains(what), "{what}: {error}");
    }
    // It is still the same session, and its snapshot is still there.
    assert_eq!(ids(session.as_mut(), &whole(table("f")), &ada()).await.unwrap().len(), 5);
}

async fn explained(server: &MyServer) {
    server.run(
        "create table big_one (id int primary key, email varchar(80), at datetime, doc text);
         insert into big_one select seq, concat(seq, '@example.com'), now(), repeat('x', 400) from seq_1_to_8000;
         analyze table big_one;",
    );
    let mut session = server.session().await;
    let explained =
        session.explain(&windowed(table("big_one"), "at"), &Identifiers::new()).await.unwrap();
    assert!(explained.statement.contains("`email` in (:email)"), "{}", explained.statement);
    assert!(explained.plan[0].contains("table=antumbra rows"), "{:?}", explained.plan);
    assert_eq!(explained.rows, None);
    assert_eq!(explained.advice.len(), 2, "{:?}", explained.advice);
    assert!(
        explained.advice[0].contains("alter table `big_one` add index (`email`)"),
        "{:?}",
        explained.advice
    );
    let canary = known("email", &["canary-9@example.com"]);
    let explained = session.explain(&table("big_one"), &canary).await.unwrap();
    assert!(explained.rows.is_some());
    assert!(!format!("{explained:?}").contains("canary"), "{explained:?}");
    let explained = session.explain(&windowed(table("big_one"), "nothing"), &ada()).await.unwrap();
    assert_eq!(explained.advice, ["`time_column` names column nothing, which is missing"]);
    let explained = session
        .explain(&query("select email, doc from big_one where email = :email"), &ada())
        .await
        .unwrap();
    assert!(explained.advice[0].starts_with("it has no key"), "{:?}", explained.advice);
}
