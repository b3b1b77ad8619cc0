//! What of the items comes out as rows, identifiers and shapes.

use antumbra_config::{Count, Paging};
use arrow_array::Array;
use arrow_array::cast::AsArray;

use super::stub::{Stub, json, reply};
use super::{drain, endpoint, ids, items, known, read, section, settings, silo};
use crate::silo::{BATCH_ROWS, ColumnType, Cursor, Filter, Identifiers, Silo, Window};
use crate::{SiloError, Value};

#[tokio::test]
async fn surprises_after_the_sample_are_kept_beside_the_columns() {
    let stub = Stub::start(|_, _| {
        json(r#"[{"id":1,"name":"a"},{"id":2,"name":7},{"id":3,"name":"b","late":[1.50]},{"id":12345678901234567890}]"#)
    })
    .await;
    let mut endpoint = endpoint("/x", &[]);
    endpoint.sample = Count::new(1).unwrap();
    let section = section(&endpoint);
    let (shape, batches) =
        read(&silo(&settings(&stub.url())), &section, &Identifiers::new()).await.unwrap();
    let kinds: Vec<_> =
        shape.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
    assert_eq!(
        kinds,
        [("id", ColumnType::Integer), ("name", ColumnType::Text), ("_more", ColumnType::Json)]
    );
    assert_eq!(shape.rows, None);
    let more: Vec<_> = batches[0].column(2).as_string::<i32>().iter().collect();
    assert_eq!(
        more,
        [
            None,
            Some("{\"name\":7}"),
            Some("{\"late\":[1.50]}"),
            Some("{\"id\":12345678901234567890}")
        ]
    );
    assert!(batches[0].column(0).is_null(3));
}

#[tokio::test]
async fn many_rows_come_in_batches_and_lines_are_items_too() {
    let lines: Vec<String> = (0..20_000).map(|number| format!("{{\"id\":{number}}}\n")).collect();
    let body = lines.concat();
    let stub =
        Stub::start(move |_, _| reply(200, "content-type: application/x-ndjson\r\n", &body)).await;
    let mut settings = settings(&stub.url());
    settings.max_response = antumbra_config::ByteSize::new(1 << 20).unwrap();
    let (_, batches) =
        read(&silo(&settings), &section(&endpoint("/x", &[])), &Identifiers::new()).await.unwrap();
    assert_eq!(ids(&batches), (0..20_000).collect::<Vec<_>>());
    assert!(batches.len() >= 3 && batches.iter().all(|batch| batch.num_rows() <= BATCH_ROWS));
}

#[tokio::test]
async fn windows_and_scope_fields_narrow_what_the_service_does_not() {
    let stub = Stub::start(|_, _| {
        json(
            r#"[{"id":1,"at":"2026-01-01T00:00:00Z","c":"a"},{"id":2,"at":"2026-02-01T00:00:00Z","c":"a"},
               {"id":3,"at":"soon","c":"a"},{"id":4,"at":"2026-01-05T00:00:00Z","c":"b"},{"id":5,"c":"a"}]"#,
        )
    })
    .await;
    let mut section = section(&endpoint("/x", &[]));
    section.window = Some(Window {
        column: "at".to_owned(),
        start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        end: Some("2026-02-01T00:00:00Z".parse().unwrap()),
    });
    section.filters = vec![Filter {
        column: "c".to_owned(),
        field: "campaignIds".to_owned(),
        values: vec!["a".to_owned()],
    }];
    let silo = silo(&settings(&stub.url()));
    let (shape, batches) = read(&silo, &section, &Identifiers::new()).await.unwrap();
    assert_eq!(ids(&batches), [1, 3]);
    assert_eq!(shape.rows, Some(2));
    assert!(shape.notes[0].contains("at"), "{:?}", shape.notes);
    section.filters[0].column = "C".to_owned();
    let error = read(&silo, &section, &Identifiers::new()).await.unwrap_err();
    assert_eq!(error, SiloError::Missing { what: "column C".to_owned() });
}

#[tokio::test]
async fn a_member_that_the_sample_lacks_selects_the_items_that_have_it() {
    let stub = Stub::start(|_, asked| match asked.line.as_str() {
        "GET /none" => reply(404, "", ""),
        _ => json(r#"[{"id":1},{"id":2,"at":"2026-01-05T00:00:00Z","c":"a"},{"id":3,"c":"a"}]"#),
    })
    .await;
    let silo = silo(&settings(&stub.url()));
    for (path, expected) in [("/x", &[2][..]), ("/{id}", &[])] {
        let mut endpoint = endpoint(path, &[]);
        endpoint.sample = Count::new(1).unwrap();
        let mut section = section(&endpoint);
        section.window = Some(Window {
            column: "at".to_owned(),
            start: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            end: None,
        });
        section.filters = vec![Filter {
            column: "c".to_owned(),
            field: "campaignIds".to_owned(),
            values: vec!["a".to_owned()],
        }];
        let (shape, batches) = read(&silo, &section, &known("id", &["none"])).await.unwrap();
        let found = if batches.is_empty() { Vec::new() } else { ids(&batches) };
        assert_eq!(found, expected, "{path}");
        for column in ["column at ", "column c "] {
            assert!(shape.notes.iter().any(|note| note.starts_with(column)), "{:?}", shape.notes);
        }
    }
}

#[tokio::test]
async fn identifiers_come_from_all_items_and_are_asked_for_once() {
    let stub = Stub::start(|_, _| {
        json(r#"[{"id":7,"m":"x"},{"id":7,"m":"\u0078"},{"id":8.5,"m":null},{"m":"y"}]"#)
    })
    .await;
    let silo = silo(&settings(&stub.url()));
    let section = section(&endpoint("/x", &[("e", "{email}")]));
    let ada = known("email", &["ada+x@example.org"]);
    let mut session = silo.connect().await.unwrap();
    let columns = ["id".to_owned(), "m".to_owned()];
    let found = session.distinct(&section, &ada, &columns, 10).await.unwrap();
    let text = |text: &str| Value::Text(text.to_owned());
    assert_eq!(found, [vec![Value::Integer(7), text("8.5")], vec![text("x"), text("y")]]);
    let few = session.distinct(&section, &ada, &columns, 0).await.unwrap();
    assert_eq!(few, [vec![Value::Integer(7)], vec![text("x")]]);
    // What is planned, described and read in one run is asked for once.
    let mut beside = session.beside().await.unwrap().unwrap();
    let shape = beside.describe(&section, &ada).await.unwrap();
    let batches = drain(beside.as_mut(), &section, &ada, &shape).await.unwrap();
    assert_eq!(batches[0].num_rows(), 4);
    assert_eq!(stub.lines(), ["GET /x?e=ada%2Bx%40example.org"]);
    // What was read is not kept.
    drain(session.as_mut(), &section, &ada, &shape).await.unwrap();
    assert_eq!(stub.lines().len(), 2);
    assert!(!shape.statement.contains("ada"));
    let several = session.distinct(&section, &known("email", &["b"]), &["m".to_owned()], 10).await;
    assert!(several.is_ok());
}

#[tokio::test]
async fn large_sections_are_not_kept_and_read_again() {
    let stub = Stub::start(|_, asked| {
        let from: u64 = asked.parameter("from").unwrap().parse().unwrap();
        json(&if from < 3 {
            format!("[{{\"id\":{from},\"t\":\"{}\"}}]", "x".repeat(600_000))
        } else {
            "[]".to_owned()
        })
    })
    .await;
    let mut settings = settings(&stub.url());
    settings.max_response = antumbra_config::ByteSize::new(1 << 20).unwrap();
    let mut endpoint = endpoint("/x", &[]);
    endpoint.paging = Paging::Offset {
        offset: "from".to_owned(),
        limit: "n".to_owned(),
        size: Count::new(1).unwrap(),
    };
    let (_, batches) =
        read(&silo(&settings), &section(&endpoint), &Identifiers::new()).await.unwrap();
    assert_eq!(ids(&batches), [0, 1, 2]);
    assert_eq!(stub.lines().len(), 8);
}

#[tokio::test]
async fn nothing_but_endpoints_is_read_and_no_cursor_taken() {
    let stub = Stub::start(|_, _| json(&items(0..1))).await;
    let silo = silo(&settings(&stub.url()));
    let mut session = silo.connect().await.unwrap();
    let section = section(&endpoint("/x", &[]));
    let known = Identifiers::new();
    let shape = session.describe(&section, &known).await.unwrap();
    let after = session.read(&section, &known, &shape, Some(Cursor(Vec::new()))).await;
    assert!(matches!(after, Err(SiloError::ShapeChanged)));
    let mut strange = section.clone();
    strange.source = crate::silo::SectionSource::Query { sql: "select 1".to_owned() };
    assert!(matches!(session.describe(&strange, &known).await, Err(SiloError::Settings { .. })));
    let explained = session.explain(&section, &known).await.unwrap();
    assert_eq!(explained.statement, "GET /x");
    assert_eq!(stub.lines(), ["GET /x", "HEAD /"], "to explain asks for no data");
}

#[tokio::test]
async fn a_reader_that_is_dropped_asks_for_no_more() {
    let (told, heard) = tokio::sync::oneshot::channel::<()>();
    let told = std::sync::Mutex::new(Some(told));
    let stub = Stub::start(move |number, _| {
        if number == 1
            && let Some(told) = told.lock().unwrap().take()
        {
            told.send(()).unwrap();
        }
        json(&format!("[{{\"id\":{number}}}]"))
    })
    .await;
    let mut endpoint = endpoint("/x", &[]);
    endpoint.paging = Paging::Offset {
        offset: "from".to_owned(),
        limit: "n".to_owned(),
        size: Count::new(1).unwrap(),
    };
    endpoint.sample = Count::new(1).unwrap();
    let mut settings = settings(&stub.url());
    settings.max_pages = Count::new(1_000_000).unwrap();
    settings.requests_per_second = Some(Count::new(1_000).unwrap());
    let silo = silo(&settings);
    let section = section(&endpoint);
    let mut session = silo.connect().await.unwrap();
    let shape = session.describe(&section, &Identifiers::new()).await.unwrap();
    let reading = session.read(&section, &Identifiers::new(), &shape, None).await.unwrap();
    heard.await.unwrap();
    drop(reading);
    silo.finished().await;
}
