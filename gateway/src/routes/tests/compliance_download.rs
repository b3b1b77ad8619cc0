//! The artifact and the zip, byte by byte.

use antumbra_bundle::hex;
use antumbra_config::{Attachment, Datapoint, FilesLocation, FilesSilo, Silo, SiloKind, Source};
use bytes::Bytes;
use futures::TryStreamExt as _;
use http::{Method, StatusCode, header};
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::compliance_jobs::golden;
use super::compliance_support::{
    Artifact, AuditReport, DSAR, Done, Download, Walk, decode, refused,
};
use crate::http::testing::Answer;

fn artifact(answer: &Answer) -> Artifact {
    assert!(!answer.cut);
    decode::<Download>(answer).artifact
}

/// Returns the value of `sections` as it was sent.
fn sections(answer: &Answer) -> &[u8] {
    let text = std::str::from_utf8(&answer.bytes).unwrap();
    let start = text.find("\"sections\":").unwrap() + "\"sections\":".len();
    let end = text.rfind(",\"integritySha256\":").unwrap();
    &text.as_bytes()[start..end]
}

#[tokio::test]
async fn the_artifact_holds_every_row_and_hashes_to_what_it_says() {
    let walk = Walk::new().await;
    let id = walk.person().await.id;
    let Done { job, audit_report } = decode(&walk.run(&id).await);
    let answer = walk.download(&id).await;
    let name = format!("attachment; filename=\"enfinitos-dsar-export-{id}.json\"");
    assert_eq!(answer.headers[header::CONTENT_DISPOSITION], name);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(answer.headers[header::CONTENT_LENGTH], answer.bytes.len().to_string());

    let artifact = artifact(&answer);
    assert_eq!((artifact.job_id.as_str(), artifact.org_id.as_str()), (id.as_str(), "acme"));
    assert_eq!((artifact.schema_version.as_str(), &artifact.scope), ("1.0", &job.scope));
    assert_eq!(artifact.generated_at, audit_report.generated_at);
    assert_eq!(artifact.audit_report, audit_report);
    assert_eq!(hex(&Sha256::digest(sections(&answer))), artifact.integrity_sha256);

    let names: Vec<_> = artifact.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names, ["shop/orders", "shop/tickets", "shop/returns"]);
    for section in &artifact.sections {
        assert_eq!(section.count, section.items.len() as u64, "{}", section.name);
        assert_eq!(section.total_before_filter, Some(section.count), "{}", section.name);
    }
    assert_eq!(artifact.sections[2].items, Vec::<Value>::new());
    let notes: Vec<_> = artifact.sections[1].items.iter().map(|row| row["note"].clone()).collect();
    let hard = ["\"sections\":[ünïcødé 日本 🙂]", "line\n\u{2028}\\,\"integritySha256\":"];
    assert_eq!(notes, hard);
    assert!(artifact.sections[0].items.iter().all(|row| row.get("card").is_none()));
    let mut body = answer.json();
    body["data"]["artifact"]["integritySha256"] = json!("SHA256-OF-SECTIONS");
    golden(&body, include_str!("../../../golden/compliance_artifact.json"), &job);
}

#[tokio::test]
async fn attachments_are_named_and_stay_in_the_bundle() {
    let files = tempfile::tempdir().unwrap();
    for (name, bytes) in [("avatars/p-1.png", "first"), ("avatars/p-2.png", "other")] {
        let path = files.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let location = FilesLocation::Local { path: files.path().to_owned() };
    let walk = Walk::with(|settings| {
        let attachment = |name: &str, path: &str| Datapoint {
            name: name.parse().unwrap(),
            source: Source::Attachment(Attachment { path: path.to_owned(), media_type: None }),
            matches: Vec::new(),
            key: Vec::new(),
            ..settings.silos[0].datapoints[1].clone()
        };
        let datapoints = vec![
            attachment("avatars", "avatars/{dataSubjectId}.png"),
            attachment("scans", "scans/{dataSubjectId}.pdf"),
        ];
        settings.silos.push(Silo {
            name: "disk".parse().unwrap(),
            kind: SiloKind::Files(Box::new(FilesSilo { location, insecure_http: false })),
            datapoints,
            ..settings.silos[0].clone()
        });
    })
    .await;
    let id = walk.person().await.id;
    let report = decode::<Done>(&walk.run(&id).await).audit_report;
    let answer = walk.download(&id).await;
    let artifact = artifact(&answer);
    assert_eq!(hex(&Sha256::digest(sections(&answer))), artifact.integrity_sha256);
    let section = |name: &str| artifact.sections.iter().find(|s| s.name == name).unwrap();
    let avatars = section("disk/avatars");
    assert_eq!((avatars.count, avatars.total_before_filter), (1, Some(1)));
    let item = &avatars.items[0];
    assert_eq!(item["originalName"], "avatars/p-1.png");
    assert!(item["fileName"].as_str().unwrap().starts_with("disk/avatars"), "{item}");
    assert_eq!(
        (&item["bytes"], &item["sha256"]),
        (&json!(5), &json!(hex(&Sha256::digest("first"))))
    );
    let scans = section("disk/scans");
    assert_eq!((scans.count, scans.items.len()), (0, 0));
    assert_eq!(report.section_counts["disk/avatars"], 1);
    assert_eq!(report.total_records, 6);
    let notes: Vec<_> =
        report.redaction_notes.iter().filter(|note| note.starts_with("disk/")).collect();
    assert_eq!(
        notes,
        [
            "disk/avatars: 1 attachments are in the bundle; a JSON artifact names them and does not hold them",
            "disk/scans: no file for 1 values of identifiers",
        ]
    );
}

#[tokio::test]
async fn items_are_the_bytes_of_the_sealed_file() {
    let walk = Walk::new().await;
    let job = walk.ready().await;
    let sent = walk.download(&job.id).await;
    let url = job.delivery.unwrap().bundle_url.unwrap();
    let path = url.strip_prefix("http://127.0.0.1:5039").unwrap();
    let zip = walk.rig.send(http::Request::get(path).body("").unwrap()).await.bytes;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&zip[..])).unwrap();
    let mut files = 0;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = file.name().unwrap().into_owned();
        if name.starts_with("shop/") {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
            let found = sections(&sent).windows(bytes.len()).any(|window| window == bytes);
            assert!(found, "{name}");
            files += 1;
        }
    }
    assert_eq!(files, 3);
}

#[tokio::test]
async fn the_first_complete_download_delivers_and_later_ones_change_nothing() {
    let walk = Walk::new().await;
    let id = walk.ready().await.id;
    walk.rig.clock.advance(jiff::SignedDuration::from_secs(60));
    let first = walk.download(&id).await;
    walk.recorded().await;
    let delivered = walk.job(&id).await;
    assert_eq!(delivered.state, "DELIVERED");
    let delivery = delivered.delivery.clone().unwrap();
    assert_eq!(delivery.downloaded_at, Some(walk.rig.shared.now()));
    assert_eq!(delivery.downloaded_by.as_deref(), Some(delivered.timeline[0].actor.as_str()));
    let events = |job: &super::compliance_support::Job| {
        job.timeline.iter().filter(|event| event.notes.contains("downloaded")).count()
    };
    assert_eq!(events(&delivered), 1);

    walk.rig.clock.advance(jiff::SignedDuration::from_secs(60));
    let second = walk.download(&id).await;
    walk.recorded().await;
    assert_eq!(first.bytes, second.bytes);
    assert_eq!(
        first.headers[header::CONTENT_DISPOSITION],
        second.headers[header::CONTENT_DISPOSITION]
    );
    assert_eq!(walk.job(&id).await, delivered, "no second stamp, no second event");
    let audit = walk.rig.store().audit_entries(100).await.unwrap();
    let downloads = audit.iter().filter(|entry| entry.action == "bundle.downloaded").count();
    assert_eq!(downloads, 2, "the audit log knows of both");
}

#[tokio::test]
async fn two_downloads_at_once_deliver_once() {
    let walk = Walk::new().await;
    let id = walk.ready().await.id;
    let (one, other) = tokio::join!(walk.download(&id), walk.download(&id));
    walk.recorded().await;
    assert_eq!((one.status, &one.bytes), (other.status, &other.bytes));
    let job = walk.job(&id).await;
    assert_eq!(job.state, "DELIVERED");
    let events = job.timeline.iter().filter(|event| event.notes.contains("downloaded"));
    assert_eq!(events.count(), 1);
}

#[tokio::test]
async fn head_and_a_client_that_leaves_deliver_nothing() {
    let walk = Walk::new().await;
    let id = walk.ready().await.id;
    let path = format!("{DSAR}/{id}/download");
    let head = walk.ask(Method::HEAD, &path, "").await;
    assert_eq!((head.status, head.bytes.len()), (StatusCode::OK, 0));
    let left = {
        use tower::ServiceExt as _;
        let request = walk.rig.request(Method::GET, &path, &walk.key);
        let request = request.body(crate::http::full("")).unwrap();
        walk.rig.stack.clone().oneshot(request).await.unwrap()
    };
    assert_eq!(left.status(), StatusCode::OK);
    drop(left);
    walk.recorded().await;
    assert_eq!(walk.job(&id).await.state, "READY");
    let get = walk.download(&id).await;
    for name in [header::CONTENT_LENGTH, header::CONTENT_DISPOSITION, header::CONTENT_TYPE] {
        assert_eq!(head.headers[&name], get.headers[&name]);
    }
}

#[tokio::test]
async fn a_narrowed_section_says_how_many_rows_there_were_before() {
    let walk = Walk::new().await;
    let window = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    for (scope, rows, total) in [
        (json!({ "windowStart": window.0, "windowEnd": window.1 }), 2, Some(3)),
        (json!({ "campaignIds": ["c-1"] }), 2, Some(3)),
        (json!({ "campaignIds": ["c-1"], "windowEnd": window.1 }), 1, Some(3)),
        (json!({ "substrates": ["web"] }), 3, Some(3)),
        (json!({ "campaignIds": [] }), 3, Some(3)),
    ] {
        let mut scope = scope;
        scope["dataSubjectId"] = json!("p-1");
        let id = walk.create(&json!({ "scope": scope.clone() })).await.id;
        let report: AuditReport = decode::<Done>(&walk.run(&id).await).audit_report;
        let artifact = artifact(&walk.download(&id).await);
        let orders = &artifact.sections[0];
        assert_eq!((orders.count, orders.total_before_filter), (rows, total), "{scope}");
        let tickets = &artifact.sections[1];
        assert_eq!((tickets.count, tickets.total_before_filter), (2, Some(2)), "{scope}");
        let window = scope.get("windowEnd").is_some();
        let said = |note: &String| note.starts_with("shop/tickets: not narrowed by the window");
        assert_eq!(report.redaction_notes.iter().any(said), window, "{scope}");
    }
}

#[tokio::test]
async fn other_formats_are_the_zip_under_the_contracts_name() {
    let walk = Walk::new().await;
    for format in ["CSV", "ndjson", "Parquet"] {
        let body = json!({ "scope": { "dataSubjectId": "p-1" }, "format": format });
        let id = walk.create(&body).await.id;
        let job = decode::<Done>(&walk.run(&id).await).job;
        assert_eq!(job.format, format.to_uppercase());
        let zip = walk.download(&id).await;
        let name = format!("attachment; filename=\"enfinitos-dsar-export-{id}.zip\"");
        assert_eq!(zip.headers[header::CONTENT_DISPOSITION], name);
        assert_eq!(zip.headers[header::CONTENT_TYPE], "application/zip");
        assert_eq!(zip.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(zip.headers[header::CONTENT_LENGTH], zip.bytes.len().to_string());
        let delivery = job.delivery.unwrap();
        assert_eq!(hex(&Sha256::digest(&zip.bytes)), delivery.bundle_sha256);
        walk.recorded().await;
        assert_eq!(walk.job(&id).await.state, "DELIVERED");
        assert_eq!(walk.download(&id).await.bytes, zip.bytes);
    }
}

#[tokio::test]
async fn an_altered_object_never_ends_as_a_whole_artifact() {
    let walk = Walk::new().await;
    // More than one chunk, of what does not deflate to nothing.
    let mut random = 1_u64;
    let mut shop = walk.shop();
    let batch = shop.transaction().unwrap();
    for id in 100..164 {
        let words = (0..4096).map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("{:08x}", random >> 32)
        });
        let note: String = words.collect();
        batch.execute("insert into tickets values (?, 'p-1', ?)", (id, note)).unwrap();
    }
    batch.commit().unwrap();
    let id = walk.ready().await.id;
    let whole = walk.ask(Method::HEAD, &format!("{DSAR}/{id}/download"), "").await;
    let objects = &walk.rig.objects;
    let listed: Vec<_> = objects.list(None).try_collect().await.unwrap();
    let (mut cut, mut refusals) = (0, 0);
    for object in listed {
        let bytes = objects.get(&object.location).await.unwrap().bytes().await.unwrap();
        for offset in [50, bytes.len() / 2, bytes.len() - 20] {
            let mut altered = bytes.to_vec();
            altered[offset] ^= 1;
            objects.put(&object.location, Bytes::from(altered).into()).await.unwrap();
            let answer = walk.download(&id).await;
            if answer.cut {
                assert!(
                    answer.headers[header::CONTENT_LENGTH] == whole.headers[header::CONTENT_LENGTH]
                );
                assert!(serde_json::from_slice::<Value>(&answer.bytes).is_err());
                cut += 1;
            } else if answer.status != StatusCode::OK {
                refused(&answer, StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL");
                refusals += 1;
            } else {
                // The report's object: no part of the artifact.
                artifact(&answer);
                walk.recorded().await;
            }
        }
        objects.put(&object.location, bytes.into()).await.unwrap();
    }
    assert!(cut > 0 && refusals > 0, "{cut} cut, {refusals} refused");
}
