//! Which values of the shop must not be found in clear?

use anyhow::ensure;
use rusqlite::{Connection, OpenFlags};

use crate::{House, Needles};

/// The shop from which the person's data comes.
#[derive(Debug)]
pub struct ShopNeedles {
    shop: Connection,
}

impl ShopNeedles {
    /// Opens the shop of a house.
    ///
    /// # Errors
    /// The database's.
    pub fn open(house: &House) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Ok(Self { shop: Connection::open_with_flags(house.path("source/shop.db"), flags)? })
    }

    /// Returns every value about people, as it is spelt there.
    ///
    /// # Errors
    /// The database's.
    pub fn kept(&self) -> anyhow::Result<Needles> {
        self.needles(&KEPT)
    }

    /// Returns the same and the addresses as the daemon spells them.
    ///
    /// # Errors
    /// The database's.
    pub fn all(&self) -> anyhow::Result<Needles> {
        self.needles(&[&KEPT[..], &["select lower(email) from customers"]].concat())
    }

    /// Takes every distinct value of some queries. None is left out: the database counts them, too.
    fn needles(&self, queries: &[&str]) -> anyhow::Result<Needles> {
        let mut all = Vec::new();
        for query in queries {
            let mut select = self.shop.prepare(query)?;
            let rows = select.query_map([], |row| row.get::<_, String>(0))?;
            for row in rows {
                all.push(row?);
            }
        }
        let needles = Needles::new(all)?;
        let count = format!("select count(*) from ({})", queries.join(" union "));
        let distinct: i64 = self.shop.query_row(&count, [], |row| row.get(0))?;
        ensure!(needles.len() == usize::try_from(distinct)?, "{} of {distinct}", needles.len());
        Ok(needles)
    }
}

/// What the source keeps about people, as it is spelt there. An empty string is no value, and two messages that consist of
/// the word `null` are told by nobody from the schema of the store.
const KEPT: [&str; 15] = [
    "select email from customers",
    "select full_name from customers",
    "select phone from customers where phone <> ''",
    "select address from customers where address <> ''",
    "select loyalty_number from customers",
    "select external_id from identities",
    "select shipping_name from orders where shipping_name <> ''",
    "select gift_message from orders where gift_message <> ''",
    "select sender_email from support_messages where sender_email <> ''",
    "select subject from support_messages where subject <> ''",
    "select body from support_messages where lower(body) <> 'null'",
    "select card_holder from payments where card_holder <> ''",
    "select card_number from payments where card_number <> ''",
    "select iban from payments where iban <> ''",
    "select note from payments where note <> ''",
];
