//! Which rows the `postgres` silo selects: windows, filters, values that fit no type; what it refuses, and what it advises.

use antumbra_pipeline::silo::{
    Filter, Identifiers, SectionSource, SectionSpec, Session, Silo, Window,
};
use antumbra_pipeline::{SiloError, Value};

use crate::pg_server::{
    PASSWORD, PgServer, ada, column, keyed, known, query, read, silo, table, whole,
};
use crate::room::block_on;

#[test]
fn postgres_rows_are_those_that_windows_filters_and_values_select() {
    let server = PgServer::start();
    block_on(windows(&server));
    block_on(filters(&server));
    block_on(several_values(&server));
    block_on(citext(&server));
    block_on(arrays(&server));
    block_on(distinct(&server));
    block_on(refused(&server));
    block_on(explained(&server));
    block_on(policed(&server));
}

async fn ids(
    session: &mut dyn Session,
    section: &SectionSpec,
    name: &str,
    values: &[&str],
) -> Vec<String> {
    let known = known(name, values);
    let (shape, batches) = read(session, section, &known).await.unwrap();
    column(&shape, &batches, "id")
}

fn windowed(mut section: SectionSpec, column: &str) -> SectionSpec {
    section.window = Some(Window {
        column: column.to_owned(),
        start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        end: Some("2026-02-01T00:00:00.000001Z".parse().unwrap()),
    });
    section
}

async fn windows(server: &PgServer) {
    server
        .run(
            "create table w (id int primary key, at timestamptz, wall timestamp, day date, i int, b bigint, f float8, n numeric, t text, email text);
             insert into w select r, a, a at time zone 'UTC', (a at time zone 'UTC')::date, extract(epoch from a), extract(epoch from a), extract(epoch from a), extract(epoch from a), a::text, 'ada@example.com'
             from (values (1, '2025-12-31 23:59:59.999999Z'::timestamptz), (2, '2026-01-01 00:00Z'), (3, '2026-01-01 01:00+01'), (4, '2026-02-01 00:00Z'),
               (5, '2026-02-01 00:00:00.000001Z'), (6, null), (7, '2026-01-15 12:00Z'), (8, 'infinity'), (9, '-infinity')) v (r, a) where isfinite(a) or a is null;",
        )
        .await;
    let mut session = server.session().await;
    for (name, expected) in [
        ("at", &["2", "3", "4", "7"][..]),
        ("wall", &["2", "3", "4", "7"]),
        // The last is a day, of which midnight counts.
        ("day", &["2", "3", "4", "5", "7"]),
        // 2025-12-31 23:59:59.999999 was rounded to 2026 when it became a whole number.
        ("i", &["1", "2", "3", "4", "5", "7"]),
        ("b", &["1", "2", "3", "4", "5", "7"]),
        ("n", &["2", "3", "4", "7"]),
        ("f", &["2", "3", "4", "7"]),
    ] {
        for section in [table("w"), query("select * from w where email in (:email)")] {
            let section = keyed(windowed(section, name), &["id"]);
            let found = ids(session.as_mut(), &section, "email", &["ada@example.com"]).await;
            assert_eq!(found, expected, "{name}");
            let notes = session.describe(&section, &ada()).await.unwrap().notes;
            assert_eq!(notes, [format!("1 rows without {name} are outside the window")]);
        }
    }
    let error = session.describe(&windowed(table("w"), "t"), &ada()).await.unwrap_err();
    assert!(error.to_string().starts_with("time column t is text, which is no time"), "{error}");
    let error = session.describe(&windowed(table("w"), "att"), &ada()).await.unwrap_err();
    assert_eq!(error, SiloError::Missing { what: "column att".to_owned() });
    let mut open = windowed(table("w"), "at");
    open.window.as_mut().unwrap().start = None;
    assert_eq!(
        ids(session.as_mut(), &open, "email", &["ada@example.com"]).await,
        ["1", "2", "3", "4", "7"]
    );
}

async fn filters(server: &PgServer) {
    server
        .run(
            "create table f (id int primary key, campaign int, code varchar(9), email text);
             insert into f values (1, 7, 'a', 'ada@example.com'), (2, 8, 'b', 'ada@example.com'), (3, null, null, 'ada@example.com'), (4, 7, 'a', 'bob');",
        )
        .await;
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
        assert_eq!(ids(session.as_mut(), &section, "email", &["ada@example.com"]).await, expected);
    }
    let error = session.describe(&filtered(&["7"], "campain"), &ada()).await.unwrap_err();
    assert_eq!(error, SiloError::Missing { what: "column campain".to_owned() });
}

async fn several_values(server: &PgServer) {
    server
        .run(
            "create domain tag as text; create type level as enum ('low', 'mid', 'high'); create table s (id int primary key, i2 int2, uid uuid, tag tag, lvl level, day date, at timestamptz, ip inet, ok bool);
             insert into s select g, g, md5(g::text)::uuid, 't' || g, (enum_range(null::level))[g], '2026-01-01'::date + g, '2026-01-01Z'::timestamptz + g * interval '1 s', ('10.0.0.' || g)::inet, g = 2 from generate_series(1, 3) g;",
        )
        .await;
    let mut session = server.session().await;
    let uuid = server.ask("select uid from s where id = 2").await;
    for (name, values, expected) in [
        ("i2", &["1", "3", "70000", "x", ""][..], &["1", "3"][..]),
        ("i2", &["70000", "x"], &[]),
        ("i2", &["1.00", "2.5", "3e0"], &["1", "3"]),
        ("uid", &[&uuid, "no-uuid"], &["2"]),
        ("tag", &["t1", "t2\0", "it's \"{},\\", "t3"], &["1", "3"]),
        ("lvl", &["mid", "extreme"], &["2"]),
        ("day", &["2026-01-03", "tomorrow", "2026-02-30"], &["2"]),
        ("at", &["2026-01-01T01:00:02+01:00", "now"], &["2"]),
        ("ip", &["10.0.0.3", "nowhere"], &["3"]),
        ("ok", &["true", "perhaps"], &["2"]),
    ] {
        let mut by_table = table("s");
        by_table.source = SectionSource::Table {
            parts: vec!["s".to_owned()],
            matches: vec![(name.to_owned(), "v".to_owned())],
        };
        let by_query = keyed(query(&format!("select * from s where {name} in (:v)")), &["id"]);
        for section in [by_table, by_query] {
            assert_eq!(ids(session.as_mut(), &section, "v", values).await, expected, "{name}");
        }
    }
    let filtered = only("s", "i2", &["2.0", "3.1"]);
    assert_eq!(ids(session.as_mut(), &filtered, "v", &[]).await, ["2"]);
    let not = query("select * from s where i2 not in (:v) order by id");
    assert_eq!(ids(session.as_mut(), &not, "v", &["x", "2"]).await, ["1", "3"]);
    let spelled = query(
        "select id from (values (1, 'ada@x.org'), (2, 'Ada@X.org'), (3, 'b')) v (id, e) where e in (:email)",
    );
    assert_eq!(ids(session.as_mut(), &spelled, "email", &["Ada@X.org"]).await, ["1", "2"]);
    let many: Vec<String> = (0..30_000).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(
        ids(
            session.as_mut(),
            &keyed(query("select * from s where i2 in (:v)"), &["id"]),
            "v",
            &many
        )
        .await,
        ["1", "2", "3"]
    );
    let error =
        read(session.as_mut(), &query("select * from s where i2 = :v"), &known("v", &["1", "2"]))
            .await;
    assert!(error.unwrap_err().to_string().contains("write `in (:v)`"));
}

/// A whole table, narrowed by one filter.
fn only(name: &str, column: &str, values: &[&str]) -> SectionSpec {
    let mut section = whole(table(name));
    section.source = SectionSource::Table { parts: vec![name.to_owned()], matches: vec![] };
    section.filters = vec![Filter {
        column: column.to_owned(),
        field: "only".to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }];
    section
}

/// The schema of citext is on no search path, so a bare `=` would be that of text.
async fn citext(server: &PgServer) {
    server
        .run(
            "create schema \"Ext 1\"; create extension citext schema \"Ext 1\"; create domain handle as \"Ext 1\".citext;
             create table ci (id int primary key, c \"Ext 1\".citext not null, h handle);
             create unique index on ci (c);
             insert into ci values (1, 'Ada', 'Ada'), (2, 'bob', 'bob'), (3, 'EVE', 'EVE'), (4, 'x', null);",
        )
        .await;
    let mut session = server.session().await;
    for column in ["c", "h"] {
        let mut matched = table("ci");
        matched.source = SectionSource::Table {
            parts: vec!["ci".to_owned()],
            matches: vec![(column.to_owned(), "v".to_owned())],
        };
        assert_eq!(ids(session.as_mut(), &matched, "v", &["aDA", "eve", "no"]).await, ["1", "3"]);
        let filtered = only("ci", column, &["BOB"]);
        assert_eq!(ids(session.as_mut(), &filtered, "v", &[]).await, ["2"]);
        let explained = session.explain(&matched, &known("v", &["ada"])).await.unwrap();
        assert!(!explained.plan.is_empty());
        let shape = session
            .describe(&keyed(only("ci", column, &["x"]), &[column]), &Identifiers::new())
            .await
            .unwrap();
        assert!(!shape.keyed);
        assert_eq!(shape.notes, [format!("key ({column}) has a type that cannot be one")]);
    }
}

async fn arrays(server: &PgServer) {
    server
        .run(
            "create table a (id int primary key, email text, tags text[]);
             insert into a values (1, 'ada@example.com', '{x,y}'), (2, 'bob', '{y}');",
        )
        .await;
    let mut session = server.session().await;
    for sql in [
        "select * from a where email = any(array[:email])",
        "select * from a where email = any(array['a]', :email, '[']) and tags[1:1] = array['x']",
        "select id from a where array [email] && array[:email]",
    ] {
        let section = query(sql);
        assert_eq!(section.needs(), [["email"]], "{sql}");
        assert_eq!(ids(session.as_mut(), &section, "email", &["ada@example.com"]).await, ["1"]);
    }
}

async fn distinct(server: &PgServer) {
    server
        .run(
            "create table d (id int primary key, email text, customer int, uid uuid, at timestamptz, js json);
             insert into d select g, 'ada@example.com', nullif(g % 3, 0), md5((g % 2)::text)::uuid, '2026-01-01Z', '{}' from generate_series(1, 9) g;",
        )
        .await;
    let mut session = server.session().await;
    let columns = ["customer", "uid", "at"].map(str::to_owned);
    let found = session.distinct(&table("d"), &ada(), &columns, 10).await.unwrap();
    assert_eq!(found[0], [Value::Integer(1), Value::Integer(2)]);
    assert_eq!(found[1].len(), 2);
    assert_eq!(found[2], [Value::Text("2026-01-01T00:00:00Z".to_owned())]);
    let limited = session.distinct(&table("d"), &ada(), &["id".to_owned()], 3).await.unwrap();
    assert_eq!(limited[0].len(), 4);
    server
        .run(
            "create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             create domain code as char(5);
             create table spelled (padded char(5), coded code, loose text collate nocase, ci \"Ext 1\".citext, ip inet, email text);
             insert into spelled select p, p, w, w, '10.0.0.1', 'ada@example.com' from (values ('AB', 'x'), ('AB ', 'X')) v (p, w);",
        )
        .await;
    let mut session = server.session().await;
    let columns = ["padded", "coded", "loose", "ci", "ip"].map(str::to_owned);
    let found = session.distinct(&table("spelled"), &ada(), &columns, 10).await.unwrap();
    let texts = |texts: &[&str]| -> Vec<Value> {
        texts.iter().map(|text| Value::Text((*text).to_owned())).collect()
    };
    assert_eq!(found[0], texts(&["AB"]));
    assert_eq!(found[1], texts(&["AB"]));
    assert_eq!(found[2], texts(&["X", "x"]));
    assert_eq!(found[3], texts(&["X", "x"]));
    assert_eq!(found[4], texts(&["10.0.0.1/32"]));
    let error = session.distinct(&table("d"), &ada(), &["js".to_owned()], 3).await.unwrap_err();
    assert!(error.to_string().contains("column js provides identifiers and is json"), "{error}");
    let error = session.distinct(&table("d"), &ada(), &["idd".to_owned()], 3).await.unwrap_err();
    assert_eq!(error, SiloError::Missing { what: "column idd".to_owned() });
}

async fn refused(server: &PgServer) {
    server
        .run(
            "create table r (id int primary key, email text, v text); insert into r values (1, 'ada@example.com', 'canary-77');
             create function loud() returns int language plpgsql as $$ begin raise exception 'canary-%', (select v from r); end $$;
             create function scribble() returns int language sql as $$ insert into r values (9) returning id $$;
             create role guest login password 'guest';",
        )
        .await;
    let mut session = server.session().await;
    for (sql, code, said) in [
        ("delete from r where email in (:email) returning id", "silo_query", "syntax error"),
        (
            "with w as (delete from r returning id) select * from w where :email <> ''",
            "silo_query",
            "data-modifying",
        ),
        ("select nextval('n'), :email", "silo_missing", "table n"),
        ("select set_config('transaction_read_only', 'off', false), :email", "silo_query", ""),
        ("select scribble(), :email", "silo_query", "it writes"),
        ("select 1 where :email <> ''; drop table r", "silo_query", ""),
        ("selct :email", "silo_query", "syntax error"),
        ("select * from nothing where x = :email", "silo_missing", "table nothing is missing"),
        ("select nothing from r where email = :email", "silo_missing", "column nothing is missing"),
        (
            "select v::int from r where email = :email",
            "silo_query",
            "invalid text representation (22P02)",
        ),
        ("select :email::int", "silo_query", ""),
        (
            "select 1 / (id - 1) from r where email = :email",
            "silo_query",
            "division by zero (22012)",
        ),
        ("select loud() where :email <> ''", "silo_query", "an exception was raised (P0001)"),
        ("select xmlparse(document v) from r where email = :email", "silo_query", "XML"),
    ] {
        let result =
            read(session.as_mut(), &query(sql), &known("email", &["canary-78@example.com"])).await;
        let result = match result {
            Ok(_) => read(session.as_mut(), &query(sql), &ada()).await,
            failed => failed,
        };
        // A parameter that is no number can be none: the row has a NULL.
        if sql.ends_with("::int") && result.is_ok() {
            continue;
        }
        let error = result.map(|(shape, _)| shape.statement).expect_err(sql);
        assert_eq!(error.code(), code, "{sql}: {error}");
        assert!(error.to_string().contains(said), "{sql}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{sql}: {error}");
        // The snapshot can be used again.
        assert_eq!(ids(session.as_mut(), &table("r"), "email", &["ada@example.com"]).await, ["1"]);
    }
    assert_eq!(server.ask("select count(*) from r").await, "1");
    let error = session.describe(&table("none.at_all"), &ada()).await.unwrap_err();
    assert_eq!(error, SiloError::Missing { what: "table none.at_all".to_owned() });
    let error = session.describe(&query("select * from r where emial in (:email)"), &ada()).await;
    assert_eq!(error.unwrap_err(), SiloError::Missing { what: "column emial".to_owned() });
    let guest = server.url("").replace("postgres:canary-password", "guest:guest");
    let mut guest = silo(&guest).connect().await.unwrap();
    let error = read(guest.as_mut(), &table("r"), &ada()).await.unwrap_err();
    assert!(error.to_string().contains("permission denied (42501)"), "{error}");
    let wrong = server.url("").replace(PASSWORD, "canary-wrong");
    let error = silo(&wrong).connect().await.err().unwrap();
    assert_eq!(error.to_string(), "the server refused the login: invalid password (28P01)");
    assert_eq!(error.retry(), antumbra_crypto::Retry::Operator);
    let nowhere = server.url("").trim_end_matches("postgres").to_owned() + "nowhere";
    let error = silo(&nowhere).connect().await.err().unwrap();
    assert_eq!(error, SiloError::Missing { what: "the database".to_owned() });
}

async fn explained(server: &PgServer) {
    server
        .run(
            "create table e (id int primary key, email text, customer int, at timestamptz, kind text); create index on e (customer, kind);
             create index on e (email) where id > 7; create index on e (lower(kind));
             insert into e select g, 'x' || g, g, now(), repeat('k', 90) from generate_series(1, 20000) g; analyze e;
             create table bare (email text, n int); create table small (id int primary key, email text);",
        )
        .await;
    let mut session = server.session().await;
    let mut section = windowed(table("e"), "at");
    section.filters = vec![Filter { column: "kind".into(), field: "kinds".into(), values: vec![] }];
    let nothing = Identifiers::new();
    let out = session.explain(&section, &nothing).await.unwrap();
    assert_eq!(out.advice.len(), 3, "{:?}", out.advice);
    for (advice, name) in out.advice.iter().zip(["email", "kind", "at"]) {
        assert!(
            advice.starts_with(&format!("no index begins with e.{name} (the table has ")),
            "{advice}"
        );
        assert!(advice.ends_with(&format!("`create index on \"e\" (\"{name}\")`")), "{advice}");
    }
    assert!(
        out.plan.iter().any(|line| line.contains("Scan")) && out.rows.is_some(),
        "{:?}",
        out.plan
    );
    assert!(out.statement.contains("\"email\" in (:email)"), "{}", out.statement);
    server.run("create index on e (email); create index on e using brin (at); create index on e using hash (kind);").await;
    let mut session = server.session().await;
    let known_out = session.explain(&section, &known("email", &["canary-79"])).await.unwrap();
    assert!(known_out.advice.is_empty(), "{:?}", known_out.advice);
    assert!(!format!("{known_out:?}").contains("canary"));
    let mut by_index = table("e");
    by_index.key = vec!["id".to_owned()];
    let out = session.explain(&by_index, &nothing).await.unwrap();
    assert!(out.plan.iter().any(|line| line.contains("e_email_idx")), "{:?}", out.plan);
    let out = session
        .explain(&query("select * from e where customer in (:c) and email = :email"), &nothing)
        .await
        .unwrap();
    assert!(out.plan.iter().any(|line| line.contains("$1")), "{:?}", out.plan);
    assert!(out.advice[0].starts_with("it has no key"), "{:?}", out.advice);
    let out = session.explain(&keyed(table("bare"), &["n"]), &nothing).await.unwrap();
    assert!(out.advice[0].contains("create unique index on \"bare\" (\"n\")"), "{:?}", out.advice);
    assert!(session.explain(&table("small"), &nothing).await.unwrap().advice.is_empty());
    let out =
        session.explain(&keyed(windowed(table("small"), "att"), &["idd"]), &nothing).await.unwrap();
    assert_eq!(out.advice.len(), 2);
    assert!(out.plan.is_empty());
    assert_eq!(session.explain(&table("gone"), &nothing).await.unwrap_err().code(), "silo_missing");
    assert!(read(session.as_mut(), &table("small"), &ada()).await.is_ok());
}

/// Rows that policies hide are not there for us; that there are policies is told, also of a table that was known without.
async fn policed(server: &PgServer) {
    server
        .run(&format!(
            "create role policed login password '{PASSWORD}';
             create table wards (id int primary key, email text, ward int); grant select on wards to policed;
             insert into wards select g, 'ada@example.com', g % 2 from generate_series(1, 9) g;"
        ))
        .await;
    let silo = silo(&server.url("").replacen("//postgres:", "//policed:", 1));
    let notes = async || {
        let mut session = silo.connect().await.unwrap();
        let (shape, batches) = read(session.as_mut(), &table("wards"), &ada()).await.unwrap();
        (shape.notes.clone(), column(&shape, &batches, "id").len())
    };
    assert_eq!(notes().await, (vec![], 9));
    server.run("alter table wards enable row level security").await;
    let told = "row-level security of the server decides which rows this login sees";
    assert_eq!(notes().await, (vec![told.to_owned()], 0));
    server.run("create policy half on wards using (ward = 1)").await;
    assert_eq!(notes().await, (vec![told.to_owned()], 5));
    server.run("alter role policed bypassrls").await;
    assert_eq!(notes().await, (vec![], 9));
}
