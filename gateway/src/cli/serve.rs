//! `antumbra serve`: run the daemon until it is asked to stop.

use tokio_util::sync::CancellationToken;

use super::args::SettingsArgs;
use super::{Exit, Signals, logs, settings};
use crate::app::App;
use crate::clock;

/// Loads, builds, runs, drains.
pub(super) async fn serve(args: &SettingsArgs) -> anyhow::Result<Exit> {
    let heard = settings::load(args)?;
    logs::init(&heard.loaded.settings.log)?;
    let mut signals = Signals::listen()?;
    let clock = clock::of_process();
    let app = App::build(heard.loaded.settings, &heard.sources.environment, clock).await?;
    let exit = run_until_signal(app, &mut signals).await?;
    tracing::info!("stopped");
    Ok(exit)
}

/// Runs the daemon until a signal asks it to stop, then until it has drained. A second signal does not wait for that.
async fn run_until_signal(app: App, signals: &mut Signals) -> anyhow::Result<Exit> {
    let shutdown = CancellationToken::new();
    let mut running = Box::pin(app.run(shutdown.clone()));
    tokio::select! {
        ended = &mut running => return ended.map(|()| Exit::Done).map_err(Into::into),
        signal = signals.next() => tracing::info!(signal, "stopping"),
    }
    shutdown.cancel();
    tokio::select! {
        ended = &mut running => ended?,
        signal = signals.next() => anyhow::bail!("{signal} while draining: stopped at once"),
    }
    Ok(Exit::Done)
}
