//! What does `antumbra export` do, in order?

use std::path::PathBuf;
use std::sync::Arc;

use antumbra_config::Settings;
use antumbra_crypto::KeyRing;
use antumbra_jobs::NewRequest;
use antumbra_pipeline::silo::Silos;
use anyhow::bail;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::drive::{JobFailed, drive, engine};
use super::summary::Summary;
use super::workspace::Workspace;
use super::write::write;
use crate::app;
use crate::cli::args::ExportArgs;
use crate::cli::plan::expected;
use crate::cli::progress::{Screen, Watch};
use crate::cli::selection::{Selection, formats};
use crate::cli::unfinished::Unfinished;
use crate::cli::{Exit, Signals, logs, note, say, settings};

/// Exports, shows how far it is, and says what came of it.
pub(in crate::cli) async fn export(args: &ExportArgs) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?.and_hangup()?;
    let heard = settings::load(&args.settings)?;
    logs::init(&logs::quiet(&heard.loaded.settings.log))?;
    let order = Order::read(args, heard.loaded.settings, &heard.sources.environment).await?;
    let mut screen = Screen::new(args.json)?;
    let stop = CancellationToken::new();
    let mut working = Box::pin(run(order, &mut screen, &stop));
    let ended = tokio::select! {
        ended = &mut working => ended,
        signal = signals.next() => {
            note(format_args!("{signal}: stopping"));
            stop.cancel();
            tokio::select! {
                ended = &mut working => ended,
                signal = signals.next() => bail!("{signal} again: stopped without cleaning up"),
            }
        }
    };
    drop(working);
    screen.end();
    tell(ended, args.json)
}

/// Says what came of it, and returns the code to end with.
fn tell(ended: anyhow::Result<Option<Summary>>, as_json: bool) -> anyhow::Result<Exit> {
    match ended {
        Ok(Some(summary)) if as_json => {
            say(summary.json())?;
            Ok(summary.exit())
        }
        Ok(Some(summary)) => {
            say(summary.text().trim_end())?;
            Ok(summary.exit())
        }
        Ok(None) => {
            if as_json {
                say(json!({ "event": "result", "outcome": "interrupted" }))?;
            }
            note("antumbra: interrupted; nothing was written");
            Ok(Exit::Interrupted)
        }
        Err(error) => {
            if as_json {
                let failed = error.downcast_ref::<JobFailed>();
                say(json!({
                    "event": "result",
                    "outcome": "failed",
                    "code": failed.map(|failed| &failed.code),
                    "message": format!("{error:#}"),
                }))?;
            }
            Err(error)
        }
    }
}

/// What is to be done, checked before anything is written.
#[derive(Debug)]
pub(super) struct Order {
    /// The settings, changed to what one export needs.
    pub(super) settings: Settings,
    /// Keys to seal and sign with.
    pub(super) ring: KeyRing,
    /// Where the data is.
    pub(super) silos: Silos,
    /// What is asked.
    pub(super) request: NewRequest,
    /// Where the zip is to be.
    pub(super) out: PathBuf,
    /// Whether a zip that is there is replaced.
    pub(super) force: bool,
}

impl Order {
    /// Checks flags and opens keys.
    ///
    /// # Errors
    /// What is wrong with flags, keys or secrets of silos.
    pub(super) async fn read(
        args: &ExportArgs,
        mut settings: Settings,
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let mut selection = Selection::read(&args.selection, &settings)?;
        selection.bind(expected(&args.bound)?);
        let formats = formats(&args.formats, &settings);
        if let Some(policy) = args.on_silo_error {
            settings.export.on_silo_error = policy;
        }
        let ring = app::open_ring(&settings.keys, environment).await?;
        let silos = Silos::open(&settings.silos, environment)?;
        let request = selection.to_record(formats);
        Ok(Self { settings, ring, silos, request, out: args.out.clone(), force: args.force })
    }
}

/// Exports into a file that appears complete or not at all; leaves nothing else behind. `None`: `stop` came first.
///
/// # Errors
/// [`JobFailed`]; whatever else went wrong, in a chain.
pub(super) async fn run(
    order: Order,
    watch: &mut dyn Watch,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Summary>> {
    let Order { settings, ring, silos, request, out, force } = order;
    let (unfinished, file) = Unfinished::create(&out, force)?;
    let workspace = Workspace::beside(&out)?;
    let engine = engine(settings, ring, silos, &workspace)?;
    let ended = async {
        let Some(job) = drive(&engine, request, watch, stop).await? else { return Ok(None) };
        let bundle = engine.open_bundle(&job).await?;
        if !write(&bundle, &job.progress, file, watch, stop).await? {
            return Ok(None);
        }
        let published = engine.store().published(job.id).await?;
        let (Some(published), Some(delivery)) = (published, job.delivery) else {
            bail!("the job ended without a bundle: {}", job.state);
        };
        let summary = Summary::of(&out, &published, delivery)?;
        unfinished.finish()?;
        Ok(Some(summary))
    };
    let ended = Box::pin(ended).await;
    // The store closes its files before they go.
    drop(Arc::into_inner(engine));
    let removed = workspace.remove();
    let ended = ended?;
    removed?;
    Ok(ended)
}
