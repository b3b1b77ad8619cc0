//! Any bytes of the bundle and of each file can be had alone, and they are the bytes of the whole.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use antumbra_e2e::{
    Caller, Daemon, Download, House, Reply, Scale, Serve, left_out, run, sha256_hex,
};
use anyhow::Context;
use flate2::read::GzDecoder;
use hyper::Method;
use serde_json::json;

struct Scene {
    house: House,
    daemon: Daemon,
    caller: Caller,
    request: String,
    downloads: Vec<Download>,
}

async fn scene() -> anyhow::Result<Scene> {
    let house = House::new(Scale::Medium)?;
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON", "CSV", "NDJSON", "PARQUET"]).await?;
    caller.downloadable(&request).await?;
    let downloads = caller.downloads(&request).await?;
    Ok(Scene { house, daemon, caller, request, downloads })
}

/// Gets a range and checks the answer's shape; returns the bytes.
async fn part(
    caller: &Caller,
    file: &Download,
    range: &str,
    encoding: &str,
) -> anyhow::Result<Reply> {
    let range = format!("bytes={range}");
    let headers = [("range", range.as_str()), ("accept-encoding", encoding)];
    caller.download(file, &headers).await
}

#[tokio::test]
async fn ranges_are_parts_of_the_whole() -> anyhow::Result<()> {
    let scene = scene().await?;
    let Scene { caller, downloads, .. } = &scene;
    assert_eq!(downloads.len(), 38, "the bundle, 9 datapoints in 4 formats, the report");
    for file in downloads {
        for encoding in ["identity", "gzip"] {
            let whole = caller.download(file, &[("accept-encoding", encoding)]).await?;
            assert!(whole.complete(), "{}", file.name);
            assert_eq!(whole.header("accept-ranges"), "bytes");
            let (bytes, len) = (&whole.body, whole.body.len());
            let quarter = len / 4;
            let cases = [
                ("0-0".to_owned(), 0..1),
                ("0-".to_owned(), 0..len),
                (format!("{quarter}-{}", quarter * 2), quarter..quarter * 2 + 1),
                (format!("{}-", len - 1), len - 1..len),
                ("-1".to_owned(), len - 1..len),
                (format!("-{quarter}"), len - quarter..len),
                (format!("-{}", len * 2), 0..len),
                (format!("{quarter}-{}", len * 2), quarter..len),
            ];
            for (range, expected) in cases {
                if range == "-0" {
                    continue;
                }
                let reply = part(caller, file, &range, encoding).await?;
                let what = format!("{} {encoding} {range}", file.name);
                assert_eq!(reply.status, 206, "{what}");
                assert_eq!(reply.cut, None, "{what}");
                let named = format!("bytes {}-{}/{len}", expected.start, expected.end - 1);
                assert_eq!(reply.header("content-range"), named, "{what}");
                assert!(reply.body == bytes[expected], "{what}: other bytes");
                assert_eq!(reply.header("etag"), whole.header("etag"), "{what}");
            }
            let beyond = part(caller, file, &format!("{len}-"), encoding).await?;
            assert_eq!(beyond.status, 416, "{}", file.name);
            assert_eq!(beyond.header("content-range"), format!("bytes */{len}"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn concatenated_ranges_are_the_whole() -> anyhow::Result<()> {
    let scene = scene().await?;
    let Scene { caller, downloads, request, .. } = &scene;
    let bundle = &downloads[0];
    let mut joined = Vec::new();
    // Steps that fall on no border of chunks, segments or flushes.
    for start in (0..bundle.size).step_by(777_777) {
        let end = (start + 777_776).min(bundle.size - 1);
        joined.extend(part(caller, bundle, &format!("{start}-{end}"), "gzip").await?.body);
    }
    let answer = caller.poll(request).await?;
    assert_eq!(answer.pointer("/bundleSha256"), Some(&json!(sha256_hex(&joined)?)));
    assert_eq!(answer.pointer("/status"), Some(&json!("DOWNLOADABLE")), "parts complete nothing");
    let head = caller.client().send(Method::HEAD, &bundle.path(), &[], "").await?;
    assert_eq!(head.status, 200);
    let answer = caller.poll(request).await?;
    assert_eq!(answer.pointer("/status"), Some(&json!("DOWNLOADABLE")), "HEAD completes nothing");

    assert!(caller.bundle(request).await? == joined);
    let answer = antumbra_e2e::until("the record of the download", async || {
        let answer = caller.poll(request).await?;
        Ok((answer.pointer("/status") == Some(&json!("COMPLETED"))).then_some(answer))
    })
    .await?;
    assert_eq!(answer.pointer("/job/state"), Some(&json!("DELIVERED")));
    Ok(())
}

#[tokio::test]
async fn head_conditions_and_encodings() -> anyhow::Result<()> {
    let scene = scene().await?;
    let Scene { caller, downloads, .. } = &scene;
    for file in downloads {
        let plain = caller.download(file, &[]).await?;
        assert_eq!(plain.body.len(), usize::try_from(file.size)?, "{}: size", file.name);
        assert!(plain.header("content-type").starts_with(&file.media_type), "{}", file.name);
        assert_eq!(plain.header("x-content-type-options"), "nosniff");
        assert_eq!(plain.header("cache-control"), "no-store");
        assert!(plain.header("content-disposition").starts_with("attachment"));
        let etag = plain.header("etag").to_owned();
        assert!(
            etag.starts_with('"') && etag.ends_with('"'),
            "{}: {etag} is no strong tag",
            file.name
        );

        let zipped = caller.download(file, &[("accept-encoding", "gzip")]).await?;
        let deflated = zipped.header("content-encoding") == "gzip";
        let compressed = [".parquet", ".zip"].iter().any(|kind| file.name.ends_with(kind));
        assert_eq!(deflated, !compressed, "{}: gzip for what is deflated, nothing else", file.name);
        if deflated {
            assert_ne!(zipped.header("etag"), etag, "{}: another form, another tag", file.name);
            let mut inflated = Vec::new();
            GzDecoder::new(zipped.body.as_slice()).read_to_end(&mut inflated)?;
            assert!(inflated == plain.body, "{}: gzip inflates to other bytes", file.name);
            assert!(plain.header("vary").eq_ignore_ascii_case("accept-encoding"), "{}", file.name);
        }

        for encoding in ["identity", "gzip"] {
            let accept = ("accept-encoding", encoding);
            let get = caller.download(file, &[accept]).await?;
            let head = caller.client().send(Method::HEAD, &file.path(), &[accept], "").await?;
            assert!(head.body.is_empty(), "{}: HEAD has a body", file.name);
            let of = |reply: &Reply| {
                let mut headers: Vec<(String, String)> = reply
                    .headers
                    .keys()
                    .filter(|name| !["date", "x-request-id"].contains(&name.as_str()))
                    .map(|name| (name.to_string(), reply.header(name.as_str()).to_owned()))
                    .collect();
                headers.sort();
                headers
            };
            assert_eq!(of(&head), of(&get), "{}: HEAD has other headers", file.name);
            let etag = get.header("etag");
            let same = caller.download(file, &[accept, ("if-none-match", etag)]).await?;
            assert_eq!((same.status, same.body.len()), (304, 0), "{}", file.name);
            let other = caller.download(file, &[accept, ("if-none-match", "\"other\"")]).await?;
            assert_eq!(other.status, 200);
            let range = ("range", "bytes=0-0");
            let held = caller.download(file, &[accept, range, ("if-range", etag)]).await?;
            assert_eq!(held.status, 206, "{}: If-Range with the tag", file.name);
            let lost = caller.download(file, &[accept, range, ("if-range", "\"other\"")]).await?;
            assert_eq!((lost.status, lost.body.len()), (200, get.body.len()), "{}", file.name);
        }
    }
    Ok(())
}

#[test]
fn curl_goes_on_where_it_was_cut_off() -> anyhow::Result<()> {
    if left_out("curl") {
        return Ok(());
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let scene = runtime.block_on(scene())?;
    let whole = runtime.block_on(scene.caller.download(&scene.downloads[0], &[]))?.body;
    let path = scene.house.path("resumed.zip");
    fs::write(&path, whole.get(..whole.len() / 3).context("an empty bundle")?)?;
    let url = format!("{}{}", scene.daemon.url(), scene.downloads[0].path());
    let args = ["-sS", "--fail", "-C", "-", "-o", "resumed.zip", &url];
    run(Path::new("curl"), scene.house.root(), &args)?.ok()?;
    assert!(fs::read(&path)? == whole, "curl -C - made another file");
    assert!(scene.house.verified(&path)?.contains("VERIFIED"));
    Ok(())
}
