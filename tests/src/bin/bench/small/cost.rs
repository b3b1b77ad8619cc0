//! What does a request cost the silo, the object store and the disk? Counted from outside, while nobody looks at the clock.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use antumbra_e2e::{Caller, Daemon, House, StoreView, command, until};
use anyhow::Context;

use super::people::{AT_ONCE, float};
use super::server::Server;
use super::submit::all_at_once;

/// Averages of a few requests.
pub(super) struct Cost {
    /// Statements the silo was sent.
    pub(super) queries: f64,
    /// Sealed objects.
    pub(super) objects: f64,
    /// What was waited for on the disk; nothing where no `strace` is.
    pub(super) syncs: Option<Syncs>,
}

/// Calls that wait for the disk.
pub(super) struct Syncs {
    pub(super) all: f64,
    /// Those of the store's log: its transactions.
    pub(super) store: f64,
}

/// Has the first people ask again, one after the other, and counts.
pub(super) async fn counted(
    server: &Server,
    house: &House,
    daemon: &Daemon,
    caller: &Caller,
) -> anyhow::Result<Cost> {
    server.log_statements(true)?;
    // A connection hears of the setting between two statements.
    all_at_once(caller, 1..=REQUESTS, AT_ONCE).await?;
    let (queries, objects) = (server.logged_statements()?, objects(house)?);
    let trace = Trace::start(house, daemon).await?;
    all_at_once(caller, 1..=REQUESTS, 1).await?;
    let syncs = trace.map(Trace::end).transpose()?;
    let queries = server.logged_statements()?.saturating_sub(queries);
    let objects = objects_since(house, objects)?;
    server.log_statements(false)?;
    let requests = f64::from(REQUESTS);
    Ok(Cost { queries: float(queries) / requests, objects: float(objects) / requests, syncs })
}

fn objects(house: &House) -> anyhow::Result<usize> {
    let sql = "select distinct hex(job) || object from segments";
    Ok(StoreView::open(house)?.texts(sql)?.len())
}

fn objects_since(house: &House, before: usize) -> anyhow::Result<usize> {
    Ok(objects(house)?.saturating_sub(before))
}

/// `strace` beside the daemon.
struct Trace {
    child: Child,
    file: std::path::PathBuf,
}

impl Trace {
    async fn start(house: &House, daemon: &Daemon) -> anyhow::Result<Option<Self>> {
        let file = house.path("syncs");
        let child = command(Path::new("strace"))
            .args(["-f", "-y", "-e", "trace=fsync,fdatasync,syncfs,sync", "-o"])
            .arg(&file)
            .args(["-p", &daemon.process().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(house.path("strace"))?)
            .spawn();
        let Ok(child) = child else { return Ok(None) };
        let trace = Self { child, file };
        until("strace", async || {
            let said = fs::read_to_string(house.path("strace"))?;
            Ok(said.contains("attached").then_some(()))
        })
        .await?;
        Ok(Some(trace))
    }

    /// Asks it to let go and counts what it wrote.
    fn end(mut self) -> anyhow::Result<Syncs> {
        let process = self.child.id().to_string();
        antumbra_e2e::run(
            Path::new("sh"),
            Path::new("/"),
            &["-c", &format!("kill -INT {process}")],
        )?
        .ok()?;
        self.child.wait().context("strace")?;
        let said = fs::read_to_string(&self.file)?;
        let calls: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("sync(") && !line.contains("resumed>"))
            .collect();
        let store = calls.iter().filter(|line| line.contains("antumbra.db")).count();
        let requests = f64::from(REQUESTS);
        Ok(Syncs { all: float(calls.len()) / requests, store: float(store) / requests })
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // It has ended unless counting failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

const REQUESTS: u32 = 8;
