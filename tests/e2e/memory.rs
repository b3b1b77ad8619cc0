//! How much memory does the daemon need for the busiest person? It must not depend on how many rows there are.

use antumbra_e2e::{Caller, House, Scale, Serve};

/// What the design promises for an export in both formats, whatever the row count.
const BOUND_KIB: u64 = 96 * 1024;

#[tokio::test]
async fn busiest_person_stays_below_the_bound() -> anyhow::Result<()> {
    eprintln!("{}", export(Scale::Usual).await?);
    Ok(())
}

#[tokio::test]
async fn long_ten_times_the_rows_stay_below_the_same_bound() -> anyhow::Result<()> {
    eprintln!("{}", export(Scale::Huge).await?);
    Ok(())
}

/// Exports the busiest person's data; returns the peaks in words.
async fn export(scale: Scale) -> anyhow::Result<String> {
    let house = House::new(scale)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let idle = daemon.peak_resident_kib()?;
    let request = caller.submit(&["JSON", "PARQUET"]).await?;
    let answer = caller.downloadable(&request).await?;
    let collected = daemon.peak_resident_kib()?;
    let bundle = caller.bundle(&request).await?;
    let delivered = daemon.peak_resident_kib()?;
    let peaks = format!(
        "{} page events, {} rows, {} bytes of bundle: VmHWM {idle} KiB idle, {collected} KiB collected, {delivered} KiB delivered",
        scale.events(),
        answer.pointer("/progress/rowsCollected").unwrap_or_default(),
        bundle.len(),
    );
    assert!(delivered < BOUND_KIB, "expected less than {BOUND_KIB} KiB: {peaks}");
    Ok(peaks)
}
