//! What did `tests/run` prepare? The only place that reads the environment.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, ensure};

/// Returns the binary under test.
///
/// # Errors
/// When neither [`use_binary`] chose one nor `ANTUMBRA_BIN` names a file.
pub fn binary() -> anyhow::Result<PathBuf> {
    CHOSEN.get().map_or_else(|| file(BIN), |chosen| Ok(chosen.clone()))
}

/// Chooses the binary under test for the rest of this process, whatever `ANTUMBRA_BIN` says.
///
/// # Errors
/// When one was chosen before.
pub fn use_binary(path: PathBuf) -> anyhow::Result<()> {
    CHOSEN.set(path).ok().context("the binary was chosen before")
}

/// Returns what `ANTUMBRA_BIN` names; nothing when it is not set.
///
/// # Errors
/// When it names no file.
pub fn given_binary() -> anyhow::Result<Option<PathBuf>> {
    if variable(BIN).is_some() { file(BIN).map(Some) } else { Ok(None) }
}

/// Returns the Python that has the readers.
///
/// # Errors
/// When `ANTUMBRA_PYTHON` does not name a file.
pub fn python() -> anyhow::Result<PathBuf> {
    file(PYTHON)
}

/// Returns what `ANTUMBRA_PYTHON` names; nothing when it is not set.
///
/// # Errors
/// When it names no file.
pub fn given_python() -> anyhow::Result<Option<PathBuf>> {
    if variable(PYTHON).is_some() { file(PYTHON).map(Some) } else { Ok(None) }
}

/// Returns DuckDB's library, which is an ADBC driver.
///
/// # Errors
/// When `ANTUMBRA_DUCKDB` does not name a file.
pub fn duckdb() -> anyhow::Result<PathBuf> {
    file(DUCKDB)
}

/// Says whether a tool was left out by `tests/run --without NAME`; then says so on stderr.
#[must_use]
pub fn left_out(tool: &str) -> bool {
    let left_out = variable(WITHOUT).unwrap_or_default();
    let left_out = left_out.split_whitespace().any(|name| name == tool);
    if left_out {
        crate::program::note(&format!("LEFT OUT: {tool}"));
    }
    left_out
}

/// Returns what drawn test cases start from: `ANTUMBRA_SEED`, else always the same.
///
/// # Errors
/// When `ANTUMBRA_SEED` is no number.
pub fn seed() -> anyhow::Result<u64> {
    variable(SEED)
        .map_or(Ok(20_261_121), |text| text.parse().with_context(|| format!("{SEED} is no number")))
}

/// Returns the root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn file(name: &str) -> anyhow::Result<PathBuf> {
    let path = variable(name)
        .with_context(|| format!("{name} is not set: these stories are started by tests/run"))?;
    let path = PathBuf::from(path);
    ensure!(path.is_file(), "{name} names no file: {}", path.display());
    Ok(path)
}

#[expect(clippy::disallowed_methods, reason = "the harness is told by its script, not by settings")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

static CHOSEN: OnceLock<PathBuf> = OnceLock::new();

/// The binary would take these for settings that nobody knows; it is started without them.
pub(crate) const OURS: [&str; 5] = [BIN, DUCKDB, PYTHON, WITHOUT, SEED];
const BIN: &str = "ANTUMBRA_BIN";
const DUCKDB: &str = "ANTUMBRA_DUCKDB";
const PYTHON: &str = "ANTUMBRA_PYTHON";
const WITHOUT: &str = "ANTUMBRA_WITHOUT";
const SEED: &str = "ANTUMBRA_SEED";
