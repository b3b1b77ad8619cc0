//! `antumbra verify`: is this bundle what the daemon signed? Offline.

use std::fmt::Write as _;
use std::path::Path;

use antumbra_bundle::verify::{Verdict, verify as verify_bundle};
use antumbra_crypto::VerifyingKey;
use antumbra_pipeline::FileRowCounter;
use anyhow::Context;

use super::args::VerifyArgs;
use super::{Exit, say};

/// Verifies and prints what was found.
pub(super) async fn verify(args: VerifyArgs) -> anyhow::Result<Exit> {
    let key = match &args.key {
        None => None,
        Some(path) => Some(
            std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?,
        ),
    };
    let zip = args.zip.clone();
    let verdict = check(&zip, key).await?;
    say(shown(&verdict).trim_end())?;
    Ok(exit(&verdict))
}

/// Verifies a bundle with a public key's PEM; without one nobody vouches for it. Reads the whole file.
///
/// # Errors
/// When the file is not a bundle, or the key not a key. What is merely wrong is in the verdict.
pub(crate) async fn check(zip: &Path, key: Option<String>) -> anyhow::Result<Verdict> {
    let key = key
        .map(|pem| VerifyingKey::from_pem(&pem).context("the key is not a P-384 public key in PEM"))
        .transpose()?;
    let path = zip.to_owned();
    let checked =
        tokio::task::spawn_blocking(move || verify_bundle(&path, key.as_ref(), &FileRowCounter));
    checked.await?.with_context(|| format!("cannot verify {}", zip.display()))
}

/// Prints a verdict: a line for each file, the key, the content's hash, the faults, one last word.
pub(crate) fn shown(verdict: &Verdict) -> String {
    let width = verdict.files.iter().map(|file| file.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for file in &verdict.files {
        let rows = file.rows.map_or_else(String::new, |rows| format!("{rows} rows"));
        let mark = if file.ok { "ok   " } else { "WRONG" };
        line(
            &mut text,
            format_args!("{mark}  {:width$}  {:>12} bytes  {rows:>14}", file.name, file.bytes),
        );
    }
    line(&mut text, format_args!("signed by      {}", verdict.kid.as_deref().unwrap_or("nobody")));
    line(&mut text, format_args!("contentSha256  {}", verdict.content_sha256));
    line(&mut text, format_args!("outcome        {}", verdict.outcome));
    for fault in &verdict.faults {
        line(&mut text, format_args!("fault: {fault}"));
    }
    let word = match exit(verdict) {
        Exit::Done => "VERIFIED",
        Exit::Untrusted => {
            "UNTRUSTED: everything is consistent, but without --key nobody vouches for it"
        }
        _ => "FAILED",
    };
    line(&mut text, format_args!("{word}"));
    text
}

fn exit(verdict: &Verdict) -> Exit {
    match (verdict.faults.is_empty(), verdict.trusted) {
        (true, true) => Exit::Done,
        (true, false) => Exit::Untrusted,
        (false, _) => Exit::Failed,
    }
}

/// Trailing blanks help nobody; writing to a `String` cannot fail.
fn line(text: &mut String, words: std::fmt::Arguments<'_>) {
    let line = words.to_string();
    let _infallible = writeln!(text, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use antumbra_bundle::verify::CheckedFile;

    use super::*;

    fn verdict(trusted: bool, fault: Option<&str>) -> Verdict {
        Verdict {
            trusted,
            kid: Some("kid-1".to_owned()),
            content_sha256: "00ff".to_owned(),
            outcome: "complete".to_owned(),
            files: vec![CheckedFile {
                name: "shop/orders.json".to_owned(),
                bytes: 12,
                rows: Some(3),
                ok: fault.is_none(),
            }],
            faults: fault.into_iter().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn trusted_and_consistent_is_verified() {
        let verdict = verdict(true, None);
        assert_eq!(exit(&verdict), Exit::Done);
        assert_eq!(
            shown(&verdict),
            "ok     shop/orders.json            12 bytes          3 rows\n\
             signed by      kid-1\ncontentSha256  00ff\noutcome        complete\nVERIFIED\n"
        );
    }

    #[test]
    fn nobody_vouching_is_untrusted() {
        let verdict = verdict(false, None);
        assert_eq!(exit(&verdict).code(), 2);
        assert!(shown(&verdict).lines().last().unwrap().starts_with("UNTRUSTED"));
    }

    #[test]
    fn any_fault_fails_and_is_printed_even_when_trusted() {
        let verdict = verdict(true, Some("shop/orders.json: SHA-256 differs"));
        assert_eq!(exit(&verdict).code(), 1);
        assert!(shown(&verdict).contains("fault: shop/orders.json: SHA-256 differs\nFAILED\n"));
    }

    #[tokio::test]
    async fn not_a_bundle_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        std::fs::write(&path, "not a zip").unwrap();
        assert!(check(&path, None).await.is_err());
        assert!(check(&dir.path().join("none.zip"), None).await.is_err());
    }
}
