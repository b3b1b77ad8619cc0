//! What did they buy?

use rusqlite::{Transaction, params};

use super::create::{BUSIEST, PEOPLE};
use super::random::{Random, timestamp};

/// Writes `orders` and `order_lines`. An order's total is the sum of its lines.
pub(super) fn write(shop: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut order = shop.prepare("insert into orders values (?, ?, ?, ?, ?, ?, ?)")?;
    let mut line = shop.prepare("insert into order_lines values (?, ?, ?, ?, ?, ?)")?;
    let mut random = Random::of_table("orders");
    let (mut order_id, mut line_id) = (0_u32, 0_u32);
    for customer in 1..=PEOPLE {
        let many = if customer == BUSIEST.id { 400 } else { random.below(11) };
        for _ in 0..many {
            order_id += 1;
            let mut cents = 0;
            for _ in 0..random.between(1, 5) {
                line_id += 1;
                let quantity = random.between(1, 13);
                let price = price_cents(&mut random);
                cents += quantity * price;
                line.execute(params![
                    line_id,
                    order_id,
                    random.pick(&PRODUCTS),
                    quantity,
                    money(price),
                    random.pick(&NOTES),
                ])?;
            }
            order.execute(params![
                order_id,
                customer,
                money(cents),
                random.pick(&["EUR", "USD", "JPY"]),
                random.pick(&SHIPPING),
                random.pick(&GIFTS),
                timestamp(random.moment()),
            ])?;
        }
    }
    Ok(())
}

/// Writes an amount the way the shop does: as a floating-point number of the main unit.
pub(super) fn money(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}

/// Every fifth price is round, so that the column holds integers and fractions.
fn price_cents(random: &mut Random) -> u32 {
    if random.chance(1, 5) { random.between(1, 90) * 100 } else { random.between(1, 9_999) }
}

const PRODUCTS: [&str; 6] = [
    "Sundial, brass",
    "Eclipse glasses \"Corona\"",
    "Parasol 3 m",
    "日傘",
    "Lamp; shade & cord",
    "Σκιάδιο",
];

const NOTES: [Option<&str>; 7] = [
    None,
    None,
    Some(""),
    Some("leave at the door"),
    Some("colour: \"midnight\", size 2"),
    Some("line one\nline two"),
    Some("=1+1"),
];

const SHIPPING: [Option<&str>; 4] = [None, Some(""), Some("Zoë Größenwahn"), Some("ليلى المثال")];

const GIFTS: [Option<&str>; 4] =
    [None, None, Some("Happy birthday 🎂"), Some("¡Feliz cumpleaños!")];
