//! How is an archive verified?

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use antumbra_crypto::VerifyingKey;
use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipArchive};

use super::{CheckedFile, EntryBytes, RowCounter, Verdict, VerifyError};
use crate::manifest::{FileContent, MANIFEST_NAME, Manifest, SIGNATURE_NAME, canonical_json, hex};

/// Verifies a bundle: signature, content hash, and each file's length, hash and rows; nothing more may be in it.
///
/// Without a trusted key everything else is still checked, and [`Verdict::trusted`] is false: a key found inside the
/// archive is never trusted. Memory does not grow with the archive, but for its directory and manifest.
///
/// # Errors
/// [`VerifyError`] when the archive or its manifest cannot be read at all; everything else is a fault of the verdict.
pub fn verify(
    archive: &Path,
    trusted: Option<&VerifyingKey>,
    counter: &dyn RowCounter,
) -> Result<Verdict, VerifyError> {
    let file = File::open(archive)?;
    // Opened a second time: a clone would share its place in the file with the row counters.
    let mut zip = ZipArchive::new(BufReader::new(File::open(archive)?))?;
    let manifest_bytes = small(&mut zip, MANIFEST_NAME)?;
    let signature = String::from_utf8_lossy(&small(&mut zip, SIGNATURE_NAME)?).trim().to_owned();
    let manifest: Manifest = serde_json::from_slice(&manifest_bytes)
        .map_err(|error| VerifyError::Manifest { what: format!("{MANIFEST_NAME}: {error}") })?;
    if manifest.manifest_version != 1 {
        let what = format!("{MANIFEST_NAME}: version {} is not known", manifest.manifest_version);
        return Err(VerifyError::Manifest { what });
    }
    let mut verdict = Verdict {
        outcome: manifest.content.outcome.clone(),
        content_sha256: hex(&manifest.content.sha256()),
        kid: antumbra_crypto::detached_kid(&signature),
        ..Verdict::default()
    };
    check_signature(&mut verdict, trusted, &signature, &manifest_bytes);
    if verdict.content_sha256 != manifest.content_sha256
        || raw_content_sha256(&manifest_bytes).as_ref() != Some(&manifest.content_sha256)
    {
        verdict.faults.push("contentSha256 is not the hash of content".to_owned());
    }
    // What one reader finds by the directory, another must find by the local headers, and nothing between them.
    if let Err(error) = zip.validate_header_consistency() {
        verdict.faults.push(format!("the archive: {error}"));
    }
    let mut expected = BTreeSet::from([MANIFEST_NAME.to_owned(), SIGNATURE_NAME.to_owned()]);
    let report = FileContent {
        name: manifest.run.report.name.clone(),
        silo: String::new(),
        datapoint: String::new(),
        format: "HTML".to_owned(),
        media_type: String::new(),
        rows: 0,
        bytes: manifest.run.report.bytes,
        sha256: manifest.run.report.sha256.clone(),
    };
    for named in manifest.content.files.iter().chain([&report]) {
        if !expected.insert(named.name.clone()) {
            verdict.faults.push(format!("{}: named twice", named.name));
            continue;
        }
        check_file(&mut verdict, &mut zip, &file, named, counter)?;
    }
    check_sections(&mut verdict, &manifest);
    for index in 0..zip.len() {
        let name = zip.by_index_raw(index)?.name()?.into_owned();
        if !expected.contains(&name) {
            verdict.faults.push(format!("{name}: not named by the manifest"));
        }
    }
    Ok(verdict)
}

fn check_signature(
    verdict: &mut Verdict,
    trusted: Option<&VerifyingKey>,
    signature: &str,
    manifest: &[u8],
) {
    let Some(key) = trusted else { return };
    match key.verify_detached(signature, manifest) {
        Ok(()) => verdict.trusted = true,
        Err(_) => verdict
            .faults
            .push(format!("{SIGNATURE_NAME}: not a signature of {MANIFEST_NAME} by the given key")),
    }
}

fn check_file(
    verdict: &mut Verdict,
    zip: &mut ZipArchive<BufReader<File>>,
    archive: &File,
    named: &FileContent,
    counter: &dyn RowCounter,
) -> Result<(), VerifyError> {
    let before = verdict.faults.len();
    let mut checked = CheckedFile { name: named.name.clone(), bytes: 0, rows: None, ok: false };
    let found = match zip.by_name(&named.name) {
        Err(zip::result::ZipError::FileNotFound) => {
            verdict.faults.push(format!("{}: missing", named.name));
            verdict.files.push(checked);
            return Ok(());
        }
        other => other?,
    };
    let start = found.data_start().unwrap_or_default();
    let range = start..start + found.compressed_size();
    let stored = found.compression() == CompressionMethod::Stored;
    let mut reader = Hashing { inner: found, sha256: Sha256::new(), bytes: 0 };
    let streamed = (!stored).then(|| counter.rows(&named.format, EntryBytes::Stream(&mut reader)));
    // What the counter left, and the CRC-32 at the end.
    if let Err(error) = std::io::copy(&mut reader, &mut std::io::sink()) {
        verdict.faults.push(format!("{}: {error}", named.name));
    }
    // Only now: a counter seeks in the archive, and its place in the file is the zip reader's too.
    let counted = streamed
        .unwrap_or_else(|| counter.rows(&named.format, EntryBytes::Stored { archive, range }));
    checked.bytes = reader.bytes;
    if reader.bytes != named.bytes {
        let fault = format!("{}: {} bytes, {} promised", named.name, reader.bytes, named.bytes);
        verdict.faults.push(fault);
    }
    if hex(&reader.sha256.finalize()) != named.sha256 {
        verdict.faults.push(format!("{}: SHA-256 differs", named.name));
    }
    match counted {
        Ok(None) => {}
        Ok(Some(rows)) => {
            checked.rows = Some(rows);
            if rows != named.rows {
                let fault = format!("{}: {rows} rows, {} promised", named.name, named.rows);
                verdict.faults.push(fault);
            }
        }
        Err(what) => verdict.faults.push(format!("{}: {what}", named.name)),
    }
    checked.ok = verdict.faults.len() == before;
    verdict.files.push(checked);
    Ok(())
}

/// A section that ended well has one file for each format, and each of them its rows.
fn check_sections(verdict: &mut Verdict, manifest: &Manifest) {
    let content = &manifest.content;
    for section in &content.sections {
        let name = format!("{}/{}", section.silo, section.datapoint);
        let files: Vec<_> = content
            .files
            .iter()
            .filter(|file| file.silo == section.silo && file.datapoint == section.datapoint)
            .collect();
        let expected = match section.outcome.as_str() {
            "complete" | "empty" => match &section.attachments {
                Some(attachments) => {
                    for attached in attachments {
                        if !files.iter().any(|file| file.name == attached.name) {
                            verdict.faults.push(format!("{}: no such file", attached.name));
                        }
                    }
                    attachments.len()
                }
                None => content.formats.len(),
            },
            _ => 0,
        };
        if files.len() != expected {
            let fault = format!("{name}: {} files, {expected} expected", files.len());
            verdict.faults.push(fault);
        }
        for file in files.iter().filter(|file| file.rows != section.rows) {
            verdict.faults.push(format!("{}: rows differ from its section", file.name));
        }
    }
    for file in &content.files {
        let mut sections = content.sections.iter();
        if !sections.any(|s| s.silo == file.silo && s.datapoint == file.datapoint) {
            verdict.faults.push(format!("{}: belongs to no section", file.name));
        }
    }
    let failed = content.sections.iter().any(|section| section.outcome == "failed");
    let outcome = if failed { "partial" } else { "complete" };
    if content.outcome != outcome {
        verdict.faults.push(format!("outcome is {}, its sections say {outcome}", content.outcome));
    }
}

/// The hash of `content` as it stands in the document: members that this version does not know count too.
fn raw_content_sha256(manifest: &[u8]) -> Option<String> {
    let document: serde_json::Value = serde_json::from_slice(manifest).ok()?;
    Some(hex(&Sha256::digest(canonical_json(document.get("content")?))))
}

fn small(zip: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Vec<u8>, VerifyError> {
    let entry = zip.by_name(name).map_err(|error| match error {
        zip::result::ZipError::FileNotFound => {
            VerifyError::Manifest { what: format!("{name} is missing") }
        }
        error => VerifyError::Archive(error),
    })?;
    let mut bytes = Vec::new();
    entry.take(SMALL + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SMALL {
        return Err(VerifyError::Manifest { what: format!("{name} is larger than {SMALL} bytes") });
    }
    Ok(bytes)
}

struct Hashing<R> {
    inner: R,
    sha256: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sha256.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}

/// No manifest is larger: a bound on what a hostile archive makes us read into memory.
const SMALL: u64 = 64 << 20;
