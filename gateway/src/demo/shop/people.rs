//! Who shops here, under which other names, and which mailing groups are they in?

use rusqlite::{Transaction, params};

use super::create::{BUSIEST, PEOPLE};
use super::names::Names;
use super::random::{Random, timestamp};

/// Writes `customers`, `identities` and `"Group"`.
pub(super) fn write(shop: &Transaction<'_>) -> rusqlite::Result<()> {
    customers(shop)?;
    identities(shop)?;
    groups(shop)
}

fn customers(shop: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut insert = shop.prepare("insert into customers values (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    let mut random = Random::of_table("customers");
    for id in 1..=PEOPLE {
        let names = Names::of_person(id);
        let (name, latin) = names.full_name(&mut random);
        let domain = random.pick(&["example.org", "example.com", "example.net"]);
        let email = match id {
            _ if id == BUSIEST.id => BUSIEST.email.to_owned(),
            _ if id % 17 == 0 => format!("{}{id}@{}", capitals(&latin), capitals(domain)),
            _ => format!("{latin}{id}@{domain}"),
        };
        let name = if id == BUSIEST.id { BUSIEST.name.to_owned() } else { name };
        // 07700 900000 to 900999 are kept free for drama.
        let phone = match random.below(8) {
            0 => None,
            1 => Some(String::new()),
            _ => Some(format!("+44 7700 900{:03}", random.below(1000))),
        };
        let address = random.chance(5, 6).then(|| random.pick(names.towns));
        insert.execute(params![
            id,
            email,
            phone,
            name,
            address,
            format!("AP-{id:06}"),
            // Beyond 2^53: a reader that goes through floating point loses the last digit.
            9_007_199_254_740_993_i64 + i64::from(id) * 2,
            random.chance(1, 3),
            timestamp(random.moment()),
        ])?;
    }
    Ok(())
}

fn identities(shop: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut insert = shop.prepare("insert into identities values (?, ?, ?, ?)")?;
    let mut random = Random::of_table("identities");
    let mut id = 0_u32;
    for customer in 1..=PEOPLE {
        let many = if customer == BUSIEST.id { 4 } else { random.below(4) };
        for provider in ["web", "app", "till", "partner"].into_iter().take(usize_of(many)) {
            id += 1;
            let external = format!("{provider}-{:016x}", random.next());
            insert.execute(params![id, customer, provider, external])?;
        }
    }
    Ok(())
}

fn groups(shop: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut insert = shop.prepare("insert into \"Group\" values (?, ?, ?, ?, ?)")?;
    let mut random = Random::of_table("Group");
    let mut id = 0_u32;
    for customer in 1..=PEOPLE {
        let many = if customer == BUSIEST.id { 3 } else { random.below(3) };
        for order in 1..=many {
            id += 1;
            let group = random.pick(&["Ωmega testers", "gift, wrapped", "select * from", "早鳥"]);
            let from = random.chance(1, 2).then(|| timestamp(random.moment()));
            let from = if customer == BUSIEST.id && order == 1 { None } else { from };
            insert.execute(params![id, customer, group, order, from])?;
        }
    }
    Ok(())
}

/// `anna.smith` → `Anna.Smith`.
fn capitals(text: &str) -> String {
    let mut start = true;
    text.chars()
        .map(|letter| {
            let shown = if start { letter.to_ascii_uppercase() } else { letter };
            start = letter == '.';
            shown
        })
        .collect()
}

fn usize_of(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
