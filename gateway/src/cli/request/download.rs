//! `antumbra request download`: get what a request was answered with.

use std::fs::File;
use std::path::Path;

use antumbra_bundle::hex;
use anyhow::{Context, ensure};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::daemon::{Daemon, path_of};
use super::view::Job;
use crate::cli::args::RequestDownloadArgs;
use crate::cli::unfinished::Unfinished;
use crate::cli::words::bytes;
use crate::cli::{Exit, say};

/// Downloads into a file that appears complete or not at all. A zip has to have the SHA-256 that the daemon states.
pub(super) async fn download(args: &RequestDownloadArgs) -> anyhow::Result<Exit> {
    let path = path_of(&args.id)?;
    let daemon = Daemon::open(&args.daemon)?;
    let data = daemon.get(&path, "the request was not found").await?;
    let job = Job::read(data.get("job"))?;
    let (unfinished, file) = Unfinished::create(&args.out, args.force)?;
    drop(file);
    let length = daemon.download(&format!("{path}/download"), unfinished.path()).await?;
    let part = unfinished.path().to_owned();
    let sha256 = tokio::task::spawn_blocking(move || sha256_of(&part)).await??;
    // For JSON the answer is one document around the bundle's data, which carries a hash of its own.
    if let Some(stated) = job.bundle_sha256.filter(|_| job.format != "JSON") {
        ensure!(sha256 == stated, "what arrived has SHA-256 {sha256}, the daemon states {stated}");
    }
    unfinished.finish()?;
    if args.daemon.json {
        say(json!({
            "path": args.out.to_string_lossy(),
            "bytes": length,
            "sha256": sha256,
        }))?;
    } else {
        say(format_args!("{} ({})\nsha256  {sha256}", args.out.display(), bytes(length)))?;
    }
    Ok(Exit::Done)
}

fn sha256_of(path: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut HashWriter(&mut hash)))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hex(&hash.finalize()))
}

/// Takes bytes into a hash.
struct HashWriter<'h>(&'h mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
