//! Attachments larger than a pack: copied with flat memory, and after a death in the middle of one the same content as without it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use antumbra_e2e::{Caller, EMAIL, House, Scale, Serve, StoreView, run, sha256_hex};
use anyhow::{Context, ensure};
use serde_json::json;

/// What the design promises for an export, whatever its size.
const BOUND_KIB: u64 = 96 * 1024;

#[tokio::test]
async fn long_attachments_of_several_packs_need_flat_memory_and_survive_a_death()
-> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let folder = house.path("lake").join(EMAIL);
    fs::create_dir_all(&folder)?;
    // One is stored as it is, one is deflated; each reaches into another pack.
    write(&folder.join("a.png"), 300)?;
    write(&folder.join("b.txt"), 450)?;
    write(&folder.join("c.pdf"), 1)?;
    house.set_silos(SILO)?;

    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let idle = daemon.peak_resident_kib()?;
    let request = caller.submit(&["JSON"]).await?;
    let answer = caller.downloadable(&request).await?;
    let collected = daemon.peak_resident_kib()?;
    eprintln!("VmHWM {idle} KiB idle, {collected} KiB collected");
    ensure!(collected < BOUND_KIB, "{collected} KiB, and {BOUND_KIB} KiB are the bound");
    let truth = answer["contentSha256"].clone();
    let downloads = caller.downloads(&request).await?;
    for (number, name) in ["a.png", "b.txt", "c.pdf"].into_iter().enumerate() {
        let suffix = format!("{:04}.{}", number + 1, name.rsplit_once('.').context("no end")?.1);
        let download = downloads.iter().find(|download| download.name.ends_with(&suffix));
        let download = download.with_context(|| format!("no {suffix} in {downloads:?}"))?;
        let reply = caller.download(download, &[("accept-encoding", "identity")]).await?;
        ensure!(
            reply.complete() && sha256_hex(&reply.body)? == hash(&folder.join(name))?,
            "{name}"
        );
    }
    ensure!(daemon.terminate().await? == 0);
    let objects = objects(&house)?;

    // In the first pack, at the edge of it, in the second file, and with all of them copied.
    for point in
        ["collect.piece:100", "collect.piece:1025", "collect.piece:2500", "collect.committed:1"]
    {
        let mut daemon = Serve::new().crash_point(point).start(&house).await?;
        let request = Caller::new(&house, &daemon)?.submit(&["JSON"]).await?;
        daemon.said(&format!("crash point {}", point.replace(':', " "))).await?;
        let job = StoreView::open(&house)?.jobs()?.pop().context("no job")?;
        ensure!(job.state == "COLLECTING" && job.fence == 1, "the point is elsewhere: {job:?}");
        daemon.kill()?;
        let daemon = Serve::new().start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        let answer = caller.downloadable(&request).await?;
        ensure!(answer["contentSha256"] == truth, "killed at {point}: {answer} is not {truth}");
        ensure!(answer.pointer("/job/leases") == Some(&json!(2)), "{answer}");
        let peak = daemon.peak_resident_kib()?;
        ensure!(peak < BOUND_KIB, "killed at {point}: {peak} KiB");
        ensure!(daemon.terminate().await? == 0);
        eprintln!("killed at {point}: the same content, {peak} KiB");
    }
    ensure!(objects == 3, "{objects} packs");
    Ok(())
}

/// Packs of attachments that are part of a bundle.
fn objects(house: &House) -> anyhow::Result<usize> {
    Ok(StoreView::open(house)?
        .texts("select distinct object from segments where object like '%-raw'")?
        .len())
}

/// Writes mebibytes that deflate makes shorter, but not by much: a block that is the same again only far behind its window.
fn write(path: &Path, mebibytes: u64) -> anyhow::Result<()> {
    let mut state = mebibytes;
    let mut block = String::with_capacity(1 << 20);
    while block.len() < 1 << 20 {
        // An xorshift generator, in hexadecimal.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        block.push_str(&format!("{state:016x}"));
    }
    let mut file = File::create(path)?;
    for number in 0..mebibytes {
        let number = format!("{number:016x}");
        block.replace_range(..number.len(), &number);
        file.write_all(block.as_bytes())?;
    }
    Ok(())
}

fn hash(path: &Path) -> anyhow::Result<String> {
    let said = run(Path::new("sha256sum"), Path::new("/"), &[path])?.ok()?;
    said.split_whitespace().next().map(str::to_owned).context("sha256sum said nothing")
}

const SILO: &str = r#"[[silo]]
name = "lake"
type = "files"
location = { path = "lake" }

[[silo.datapoint]]
name = "letters"
attachment = { path = "{email}/*" }
"#;
