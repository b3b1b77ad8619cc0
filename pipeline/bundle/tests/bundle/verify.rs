//! `verify`: one thing altered, one fault named; without a key nothing is trusted.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use antumbra_bundle::verify::{EntryBytes, RowCounter, Verdict, VerifyError, verify};
use antumbra_bundle::{
    Content, Entry, FileContent, MANIFEST_NAME, Manifest, Method, Run, SIGNATURE_NAME, ZipLayout,
    hex,
};
use antumbra_crypto::{SigningKey, VerifyingKey};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::manifest;
use crate::room::{Room, all, block_on, noise, signer, text};

/// Counts line feeds; files of format PARQUET are read from the archive itself, from their end.
struct Lines;

impl RowCounter for Lines {
    fn rows(&self, format: &str, bytes: EntryBytes<'_>) -> Result<Option<u64>, String> {
        let mut content = Vec::new();
        match (format, bytes) {
            ("HTML", _) => return Ok(None),
            (_, EntryBytes::Stream(read)) => {
                read.read_to_end(&mut content).map_err(|error| error.to_string())?;
            }
            (_, EntryBytes::Stored { archive, range }) => {
                let mut file = archive.try_clone().unwrap();
                file.seek(SeekFrom::Start(range.end - 1)).unwrap();
                let mut last = [0];
                file.read_exact(&mut last).unwrap();
                if last != [b'\n'] {
                    return Err("does not end in a line feed".to_owned());
                }
                file.seek(SeekFrom::Start(range.start)).unwrap();
                file.take(range.end - range.start).read_to_end(&mut content).unwrap();
            }
        }
        Ok(Some(content.iter().filter(|byte| **byte == b'\n').count() as u64))
    }
}

/// What a bundle is made of, before it is made.
struct Recipe {
    content: Content,
    run: Run,
    files: Vec<(String, Vec<u8>)>,
    /// Alters the manifest's bytes before they are signed.
    before_signing: fn(Vec<u8>) -> Vec<u8>,
    /// Alters them afterwards.
    after_signing: fn(Vec<u8>) -> Vec<u8>,
    signature: Option<Vec<u8>>,
}

struct Made {
    _dir: TempDir,
    path: PathBuf,
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl Recipe {
    fn good() -> Self {
        let mut json = text(1_300_000);
        json.push(b'\n');
        let mut parquet = noise(200_000, 4);
        parquet.push(b'\n');
        let report = b"<p>five</p>".to_vec();
        let files = vec![
            ("shop/orders.json".to_owned(), json),
            ("shop/orders.parquet".to_owned(), parquet),
            ("report/index.html".to_owned(), report),
        ];
        let mut recipe = Self {
            content: manifest::content(),
            run: manifest::run(),
            files,
            before_signing: |bytes| bytes,
            after_signing: |bytes| bytes,
            signature: None,
        };
        let rows = 3;
        for (_, bytes) in &mut recipe.files[..2] {
            // The same number of lines in both files.
            let keep: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != b'\n').collect();
            *bytes = [&keep[..], b"\n\n\n"].concat();
        }
        recipe.content.files = recipe.files[..2]
            .iter()
            .zip(["JSON", "PARQUET"])
            .map(|((name, bytes), format)| FileContent {
                name: name.clone(),
                silo: "shop".to_owned(),
                datapoint: "orders".to_owned(),
                format: format.to_owned(),
                media_type: "x/y".to_owned(),
                rows,
                bytes: bytes.len() as u64,
                sha256: hex(&Sha256::digest(bytes)),
            })
            .collect();
        recipe.content.sections[0].rows = rows;
        recipe.run.report.bytes = recipe.files[2].1.len() as u64;
        recipe.run.report.sha256 = hex(&Sha256::digest(&recipe.files[2].1));
        recipe
    }

    fn make(self, key: &SigningKey) -> Made {
        let manifest = Manifest::new(self.content, self.run).to_bytes();
        let manifest = (self.before_signing)(manifest);
        let signature =
            self.signature.unwrap_or_else(|| key.sign_detached(&manifest).unwrap().into_bytes());
        let manifest = (self.after_signing)(manifest);
        block_on(async {
            let room = Room::new();
            let mut entries = vec![];
            for (index, (name, bytes)) in self.files.iter().enumerate() {
                let stored = name.ends_with(".parquet");
                let method = if stored { Method::Stored } else { Method::Deflated };
                let segments = room.pack(&index.to_string(), method, 1, &[bytes]).await;
                entries.push(Entry::of_segments(name, method, segments));
            }
            entries.push(Entry::inline(MANIFEST_NAME, manifest));
            entries.push(Entry::inline(SIGNATURE_NAME, signature));
            let layout = ZipLayout::new(&entries, Timestamp::UNIX_EPOCH).unwrap();
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("b.zip");
            fs::write(&path, all(layout.read(&room.objects, 0..u64::MAX)).await).unwrap();
            Made { _dir: dir, path }
        })
    }
}

fn check(made: &Made, key: Option<&VerifyingKey>) -> Result<Verdict, VerifyError> {
    verify(&made.path, key, &Lines)
}

/// Makes a bundle with one thing altered and returns the faults found; the signature must be `trusted`.
fn faults(trusted: bool, alter: impl FnOnce(&mut Recipe)) -> Vec<String> {
    let (key, _) = signer();
    let mut recipe = Recipe::good();
    alter(&mut recipe);
    let made = recipe.make(&key);
    let verdict = check(&made, Some(&key.verifying_key())).unwrap();
    assert_eq!(verdict.trusted, trusted, "{:?}", verdict.faults);
    verdict.faults
}

fn resign(recipe: &mut Recipe, file: usize, bytes: Vec<u8>) {
    recipe.content.files[file].bytes = bytes.len() as u64;
    recipe.content.files[file].sha256 = hex(&Sha256::digest(&bytes));
    recipe.files[file].1 = bytes;
}

#[test]
fn an_unaltered_bundle_has_no_fault_and_is_trusted_by_its_key_only() {
    let (key, _) = signer();
    let made = Recipe::good().make(&key);
    let verdict = check(&made, Some(&key.verifying_key())).unwrap();
    assert_eq!(verdict.faults, Vec::<String>::new());
    assert!(verdict.trusted);
    assert_eq!(verdict.kid.as_deref(), Some(key.kid()));
    assert_eq!(verdict.outcome, "partial");
    let files: Vec<_> =
        verdict.files.iter().map(|file| (file.name.as_str(), file.rows, file.ok)).collect();
    let expected = [
        ("shop/orders.json", Some(3), true),
        ("shop/orders.parquet", Some(3), true),
        ("report/index.html", None, true),
    ];
    assert_eq!(files, expected);
    let verdict = check(&made, None).unwrap();
    assert!(verdict.faults.is_empty() && !verdict.trusted);
}

#[test]
fn a_signature_of_another_key_is_a_fault() {
    let (key, _) = signer();
    let made = Recipe::good().make(&key);
    let verdict = check(&made, Some(&signer().0.verifying_key())).unwrap();
    assert!(!verdict.trusted && verdict.faults.len() == 1, "{:?}", verdict.faults);
}

#[test]
fn what_is_no_signature_is_a_fault() {
    for text in ["", "a.b.c", "..", "\u{fffd}"] {
        let found = faults(false, |recipe| recipe.signature = Some(text.as_bytes().to_vec()));
        assert!(found.len() == 1 && found[0].starts_with(SIGNATURE_NAME), "{found:?}");
    }
}

#[test]
fn a_manifest_altered_after_signing_is_a_fault() {
    // Not a byte of meaning: white space.
    let found = faults(false, |recipe| recipe.after_signing = |bytes| [&b" "[..], &bytes].concat());
    assert!(found.len() == 1 && found[0].starts_with(SIGNATURE_NAME), "{found:?}");
}

#[test]
fn an_altered_content_hash_is_a_fault() {
    let found = faults(true, |recipe| {
        recipe.before_signing = |bytes| {
            let mut manifest: Manifest = serde_json::from_slice(&bytes).unwrap();
            manifest.content_sha256 = "0".repeat(64);
            manifest.to_bytes()
        };
    });
    assert_eq!(found, ["contentSha256 is not the hash of content"]);
}

#[test]
fn a_member_of_content_that_nobody_knows_is_in_its_hash() {
    let found = faults(true, |recipe| {
        recipe.before_signing = |bytes| {
            let text = String::from_utf8(bytes).unwrap();
            text.replacen("\"content\":{", "\"content\":{\"added\":1,", 1).into_bytes()
        };
    });
    assert_eq!(found, ["contentSha256 is not the hash of content"]);
}

#[test]
fn an_altered_file_is_a_fault_by_its_hash() {
    for file in [0, 1] {
        let found = faults(true, |recipe| recipe.files[file].1[5] ^= 1);
        assert!(found.len() == 1 && found[0].ends_with("SHA-256 differs"), "{found:?}");
    }
    let found = faults(true, |recipe| recipe.files[2].1[0] = b'[');
    assert_eq!(found, ["report/index.html: SHA-256 differs"]);
}

#[test]
fn rows_are_counted_in_the_file_and_not_believed() {
    for file in [0, 1] {
        let found = faults(true, |recipe| {
            let bytes = [&recipe.files[file].1[..], b"\n"].concat();
            assert_eq!(lines(&bytes), 4);
            resign(recipe, file, bytes);
        });
        assert!(found.len() == 1 && found[0].ends_with("4 rows, 3 promised"), "{found:?}");
    }
    let found = faults(true, |recipe| resign(recipe, 1, b"x".to_vec()));
    assert_eq!(found, ["shop/orders.parquet: does not end in a line feed"]);
}

#[test]
fn a_length_that_is_not_the_promised_one_is_a_fault() {
    let found = faults(true, |recipe| recipe.content.files[0].bytes += 1);
    assert!(found.len() == 1 && found[0].contains("bytes, "), "{found:?}");
}

#[test]
fn a_missing_file_is_a_fault_and_so_is_one_too_many() {
    let found = faults(true, |recipe| drop(recipe.files.remove(1)));
    assert_eq!(found, ["shop/orders.parquet: missing"]);
    let found = faults(true, |recipe| recipe.files.push(("a/b".to_owned(), vec![1])));
    assert_eq!(found, ["a/b: not named by the manifest"]);
}

#[test]
fn sections_and_files_must_agree() {
    let found = faults(true, |recipe| recipe.content.sections[0].rows = 4);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|fault| fault.ends_with("rows differ from its section")));
    let found = faults(true, |recipe| {
        recipe.content.files.pop();
        recipe.files.remove(1);
    });
    assert_eq!(found, ["shop/orders: 1 files, 2 expected"]);
    let found = faults(true, |recipe| {
        let mut twice = recipe.content.files[0].clone();
        twice.format = "OTHER".to_owned();
        recipe.content.files.push(twice);
    });
    assert!(found.contains(&"shop/orders.json: named twice".to_owned()), "{found:?}");
    let found = faults(true, |recipe| drop(recipe.content.sections.remove(0)));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|fault| fault.ends_with("belongs to no section")));
}

#[test]
fn an_outcome_that_its_sections_deny_is_a_fault() {
    let found = faults(true, |recipe| recipe.content.outcome = "complete".to_owned());
    assert_eq!(found, ["outcome is complete, its sections say partial"]);
    let found = faults(true, |recipe| drop(recipe.content.sections.remove(1)));
    assert_eq!(found, ["outcome is partial, its sections say complete"]);
}

#[test]
fn a_second_entry_of_the_same_name_is_a_fault() {
    // What one reader shows is the last of them, what another extracts is the first.
    let (key, _) = signer();
    let mut recipe = Recipe::good();
    recipe.files.push(("shop/orderz.json".to_owned(), b"evil".to_vec()));
    let made = recipe.make(&key);
    let mut bytes = fs::read(&made.path).unwrap();
    while let Some(at) = bytes.windows(16).position(|name| name == b"shop/orderz.json") {
        bytes[at..at + 16].copy_from_slice(b"shop/orders.json");
    }
    fs::write(&made.path, bytes).unwrap();
    let verdict = check(&made, Some(&key.verifying_key())).unwrap();
    assert!(verdict.faults.iter().any(|fault| fault.contains("duplicate")), "{:?}", verdict.faults);
}

#[test]
fn an_entry_that_the_directory_does_not_name_is_a_fault() {
    let (key, _) = signer();
    let made = Recipe::good().make(&key);
    let mut bytes = fs::read(&made.path).unwrap();
    // A local entry before the first one; the directory is moved behind it.
    let hidden = block_on(async {
        let room = Room::new();
        let layout =
            ZipLayout::new(&[Entry::inline("hidden", "x")], Timestamp::UNIX_EPOCH).unwrap();
        all(layout.read(&room.objects, 0..37)).await
    });
    let end = bytes.len() - 22;
    let start = u32::from_le_bytes(bytes[end + 16..end + 20].try_into().unwrap()) as usize;
    let mut at = start;
    while at < end {
        let offset = u32::from_le_bytes(bytes[at + 42..at + 46].try_into().unwrap()) + 37;
        bytes[at + 42..at + 46].copy_from_slice(&offset.to_le_bytes());
        let len = |from: usize| {
            usize::from(u16::from_le_bytes(bytes[from..from + 2].try_into().unwrap()))
        };
        at += 46 + len(at + 28) + len(at + 30);
    }
    let start = u32::try_from(start + 37).unwrap();
    bytes[end + 16..end + 20].copy_from_slice(&start.to_le_bytes());
    fs::write(&made.path, [hidden, bytes].concat()).unwrap();
    let verdict = check(&made, Some(&key.verifying_key())).unwrap();
    assert!(!verdict.faults.is_empty());
}

#[test]
fn what_is_not_a_bundle_is_an_error() {
    let (key, _) = signer();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let code = |path: &PathBuf| verify(path, None, &Lines).unwrap_err().code();
    assert_eq!(code(&path), "verify_io");
    File::create(&path).unwrap();
    assert_eq!(code(&path), "verify_archive");
    fs::write(&path, noise(5_000, 3)).unwrap();
    assert_eq!(code(&path), "verify_archive");
    let mut recipe = Recipe::good();
    recipe.before_signing = |_| b"{}".to_vec();
    assert_eq!(code(&recipe.make(&key).path), "verify_manifest");
    let mut recipe = Recipe::good();
    recipe.before_signing = |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace("\"manifestVersion\":1", "\"manifestVersion\":2").into_bytes()
    };
    assert_eq!(code(&recipe.make(&key).path), "verify_manifest");
}
