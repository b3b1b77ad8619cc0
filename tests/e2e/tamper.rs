//! A thief with write access changes sealed objects: every download that needs them fails, and no changed byte is sent.
//!
//! Failure is an answer that is no success (412, 410, 5xx) or a connection that breaks; what came before it must be the
//! beginning of the true bundle. A clean end with other bytes, or with fewer, is the defect.

use antumbra_e2e::{Caller, Download, House, Scale, SealedObject, Serve, StoreView};
use anyhow::Context;

/// A daemon with one bundle in several objects, and what is true about it.
struct Scene {
    house: House,
    caller: Caller,
    bundle: Download,
    files: Vec<Download>,
    truth: Vec<u8>,
    objects: Vec<SealedObject>,
    foreign: Vec<SealedObject>,
    _daemon: antumbra_e2e::Daemon,
}

impl Scene {
    async fn set(scale: Scale) -> anyhow::Result<Self> {
        let house = House::new(scale)?;
        let daemon = Serve::new().start(&house).await?;
        let caller = Caller::new(&house, &daemon)?;
        let mut requests = Vec::new();
        for _ in 0..2 {
            let request = caller.submit(&["JSON", "PARQUET"]).await?;
            caller.downloadable(&request).await?;
            requests.push(request);
        }
        let mut downloads = caller.downloads(&requests[0]).await?;
        let bundle = downloads.remove(0);
        let truth = caller.download(&bundle, &[]).await?;
        assert!(truth.complete());
        let jobs = StoreView::open(&house)?.jobs()?;
        let objects = SealedObject::of_job(&house, &jobs[0].id)?;
        let foreign = SealedObject::of_job(&house, &jobs[1].id)?;
        assert!(objects.len() >= 3, "one pack for each format and the report: {}", objects.len());
        Ok(Self {
            house,
            caller,
            bundle,
            files: downloads,
            truth: truth.body,
            objects,
            foreign,
            _daemon: daemon,
        })
    }

    /// Downloads the whole bundle, which must fail without a byte that is not true.
    async fn refuses(&self, what: &str) -> anyhow::Result<()> {
        match self.caller.download(&self.bundle, &[]).await {
            // The connection broke before there was a status line.
            Err(_) => {}
            Ok(reply) if reply.status == 200 => {
                assert!(reply.cut.is_some(), "{what}: the download ended cleanly");
                assert!(reply.body.len() < self.truth.len(), "{what}: everything was sent");
                assert!(self.truth.starts_with(&reply.body), "{what}: a wrong byte was sent");
            }
            Ok(reply) => {
                let refused = reply.status >= 500 || [410, 412].contains(&reply.status);
                assert!(refused, "{what}: {} {}", reply.status, reply.text());
                assert!(reply.body.len() < 2_000, "{what}: an error, not a file");
            }
        }
        Ok(())
    }

    /// Downloads again after the damage was mended.
    async fn is_whole(&self) -> anyhow::Result<()> {
        let reply = self.caller.download(&self.bundle, &[]).await?;
        assert!(reply.complete(), "mended, and still {} {:?}", reply.status, reply.cut);
        assert!(reply.body == self.truth, "mended, and other bytes");
        Ok(())
    }
}

#[tokio::test]
async fn flipped_bytes() -> anyhow::Result<()> {
    let scene = Scene::set(Scale::Medium).await?;
    let mut random = Random(0x5EED);
    for object in &scene.objects {
        let len = object.bytes().len();
        // Header: length, salt and nonce prefix; then tag and ciphertext wherever the seed says; then the last tag.
        let mut positions = vec![0, 1, 20, HEADER - 1, HEADER, len / 2];
        positions.extend([len - TAG - 1, len - TAG, len - 1]);
        positions.extend([CHUNK - 1, CHUNK, CHUNK + TAG]);
        positions.extend((0..6).map(|_| random.below(len)));
        for position in positions.into_iter().filter(|position| *position < len) {
            object.flip(position)?;
            scene.refuses(&format!("{} byte {position} of {len}", object.name())).await?;
        }
        object.mend()?;
    }
    scene.is_whole().await
}

#[tokio::test]
async fn files_alone_show_no_flipped_byte() -> anyhow::Result<()> {
    let scene = Scene::set(Scale::Small).await?;
    let mut truths = Vec::new();
    for file in &scene.files {
        let reply = scene.caller.download(file, &[]).await?;
        assert!(reply.complete());
        truths.push(reply.body);
    }
    for object in &scene.objects {
        object.flip(object.bytes().len() / 2)?;
    }
    let mut failed = 0;
    for (file, truth) in scene.files.iter().zip(&truths) {
        for headers in [&[][..], &[("range", "bytes=10-2000")]] {
            let Ok(reply) = scene.caller.download(file, headers).await else {
                failed += 1;
                continue;
            };
            match reply.status {
                200 if reply.cut.is_none() => assert!(reply.body == *truth, "{}", file.name),
                206 if reply.cut.is_none() => {
                    let end = truth.len().min(2001);
                    assert!(reply.body == truth[10..end], "{}", file.name);
                }
                200 => {
                    failed += 1;
                    assert!(truth.starts_with(&reply.body), "{}: a wrong byte was sent", file.name);
                }
                206 => {
                    failed += 1;
                    assert!(
                        truth[10..].starts_with(&reply.body),
                        "{}: a wrong byte was sent",
                        file.name
                    );
                }
                status => {
                    failed += 1;
                    assert!(status >= 500 || status == 410, "{}: {status}", file.name);
                }
            }
        }
    }
    assert!(failed > 0, "nothing failed, so nothing was damaged");
    Ok(())
}

#[tokio::test]
async fn objects_in_a_wrong_place() -> anyhow::Result<()> {
    let scene = Scene::set(Scale::Small).await?;
    for (a, b) in scene.objects.iter().zip(scene.objects.iter().skip(1)) {
        a.replace(b.bytes())?;
        b.replace(a.bytes())?;
        scene.refuses(&format!("{} and {} swapped", a.name(), b.name())).await?;
        a.mend()?;
        b.mend()?;
    }
    for object in &scene.objects {
        let twin = scene.foreign.iter().find(|foreign| foreign.name() == object.name());
        let twin = twin.context("the other job has no object of that name")?;
        object.replace(twin.bytes())?;
        scene.refuses(&format!("{} of another job", object.name())).await?;
        object.mend()?;
    }
    scene.is_whole().await
}

#[tokio::test]
async fn objects_of_another_length() -> anyhow::Result<()> {
    let scene = Scene::set(Scale::Medium).await?;
    let mut borders = 0;
    for object in &scene.objects {
        let len = object.bytes().len();
        let mut lens = vec![len - 1, len - TAG, len / 2, HEADER, 1, 0];
        // Cut where a chunk ends: the shorter object is made of whole, authentic chunks.
        lens.extend((1..).map(|chunk| chunk * CHUNK).take_while(|border| *border < len));
        borders += lens.len() - 6;
        for short in lens {
            object.truncate(short)?;
            scene.refuses(&format!("{} cut to {short} of {len}", object.name())).await?;
        }
        for more in [&b"\0"[..], &object.bytes()[len.saturating_sub(4096)..]] {
            object.replace(&[object.bytes(), more].concat())?;
            // Bytes behind the end are harmless only if nobody notices them; an authenticated end notices.
            scene.refuses(&format!("{} with {} bytes appended", object.name(), more.len())).await?;
        }
        object.delete()?;
        scene.refuses(&format!("{} deleted", object.name())).await?;
        object.mend()?;
    }
    assert!(borders > 0, "no object has a border between chunks");
    scene.is_whole().await?;
    assert!(scene.house.path("data").try_exists()?);
    Ok(())
}

/// `SplitMix64`, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from((z ^ (z >> 31)) % limit).unwrap_or_default()
    }
}

/// A sealed chunk; the first one shares its place with the header (crypto/FORMAT.md).
const CHUNK: usize = 1 << 20;
/// Length byte, salt, nonce prefix.
const HEADER: usize = 40;
/// At the end of each chunk.
const TAG: usize = 16;
