//! Did a file change? Asked without reading it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

/// What tells one state of a file from another, without reading it. Links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    device: u64,
    inode: u64,
    len: u64,
    modified: Option<SystemTime>,
}

impl Look {
    /// Looks at a file. `None` if it cannot be looked at, which reading it will explain.
    pub(crate) async fn at(path: &Path) -> Option<Self> {
        let metadata = tokio::fs::metadata(path).await.ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            len: metadata.len(),
            modified: metadata.modified().ok(),
        })
    }
}
