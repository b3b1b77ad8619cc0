//! `antumbra serve`: run the daemon until it is asked to stop.

use std::convert::Infallible;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::args::SettingsArgs;
use super::signals::Hangups;
use super::{Exit, Signals, logs, settings};
use crate::app::App;
use crate::clock;

/// Loads, builds, runs, drains.
pub(super) async fn serve(args: &SettingsArgs) -> anyhow::Result<Exit> {
    // First of all: from here on SIGHUP ends nobody.
    let hangups = Hangups::listen()?;
    let mut signals = Signals::listen()?;
    let heard = settings::load(args)?;
    logs::init(&heard.loaded.settings.log)?;
    let clock = clock::of_process();
    let app = tokio::select! {
        built = App::build(heard.loaded.settings, &heard.sources.environment, clock) => built?,
        // A KMS that does not answer may hold the start up for a while.
        signal = signals.next() => {
            tracing::info!(signal, "stopped before it was ready");
            return Ok(Exit::Done);
        }
    };
    let reload = app.reload_keys();
    let exit = tokio::select! {
        exit = run_until_signal(app, &mut signals) => exit?,
        never = reload_keys(hangups, &reload) => match never {},
    };
    tracing::info!("stopped");
    Ok(exit)
}

/// Asks for the key ring to be read again with every SIGHUP.
async fn reload_keys(mut hangups: Hangups, reload: &Notify) -> Infallible {
    loop {
        hangups.next().await;
        reload.notify_one();
    }
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
