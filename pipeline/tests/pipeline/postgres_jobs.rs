//! Whole jobs over a `postgres` silo: plan, collect, package, in all four formats.

use std::path::Path;
use std::sync::Arc;

use antumbra_config::{Settings, Sources};
use antumbra_jobs::ScopeKind;
use object_store::memory::InMemory;
use serde_json::json;

use crate::pg_server::{PASSWORD, PgServer};
use crate::room::{Outcome, PARTIAL, Room, block_on, finish, request};

const POINTS: &str = r#"
[[silo.datapoint]]
name = "customers"
table = "Shop.Customers"
match = { "E-Mail" = "email" }
provides = { customer = "id" }

[[silo.datapoint]]
name = "orders"
table = "Shop.orders"
match = { customer_id = "customer" }
time_column = "placed"
filter = { campaign = "campaignIds" }

[[silo.datapoint]]
name = "totals"
query = 'select customer_id, sum(total) as total, array_agg(id order by id) as ids from "Shop".orders where customer_id in (:customer) group by 1'
tenant_query = 'select customer_id, sum(total) as total, array_agg(id order by id) as ids from "Shop".orders group by 1'
key = ["customer_id"]

[[silo.datapoint]]
name = "broken"
table = "Shop.nothing"
match = { email = "email" }
"#;

#[test]
fn postgres_jobs_end_as_those_of_any_silo() {
    let server = PgServer::start();
    let room = Room::new();
    block_on(server.run(
        "create schema \"Shop\"; create table \"Shop\".\"Customers\" (id uuid primary key, \"E-Mail\" text, born date, prefs jsonb);
         insert into \"Shop\".\"Customers\" select md5(g::text)::uuid, case when g < 3 then 'ada@example.com' else 'c' || g end, '2000-02-29', '{\"a\": [1, 2]}' from generate_series(1, 50) g;
         create table \"Shop\".orders (id bigint primary key, customer_id uuid references \"Shop\".\"Customers\", placed timestamptz, total numeric(12,2), paid bool, campaign int, note text);
         insert into \"Shop\".orders select g, md5((g % 50 + 1)::text)::uuid, '2026-01-01Z'::timestamptz + g * interval '1 minute', g / 100.0, g % 2 = 0, g % 4, nullif(repeat('n', g % 3), '')
           from generate_series(1, 40000) g;",
    ));
    std::fs::write(room.dir.path().join("url"), server.url("")).unwrap();
    let run = |change: &dyn Fn(&mut antumbra_jobs::NewRequest)| -> Outcome {
        let settings = settings(room.dir.path());
        let mut request = request();
        change(&mut request);
        block_on(async {
            let engine = room.engine(settings, Arc::new(InMemory::new()));
            let job = engine.submit(request).await.unwrap().job.id;
            finish(&engine, &room.clock, job).await
        })
    };
    let person = run(&|_| {});
    let customers = person.rows("customers");
    assert_eq!(customers.len(), 2);
    assert_eq!(customers[0]["born"], json!("2000-02-29"));
    assert_eq!(customers[0]["prefs"], json!({"a": [1, 2]}));
    let orders = person.rows("orders");
    assert_eq!(orders.len(), 1_600);
    assert_eq!(
        orders[0],
        json!({"id": 1, "customer_id": "c81e728d-9d4c-2f63-6f06-7f89cc14862c", "placed": "2026-01-01T00:01:00Z",
            "total": 0.01, "paid": false, "campaign": 1, "note": "n"})
    );
    assert!(person.section("orders").resumable);
    let totals = person.rows("totals");
    assert_eq!(totals.len(), 2);
    assert!(totals[0]["total"].is_string() && totals[0]["ids"].is_array());
    let (code, reason) = person.fault("broken");
    assert_eq!((code, reason), ("silo_missing", "table Shop.nothing is missing"));
    assert_eq!(run(&|_| {}).manifest().content_sha256, person.manifest().content_sha256);

    let slice = run(&|request| {
        request.details.window_start = Some("2026-01-02T00:00:00Z".parse().unwrap());
        request.details.window_end = Some("2026-01-03T00:00:00Z".parse().unwrap());
        request.details.scope_fields =
            [("campaignIds".to_owned(), vec!["1".to_owned(), "none".to_owned()])].into();
    });
    let expected = (1_440..2_880).filter(|g| [0, 1].contains(&(g % 50)) && g % 4 == 1);
    assert_eq!(slice.column("orders", "id"), expected.map(|g| json!(g)).collect::<Vec<_>>());

    let tenant = run(&|request| {
        request.scope = ScopeKind::TenantFull;
        request.details = antumbra_jobs::RequestDetails::default();
    });
    assert_eq!(tenant.section("orders").rows, 40_000);
    assert_eq!(tenant.section("customers").rows, 50);
    assert_eq!(tenant.rows("totals").len(), 50);
    for outcome in [&person, &slice, &tenant] {
        let said = format!("{:?} {:?}", outcome.job, outcome.content());
        assert!(!said.contains(PASSWORD));
    }
}

fn settings(dir: &Path) -> Settings {
    let text = format!(
        "{PARTIAL}\n[[silo]]\nname = \"shop\"\ntype = \"postgres\"\nurl = {{ file = \"url\" }}\n{POINTS}"
    );
    std::fs::write(dir.join("antumbra.toml"), text).unwrap();
    let sources =
        Sources { file: Some("antumbra.toml".into()), base: dir.to_owned(), ..Sources::default() };
    antumbra_config::load(&sources).unwrap().settings
}

#[test]
fn postgres_settings_that_are_wrong_are_told_by_silo_and_parameter() {
    let room = Room::new();
    let settings = settings(room.dir.path());
    let open =
        || antumbra_pipeline::silo::Silos::open(&settings.silos, &[]).unwrap_err().to_string();
    let missing = open();
    assert!(missing.starts_with("silo shop: url: the secret { file = "), "{missing}");
    std::fs::write(room.dir.path().join("url"), "postgres://u:canary@h/d?sslmode=allow\n").unwrap();
    let wrong = open();
    assert!(wrong.starts_with("silo shop: url: parameter sslmode is `allow`"), "{wrong}");
    assert!(!wrong.contains("canary"));
    std::fs::write(room.dir.path().join("url"), "postgres://u:canary@localhost/d\n").unwrap();
    let silos = antumbra_pipeline::silo::Silos::open(&settings.silos, &[]).unwrap();
    assert_eq!(format!("{silos:?}"), "Silos([\"shop\"])");
    assert!(!format!("{:?}", silos.get("shop")).contains("canary"));
}
