//! Which tables has the shop in PostgreSQL? The ones it has elsewhere, with the types a shop would give them there.

/// Every table, in an order in which no reference leads ahead.
pub(super) const NAMES: [&str; 9] = [
    "customers",
    "identities",
    "\"Group\"",
    "orders",
    "order_lines",
    "support_messages",
    "page_events",
    "images",
    "payments",
];

/// Makes the tables. Columns stand in the order of `shop::TABLES`: rows are copied by position.
pub(super) const TABLES: &str = r#"
create table customers (
    id             integer primary key,
    email          text not null,
    phone          text,
    full_name      text not null,
    address        text,
    loyalty_number text not null,
    legacy_id      bigint not null,
    newsletter     boolean not null,
    created_at     timestamptz not null
);
create table identities (
    id          integer primary key,
    customer_id integer not null references customers (id),
    provider    text not null,
    external_id text not null
);
create table "Group" (
    "Id"         integer primary key,
    "customerId" integer not null references customers (id),
    "group"      text not null,
    "Order"      smallint not null,
    "from"       timestamptz
);
create table orders (
    id              integer primary key,
    customer_id     integer not null references customers (id),
    total           numeric(12,2) not null,
    currency        text not null,
    shipping_name   text,
    gift_message    text,
    created_at      timestamptz not null
);
create table order_lines (
    id         integer primary key,
    order_id   integer not null references orders (id),
    product    text not null,
    quantity   smallint not null,
    unit_price numeric(12,2) not null,
    note       text
);
create table support_messages (
    id           integer primary key,
    customer_id  integer,
    sender_email text,
    subject      text,
    body         text not null,
    rating       smallint,
    created_at   timestamptz not null
);
create table page_events (
    id          bigint primary key,
    customer_id integer not null,
    url         text not null,
    referrer    text,
    user_agent  text not null,
    ip          text not null,
    duration    double precision,
    properties  jsonb not null,
    ts          timestamptz not null
);
create table images (
    id          integer primary key,
    customer_id integer not null references customers (id),
    caption     text,
    png         bytea not null
);
create table payments (
    id          integer primary key,
    order_id    integer not null references orders (id),
    customer_id integer not null references customers (id),
    amount      numeric(12,2) not null,
    card_number text,
    iban        text,
    card_holder text,
    note        text,
    created_at  timestamptz not null
);
"#;

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::super::shop;
    use super::*;

    /// SQLite takes any word for a type, so it reads both.
    #[test]
    fn columns_are_those_of_the_other_shop() {
        let columns = |tables: &str| {
            let database = Connection::open_in_memory().unwrap();
            database.execute_batch(tables).unwrap();
            let of_table = |name: &str| {
                let mut select = database.prepare(&format!("pragma table_info({name})")).unwrap();
                let rows = select.query_map([], |row| Ok((row.get(1)?, row.get(3)?, row.get(5)?)));
                rows.unwrap().map(Result::unwrap).collect::<Vec<(String, bool, bool)>>()
            };
            let tables: u32 = database
                .query_row("select count(*) from sqlite_schema where type = 'table'", [], |row| {
                    row.get(0)
                })
                .unwrap();
            (tables, NAMES.map(of_table))
        };
        let (count, ours) = columns(TABLES);
        assert_eq!((count, &ours), (9, &columns(shop::TABLES).1));
        assert!(ours.iter().all(|table| table.len() > 3));
    }
}
