//! Which binary is measured, and which Python is its yardstick?

use std::fs;
use std::path::{Path, PathBuf};

use antumbra_e2e::{given_binary, given_python, repository, run, use_binary};
use anyhow::{Context, ensure};
use serde_json::Value;

/// Finds or builds the binary and makes it the one under test, on a shelf of its own (`bench` beside it is this program): what an
/// older one prepared goes.
pub(crate) fn choose() -> anyhow::Result<()> {
    let built = match given_binary()? {
        Some(given) => given,
        None => build()?,
    };
    let shelf = built.parent().context("the binary lies nowhere")?.join("under-bench");
    let kept = shelf.join("antumbra");
    if !same(&built, &kept)? {
        if shelf.try_exists()? {
            fs::remove_dir_all(&shelf)?;
        }
        fs::create_dir_all(&shelf)?;
        fs::copy(&built, &kept)?;
    }
    use_binary(kept)
}

/// Returns the Python that runs yardsticks: the one with readers if there is one, else the machine's.
pub(crate) fn python() -> anyhow::Result<PathBuf> {
    Ok(given_python()?.unwrap_or_else(|| PathBuf::from("python3")))
}

/// Builds as a user does and asks cargo where the binary is.
fn build() -> anyhow::Result<PathBuf> {
    let args = ["build", "--release", "--locked", "-p", "antumbra", "--message-format=json"];
    let said = run(Path::new("cargo"), &repository(), &args)?.ok().context("cargo build")?;
    let executable = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name") == Some(&Value::from("antumbra")))
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .context("cargo did not say where the binary is")?;
    ensure!(executable.is_file(), "{} is not there", executable.display());
    Ok(executable)
}

fn same(one: &Path, other: &Path) -> anyhow::Result<bool> {
    Ok(other.try_exists()? && fs::read(one)? == fs::read(other)?)
}
