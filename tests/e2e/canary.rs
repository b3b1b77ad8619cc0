//! A thief reads the data directory, the logs and the temporary files: no e-mail address, name, postal address, number or
//! message of the source stands there in clear, neither after a kill in mid-run nor after the end.

use std::fs;

use antumbra_e2e::{Caller, House, Needles, Scale, Serve, ShopNeedles};

#[tokio::test]
async fn nothing_of_the_source_is_stored_or_logged_in_clear() -> anyhow::Result<()> {
    let house = House::new(Scale::Usual)?;
    let source = ShopNeedles::open(&house)?;
    let kept = source.kept()?;
    assert!(kept.len() > 15_000, "only {} canaries", kept.len());
    let shop = fs::read(house.path("source/shop.db"))?;
    assert_eq!(kept.found_in(&shop), kept.len(), "the search finds its canaries where they are");
    let needles = source.all()?;
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
