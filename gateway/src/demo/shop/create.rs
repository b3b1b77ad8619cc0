//! How is the shop made, so that nobody ever opens half of one?

use std::fs;
use std::path::Path;

use anyhow::Context;
use rusqlite::Connection;

use super::{events, images, orders, payments, people, schema, support};

/// How big the shop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    /// Page events of the busiest person. The others have about 40 each whatever this says.
    pub(crate) events: u32,
}

/// A person of the shop whom others look for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// The key of the row in `customers`.
    pub(crate) id: u32,
    /// The full name.
    pub(crate) name: &'static str,
    /// The address the person signed up with.
    pub(crate) email: &'static str,
    /// The number on the person's loyalty card: what the shop calls the person by.
    pub(crate) loyalty: &'static str,
}

/// Writes the shop's database to `path`, which must not exist yet.
///
/// The rows are written beside `path` and renamed once they are complete and on the disk.
///
/// # Errors
/// Says which file could not be written.
pub(crate) fn create(path: &Path, scale: Scale) -> anyhow::Result<()> {
    let unfinished = path.with_extension("unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", unfinished.display()));
        }
        _ => {}
    }
    write(&unfinished, scale).with_context(|| format!("cannot write {}", unfinished.display()))?;
    fs::File::open(&unfinished)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// One transaction without a journal: a crash leaves a file that nobody reads.
fn write(path: &Path, scale: Scale) -> rusqlite::Result<()> {
    let mut shop = Connection::open(path)?;
    shop.execute_batch(
        "pragma journal_mode = off; pragma synchronous = off; pragma foreign_keys = off;",
    )?;
    let transaction = shop.transaction()?;
    transaction.execute_batch(schema::TABLES)?;
    people::write(&transaction)?;
    orders::write(&transaction)?;
    support::write(&transaction)?;
    events::write(&transaction, scale)?;
    images::write(&transaction)?;
    payments::write(&transaction)?;
    transaction.execute_batch(schema::INDEXES)?;
    transaction.commit()?;
    shop.close().map_err(|(_, error)| error)
}

impl Default for Scale {
    fn default() -> Self {
        Self { events: 120_000 }
    }
}

/// How many people shop here.
pub(super) const PEOPLE: u32 = 2_000;

/// The person with most of everything. Fictional, as everybody here.
pub(crate) const BUSIEST: Known = Known {
    id: 42,
    name: "Penelope Penumbra-Example",
    email: "penelope.penumbra@example.org",
    loyalty: "AP-000042",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn shop(events: u32) -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.db");
        create(&path, Scale { events }).unwrap();
        let connection = Connection::open(&path).unwrap();
        (dir, connection)
    }

    fn number(shop: &Connection, query: &str) -> i64 {
        shop.query_row(query, [], |row| row.get(0)).unwrap_or_else(|e| panic!("{query}: {e}"))
    }

    #[test]
    fn same_scale_gives_same_bytes() {
        let (first, _) = shop(500);
        let (second, _) = shop(500);
        let read = |dir: &tempfile::TempDir| fs::read(dir.path().join("shop.db")).unwrap();
        assert!(read(&first) == read(&second), "two shops of one seed differ");
    }

    #[test]
    fn unfinished_shop_is_replaced_and_never_left() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("shop.unfinished"), "half").unwrap();
        create(&dir.path().join("shop.db"), Scale { events: 1 }).unwrap();
        assert!(!dir.path().join("shop.unfinished").try_exists().unwrap());
        assert!(dir.path().join("shop.db").try_exists().unwrap());
    }

    #[test]
    fn busiest_person_has_what_was_promised() {
        let (_dir, shop) = shop(3_000);
        let id = BUSIEST.id;
        let of = |table: &str| {
            number(&shop, &format!("select count(*) from {table} where customer_id = {id}"))
        };
        assert_eq!(of("page_events"), 3_000);
        assert_eq!(of("orders"), 400);
        assert!(of("identities") >= 3);
        assert!(of("support_messages") >= 25);
        assert!(of("images") >= 5);
        assert!(of("payments") >= 400);
        let email: String = shop
            .query_row("select email from customers where id = ?", [id], |row| row.get(0))
            .unwrap();
        assert_eq!(email, BUSIEST.email);
        assert_eq!(number(&shop, "select count(*) from customers"), i64::from(PEOPLE));
    }

    #[test]
    fn events_of_the_busiest_person_change_nothing_else() {
        let (_dir, small) = shop(10);
        let (_dir2, large) = shop(1_000);
        let sum = "select sum(id * length(body)) from support_messages";
        assert_eq!(number(&small, sum), number(&large, sum));
        let others =
            format!("select count(*) from page_events where customer_id <> {}", BUSIEST.id);
        assert_eq!(number(&small, &others), number(&large, &others));
    }

    #[test]
    fn hard_cases_occur() {
        let (_dir, shop) = shop(2_000);
        let occurs = |query: &str| assert!(number(&shop, query) > 0, "{query}");
        occurs("select count(*) from customers where phone is null");
        occurs("select count(*) from customers where phone = ''");
        occurs("select count(*) from customers where email <> lower(email)");
        occurs("select count(*) from customers where legacy_id > 9007199254740992");
        occurs("select count(*) from order_lines where note is null");
        occurs("select count(*) from order_lines where note = ''");
        // NUMERIC affinity stores a round price as an integer: readers meet both in one column.
        occurs("select count(*) from order_lines where typeof(unit_price) = 'integer'");
        occurs("select count(*) from order_lines where typeof(unit_price) = 'real'");
        occurs("select count(*) from support_messages where customer_id is null");
        occurs("select count(*) from page_events where referrer is null");
        occurs("select count(*) from page_events where duration is null");
        occurs("select count(*) from payments where iban is not null and card_number is null");
        occurs(r#"select count(*) from "Group" where "from" is null and "Order" > 0"#);
        for character in
            ["é", "ß", "Σ", "ж", "ع", "中", "の", "ह", "🎉", "\u{301}", "\n", "\"", ","]
        {
            let found: i64 = shop
                .query_row(
                    "select count(*) from support_messages where customer_id = ?1 and instr(body, ?2)",
                    rusqlite::params![BUSIEST.id, character],
                    |row| row.get(0),
                )
                .unwrap();
            assert!(found > 0, "{character:?} is in no message of the busiest person");
        }
        for formula in ["=", "+", "-", "@"] {
            let query =
                format!("select count(*) from support_messages where body like '{formula}%'");
            occurs(&query);
        }
    }

    #[test]
    fn references_hold() {
        let (_dir, shop) = shop(10);
        let broken: Vec<String> = shop
            .prepare("pragma foreign_key_check")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(broken, Vec::<String>::new());
    }
}
