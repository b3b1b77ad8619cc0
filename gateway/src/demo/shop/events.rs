//! Which pages did they look at? The one table with many rows.

use rusqlite::{Transaction, params};

use super::create::{BUSIEST, PEOPLE, Scale};
use super::random::{Random, timestamp};

/// Writes `page_events`: exactly `scale.events` of the busiest person, about 40 of each other, mixed as time mixes them.
pub(super) fn write(shop: &Transaction<'_>, scale: Scale) -> rusqlite::Result<()> {
    let mut insert = shop.prepare("insert into page_events values (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    let mut whom = Random::of_table("page_events.customer_id");
    let mut random = Random::of_table("page_events");
    let mut busy = scale.events;
    let mut others = (PEOPLE - 1) * 40;
    let mut second = random.moment();
    for id in 1.. {
        let left = busy.saturating_add(others);
        if left == 0 {
            break;
        }
        let customer = if whom.chance(busy, left) {
            busy -= 1;
            BUSIEST.id
        } else {
            others -= 1;
            other(&mut random)
        };
        second += i64::from(random.below(40));
        insert.execute(params![
            id,
            customer,
            url(&mut random),
            random.pick(&REFERRERS),
            random.pick(&AGENTS),
            address(&mut random),
            duration(&mut random),
            properties(&mut random),
            timestamp(second),
        ])?;
    }
    Ok(())
}

/// Somebody, but not the busiest person.
fn other(random: &mut Random) -> u32 {
    let customer = random.between(1, PEOPLE);
    if customer >= BUSIEST.id { customer + 1 } else { customer }
}

fn url(random: &mut Random) -> String {
    let section = random.pick(&["sundials", "parasols", "lamps", "日傘", "sale/50%25-off"]);
    format!("https://shop.example.org/{section}/{}?from={}", random.below(5_000), random.below(90))
}

/// The networks kept for documentation: RFC 5737 and RFC 3849.
fn address(random: &mut Random) -> String {
    let host = random.below(256);
    match random.below(4) {
        0 => format!("192.0.2.{host}"),
        1 => format!("198.51.100.{host}"),
        2 => format!("203.0.113.{host}"),
        _ => format!("2001:db8::{host:x}"),
    }
}

/// Seconds on the page; unknown for the last page of a visit.
fn duration(random: &mut Random) -> Option<f64> {
    random.chance(7, 8).then(|| f64::from(random.below(600_000)) / 1_000.0)
}

fn properties(random: &mut Random) -> String {
    let (cart, width) = (random.below(9), random.pick(&[360_u32, 768, 1280, 2560]));
    match random.below(3) {
        0 => "{}".to_owned(),
        1 => format!("{{\"cart\":{cart},\"viewport\":[{width},{}]}}", width / 2),
        _ => format!("{{\"cart\":{cart},\"tags\":[\"α\",\"b\\\"c\"],\"coupon\":null}}"),
    }
}

const REFERRERS: [Option<&str>; 6] = [
    None,
    None,
    None,
    None,
    Some("https://search.example.com/?q=sundial"),
    Some("https://news.example.net/ombre"),
];

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148",
    "ShopApp/4.2 (Android 15)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0",
];
