//! How does a published bundle become a file? Streamed, hashed on the way, on the disk before it has its name.

use std::fs::File;

use antumbra_bundle::hex;
use antumbra_jobs::Progress;
use antumbra_pipeline::OpenBundle;
use anyhow::{Context, ensure};
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio_util::sync::CancellationToken;

use crate::cli::progress::{Phase, Snapshot, Watch};

/// Writes the zip. Returns `false` if `stop` came first.
///
/// # Errors
/// When a sealed piece cannot be read, the disk is full, or the bytes are not those that were published.
pub(super) async fn write(
    bundle: &OpenBundle,
    collected: &Progress,
    file: File,
    watch: &mut dyn Watch,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let all = bundle.bundle_len();
    let mut file = tokio::fs::File::from_std(file);
    let mut hash = Sha256::new();
    let mut written = 0_u64;
    let mut stream = bundle.read_bundle(0..all);
    while let Some(piece) = stream.next().await {
        if stop.is_cancelled() {
            return Ok(false);
        }
        let piece = piece.context("a sealed piece of the bundle cannot be read")?;
        hash.update(&piece);
        file.write_all(&piece).await.context("cannot write the zip")?;
        written = written.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let shown = watch.show(&Snapshot {
            phase: Phase::Writing,
            bytes: written,
            bytes_expected: Some(all),
            sections_done: collected.sections_done,
            sections_total: collected.sections_total,
            rows: collected.rows_collected,
            rows_expected: collected.rows_expected,
            ..Snapshot::default()
        });
        shown.context("the progress cannot be shown")?;
    }
    file.flush().await.context("cannot write the zip")?;
    file.sync_all().await.context("cannot write the zip")?;
    let found: [u8; 32] = hash.finalize().into();
    let published = bundle.bundle_sha256();
    ensure!(
        written == all && found == published,
        "the zip is not what was published: SHA-256 {} instead of {}",
        hex(&found),
        hex(&published)
    );
    Ok(true)
}
