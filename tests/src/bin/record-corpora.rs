//! Writes the seeds of the fuzzer's corpora: `record-corpora ring`, and when that is compiled in, `record-corpora others`.
//!
//! Both replace what is there. A format that changed makes it necessary, nothing else.

use std::fs;

use antumbra_e2e::{fuzz, repository};
use anyhow::bail;

fn main() -> anyhow::Result<()> {
    let seeds = match std::env::args().nth(1).as_deref() {
        Some("ring") => fuzz::ring_seeds()?,
        Some("others") => fuzz::seeds()?,
        _ => bail!("say `ring` or `others`"),
    };
    let corpora = repository().join("tests/fuzz/corpus");
    for seed in seeds {
        let folder = corpora.join(seed.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(seed.name), seed.bytes)?;
    }
    Ok(())
}
