//! What does the demo say at its end? What is in the bundle, where everything is, and how to do it by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::journey::{Received, SUBMIT, submission};
use super::shop::BUSIEST;
use crate::cli::shown;

/// Where the rows came from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// Its files.
    pub(super) path: PathBuf,
    /// What it is.
    pub(super) what: String,
    /// Whether it can be read when the demo has ended.
    pub(super) stays: bool,
}

/// Words the last screen. `url` is where the daemon answers; with `once` it is about to stop.
///
/// # Errors
/// When the program does not know where itself is.
pub(super) fn farewell(
    directory: &Directory,
    received: &Received,
    source: &Source,
    url: &str,
    once: bool,
) -> anyhow::Result<String> {
    let program = std::env::current_exe()?;
    let mut text = String::new();
    let out = &mut text;
    // Writing to a `String` cannot fail; the results are returned all the same.
    writeln!(out, "\nin the bundle of {} <{}>:\n", BUSIEST.name, BUSIEST.email)?;
    for line in shown(&received.verdict).lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\nwhere everything is:\n")?;
    for (what, path, which) in places(directory, received, source) {
        let which = if which.is_empty() { String::new() } else { format!("  ({which})") };
        writeln!(out, "  {what:<10} {}{which}", path.display())?;
    }
    if once && !source.stays {
        writeln!(
            out,
            "\nwithout --once the demo goes on serving, and the same can be done by hand"
        )?;
        return Ok(text.trim_end().to_owned());
    }
    writeln!(out, "\nthe same by hand, in another terminal:\n")?;
    if once {
        let address = url.trim_start_matches("http://");
        let settings = quoted(&directory.settings());
        let program = quoted(&program);
        writeln!(out, "  {program} serve --config {settings} --set listen.address={address} &")?;
        writeln!(out, "  until {program} healthcheck --url {url}; do sleep 1; done")?;
    }
    for line in by_hand(directory, url, &program) {
        writeln!(out, "  {line}")?;
    }
    if !once {
        writeln!(out, "\nserving {url} until Ctrl-C")?;
    }
    Ok(text.trim_end().to_owned())
}

type Place<'a> = (&'static str, PathBuf, &'a str);

fn places<'a>(directory: &Directory, received: &Received, source: &'a Source) -> [Place<'a>; 7] {
    [
        ("bundle", received.zip.clone(), "verified with the key that the daemon publishes"),
        ("source", source.path.clone(), &source.what),
        ("settings", directory.settings(), ""),
        ("keys", directory.root().join("keys"), "root key, key ring, gateway key, public key"),
        ("API key", directory.api_key(), ""),
        ("data", directory.data(), "the daemon's own: job store and sealed objects"),
        ("downloads", directory.downloads(), ""),
    ]
}

/// Shell lines that work when they are pasted together, while the daemon serves.
fn by_hand(directory: &Directory, url: &str, program: &Path) -> Vec<String> {
    let keys = r#"-H "authorization: Bearer $(cat api-key)" -H "x-sombra-authorization: Bearer $(cat keys/gateway.key)""#;
    let value = |name: &str| format!(r#"grep -o '"{name}":"[^"]*"' | head -n 1 | cut -d '"' -f 4"#);
    let ask = format!("ask() {{ curl -sS {keys} \"$@\"; }}");
    vec![
        format!("cd {}", quoted(directory.root())),
        ask,
        format!("ID=$(ask {url}{SUBMIT} -d '{}' | {})", submission(), value("id")),
        format!(
            "until ask {url}{SUBMIT}/$ID | grep -q '\"status\":\"DOWNLOADABLE\"'; do sleep 1; done"
        ),
        format!(
            "KEY=$(ask \"{url}{SUBMIT}/$ID/download-keys?bundle=true\" | {})",
            value("downloadKey")
        ),
        format!("curl -sS -o downloads/by-hand.zip \"{url}/v1/files?downloadKey=$KEY\""),
        format!("{} verify downloads/by-hand.zip --key keys/public.pem", quoted(program)),
    ]
}

/// Quotes a path for a POSIX shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use antumbra_bundle::verify::{CheckedFile, Verdict};

    use crate::cli::DemoSilo;

    use super::*;

    #[test]
    fn last_screen_names_person_files_places_and_lines() {
        let directory =
            Directory::choose(Some("/tmp/it's here".into()), DemoSilo::Sqlite, &[]).unwrap();
        let file = CheckedFile {
            name: "shop/orders.json".to_owned(),
            bytes: 7,
            rows: Some(400),
            ok: true,
        };
        let received = Received {
            zip: directory.downloads().join("a.zip"),
            verdict: Verdict { trusted: true, files: vec![file], ..Verdict::default() },
        };
        let source = |stays| Source { path: "/s/shop.db".into(), what: "a file".to_owned(), stays };
        let says = |stays, once| {
            farewell(&directory, &received, &source(stays), "http://127.0.0.1:1", once).unwrap()
        };
        let text = says(true, false);
        for part in [
            BUSIEST.email,
            "shop/orders.json",
            "400 rows",
            "VERIFIED",
            "/tmp/it's here/downloads/a.zip",
            r"cd '/tmp/it'\''s here'",
            "http://127.0.0.1:1/v1/files?downloadKey=$KEY",
            "until Ctrl-C",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(text.contains("/s/shop.db  (a file)"));
        let once = says(true, true);
        assert!(once.contains("--set listen.address=127.0.0.1:1 &") && !once.contains("Ctrl-C"));
        let gone = says(false, true);
        assert!(!gone.contains("curl") && gone.contains("without --once"), "{gone}");
    }
}
