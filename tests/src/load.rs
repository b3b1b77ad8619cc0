//! How is a daemon kept busy by clients of both contracts, and did one of them fail?

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, ensure};
use hyper::Method;
use serde_json::json;

use crate::{Caller, Compliance, Daemon, EMAIL, House, sha256_hex, until};

/// Clients of both contracts that export again and again, and one that reads what was exported.
#[derive(Debug)]
pub struct Load {
    caller: Caller,
    compliance: Compliance,
    /// Every bundle that was exported: the request's id, and the SHA-256 of the zip.
    bundles: Mutex<Vec<(String, String)>>,
    /// Every artifact: the compliance job's id, and its SHA-256.
    artifacts: Mutex<Vec<(String, String)>>,
    reads: AtomicUsize,
    /// What did not succeed.
    failed: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Load {
    /// Calls a daemon with the house's keys.
    ///
    /// # Errors
    /// When a key cannot be read or made.
    pub fn new(house: &House, daemon: &Daemon) -> anyhow::Result<Self> {
        Ok(Self {
            caller: Caller::new(house, daemon)?,
            compliance: Compliance::new(house, daemon)?,
            bundles: Mutex::default(),
            artifacts: Mutex::default(),
            reads: AtomicUsize::default(),
            failed: Mutex::default(),
            over: AtomicBool::default(),
        })
    }

    /// Goes on with a daemon that was started again.
    ///
    /// # Errors
    /// When a key cannot be read.
    pub fn at(&mut self, house: &House, daemon: &Daemon) -> anyhow::Result<()> {
        self.caller = Caller::new(house, daemon)?;
        self.compliance = self.compliance.clone().at(daemon);
        Ok(())
    }

    /// Returns how much each contract exported at least.
    #[must_use]
    pub fn exported(&self) -> usize {
        held(&self.bundles).len().min(held(&self.artifacts).len())
    }

    /// Returns how often something that was exported was read again.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    /// Waits until each contract exported so much, or something failed.
    ///
    /// # Errors
    /// When neither comes.
    pub async fn exports(&self, count: usize) -> anyhow::Result<()> {
        until("exports under load", async || {
            let enough = self.exported() >= count || !held(&self.failed).is_empty();
            Ok(enough.then_some(()))
        })
        .await
    }

    /// Loads the daemon until `story` ended and every request has come to its end.
    ///
    /// # Errors
    /// When a request failed; the story's.
    pub async fn beside(
        &self,
        story: impl AsyncFnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.over.store(false, Ordering::SeqCst);
        let story = async {
            let told = story().await;
            self.over.store(true, Ordering::SeqCst);
            told
        };
        let (told, (), (), ()) = tokio::join!(
            story,
            self.again_and_again("bundle", async |n| self.bundle(n).await),
            self.again_and_again("artifact", async |n| self.artifact(n).await),
            self.again_and_again("read", async |n| self.read(n).await),
        );
        let failed = held(&self.failed);
        ensure!(failed.is_empty(), "{} requests failed: {failed:#?}", failed.len());
        told
    }

    /// Goes on until the story is over, or so much failed that nothing more is learnt.
    async fn again_and_again(
        &self,
        what: &str,
        mut once: impl AsyncFnMut(usize) -> anyhow::Result<()>,
    ) {
        for n in 0.. {
            if self.over.load(Ordering::SeqCst) || held(&self.failed).len() >= ENOUGH {
                return;
            }
            if let Err(error) = once(n).await {
                held(&self.failed).push(format!("{what} {n}: {error:#}"));
            }
            tokio::task::yield_now().await;
        }
    }

    async fn bundle(&self, n: usize) -> anyhow::Result<()> {
        let formats = [&["JSON"][..], &["CSV", "PARQUET"], &["NDJSON"], &["JSON", "PARQUET"]];
        let id = self.caller.submit(formats[n % formats.len()]).await?;
        let answer = self.caller.downloadable(&id).await?;
        let hash = sha256_hex(&self.caller.bundle(&id).await?)?;
        ensure!(answer.pointer("/bundleSha256") == Some(&json!(hash)), "another bundle: {answer}");
        held(&self.bundles).push((id, hash));
        Ok(())
    }

    async fn artifact(&self, _: usize) -> anyhow::Result<()> {
        let id = self.compliance.created(EMAIL, "JSON").await?;
        self.compliance.reaches(&id, "READY").await?;
        let reply = self.compliance.download(&id).await?;
        ensure!(reply.complete(), "{} {:?} {}", reply.status, reply.cut, reply.text());
        held(&self.artifacts).push((id, sha256_hex(&reply.body)?));
        Ok(())
    }

    /// Reads something that was exported before: the whole, a part, what its head says.
    async fn read(&self, n: usize) -> anyhow::Result<()> {
        let bundles = held(&self.bundles).clone();
        let Some((id, hash)) = bundles.get(n % bundles.len().max(1)) else {
            // Nothing to read yet: the others come first.
            tokio::task::yield_now().await;
            return Ok(());
        };
        let files = self.caller.downloads(id).await?;
        let zip = files.first().context("no bundle")?;
        let reply = self.caller.download(zip, &[]).await?;
        ensure!(reply.complete() && sha256_hex(&reply.body)? == *hash, "{}: {id}", reply.status);
        let part = self.caller.download(zip, &[("range", "bytes=100-199")]).await?;
        ensure!(part.status == 206 && Some(&part.body[..]) == reply.body.get(100..200), "{id}");
        let head = self.caller.client().send(Method::HEAD, &zip.path(), &[], "").await?;
        ensure!(head.complete() && head.header("content-length") == reply.body.len().to_string());
        let file = files.get(1 + n % (files.len() - 1)).context("no file")?;
        let reply = self.caller.download(file, &[]).await?;
        ensure!(reply.complete() && reply.body.len() as u64 == file.size, "{}", file.name);
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Reads everything once more.
    ///
    /// # Errors
    /// When something is not what it was when it was exported.
    pub async fn all_are_as_they_were(&self) -> anyhow::Result<()> {
        let bundles = held(&self.bundles).clone();
        for (id, hash) in &bundles {
            let bundle = self.caller.bundle(id).await?;
            ensure!(sha256_hex(&bundle)? == *hash, "{id} is another bundle than before");
        }
        let artifacts = held(&self.artifacts).clone();
        for (id, hash) in &artifacts {
            let reply = self.compliance.download(id).await?;
            ensure!(
                reply.complete() && sha256_hex(&reply.body)? == *hash,
                "{id}: {}",
                reply.status
            );
        }
        Ok(())
    }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Failures after which a load ends: they are all the same.
const ENOUGH: usize = 20;
