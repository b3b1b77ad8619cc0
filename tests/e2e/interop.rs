//! Google's Tink opens what we seal and we open what Tink seals, byte for byte; an auditor who was given a job's key reads its
//! objects without us.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use antumbra_crypto::stream::{
    CHUNK_LEN, DataKey, HEADER_LEN, Opener, Reader, Sealer, TAG_LEN, sealed_len,
};
use antumbra_crypto::{Context as Place, KeyRing, Roots, tinkey};
use antumbra_e2e::{
    Caller, House, Scale, SealedObject, Serve, StoreView, checker, left_out, seed, sha256_hex,
};
use antumbra_roots::LocalRoot;
use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

#[test]
fn tink_opens_our_streams() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let room = Room::new()?;
    for len in lengths()? {
        let sealed = room.seal(&format!("{len}"), &plain(len))?;
        assert_eq!(sealed.len() as u64, sealed_len(len as u64)?, "{len}");
    }
    let names: Vec<String> = lengths()?.iter().map(usize::to_string).collect();
    let opened = room.tink("open", &room.keyset(&room.key)?, &names, place_of)?;
    for (len, line) in lengths()?.into_iter().zip(&opened) {
        let sha256 = sha256_hex(&plain(len))?;
        assert_eq!(*line, json!({ "path": len.to_string(), "length": len, "sha256": sha256 }));
    }
    Ok(())
}

#[test]
fn we_open_tinks_streams() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let room = Room::new()?;
    let mut names = Vec::new();
    for len in lengths()? {
        fs::write(room.path(&len.to_string()), plain(len))?;
        names.push(len.to_string());
    }
    room.tink("seal", &room.keyset(&room.key)?, &names, place_of)?;
    for len in lengths()? {
        let sealed = fs::read(room.path(&format!("{len}.sealed")))?;
        let place = place_of(&len.to_string());
        assert!(read(&sealed, &room.key, &place)? == plain(len), "front to back, {len}");
        assert!(by_chunks(&sealed, &room.key, &place)? == plain(len), "at random, {len}");
    }
    Ok(())
}

#[test]
fn both_refuse_another_key_another_place_and_altered_bytes() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let room = Room::new()?;
    let len = 2 * CHUNK_LEN;
    let whole = room.seal("whole", &plain(len))?;
    let mut bad: Vec<(String, Vec<u8>)> = vec![
        ("empty".to_owned(), Vec::new()),
        ("header-alone".to_owned(), whole[..HEADER_LEN].to_vec()),
        ("cut-at-a-border".to_owned(), whole[..CHUNK_LEN].to_vec()),
        ("cut-at-the-second-border".to_owned(), whole[..2 * CHUNK_LEN].to_vec()),
        ("cut-in-the-last-tag".to_owned(), whole[..whole.len() - 1].to_vec()),
        ("last-chunk-again".to_owned(), [&whole[..], &whole[2 * CHUNK_LEN..]].concat()),
        ("chunk-dropped".to_owned(), [&whole[..CHUNK_LEN], &whole[2 * CHUNK_LEN..]].concat()),
    ];
    for at in [0, 1, 33, HEADER_LEN, CHUNK_LEN - TAG_LEN, CHUNK_LEN, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bad.push((format!("flipped-{at}"), bytes));
    }
    let mut names = Vec::new();
    for (name, bytes) in &bad {
        fs::write(room.path(name), bytes)?;
        ensure!(read(bytes, &room.key, &place_of("whole")).is_err(), "we opened {name}");
        ensure!(by_chunks(bytes, &room.key, &place_of("whole")).is_err(), "we opened {name}");
        names.push(name.clone());
    }
    let stranger = DataKey::generate()?;
    let keyset = room.keyset(&room.key)?;
    let refused = room.tink("open", &keyset, &names, |_| place_of("whole"))?;
    let elsewhere = room.tink("open", &keyset, &["whole".to_owned()], |_| place_of("other"))?;
    let strange = room.tink("open", &room.keyset(&stranger)?, &["whole".to_owned()], place_of)?;
    for line in refused.iter().chain(&elsewhere).chain(&strange) {
        assert!(line.get("refused").is_some(), "Tink opened {line}");
    }
    assert!(read(&whole, &room.key, &place_of("other")).is_err());
    assert!(read(&whole, &stranger, &place_of("whole")).is_err());
    // What was refused was refused for its fault.
    let opened = room.tink("open", &keyset, &["whole".to_owned()], place_of)?;
    assert_eq!(opened[0]["length"], json!(len));
    Ok(())
}

#[tokio::test]
async fn auditor_opens_every_object_of_a_job_with_tink() -> anyhow::Result<()> {
    let house = House::new(Scale::Medium)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON", "CSV", "NDJSON", "PARQUET"]).await?;
    caller.downloadable(&request).await?;
    let view = StoreView::open(&house)?;
    let job = view.jobs()?.remove(0).id;

    let export = ["keys", "export-tinkey", "--job", &job, "--out", "keyset.json"];
    let export = [&export[..], &["--objects", "objects.jsonl"]].concat();
    let refused = house.antumbra(&export)?;
    assert_ne!(refused.code, 0, "shown though nobody allowed it: {refused:?}");
    assert!(refused.stderr.contains("keys.allow_export"), "{}", refused.stderr);
    assert!(!house.path("keyset.json").try_exists()? && !house.path("objects.jsonl").try_exists()?);
    assert_eq!(exports(&house)?, 0);

    let allowed = [&export[..], &["--set", "keys.allow_export=true"]].concat();
    house.antumbra(&allowed)?.ok()?;
    assert_eq!(exports(&house)?, 1, "shown without a word in the audit log");
    let again = house.antumbra(&allowed)?;
    assert_ne!(again.code, 0, "a key was written over: {again:?}");
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(house.path("keyset.json"))?);
    assert_eq!(mode & 0o7777, 0o600);

    // The keyset holds the key that the ring has for this job, and no other.
    let wrapped = view.blobs("select wrapped_key from jobs")?.remove(0);
    let tenant = view.texts("select tenant from jobs")?.remove(0);
    let key = data_key(&house, &wrapped, &tenant, &job).await?;
    let keyset: Value = serde_json::from_slice(&fs::read(house.path("keyset.json"))?)?;
    let number = keyset.get("primaryKeyId").and_then(Value::as_u64).context("no key id")?;
    let own = tinkey::keyset(&key, u32::try_from(number)?);
    assert_eq!(keyset, serde_json::from_slice::<Value>(own.expose())?);

    let listed = fs::read_to_string(house.path("objects.jsonl"))?;
    let objects = SealedObject::of_job(&house, &job)?;
    assert_eq!(listed.lines().count(), objects.len(), "every object is listed, once:\n{listed}");
    if !left_out("python") {
        let folder = house.path("data/objects").display().to_string();
        let paths = ["keyset.json", "objects.jsonl"].map(|name| house.path(name));
        let [keyset, list] = paths.map(|path| path.display().to_string());
        let said = checker("tink_streams.py", &["open", &keyset, &list, &folder])?;
        let mut plain_bytes = 0;
        for (line, listed) in said.lines().zip(listed.lines()) {
            let (line, listed): (Value, Value) =
                (serde_json::from_str(line)?, serde_json::from_str(listed)?);
            let name = listed["object"].as_str().context("no object")?;
            assert_eq!(line["path"], listed["path"]);
            let place = Place::new("antumbra/object").with(&*tenant).with(&*job).with(name);
            assert_eq!(listed["associatedData"], json!(STANDARD.encode(place.as_bytes())));
            let object = objects.iter().find(|object| object.name() == name);
            let object = object.with_context(|| format!("{name} is not on the disk"))?;
            assert_eq!(listed["length"], json!(object.bytes().len()));
            let plain = read(object.bytes(), &key, &place)?;
            assert_eq!(line["sha256"], json!(sha256_hex(&plain)?), "{name}: {line}");
            plain_bytes += plain.len();
        }
        assert_eq!(said.lines().count(), objects.len());
        eprintln!("Tink opened {} objects, {plain_bytes} bytes of plaintext", objects.len());
    }

    // A key that was destroyed is shown to nobody.
    house.antumbra(&["keys", "destroy", "--job", &job, "--yes"])?.ok()?;
    let gone = [
        "keys",
        "export-tinkey",
        "--job",
        &job,
        "--out",
        "late.json",
        "--set",
        "keys.allow_export=true",
    ];
    let refused = house.antumbra(&gone)?;
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(!house.path("late.json").try_exists()?);
    house.antumbra(&["audit", "verify"])?.ok()?;
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

/// How often the audit log says that a key was shown.
fn exports(house: &House) -> anyhow::Result<usize> {
    let view = StoreView::open(house)?;
    Ok(view.texts("select action from audit where action = 'job.key_exported'")?.len())
}

/// Unwraps a job's key as the daemon does: root key, ring, envelope.
async fn data_key(
    house: &House,
    wrapped: &[u8],
    tenant: &str,
    job: &str,
) -> anyhow::Result<DataKey> {
    let root = LocalRoot::from_key_file(house.path("keys/root.key"))?;
    let ring = fs::read(house.path("keys/ring.json"))?;
    let ring = KeyRing::open(&ring, &Roots::new(std::sync::Arc::new(root))).await?;
    let place = Place::new("antumbra/data-key").with(tenant).with(job);
    Ok(ring.unwrap(wrapped, &place).await?)
}

/// A key, and a directory for streams.
struct Room {
    directory: tempfile::TempDir,
    key: DataKey,
}

impl Room {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { directory: tempfile::tempdir()?, key: DataKey::generate()? })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Seals in pieces of odd lengths into a file.
    fn seal(&self, name: &str, plain: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut sealed = Vec::new();
        let mut sealer = Sealer::new(&self.key, &place_of(name))?;
        for piece in plain.chunks(77_777) {
            sealer.push(piece, &mut sealed)?;
        }
        sealer.finish(&mut sealed)?;
        fs::write(self.path(name), &sealed)?;
        Ok(sealed)
    }

    fn keyset(&self, key: &DataKey) -> anyhow::Result<PathBuf> {
        let text = tinkey::keyset(key, 42);
        let mut file = tempfile::Builder::new().tempfile_in(self.directory.path())?;
        file.write_all(text.expose())?;
        Ok(file.into_temp_path().keep()?)
    }

    /// Has Tink seal or open files; returns the lines it printed.
    fn tink(
        &self,
        command: &str,
        keyset: &Path,
        names: &[String],
        place: impl Fn(&str) -> Place,
    ) -> anyhow::Result<Vec<Value>> {
        let mut list = String::new();
        for name in names {
            let place = STANDARD.encode(place(name).as_bytes());
            list.push_str(&json!({ "path": name, "associatedData": place }).to_string());
            list.push('\n');
        }
        fs::write(self.path("list.jsonl"), list)?;
        let paths = [keyset.to_owned(), self.path("list.jsonl"), self.directory.path().to_owned()];
        let [keyset, list, folder] = paths.map(|path| path.display().to_string());
        let said = checker("tink_streams.py", &[command, &keyset, &list, &folder])?;
        said.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

fn place_of(name: &str) -> Place {
    Place::new("antumbra/object").with("tenant").with("job").with(name)
}

/// Borders of the first chunk and of later ones, many chunks, and three lengths by chance.
fn lengths() -> anyhow::Result<Vec<usize>> {
    let (first, later) = (CHUNK_LEN - HEADER_LEN - TAG_LEN, CHUNK_LEN - TAG_LEN);
    let mut lengths = vec![0, 1, first - 1, first, first + 1];
    for chunks in [1, 5] {
        let border = first + chunks * later;
        lengths.extend([border - 1, border, border + 1]);
    }
    let mut random = seed()?;
    for _ in 0..3 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        lengths.push(usize::try_from(random >> 40)? % (4 * CHUNK_LEN));
    }
    Ok(lengths)
}

/// Bytes that repeat nowhere near a chunk's length, so that chunks in the wrong order show.
fn plain(len: usize) -> Vec<u8> {
    let words = (0_u64..).flat_map(|word| word.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    words.take(len).collect()
}

fn read(sealed: &[u8], key: &DataKey, place: &Place) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    Reader::new(sealed, key, place).read_to_end(&mut out)?;
    Ok(out)
}

/// Opens the chunks from the last to the first.
fn by_chunks(sealed: &[u8], key: &DataKey, place: &Place) -> anyhow::Result<Vec<u8>> {
    let header = sealed.get(..HEADER_LEN).context("no header")?;
    let opener = Opener::new(key, place, header, sealed.len() as u64)?;
    let mut out = vec![0; usize::try_from(opener.plain_len())?];
    for index in (0..opener.chunk_count()).rev() {
        let (from, to) = (opener.chunk_cipher_range(index), opener.chunk_plain_range(index));
        let mut chunk = sealed[usize::try_from(from.start)?..usize::try_from(from.end)?].to_vec();
        let plain = opener.open_chunk(index, &mut chunk)?;
        out[usize::try_from(to.start)?..usize::try_from(to.end)?].copy_from_slice(plain);
    }
    Ok(out)
}
