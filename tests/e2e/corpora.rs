//! Every file of every corpus of the fuzzer, and what comes of them when they are changed a little, holds what the fuzzer's targets
//! demand; and the running daemon takes none of it for a key.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use antumbra_e2e::{Caller, House, Scale, Serve, fuzz, repository, seed};
use anyhow::{Context, ensure};
use hyper::Method;
use toml_edit::DocumentMut;

#[test]
fn every_file_of_every_corpus_is_as_the_targets_demand() -> anyhow::Result<()> {
    for (name, target) in fuzz::TARGETS {
        let corpus = corpus(name)?;
        let genuine = corpus.values().filter(|bytes| target(bytes)).count();
        // A corpus that nothing is genuine in, or everything, no longer shows what a target is for.
        ensure!(genuine >= 1 && genuine < corpus.len(), "{name}: {genuine} of {}", corpus.len());
        eprintln!("{name}: {} files, {genuine} genuine", corpus.len());
    }
    Ok(())
}

#[test]
fn changed_files_of_the_corpora_are_as_the_targets_demand() -> anyhow::Result<()> {
    let mut random = Random(seed()?);
    for (name, target) in fuzz::TARGETS {
        let corpus: Vec<Vec<u8>> = corpus(name)?.into_values().collect();
        let rounds = if name == "stream_open" { 300 } else { 3000 };
        let mut genuine = 0;
        for _ in 0..rounds {
            let other = random.of(&corpus).clone();
            let mut bytes = random.of(&corpus).clone();
            for _ in 0..=random.below(3) {
                random.change(&mut bytes, &other);
            }
            genuine += usize::from(target(&bytes));
        }
        eprintln!("{name}: {rounds} changed files, {genuine} taken for genuine");
    }
    Ok(())
}

#[test]
fn every_target_has_a_corpus_and_a_program() -> anyhow::Result<()> {
    let manifest = repository().join("tests/fuzz/Cargo.toml");
    let manifest: DocumentMut = fs::read_to_string(manifest)?.parse()?;
    let programs = manifest.get("bin").and_then(|bins| bins.as_array_of_tables());
    let programs: Vec<&str> = programs
        .context("no programs")?
        .iter()
        .filter_map(|program| program.get("name")?.as_str())
        .collect();
    let mut names: Vec<&str> = fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    names.extend(OF_SILOS);
    assert_eq!(programs, names);
    let mut folders: Vec<String> = Vec::new();
    for entry in fs::read_dir(corpora())? {
        folders.push(entry?.file_name().to_string_lossy().into_owned());
    }
    folders.sort_unstable();
    names.sort_unstable();
    assert_eq!(folders, names);
    for name in programs {
        let source = repository().join(format!("tests/fuzz/fuzz_targets/{name}.rs"));
        ensure!(fs::read_to_string(&source)?.contains(&format!("::{name}(data)")), "{name}");
    }
    Ok(())
}

/// The daemon has other keys than the corpora, so none of them is right.
#[tokio::test]
async fn daemon_lets_nobody_in_with_what_is_in_the_corpora() -> anyhow::Result<()> {
    let house = House::new(Scale::Small)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let mut random = Random(seed()?);
    let [api, _] = caller.keys();
    let mut asked = 0;
    for (name, whose) in [("download_key", "downloadKey"), ("internal_key", "gateway key")] {
        let corpus: Vec<Vec<u8>> = corpus(name)?.into_values().collect();
        for round in 0..150 {
            let mut bytes = corpus.get(round).unwrap_or_else(|| random.of(&corpus)).clone();
            if round >= corpus.len() {
                random.change(&mut bytes, &corpus[0]);
            }
            let reply = if name == "download_key" {
                let key: String = bytes.iter().skip(1).map(|byte| format!("%{byte:02X}")).collect();
                caller.client().get(&format!("/v1/files?downloadKey={key}"), &[]).await?
            } else {
                let text = String::from_utf8_lossy(&bytes);
                let presented = text.split_once('\n').map_or("", |(_, presented)| presented);
                // What no client library sends at all, no server has to refuse.
                let visible = |at: char| at == '\t' || at == ' ' || at.is_ascii_graphic();
                let presented: String = presented.chars().filter(|at| visible(*at)).collect();
                let bearer = format!("Bearer {presented}");
                let headers = [api, ("x-sombra-authorization", bearer.as_str())];
                caller.client().send(Method::GET, REQUESTS, &headers, "").await?
            };
            // 414: a key of many kilobytes.
            let refused = [400, 401, 414, 431].contains(&reply.status);
            assert!(refused, "{whose} {bytes:?}: {} {}", reply.status, reply.text());
            asked += 1;
        }
    }
    assert_eq!(asked, 300);
    let request = caller.submit(&["JSON"]).await?;
    caller.downloadable(&request).await?;
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

/// Targets that `antumbra_pipeline::silo::fuzz` has: tests beside them run them on their corpora.
const OF_SILOS: [&str; 4] = ["csv", "json_items", "item_rows", "postgres_value"];

fn corpora() -> PathBuf {
    repository().join("tests/fuzz/corpus")
}

fn corpus(target: &str) -> anyhow::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(corpora().join(target))? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        files.insert(path, bytes);
    }
    ensure!(files.len() >= 5, "{target}: only {} files", files.len());
    Ok(files)
}

/// Xorshift: the same every time for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 32).unwrap_or_default() % end.max(1)
    }

    fn of<'c>(&mut self, corpus: &'c [Vec<u8>]) -> &'c Vec<u8> {
        &corpus[self.below(corpus.len())]
    }

    /// Flips, sets, cuts, repeats, takes out, or takes over from another file.
    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let (at, to) = (self.below(bytes.len()), self.below(bytes.len() + 1));
        let (from, to) = (at.min(to), at.max(to));
        match self.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
            1 if !bytes.is_empty() => bytes[at] = u8::try_from(self.below(256)).unwrap_or(0),
            2 => bytes.truncate(at),
            3 if bytes.len() < 1 << 16 => bytes.extend_from_within(from..to),
            4 => drop(bytes.drain(from..to)),
            5 => {
                let piece = other.get(self.below(other.len())..).unwrap_or_default();
                bytes.splice(from..to, piece.iter().copied());
            }
            _ => bytes.insert(at, u8::try_from(self.below(256)).unwrap_or(0)),
        }
    }
}

const REQUESTS: &str = "/v1/data-subject-request/0192f0c1-0000-7000-8000-000000000000";
