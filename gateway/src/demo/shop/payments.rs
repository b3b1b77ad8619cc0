//! How did they pay? The table whose secrets must not leave the house.

use rusqlite::{Transaction, params};

use super::random::{Random, timestamp};

/// Writes `payments`: one for each order, by card or by transfer.
pub(super) fn write(shop: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut orders = shop.prepare("select id, customer_id, total from orders order by id")?;
    let mut insert = shop.prepare("insert into payments values (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    let mut random = Random::of_table("payments");
    let mut rows = orders.query([])?;
    while let Some(row) = rows.next()? {
        let (order, customer, amount): (u32, u32, f64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let card = random.chance(2, 3);
        insert.execute(params![
            order,
            order,
            customer,
            amount,
            card.then(|| card_number(&mut random)),
            (!card).then(|| iban(&mut random)),
            card.then(|| random.pick(&["P PENUMBRA-EXAMPLE", "J. Ombre", "影山 健太", ""])),
            random.pick(&NOTES),
            timestamp(random.moment()),
        ])?;
    }
    Ok(())
}

/// Sixteen digits that no network issues: real ones never begin with 0.
fn card_number(random: &mut Random) -> String {
    let group = |random: &mut Random| random.below(10_000);
    let (a, b, c) = (group(random), group(random), group(random));
    format!("0000 {a:04} {b:04} {c:04}")
}

/// The shape of an IBAN under a country code that nobody has.
fn iban(random: &mut Random) -> String {
    format!("XX00{:018}", random.next() % 1_000_000_000_000_000_000)
}

const NOTES: [Option<&str>; 5] =
    [None, Some(""), Some("paid twice, refunded"), Some("card of my mother"), Some("чек № 7")];
