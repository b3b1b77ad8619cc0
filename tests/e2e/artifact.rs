//! How much memory does the daemon need to send one JSON document of gigabytes? As much as for a short one.

use std::fs;
use std::path::Path;

use antumbra_e2e::{Compliance, House, LOYALTY, Scale, Serve, checker, left_out, run};
use anyhow::ensure;
use rusqlite::Connection;
use serde_json::json;

/// What the design promises, whatever the row count.
const BOUND_KIB: u64 = 96 * 1024;

#[tokio::test]
async fn document_of_200_mb_is_sent_in_little_memory() -> anyhow::Result<()> {
    eprintln!("{}", sent(200_000_000).await?);
    Ok(())
}

#[tokio::test]
async fn long_document_of_2_gb_is_sent_in_little_memory() -> anyhow::Result<()> {
    eprintln!("{}", sent(2_000_000_000).await?);
    Ok(())
}

/// Makes a section of so many bytes, downloads the artifact to a file and checks the hash over it and the daemon's peak.
async fn sent(bytes: u64) -> anyhow::Result<String> {
    if left_out("curl") || left_out("python") {
        return Ok("left out".to_owned());
    }
    let house = House::new(Scale::Small)?;
    diary(&house, bytes / ROW)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Compliance::new(&house, &daemon)?;
    let id = caller.created(LOYALTY, "JSON").await?;
    caller.reaches(&id, "READY").await?;
    let collected = daemon.peak_resident_kib()?;

    let key = house.new_api_key(&["--scope", "audit:read"])?;
    let (url, key) = (daemon.url(), format!("authorization: Bearer {key}"));
    let url = format!("{url}/v1/compliance/dsar/{id}/download");
    run(Path::new("curl"), house.root(), &["-sS", "-f", "-H", &key, "-o", "artifact.json", &url])?
        .ok()?;
    let delivered = daemon.peak_resident_kib()?;
    let file = house.path("artifact.json");
    let len = fs::metadata(&file)?.len();
    ensure!(len > bytes, "only {len} bytes came");
    let said = checker("check_artifact.py", &[&file.display().to_string()])?;
    assert_eq!(caller.job(&id).await?["state"], json!("DELIVERED"));
    ensure!(
        delivered < BOUND_KIB,
        "expected less than {BOUND_KIB} KiB, found {collected} collected, {delivered} delivered"
    );
    Ok(format!(
        "{len} bytes of artifact: VmHWM {collected} KiB collected, {delivered} KiB delivered; {}",
        said.trim()
    ))
}

/// Rows that are small on the disk: the database makes them long while they are read, in the order of their key.
fn diary(house: &House, rows: u64) -> anyhow::Result<()> {
    let shop = Connection::open(house.own_source()?)?;
    shop.execute_batch(&format!(
        "create table diary (id integer primary key, customer_id integer not null);
         with recursive counted(n) as (select 1 union all select n + 1 from counted where n < {rows})
         insert into diary select n, 42 from counted;
         create index diary_customer on diary (customer_id);"
    ))?;
    house.set_silos(SILO)
}

const SILO: &str = r#"[[silo]]
name = "shop"
type = "sqlite"
path = "source/shop.db"

[[silo.datapoint]]
name = "customers"
table = "customers"
match = { loyalty_number = "coreIdentifier" }
provides = { customer_id = "id" }
key = ["id"]

[[silo.datapoint]]
name = "diary"
query = """
select id, customer_id, replace(hex(zeroblob(2000)), '00', 'dear diary, day ' || id || ': ') as entry
from diary where customer_id in (:customer_id)
"""
key = ["id"]
"#;
/// Bytes of one row at least: 2000 times `dear diary, day 1: `.
const ROW: u64 = 2000 * 19;
