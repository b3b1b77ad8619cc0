//! The source is a REST service: signed in to, asked page by page at its own pace, exported item by item; its tokens are nowhere.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use antumbra_e2e::{
    Answered, Asked, Caller, EMAIL, House, Needles, Rest, Scale, Serve, checker, left_out, private,
};
use anyhow::ensure;
use serde_json::json;

#[tokio::test]
async fn every_item_arrives_and_no_token_is_left_anywhere() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let orders = orders();
    let service = Rest::start(service(orders.clone())).await?;
    settle(&house, &service, &["127.0.0.1"])?;
    let daemon = Serve::new().set("log.level=trace").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON", "NDJSON", "PARQUET"]).await?;
    caller.downloadable(&request).await?;
    let zip = house.path("bundle.zip");
    fs::write(&zip, caller.bundle(&request).await?)?;
    assert!(house.verified(&zip)?.contains("VERIFIED"));
    if !left_out("python") {
        let items = house.path("orders.json");
        fs::write(&items, format!("[{}]", orders.join(",")))?;
        let args =
            [zip.display().to_string(), "api/orders".to_owned(), items.display().to_string()];
        eprintln!("{}", checker("check_rest.py", &args)?.trim());
    }
    let seen = service.seen();
    let asked = |start: &str| seen.iter().filter(|asked| asked.line.starts_with(start)).count();
    assert_eq!(asked("POST /token"), 2, "one token, and one more after it was refused");
    assert!(asked("GET /v1/customers/42/orders") >= PAGES, "page after page");
    assert_eq!(daemon.terminate().await?, 0);

    let secrets = [SECRET.to_owned(), TOKEN.to_owned()];
    let needles = Needles::new(secrets)?;
    let mut read = 0;
    for folder in ["data", "logs", "tmp"] {
        let (found, bytes) = needles.found_below(&house.path(folder))?;
        assert!(found.is_empty(), "a secret is in {found:?}");
        read += bytes;
    }
    assert_eq!(needles.found_in(&fs::read(&zip)?), 0);
    ensure!(read > 10_000, "only {read} bytes were searched");
    Ok(())
}

#[tokio::test]
async fn service_at_a_private_address_is_not_called_unless_settings_allow_it() -> anyhow::Result<()>
{
    let house = House::new(Scale::Small)?;
    let service = Rest::start(service(orders())).await?;
    settle(&house, &service, &["10.0.0.0/8"])?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON"]).await?;
    let answer = caller.ended(&request).await?;
    assert_ne!(answer.pointer("/status"), Some(&json!("DOWNLOADABLE")), "{answer}");
    assert!(service.seen().is_empty(), "it was called");
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

fn settle(house: &House, service: &Rest, allowed: &[&str]) -> anyhow::Result<()> {
    private(&house.path("keys/api-secret"), SECRET)?;
    let url = service.url();
    house.set_silos(&format!(
        r#"[[silo]]
name = "api"
type = "http"
base_url = "{url}/v1"
allow_private = {allowed:?}
backoff = "20ms"

[silo.auth]
token_url = "{url}/token"
client_id = "antumbra"
client_secret = {{ file = "keys/api-secret" }}

[[silo.datapoint]]
name = "people"
provides = {{ customer_id = "id" }}
endpoint = {{ path = "/people", query = {{ email = "{{email}}" }} }}

[[silo.datapoint]]
name = "orders"

[silo.datapoint.endpoint]
path = "/customers/{{customer_id}}/orders"
items = "/data"
paging = {{ cursor = "after", next = "/meta/next" }}
columns = {{ price = "decimal(12,2)" }}
sample = 5
"#
    ))
}

/// Signs in, refuses its first token once, wants pauses, and hands the orders out in pages.
fn service(orders: Vec<String>) -> impl Fn(usize, &Asked) -> Answered + Send + Sync + 'static {
    let issued = AtomicUsize::new(0);
    let paused = AtomicUsize::new(0);
    move |_, asked| {
        if asked.line == "POST /token" {
            let number = issued.fetch_add(1, Ordering::SeqCst);
            return Answered::json(format!(
                "{{\"access_token\":\"{TOKEN}-{number}\",\"token_type\":\"bearer\",\"expires_in\":600}}"
            ));
        }
        // The first token is not good for long.
        if asked.authorization != format!("Bearer {TOKEN}-1") {
            return Answered::status(401);
        }
        if asked.line == format!("GET /v1/people?email={}", EMAIL.replace('@', "%40")) {
            return Answered::json(format!("{{\"id\":42,\"email\":\"{EMAIL}\"}}"));
        }
        let Some(rest) = asked.line.strip_prefix("GET /v1/customers/42/orders") else {
            return Answered::status(400);
        };
        match paused.fetch_add(1, Ordering::SeqCst) {
            1 => return Answered::status(429).with("retry-after", "1"),
            3 => return Answered::status(503),
            _ => {}
        }
        let from: usize =
            rest.strip_prefix("?after=").map_or(0, |from| from.parse().unwrap_or(usize::MAX));
        let page: Vec<&str> = orders.iter().skip(from).take(PAGE).map(String::as_str).collect();
        let next =
            if from + PAGE < orders.len() { (from + PAGE).to_string() } else { "null".to_owned() };
        Answered::json(format!("{{\"data\":[{}],\"meta\":{{\"next\":{next}}}}}", page.join(",")))
    }
}

/// Orders with what services think of; the sample sees only the first few.
fn orders() -> Vec<String> {
    (0..PAGE * (PAGES - 1) + 3)
        .map(|number| match number {
            7 => r#"{"id":7,"price":"a gift","note":null,"late":{"deep":[1.50,{"x":[]}]}}"#.to_owned(),
            8 => r#"{"id":8,"price":0.125,"note":7,"count":12345678901234567890}"#.to_owned(),
            9 => r#"{"id":9007199254740993,"price":1,"note":"\u00fc\ud83d\ude00\n\"","count":1e400}"#.to_owned(),
            _ => format!(
                "{{\"id\":{number},\"price\":{number}.50,\"note\":\"n{number}\",\"tags\":[\"a\",{number}],\"count\":{number}}}"
            ),
        })
        .collect()
}

const SECRET: &str = "canary-client-secret-5f1c";
const TOKEN: &str = "canary-access-token-91ab";
const PAGE: usize = 20;
const PAGES: usize = 6;
