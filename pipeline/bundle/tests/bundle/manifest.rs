//! The manifest's exact bytes, and the content's hash, as a program that is not ours computes it.

use antumbra_bundle::{
    Column, Content, FileContent, Manifest, Redaction, Run, RunReport, ScopeContent,
    SectionContent, SettingsContent,
};

use crate::room::python;

/// One of everything a manifest can hold.
pub(crate) fn content() -> Content {
    let text = str::to_owned;
    Content {
        tenant: text("acme"),
        action: text("ACCESS"),
        scope: ScopeContent {
            kind: text("DATA_SUBJECT"),
            window_start: Some(text("2026-01-01T00:00:00Z")),
            window_end: None,
            fields: [(text("campaignIds"), vec![text("7"), text("\u{fc}")])].into(),
            identifiers: [(text("email"), 1), (text("customer_id"), 2)].into(),
        },
        formats: vec![text("JSON"), text("PARQUET")],
        settings: SettingsContent {
            slice_rows: 1,
            slice_bytes: 2,
            on_silo_error: text("partial"),
            csv_formulas: text("defuse"),
            secrets: text("redact"),
            foreign_identifiers: text("note"),
        },
        sections: vec![
            SectionContent {
                silo: text("shop"),
                datapoint: text("orders"),
                outcome: text("complete"),
                reason: None,
                code: None,
                rows: 3,
                query: Some(text("select * from \"orders\" where \"id\" in (:customer_id)")),
                ordered_by: vec![text("id")],
                resumable: true,
                columns: vec![Column {
                    name: text("id"),
                    data_type: text("Int64"),
                    declared: text("INTEGER"),
                }],
                redactions: vec![Redaction { column: text("card"), how: text("drop"), values: 2 }],
                notes: vec![text("a\u{1f600}\"\\\n\u{1}")],
                attachments: None,
            },
            SectionContent {
                silo: text("shop"),
                datapoint: text("broken"),
                outcome: text("failed"),
                reason: Some(text("file is missing")),
                code: Some(text("silo_missing")),
                rows: 0,
                query: None,
                ordered_by: vec![],
                resumable: false,
                columns: vec![],
                redactions: vec![],
                notes: vec![],
                attachments: None,
            },
        ],
        files: vec![FileContent {
            name: text("shop/orders.json"),
            silo: text("shop"),
            datapoint: text("orders"),
            format: text("JSON"),
            media_type: text("application/json"),
            rows: 3,
            bytes: (1 << 53) - 1,
            sha256: "ab".repeat(32),
        }],
        outcome: text("partial"),
    }
}

pub(crate) fn run() -> Run {
    let text = str::to_owned;
    Run {
        producer: text("antumbra 0.1.0"),
        request_id: text("r"),
        job_id: text("j"),
        requested_at: text("2026-03-01T12:00:00Z"),
        generated_at: text("2026-03-01T12:00:01Z"),
        expires_at: text("2026-03-08T12:00:01Z"),
        worker: text("w"),
        leases: 2,
        resumed: true,
        is_test: false,
        report: RunReport { name: text("report/index.html"), bytes: 5, sha256: "cd".repeat(32) },
    }
}

/// Fails when the manifest changes shape: then `manifestVersion` or the golden file must change with it.
#[test]
fn the_manifest_is_what_it_was() {
    let bytes = Manifest::new(content(), run()).to_bytes();
    let golden = include_str!("../golden/manifest.json");
    assert_eq!(String::from_utf8(bytes).unwrap(), golden);
    assert_eq!(serde_json::from_str::<Manifest>(golden).unwrap(), Manifest::new(content(), run()));
}

#[test]
fn the_content_hash_is_what_it_was_and_what_others_compute() {
    let manifest = Manifest::new(content(), run());
    assert_eq!(manifest.content_sha256, CONTENT_SHA256);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("manifest.json");
    std::fs::write(&path, manifest.to_bytes()).unwrap();
    let script = "import sys, json, hashlib\n\
        c = json.load(open(sys.argv[1], encoding='utf-8'))['content']\n\
        t = json.dumps(c, sort_keys=True, separators=(',', ':'), ensure_ascii=False)\n\
        print(hashlib.sha256(t.encode()).hexdigest())";
    assert_eq!(python(script, &path).trim(), CONTENT_SHA256);
}

#[test]
fn the_run_is_no_part_of_the_content_hash() {
    let other = Run { leases: 1, resumed: false, job_id: "k".to_owned(), ..run() };
    let (a, b) = (Manifest::new(content(), run()), Manifest::new(content(), other));
    assert_eq!(a.content_sha256, b.content_sha256);
    let mut other = content();
    other.sections[0].rows += 1;
    assert_ne!(Manifest::new(other, run()).content_sha256, a.content_sha256);
}

const CONTENT_SHA256: &str = "4351ae3ad3c10967c5486b26b41b67dc786af5828d6f5bf0310cf8ffa473b3dc";
