//! Every way of paging reaches every item, and none goes on for ever.

use antumbra_config::{Count, Endpoint, Paging};

use super::stub::{Stub, json, reply};
use super::{endpoint, ids, items, known, read, refused, section, settings, silo};
use crate::SiloError;
use crate::silo::Identifiers;

fn paged(paging: Paging) -> Endpoint {
    Endpoint { paging, items: "/items".to_owned(), ..endpoint("/things", &[("q", "a b")]) }
}

fn number(text: Option<&str>) -> u64 {
    text.unwrap().parse().unwrap()
}

fn offset() -> Paging {
    Paging::Offset {
        offset: "from".to_owned(),
        limit: "count".to_owned(),
        size: Count::new(4).unwrap(),
    }
}

fn cursor() -> Paging {
    Paging::Cursor { parameter: "after".to_owned(), pointer: "/meta/next".to_owned() }
}

async fn all(stub: &Stub, paging: Paging) -> Vec<i64> {
    let endpoint = paged(paging);
    let silo = silo(&settings(&stub.url()));
    let (shape, batches) = read(&silo, &section(&endpoint), &Identifiers::new()).await.unwrap();
    assert_eq!(shape.rows, Some(10));
    assert!(!shape.keyed);
    ids(&batches)
}

#[tokio::test]
async fn offsets_count_what_came_and_end_with_nothing() {
    // It gives three where four are asked for: services have limits of their own.
    let stub = Stub::start(|_, asked| {
        assert_eq!(asked.parameter("count"), Some("4"));
        let from = number(asked.parameter("from"));
        json(&format!("{{\"items\":{}}}", items(from..10.min(from + 3))))
    })
    .await;
    assert_eq!(all(&stub, offset()).await, (0..10).collect::<Vec<_>>());
    let lines = stub.lines();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[0], "GET /things?q=a%20b&from=0&count=4");
    assert_eq!(lines[4], "GET /things?q=a%20b&from=10&count=4");
}

#[tokio::test]
async fn pages_are_numbered_from_the_first() {
    let stub = Stub::start(|_, asked| {
        let page = number(asked.parameter("page")) - 1;
        json(&format!("{{\"items\":{}}}", items(10.min(page * 4)..10.min(page * 4 + 4))))
    })
    .await;
    let paging = Paging::Page {
        page: "page".to_owned(),
        size: Some("per".to_owned()),
        limit: Count::new(4).unwrap(),
        first: 1,
    };
    assert_eq!(all(&stub, paging).await, (0..10).collect::<Vec<_>>());
    assert_eq!(stub.lines()[3], "GET /things?q=a%20b&page=4&per=4");
}

#[tokio::test]
async fn cursors_lead_on_also_over_empty_pages() {
    let stub = Stub::start(|_, asked| match asked.parameter("after") {
        None => json(&format!("{{\"items\":{},\"meta\":{{\"next\":\"a%2F&=b\"}}}}", items(0..6))),
        Some("a%252F%26%3Db") => json("{\"items\":[],\"meta\":{\"next\":77}}"),
        Some("77") => json(&format!("{{\"items\":{},\"meta\":{{\"next\":null}}}}", items(6..10))),
        other => panic!("{other:?}"),
    })
    .await;
    assert_eq!(all(&stub, cursor()).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn links_lead_on_within_the_service() {
    let stub = Stub::start(|number, _| {
        let body = format!("{{\"items\":{}}}", items(if number == 0 { 0..6 } else { 6..10 }));
        let link = if number == 0 { "link: <?page=2>; rel=\"next\"\r\n" } else { "" };
        reply(200, link, &body)
    })
    .await;
    assert_eq!(all(&stub, Paging::Link).await, (0..10).collect::<Vec<_>>());
    assert_eq!(stub.lines(), ["GET /things?q=a%20b", "GET /things?page=2"]);
}

#[tokio::test]
async fn pages_that_go_round_in_circles_are_an_error() {
    let stub = Stub::start(|number, _| {
        let link = format!("link: <?page={}>; rel=\"next\"\r\n", number % 2);
        let body =
            format!("{{\"items\":[{{\"id\":1}}],\"meta\":{{\"next\":\"c{}\"}}}}", number % 2);
        reply(200, &link, &body)
    })
    .await;
    for paging in [offset(), cursor(), Paging::Link] {
        let error = refused(&settings(&stub.url()), &paged(paging)).await;
        assert!(matches!(error, SiloError::Query { .. }), "{error}");
    }
    assert!(stub.lines().len() < 12);
}

#[tokio::test]
async fn there_is_an_end_of_pages() {
    let stub = Stub::start(|number, _| {
        json(&format!("{{\"items\":[{{\"id\":{number}}}],\"meta\":{{\"next\":{number}}}}}"))
    })
    .await;
    for paging in [offset(), cursor()] {
        let before = stub.lines().len();
        let error = refused(&settings(&stub.url()), &paged(paging)).await;
        assert!(error.to_string().contains("max_pages"), "{error}");
        assert_eq!(stub.lines().len() - before, 20);
    }
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed() {
    let other = Stub::start(|_, _| json("{\"items\":[]}")).await;
    let link = format!("link: <{}/x>; rel=next\r\n", other.url());
    let stub = Stub::start(move |_, _| reply(200, &link, "{\"items\":[]}")).await;
    let error = refused(&settings(&stub.url()), &paged(Paging::Link)).await;
    assert!(error.to_string().contains("another host"), "{error}");
    assert!(other.lines().is_empty());
}

#[tokio::test]
async fn a_later_page_that_is_missing_is_an_end_only_where_pages_are_counted() {
    for (status, path) in [(404, "/things/{id}"), (410, "/things/{id}"), (404, "/things")] {
        for (paging, ends) in [(offset(), true), (cursor(), false), (Paging::Link, false)] {
            let stub = Stub::start(move |number, _| match number % 2 {
                0 => reply(
                    200,
                    "link: <?page=2>; rel=next\r\n",
                    &format!("{{\"items\":{},\"meta\":{{\"next\":7}}}}", items(0..4)),
                ),
                _ => reply(status, "", "canary"),
            })
            .await;
            let endpoint = Endpoint { path: path.to_owned(), ..paged(paging.clone()) };
            let silo = silo(&settings(&stub.url()));
            let found = read(&silo, &section(&endpoint), &known("id", &["1"])).await;
            match found {
                Ok((_, batches)) => assert!(ends && ids(&batches) == [0, 1, 2, 3], "{paging:?}"),
                Err(error) => {
                    assert!(!ends && matches!(error, SiloError::Query { .. }), "{error}");
                    let said = error.to_string();
                    assert!(said.contains(&status.to_string()) && !said.contains("canary"));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_first_page_that_is_missing_is_no_rows_of_whoever_the_path_names() {
    let stub = Stub::start(|_, _| reply(404, "", "canary")).await;
    let silo = silo(&settings(&stub.url()));
    for paging in [offset(), cursor(), Paging::Link] {
        let of_person = Endpoint { path: "/things/{id}".to_owned(), ..paged(paging.clone()) };
        let (_, batches) =
            read(&silo, &section(&of_person), &known("id", &["1", "2"])).await.unwrap();
        assert!(batches.is_empty());
        let error = refused(&settings(&stub.url()), &paged(paging)).await;
        assert_eq!(error.code(), "silo_missing");
    }
}

#[tokio::test]
async fn only_what_says_so_is_the_end_of_cursors() {
    for (next, ends) in [
        ("null", true),
        ("false", true),
        ("\"\"", true),
        ("{\"canary\":1}", false),
        ("[\"canary\"]", false),
        ("true", false),
        ("\"\\ud800\"", false),
    ] {
        let body = format!("{{\"items\":{},\"meta\":{{\"next\":{next}}}}}", items(0..10));
        let stub = Stub::start(move |_, _| json(&body)).await;
        if ends {
            assert_eq!(all(&stub, cursor()).await.len(), 10, "{next}");
        } else {
            let error = refused(&settings(&stub.url()), &paged(cursor())).await;
            assert!(matches!(error, SiloError::Query { .. }), "{next}: {error}");
        }
    }
    let stub = Stub::start(|_, _| json(&format!("{{\"items\":{}}}", items(0..10)))).await;
    assert_eq!(all(&stub, cursor()).await.len(), 10);
}

#[tokio::test]
async fn parameters_of_paging_take_the_place_of_those_in_the_query() {
    let stub = Stub::start(|_, _| json("{\"items\":[]}")).await;
    let query = [("from", "{id}"), ("a~b", "{id}"), ("q", "a+b c"), ("fr om", "1")];
    let endpoint = Endpoint { query: endpoint("/", &query).query, ..paged(offset()) };
    read(&silo(&settings(&stub.url())), &section(&endpoint), &known("id", &["x&y"])).await.unwrap();
    assert_eq!(
        stub.lines()[0],
        "GET /things?a~b=x%26y&q=a%2Bb%20c&fr%20om=1&from=0&count=4",
        "as the first request of a series without numbers has them"
    );
}
