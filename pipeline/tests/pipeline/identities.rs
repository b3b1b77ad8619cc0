//! The identity graph: who is found from an e-mail, and what happens when the way there is broken.

use antumbra_jobs::ScopeKind;
use serde_json::json;

use crate::room::{PARTIAL, Room, identifier, request};

/// Customers lead to accounts, accounts to other customers.
const CYCLE: &str = "
    create table customers (id integer primary key, email text, account integer);
    create table accounts (id integer primary key, account integer, customer integer);
    create table orders (id integer primary key, customer_id integer);
    create table settings (id integer primary key, theme text);
    insert into customers values (1, 'ada@example.com', 10), (2, 'x@example.com', 11),
      (3, 'y@example.com', 12), (9, 'bob@example.com', 90);
    insert into accounts values (1, 10, 1), (2, 10, 2), (3, 11, 3), (4, 12, 1), (5, 90, 9);
    insert into orders values (100, 1), (101, 2), (102, 3), (103, 9), (104, 1);
    insert into settings values (1, 'dark'), (2, 'light');";

const POINTS: &str = r#"
[[silo.datapoint]]
name = "customers"
table = "customers"
match = { email = "email", id = "customer_id" }
provides = { customer_id = "id", account = "account" }
[[silo.datapoint]]
name = "accounts"
table = "accounts"
match = { account = "account" }
provides = { customer_id = "customer" }
[[silo.datapoint]]
name = "orders"
query = "select * from orders where customer_id in (:customer_id)"
tenant_query = "select * from orders"
key = ["id"]
[[silo.datapoint]]
name = "settings"
table = "settings"
kind = "configuration"
[[silo.datapoint]]
name = "calls"
query = "select :phone as phone"
"#;

#[test]
fn a_cycle_of_identifiers_is_followed_to_its_end_and_no_further() {
    let out = Room::with(CYCLE).export(POINTS);
    assert_eq!(out.column("customers", "id"), [1, 2, 3].map(|id| json!(id)));
    assert_eq!(out.column("accounts", "id"), [1, 2, 3, 4].map(|id| json!(id)));
    assert_eq!(out.column("orders", "id"), [100, 101, 102, 104].map(|id| json!(id)));
    let counts = &out.content().scope.identifiers;
    assert_eq!((counts["email"], counts["customer_id"], counts["account"]), (1, 3, 3));
    assert_eq!(out.section("settings").outcome, "left-out");
    let calls = out.section("calls");
    assert_eq!(calls.outcome, "unreachable");
    assert_eq!(calls.reason.as_deref(), Some("no value of phone is known"));
    assert_eq!(out.content().outcome, "complete");
}

#[test]
fn the_whole_tenant_has_every_row_and_configuration_but_no_section_that_cannot_be_widened() {
    let mut request = request();
    request.scope = ScopeKind::TenantFull;
    request.details.identifiers.clear();
    let out = Room::with(CYCLE).run(PARTIAL, POINTS, request);
    assert_eq!(out.rows("customers").len(), 4);
    assert_eq!(out.rows("orders").len(), 5);
    assert_eq!(out.rows("settings").len(), 2);
    assert_eq!(out.section("calls").outcome, "unreachable");
    assert_eq!(out.content().scope.kind, "TENANT_FULL");
}

#[test]
fn nobody_known_is_no_row_and_never_every_row() {
    let mut request = request();
    request.details.identifiers = vec![identifier("email", "nobody@example.com")];
    let out = Room::with(CYCLE).run(PARTIAL, POINTS, request);
    assert!(out.rows("customers").is_empty());
    assert_eq!(out.section("customers").outcome, "empty");
    assert_eq!(out.section("orders").outcome, "unreachable");
}

#[test]
fn more_identifiers_than_settings_allow_fail_the_job() {
    let head = "[export]\non_silo_error = \"partial\"\nmax_identifier_values = 2\n";
    let out = Room::with(CYCLE).run(head, POINTS, request());
    assert_eq!(out.failure().0, "too_many_identifiers");
    let head = "[export]\nmax_identifier_values = 3\n";
    let out = Room::with(CYCLE).run(head, POINTS, request());
    assert_eq!(out.rows("customers").len(), 3);
}

#[test]
fn an_email_is_also_looked_for_in_lower_case() {
    let room = Room::with(
        "create table t (id integer primary key, email text);
         insert into t values (1, 'ada@example.com'), (2, 'Ada@Example.com'), (3, 'ADA@EXAMPLE.COM');",
    );
    let points = "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }\n
        [[silo.datapoint]]\nname = \"q\"\nquery = \"select * from t where email = :email\"\n";
    let mut request = request();
    request.details.identifiers = vec![identifier("email", "Ada@Example.com")];
    let out = room.run(PARTIAL, points, request);
    assert_eq!(out.column("t", "id"), [json!(1), json!(2)]);
    assert_eq!(out.column("q", "id"), [json!(2)]);
}

#[test]
fn spellings_that_a_collation_calls_equal_are_different_identifiers() {
    let room = Room::with(
        "create table people (id integer primary key, email text, nick text collate nocase);
         insert into people values (1, 'ada@example.com', 'Ada'), (2, 'ada@example.com', 'ada');
         create table posts (id integer primary key, nick text);
         insert into posts values (1, 'Ada'), (2, 'ada'), (3, 'ADA');",
    );
    let points =
        "[[silo.datapoint]]\nname = \"people\"\ntable = \"people\"\nmatch = { email = \"email\" }
        provides = { nick = \"nick\" }\n
        [[silo.datapoint]]\nname = \"posts\"\ntable = \"posts\"\nmatch = { nick = \"nick\" }\n";
    let out = room.export(points);
    assert_eq!(out.column("posts", "id"), [json!(1), json!(2)]);
}

#[test]
fn several_values_for_an_equals_sign_fail_the_section() {
    let points = POINTS.replace("customer_id in (:customer_id)", "customer_id = :customer_id");
    let out = Room::with(CYCLE).export(&points);
    let (code, reason) = out.fault("orders");
    assert_eq!(code, "silo_settings");
    assert!(reason.contains("in (:customer_id)"), "{reason}");
}

#[test]
fn a_provider_that_fails_fails_what_needs_it_and_says_which() {
    let points = POINTS.replace("customer_id = \"id\"", "customer_id = \"no_such\"");
    let out = Room::with(CYCLE).export(&points);
    let (code, reason) = out.fault("orders");
    assert_eq!(code, "silo_provider_failed");
    assert!(reason.contains("shop/customers"), "{reason}");
    assert_eq!(out.content().outcome, "partial");
}

#[test]
fn what_a_failed_provider_would_have_led_to_is_incomplete_too() {
    let lines = "[[silo.datapoint]]\nname = \"lines\"
        query = \"select id from orders where id in (:order_id)\"\n";
    let points = POINTS
        .replace("customer_id = \"id\"", "customer_id = \"no_such\"")
        .replace("key = [\"id\"]\n", "key = [\"id\"]\nprovides = { order_id = \"id\" }\n");
    let mut request = request();
    // One is known; those that the orders would have added are not.
    request.details.identifiers.push(identifier("order_id", "103"));
    let out = Room::with(CYCLE).run(PARTIAL, &format!("{points}{lines}"), request);
    let (code, reason) = out.fault("lines");
    assert_eq!(code, "silo_provider_failed");
    assert!(reason.contains("order_id") && reason.contains("shop/orders"), "{reason}");
}

#[test]
fn an_identifier_that_is_not_utf8_is_an_error_and_not_a_person_less() {
    let room = Room::with(CYCLE);
    room.silo()
        .execute_batch(
            "alter table customers add nick text; update customers set nick = cast(x'ff' as text);",
        )
        .unwrap();
    let points = POINTS.replace("account = \"account\" }\n[[", "account = \"nick\" }\n[[");
    let out = room.export(&points);
    assert_eq!(out.fault("accounts").0, "silo_provider_failed");
}

#[test]
fn identifiers_match_whatever_type_the_column_declares() {
    let room = Room::with(
        "create table t (id integer primary key, email text);
         insert into t values (42, 'ada@example.com');
         create table a (id integer primary key, who text);
         create table b (id integer primary key, who integer);
         insert into a values (1, '42'), (2, '7');
         insert into b values (1, 42), (2, 7);",
    );
    let points = "[[silo.datapoint]]\nname = \"t\"\ntable = \"t\"\nmatch = { email = \"email\" }
        provides = { who = \"id\" }\n
        [[silo.datapoint]]\nname = \"a\"\ntable = \"a\"\nmatch = { who = \"who\" }\n
        [[silo.datapoint]]\nname = \"b\"\ntable = \"b\"\nmatch = { who = \"who\" }\n";
    let out = room.export(points);
    assert_eq!(out.column("a", "id"), [json!(1)]);
    assert_eq!(out.column("b", "id"), [json!(1)]);
    let mut request = request();
    request.details.identifiers = vec![identifier("who", "42")];
    let out = room.run(PARTIAL, points, request);
    assert_eq!(out.column("b", "id"), [json!(1)]);
}
