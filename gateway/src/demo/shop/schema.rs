//! Which tables does the shop have?

/// Makes the tables. Indexes follow once the rows are in: that is quicker.
pub(in crate::demo) const TABLES: &str = r#"
create table customers (
    id             integer primary key,
    email          text not null,
    phone          text,
    full_name      text not null,
    address        text,
    loyalty_number text not null,
    legacy_id      bigint not null,
    newsletter     boolean not null,
    created_at     text not null
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
    "Order"      integer not null,
    "from"       text
);
create table orders (
    id              integer primary key,
    customer_id     integer not null references customers (id),
    total           decimal(12,2) not null,
    currency        text not null,
    shipping_name   text,
    gift_message    text,
    created_at      text not null
);
create table order_lines (
    id         integer primary key,
    order_id   integer not null references orders (id),
    product    text not null,
    quantity   integer not null,
    unit_price decimal(12,2) not null,
    note       text
);
create table support_messages (
    id           integer primary key,
    customer_id  integer,
    sender_email text,
    subject      text,
    body         text not null,
    rating       integer,
    created_at   text not null
);
create table page_events (
    id          integer primary key,
    customer_id integer not null,
    url         text not null,
    referrer    text,
    user_agent  text not null,
    ip          text not null,
    duration    real,
    properties  text not null,
    ts          text not null
);
create table images (
    id          integer primary key,
    customer_id integer not null references customers (id),
    caption     text,
    png         blob not null
);
create table payments (
    id          integer primary key,
    order_id    integer not null references orders (id),
    customer_id integer not null references customers (id),
    amount      decimal(12,2) not null,
    card_number text,
    iban        text,
    card_holder text,
    note        text,
    created_at  text not null
);
"#;

/// Makes the indexes a shop would have.
///
/// No datapoint's key rests on them. A table's key is its primary key, which proves it; a unique index of columns that
/// cannot be NULL would, too. Where neither does, as for the rows of a query, a pass over the rows has to.
pub(in crate::demo) const INDEXES: &str = r#"
create unique index customers_email on customers (email);
create unique index customers_loyalty on customers (loyalty_number);
create index identities_customer on identities (customer_id);
create index group_customer on "Group" ("customerId");
create index orders_customer on orders (customer_id);
create index order_lines_order on order_lines (order_id);
create index support_customer on support_messages (customer_id);
create index support_sender on support_messages (sender_email);
create index page_events_customer on page_events (customer_id);
create index images_customer on images (customer_id);
create index payments_customer on payments (customer_id);
"#;
