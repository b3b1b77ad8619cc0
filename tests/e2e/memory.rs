//! How much memory does the daemon need for the busiest person? It must not depend on how many rows there are.

use std::fmt;

use antumbra_e2e::{Caller, EMAIL, House, Scale, Serve, submission};
use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// What the design promises for an export in every format, whatever the row count.
const BOUND_KIB: u64 = 96 * 1024;

#[tokio::test]
async fn busiest_person_stays_below_the_bound() -> anyhow::Result<()> {
    let house = House::new(Scale::Usual)?;
    eprintln!("{}", export(&house, &busiest()).await?);
    Ok(())
}

#[tokio::test]
async fn ten_times_the_rows_stay_below_the_same_bound() -> anyhow::Result<()> {
    let house = House::new(Scale::Huge)?;
    eprintln!("{}", export(&house, &busiest()).await?);
    Ok(())
}

/// Two values of one identifier: no index has the rows of both in the order of the key, so a database that is asked for
/// them at once sorts them in memory.
#[tokio::test]
async fn rows_of_two_identifier_values_stay_below_the_same_bound() -> anyhow::Result<()> {
    let house = House::new(Scale::Huge)?;
    let second = Second::of(&house)?;
    let mut body = busiest();
    body["subject"]["attestedExtraIdentifiers"] =
        json!({ "custom": [{ "name": "customer_id", "value": second.id.to_string() }] });
    let expected = u64::from(Scale::Huge.events()) + second.events;
    let exported = export(&house, &body).await?;
    assert_eq!(exported.page_events, expected, "the rows of both: {exported}");
    eprintln!("{exported}");
    Ok(())
}

/// Another customer of the shop, with page events of its own.
struct Second {
    id: i64,
    events: u64,
}

impl Second {
    /// Takes whoever has most of them after the busiest person.
    fn of(house: &House) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let shop = Connection::open_with_flags(house.path("source/shop.db"), flags)?;
        let sql = "select customer_id, count(*) from page_events
                   where customer_id <> (select id from customers where email = ?)
                   group by customer_id order by count(*) desc, customer_id limit 1";
        let (id, events): (i64, i64) =
            shop.query_row(sql, [EMAIL], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self { id, events: u64::try_from(events)? })
    }
}

/// What an export needed.
struct Exported {
    page_events: u64,
    bundle: usize,
    idle: u64,
    collected: u64,
    delivered: u64,
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { page_events, bundle, idle, collected, delivered } = self;
        write!(
            f,
            "{page_events} page events, {bundle} bytes of bundle: VmHWM {idle} KiB idle, {collected} KiB collected, \
             {delivered} KiB delivered"
        )
    }
}

fn busiest() -> Value {
    submission(&["JSON", "CSV", "NDJSON", "PARQUET"])
}

/// Makes a request, downloads its bundle and checks the peak.
async fn export(house: &House, body: &Value) -> anyhow::Result<Exported> {
    let daemon = Serve::new().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let idle = daemon.peak_resident_kib()?;
    let reply = caller.post(&body.to_string()).await?;
    ensure!(reply.complete(), "refused: {} {}", reply.status, reply.text());
    let reply = reply.json()?;
    let request = reply.pointer("/request/id").and_then(Value::as_str).context("no id")?;
    let answer = caller.downloadable(request).await?;
    let collected = daemon.peak_resident_kib()?;
    let sections = answer.get("sections").and_then(Value::as_array).context("no sections")?;
    let events =
        sections.iter().find(|section| section.get("datapoint") == Some(&json!("page_events")));
    let rows = events.and_then(|section| section.get("rows")?.as_u64());
    let bundle = caller.bundle(request).await?.len();
    let delivered = daemon.peak_resident_kib()?;
    let page_events = rows.context("no page events")?;
    let exported = Exported { page_events, bundle, idle, collected, delivered };
    ensure!(delivered < BOUND_KIB, "expected less than {BOUND_KIB} KiB: {exported}");
    Ok(exported)
}
