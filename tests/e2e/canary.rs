//! A thief reads the data directory, the logs and the temporary files: no e-mail address, name, postal address, number or
//! message of the source stands there in clear, neither after a kill in mid-run nor after the end.

use std::fs;

use antumbra_e2e::{Caller, House, Needles, Scale, Serve};
use anyhow::ensure;
use rusqlite::{Connection, OpenFlags};

#[tokio::test]
async fn nothing_of_the_source_is_stored_or_logged_in_clear() -> anyhow::Result<()> {
    let house = House::new(Scale::Usual)?;
    let source = Source::open(&house)?;
    let kept = source.needles(&KEPT)?;
    assert!(kept.len() > 15_000, "only {} canaries", kept.len());
    let shop = fs::read(house.path("source/shop.db"))?;
    assert_eq!(kept.found_in(&shop), kept.len(), "the search finds its canaries where they are");
    let needles = source.needles(&[&KEPT[..], &["select lower(email) from customers"]].concat())?;
    assert!(needles.len() > kept.len(), "no address is spelt in capitals");
    let (found, _) = needles.found_below(&house.path("source"))?;
    assert_eq!(found.len(), 1, "the search finds the file");

    // Killed after rows were sealed and before they were committed: the log of the database has not been folded in.
    let serve = Serve::new().set("log.level=trace");
    let daemon = serve.clone().crash_point("collect.sealed:2").start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON", "CSV", "NDJSON", "PARQUET"]).await?;
    let mut daemon = daemon;
    daemon.said("crash point collect.sealed 2").await?;
    let read = nowhere(&needles, &house, "while collecting")?;
    assert!(read > 1_000_000, "only {read} bytes were there to be read");
    assert!(
        house.path("data/antumbra.db-wal").try_exists()?,
        "the write-ahead log is part of the search"
    );
    daemon.kill()?;
    nowhere(&needles, &house, "after kill -9")?;

    let daemon = serve.start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    caller.downloadable(&request).await?;
    caller.bundle(&request).await?;
    // Refusals are logged, too; what they quote must not be personal.
    caller.post(&format!("{{\"email\": \"{}\"", antumbra_e2e::EMAIL)).await?;
    caller.post(&antumbra_e2e::submission(&["JSON"]).to_string()).await?;
    nowhere(&needles, &house, "after the download")?;
    assert_eq!(daemon.terminate().await?, 0);
    let read = nowhere(&needles, &house, "after the end")?;
    eprintln!("{} canaries, {read} bytes searched, none found", needles.len());
    Ok(())
}

/// Looks through everything the daemon wrote; returns how many bytes that were.
fn nowhere(needles: &Needles, house: &House, when: &str) -> anyhow::Result<u64> {
    let mut all = 0;
    for folder in ["data", "logs", "tmp"] {
        let (found, read) = needles.found_below(&house.path(folder))?;
        assert!(found.is_empty(), "{when}: canaries in {found:?}");
        all += read;
    }
    Ok(all)
}

/// The shop from which the person's data comes.
struct Source {
    shop: Connection,
}

impl Source {
    fn open(house: &House) -> anyhow::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Ok(Self { shop: Connection::open_with_flags(house.path("source/shop.db"), flags)? })
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
