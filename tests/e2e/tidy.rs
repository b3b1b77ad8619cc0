//! Is the house in order? Reads manifests and sources, starts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use antumbra_e2e::{repository, run};
use anyhow::{Context, ensure};
use toml_edit::{DocumentMut, Item, TableLike};

/// Who may depend on whom (ARCHITECTURE.md, "The house"); complete.
const ARROWS: [(&str, &[&str]); 10] = [
    (
        "antumbra",
        &[
            "antumbra-pipeline",
            "antumbra-bundle",
            "antumbra-jobs",
            "antumbra-config",
            "antumbra-roots",
            "antumbra-crypto",
        ],
    ),
    (
        "antumbra-pipeline",
        &[
            "antumbra-bundle",
            "antumbra-jobs",
            "antumbra-config",
            "antumbra-crypto",
            "antumbra-adbc",
        ],
    ),
    ("antumbra-bundle", &["antumbra-crypto"]),
    ("antumbra-jobs", &["antumbra-crypto"]),
    ("antumbra-roots", &["antumbra-crypto"]),
    ("antumbra-config", &[]),
    ("antumbra-crypto", &[]),
    ("antumbra-adbc", &[]),
    (
        "antumbra-e2e",
        &[
            "antumbra",
            "antumbra-pipeline",
            "antumbra-bundle",
            "antumbra-jobs",
            "antumbra-config",
            "antumbra-roots",
            "antumbra-crypto",
        ],
    ),
    // A workspace of its own, for `cargo fuzz` alone.
    ("antumbra-fuzz", &["antumbra-crypto", "antumbra-pipeline"]),
];

#[test]
fn arrows_are_those_of_the_architecture() -> anyhow::Result<()> {
    let allowed = BTreeMap::from(ARROWS);
    let workspace: DocumentMut = fs::read_to_string(repository().join("Cargo.toml"))?.parse()?;
    let mut seen = BTreeSet::new();
    for path in tracked("Cargo.toml")? {
        let manifest: DocumentMut = fs::read_to_string(&path)?.parse()?;
        let Some(name) = manifest.get("package").and_then(|package| package.get("name")) else {
            continue;
        };
        let name = name.as_str().context("a package without a name")?.to_owned();
        let targets =
            allowed.get(name.as_str()).with_context(|| format!("{name} has no arrows"))?;
        for dependency in dependencies(manifest.as_table(), workspace.as_table()) {
            if dependency.starts_with("antumbra") {
                ensure!(
                    targets.contains(&dependency.as_str()),
                    "{name} → {dependency} is no arrow of ARCHITECTURE.md"
                );
            }
        }
        seen.insert(name);
    }
    assert!(seen.len() >= 8, "only {seen:?} were found");
    Ok(())
}

#[test]
fn every_dependency_is_the_workspaces_and_says_why() -> anyhow::Result<()> {
    for path in tracked("Cargo.toml")? {
        let text = fs::read_to_string(&path)?;
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with('[') {
                inside = line == "[dependencies]";
            } else if inside && line.contains("workspace") && !line.contains('#') {
                panic!("{}: `{line}` does not say why it is needed", path.display());
            } else if inside && !line.trim().is_empty() && !line.starts_with('#') {
                assert!(
                    line.contains("workspace"),
                    "{}: `{line}` has a version of its own",
                    path.display()
                );
            }
        }
    }
    Ok(())
}

#[test]
fn files_answer_one_question() -> anyhow::Result<()> {
    let mut lengths = Vec::new();
    for path in tracked(".rs")? {
        let text = fs::read_to_string(&path)?;
        let place = path.display();
        assert!(text.starts_with("//!"), "{place}: does not begin with what it answers (`//!`)");
        let lines = text.lines().count();
        assert!(lines <= 600, "{place}: {lines} lines");
        lengths.push(product_lines(&text));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == "lib.rs" || name == "mod.rs" {
            let logic = text.lines().find(|line| {
                let line = line.trim_start();
                line.starts_with("fn ") || line.contains(" fn ") && !line.starts_with("//")
            });
            assert_eq!(logic, None, "{place}: holds logic");
        }
    }
    lengths.sort_unstable();
    let at = |part: usize| lengths[(lengths.len() - 1) * part / 100];
    eprintln!(
        "{} files; lines without tests: median {}, p90 {}, longest {}",
        lengths.len(),
        at(50),
        at(90),
        at(100)
    );
    assert!(at(50) <= 200 && at(90) <= 400, "median {}, p90 {}", at(50), at(90));
    Ok(())
}

#[test]
fn nothing_is_left_unfinished() -> anyhow::Result<()> {
    let words = ["dbg", "todo", "unimplemented"].map(|word| format!("{word}!("));
    // In halves, so that this file does not hold them either.
    let notes =
        [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["@", "@"]].map(|halves| halves.concat());
    let mut kinds = BTreeSet::new();
    for path in tracked("")? {
        // A file that is no text has no notes.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let kind = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let words = if kind == "rs" { &words[..] } else { &[] };
        for (number, line) in text.lines().enumerate() {
            let found = words.iter().chain(&notes).find(|word| line.contains(word.as_str()));
            assert_eq!(found, None, "{}:{}", path.display(), number + 1);
        }
        kinds.insert(kind);
    }
    // The script that starts these tests has no extension.
    for kind in ["rs", "md", "yaml", "toml", "sql", "py", ""] {
        assert!(kinds.contains(kind), "no `.{kind}` was read, only {kinds:?}");
    }
    Ok(())
}

#[test]
fn no_spelling_hides_a_dependency() -> anyhow::Result<()> {
    let workspace: DocumentMut = r#"
        [workspace.dependencies]
        alias = { package = "antumbra-d", path = "d" }
    "#
    .parse()?;
    let manifest: DocumentMut = r#"
        [dependencies]
        antumbra-a.workspace = true
        renamed = { package = "antumbra-b", path = "b" }
        alias.workspace = true
        [build-dependencies.other]
        package = "antumbra-c"
        [target.'cfg(unix)'.dependencies]
        antumbra-e = { path = "e" }
        [target.x86_64-unknown-linux-gnu.dev-dependencies]
        hidden = { package = "antumbra-f" }
    "#
    .parse()?;
    let found = dependencies(manifest.as_table(), workspace.as_table());
    let expected = ["a", "b", "c", "d", "e", "f"].map(|letter| format!("antumbra-{letter}"));
    assert_eq!(found, BTreeSet::from(expected));
    Ok(())
}

#[test]
fn lock_file_has_one_tls_and_crypto_provider() -> anyhow::Result<()> {
    let lock: DocumentMut = fs::read_to_string(repository().join("Cargo.lock"))?.parse()?;
    let packages =
        lock.get("package").and_then(|item| item.as_array_of_tables()).context("no packages")?;
    let names: BTreeSet<&str> =
        packages.iter().filter_map(|package| package.get("name")?.as_str()).collect();
    assert!(names.contains("ring"), "the provider we chose");
    for banned in ["aws-lc-sys", "aws-lc-rs", "openssl-sys", "openssl", "native-tls", "rsa"] {
        assert!(!names.contains(banned), "{banned} came in through a feature");
    }
    Ok(())
}

/// What is fuzzed is what is shipped.
#[test]
fn fuzzer_locks_the_same_versions() -> anyhow::Result<()> {
    let versions = |file: &str| -> anyhow::Result<BTreeSet<(String, String)>> {
        let lock: DocumentMut = fs::read_to_string(repository().join(file))?.parse()?;
        let packages = lock.get("package").and_then(|item| item.as_array_of_tables());
        let text = |package: &toml_edit::Table, key: &str| {
            package.get(key).and_then(|item| item.as_str()).unwrap_or_default().to_owned()
        };
        let packages = packages.context("no packages")?.iter();
        Ok(packages.map(|package| (text(package, "name"), text(package, "version"))).collect())
    };
    let (ours, fuzzers) = (versions("Cargo.lock")?, versions("tests/fuzz/Cargo.lock")?);
    let more: Vec<&str> = fuzzers.difference(&ours).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        more,
        ["antumbra-fuzz", "arbitrary", "libfuzzer-sys"],
        "copy Cargo.lock to tests/fuzz and build there"
    );
    Ok(())
}

#[test]
fn no_text_names_a_machine_or_a_registry() -> anyhow::Result<()> {
    // In halves, so that this file does not name them either.
    let places = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"]].map(|halves| halves.concat());
    let hosts = [
        ["pypi", ".org"],
        ["static.crates", ".io"],
        ["index.crates", ".io"],
        ["deb.deb", "ian.org"],
        ["registry.npm", "js.org"],
    ]
    .map(|halves| halves.concat());
    for path in tracked("")? {
        if path.ends_with("Cargo.lock") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = places.iter().chain(&hosts).find(|word| line.contains(word.as_str()));
            assert_eq!(found, None, "{}:{}", path.display(), number + 1);
        }
    }
    Ok(())
}

/// Lines before the tests at the foot.
fn product_lines(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

/// The packages that a manifest depends on, for whatever target and purpose, by their real names.
fn dependencies(manifest: &dyn TableLike, workspace: &dyn TableLike) -> BTreeSet<String> {
    let shared = table(workspace, "workspace").and_then(|all| table(all, "dependencies"));
    let mut places = vec![manifest];
    if let Some(targets) = table(manifest, "target") {
        places.extend(targets.iter().filter_map(|(_, target)| target.as_table_like()));
    }
    let kinds = ["dependencies", "build-dependencies", "dev-dependencies"];
    let tables =
        places.iter().flat_map(|place| kinds.iter().filter_map(|kind| table(*place, kind)));
    let name = |key: &str, item: &Item| {
        let inherited = shared.and_then(|shared| shared.get(key));
        let package = [Some(item), inherited].into_iter().flatten();
        let mut package = package.filter_map(|item| item.get("package")?.as_str());
        package.next().unwrap_or(key).to_owned()
    };
    tables
        .flat_map(|table| table.iter().map(|(key, item)| name(key, item)).collect::<Vec<_>>())
        .collect()
}

fn table<'a>(parent: &'a dyn TableLike, name: &str) -> Option<&'a dyn TableLike> {
    parent.get(name)?.as_table_like()
}

/// Every file of the repository whose name ends so: what git tracks, and what it would track if it were added.
fn tracked(suffix: &str) -> anyhow::Result<Vec<PathBuf>> {
    let root = repository();
    let args = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = run(Path::new("git"), &root, &args)?.ok()?;
    let found: Vec<PathBuf> = listed
        .lines()
        .filter(|line| line.ends_with(suffix))
        .map(|line| root.join(line))
        .filter(|path| path.is_file())
        .collect();
    ensure!(!found.is_empty(), "git lists no {suffix}");
    Ok(found)
}
