//! A newcomer runs the demo: the bundle opens in every reader, its values are the source's, and the printed lines work.

use std::fs;
use std::path::Path;

use antumbra_e2e::{EMAIL, LOYALTY, Prepared, Running, Scale, binary, checker, left_out, run};
use anyhow::{Context, ensure};

#[tokio::test]
async fn archive_readers_accept_the_bundle() -> anyhow::Result<()> {
    let bundle = Prepared::of(Scale::Usual)?.bundle()?;
    let zip = bundle.display().to_string();
    let here = bundle.parent().context("the bundle lies nowhere")?;
    let mut readers = 0;
    let mut reads = |tool: &str, program: &str, args: &[&str]| -> anyhow::Result<String> {
        if left_out(tool) {
            return Ok(String::new());
        }
        readers += 1;
        run(Path::new(program), here, args)?
            .ok()
            .with_context(|| format!("{tool} refuses the bundle"))
    };
    reads("unzip", "unzip", &["-tq", &zip])?;
    reads("7z", "7z", &["t", "-bd", &zip])?;
    let file = reads("bsdtar", "bsdtar", &["-tf", &zip])?;
    let pipe = reads("bsdtar", "sh", &["-c", "cat \"$0\" | bsdtar -tf -", &zip])?;
    assert_eq!(file, pipe, "bsdtar lists the same from the file and from a pipe");
    assert!(file.is_empty() || file.contains("manifest.jws"));
    // A reader of streams takes lengths from the local headers: the bytes themselves have to be there, too.
    reads("bsdtar", "sh", &["-c", "cat \"$0\" | bsdtar -xOf - >/dev/null", &zip])?;
    eprintln!("{readers} readings of {zip}");
    Ok(())
}

#[test]
fn every_value_of_the_source_is_in_the_bundle() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let prepared = Prepared::of(Scale::Usual)?;
    let (zip, shop) = (prepared.bundle()?, prepared.root().join("source/shop.db"));
    let (zip, shop) = (zip.display().to_string(), shop.display().to_string());
    eprintln!("{}", checker("check_bundle.py", &[zip.as_str(), &shop, EMAIL, LOYALTY])?.trim());
    Ok(())
}

#[test]
fn verify_trusts_the_published_key_and_nothing_else() -> anyhow::Result<()> {
    let prepared = Prepared::of(Scale::Small)?;
    let bundle = prepared.bundle()?;
    let scratch = tempfile::tempdir()?;
    let key = prepared.root().join("keys/public.pem").display().to_string();
    let verify = |zip: &Path, key: Option<&str>| {
        let zip = zip.display().to_string();
        let mut args = vec!["verify", zip.as_str()];
        args.extend(key.iter().flat_map(|key| ["--key", key]));
        run(&binary()?, scratch.path(), &args)
    };
    let trusted = verify(&bundle, Some(&key))?;
    assert_eq!(trusted.code, 0, "{}{}", trusted.stdout, trusted.stderr);
    assert!(trusted.stdout.contains(&prepared.content_sha256()?));
    let nobody = verify(&bundle, None)?;
    assert_eq!(nobody.code, 2);
    assert!(nobody.stdout.contains("UNTRUSTED"));

    let other = Prepared::of(Scale::Usual)?.root().join("keys/public.pem").display().to_string();
    assert_eq!(verify(&bundle, Some(&other))?.code, 1, "another daemon's key vouches for nothing");

    let whole = fs::read(&bundle)?;
    let damaged = scratch.path().join("damaged.zip");
    // In the first entry's data, in the middle, and in the last entry: the signature.
    for position in [200, whole.len() / 2, whole.len() - 900] {
        let mut bytes = whole.clone();
        bytes[position] ^= 1;
        fs::write(&damaged, &bytes)?;
        for key in [Some(key.as_str()), None] {
            let ran = verify(&damaged, key)?;
            assert_eq!(ran.code, 1, "byte {position} flipped: {}{}", ran.stdout, ran.stderr);
        }
    }
    Ok(())
}

#[tokio::test]
async fn second_run_serves_on_and_its_printed_lines_work() -> anyhow::Result<()> {
    let scratch = tempfile::Builder::new().prefix("demo it's ").tempdir()?;
    let directory = scratch.path().join("demo");
    let place = directory.display().to_string();
    let args = ["demo", "--dir", &place, "--port", "0", "--events", "2000"];
    let first = [&args[..], &["--once"]].concat();
    let said = run(&binary()?, scratch.path(), &first)?.ok()?;
    ensure!(said.contains(EMAIL) && said.contains("VERIFIED"), "the demo said:\n{said}");
    let again = run(&binary()?, scratch.path(), &first)?.ok()?;
    ensure!(again.contains("VERIFIED"), "the second demo said:\n{again}");
    let zips = fs::read_dir(directory.join("downloads"))?.count();
    assert_eq!(zips, 2, "each run has a bundle of its own");

    let mut demo = Running::start(&args, scratch.path())?;
    let said = demo.said("until Ctrl-C").await?;
    if !left_out("curl") {
        let lines = by_hand(&said)?;
        ensure!(
            lines.lines().filter(|line| line.contains("curl") || line.contains("ask ")).count()
                >= 4
        );
        let script = format!("set -eu\n{lines}");
        let ran = run(Path::new("bash"), scratch.path(), &["-c", &script])?;
        let printed = ran.ok().with_context(|| format!("these lines:\n{lines}"))?;
        ensure!(printed.contains("VERIFIED"), "by hand:\n{printed}");
    }
    assert_eq!(demo.interrupt().await?, 0);
    Ok(())
}

/// Returns the lines that the demo printed to be pasted.
fn by_hand(said: &str) -> anyhow::Result<String> {
    let (_, after) = said.split_once("by hand").context("no lines to paste")?;
    let lines: Vec<&str> = after
        .lines()
        .skip(1)
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty())
        .collect();
    Ok(lines.join("\n"))
}
