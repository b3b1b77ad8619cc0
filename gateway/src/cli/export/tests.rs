//! Does an export leave a whole zip and nothing else, however it ends?

use std::fs;
use std::io::{self, Read as _};
use std::sync::Mutex;

use antumbra_config::OnSiloError;
use tokio_util::sync::CancellationToken;

use super::command::{Order, run};
use super::drive::JobFailed;
use super::summary::Summary;
use crate::cli::args::{BoundArgs, ExportArgs, SelectionArgs, WhoArgs, WindowArgs};
use crate::cli::progress::{Phase, Snapshot, Watch};
use crate::cli::testing::Shop;
use crate::cli::{Exit, check};

/// Remembers what there was to see, and may stop the export at a phase.
#[derive(Default)]
struct Witness {
    phases: Vec<Phase>,
    stop_at: Option<(Phase, CancellationToken)>,
    last: Mutex<Option<Snapshot>>,
}

impl Watch for Witness {
    fn show(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        if self.phases.last() != Some(&snapshot.phase) {
            self.phases.push(snapshot.phase);
        }
        *self.last.lock().unwrap() = Some(snapshot.clone());
        match &self.stop_at {
            Some((phase, stop)) if *phase == snapshot.phase => stop.cancel(),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {}
}

fn args(shop: &Shop, email: &str) -> ExportArgs {
    fs::create_dir_all(shop.path("out")).unwrap();
    let who = WhoArgs { email: Some(email.parse().unwrap()), ..WhoArgs::default() };
    ExportArgs {
        selection: SelectionArgs { who, tenant: None, window: WindowArgs::default() },
        bound: BoundArgs::default(),
        formats: Vec::new(),
        on_silo_error: None,
        out: shop.path("out/x.zip"),
        force: false,
        json: false,
        settings: shop.args(),
    }
}

async fn export(
    shop: &Shop,
    args: &ExportArgs,
    witness: &mut Witness,
) -> anyhow::Result<Option<Summary>> {
    let stop = match &witness.stop_at {
        Some((_, stop)) => stop.clone(),
        None => CancellationToken::new(),
    };
    let order = Order::read(args, shop.settings.clone(), &[]).await?;
    run(order, witness, &stop).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zip_is_what_the_daemon_would_deliver_and_nothing_else_is_left() {
    let shop = Shop::new().await;
    let formats = ["JSON", "CSV", "NDJSON", "PARQUET"].map(|format| format.parse().unwrap());
    let args = ExportArgs { formats: formats.to_vec(), ..args(&shop, "ada@example.org") };
    let mut witness = Witness::default();
    let summary = export(&shop, &args, &mut witness).await.unwrap().unwrap();
    assert_eq!(summary.exit(), Exit::Done);
    assert_eq!(witness.phases.last(), Some(&Phase::Writing));

    let verdict = check(&args.out, Some(shop.public_key())).await.unwrap();
    assert!(verdict.trusted && verdict.faults.is_empty(), "{:?}", verdict.faults);
    assert_eq!(verdict.outcome, "complete");
    assert_eq!(shop.names("out"), ["x.zip"]);
    assert!(!shop.names(".").contains(&"data".to_owned()), "the daemon's store was not touched");

    let text = summary.text();
    for part in
        ["complete     shop/orders     3 rows", "unreachable", "rows           4", "x.zip ("]
    {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let json = summary.json();
    assert_eq!(json["rows"], 4);
    assert_eq!(json["contentSha256"].as_str().unwrap(), verdict.content_sha256);
    assert_eq!(json["sections"].as_array().unwrap().len(), 3);
    for shown in [text, json.to_string()] {
        assert!(!shown.contains("ada@") && !shown.contains("secret-note"), "{shown}");
    }

    let mut zip = zip::ZipArchive::new(fs::File::open(&args.out).unwrap()).unwrap();
    let mut orders = String::new();
    zip.by_name("shop/orders.csv").unwrap().read_to_string(&mut orders).unwrap();
    assert_eq!(orders.lines().count(), 4, "{orders}");
    assert!(!orders.contains("secret-note"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zip_that_is_there_is_replaced_only_with_force() {
    let shop = Shop::new().await;
    let mut args = args(&shop, "ada@example.org");
    fs::write(&args.out, "old").unwrap();
    let refused = export(&shop, &args, &mut Witness::default()).await.unwrap_err();
    assert!(refused.to_string().contains("--force"), "{refused}");
    assert_eq!(fs::read(&args.out).unwrap(), b"old");
    args.force = true;
    export(&shop, &args, &mut Witness::default()).await.unwrap().unwrap();
    assert!(check(&args.out, Some(shop.public_key())).await.unwrap().trusted);
    assert_eq!(shop.names("out"), ["x.zip"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_any_phase_leaves_nothing() {
    let shop = Shop::new().await;
    // Enough rows that collecting is seen.
    shop.sql(
        "with recursive n(i) as (select 10 union all select i + 1 from n where i < 400000)
         insert into orders select i, 4711081500, 'note ' || i, i from n",
    );
    let args = args(&shop, "ada@example.org");
    for phase in [Phase::Planning, Phase::Collecting, Phase::Writing] {
        let stop_at = Some((phase, CancellationToken::new()));
        let mut witness = Witness { stop_at, ..Witness::default() };
        let ended = export(&shop, &args, &mut witness).await.unwrap();
        assert!(ended.is_none(), "stopped while {}", phase.word());
        assert_eq!(witness.phases.last(), Some(&phase));
        assert_eq!(shop.names("out"), [""; 0], "{}", phase.word());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_the_beginning_leaves_nothing() {
    let shop = Shop::new().await;
    let stop = CancellationToken::new();
    stop.cancel();
    let mut witness = Witness { stop_at: Some((Phase::Writing, stop)), ..Witness::default() };
    let ended = export(&shop, &args(&shop, "ada@example.org"), &mut witness).await.unwrap();
    assert!(ended.is_none());
    assert_eq!(shop.names("out"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_section_that_fails_is_the_policys_and_always_named() {
    let shop = Shop::new().await;
    shop.sql("drop table orders");
    let mut args = args(&shop, "ada@example.org");
    let failed = export(&shop, &args, &mut Witness::default()).await.unwrap_err();
    let failed = failed.downcast_ref::<JobFailed>().unwrap();
    assert_eq!(failed.code, "silo_failed");
    assert!(failed.message.contains("shop/orders"), "{failed}");
    assert_eq!(shop.names("out"), [""; 0]);

    args.on_silo_error = Some(OnSiloError::Partial);
    let summary = export(&shop, &args, &mut Witness::default()).await.unwrap().unwrap();
    assert_eq!(summary.exit(), Exit::Partial);
    assert!(summary.text().ends_with("PARTIAL: without shop/orders\n"), "{}", summary.text());
    assert_eq!(summary.json()["outcome"], "partial");
    let verdict = check(&args.out, Some(shop.public_key())).await.unwrap();
    assert!(verdict.trusted && verdict.outcome == "partial");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_person_gets_a_zip_without_rows() {
    let shop = Shop::new().await;
    let args = args(&shop, "nobody@example.org");
    let summary = export(&shop, &args, &mut Witness::default()).await.unwrap().unwrap();
    assert_eq!(summary.json()["rows"], 0);
    assert!(check(&args.out, Some(shop.public_key())).await.unwrap().trusted);
}
