//! What happens in the demo, in order?

use std::sync::Arc;

use antumbra_config::{Loaded, Sources};
use antumbra_jobs::SystemClock;
use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::directory::Directory;
use super::journey::{Journey, Received};
use super::postgres::Server;
use super::screen::Source;
use super::{prepare, screen};
use crate::app::App;
use crate::cli::{self, DemoArgs, DemoSilo, Exit, Signals, say};

/// Runs the demo.
///
/// # Errors
/// With the step that failed and why.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let environment = Sources::from_process(None, Vec::new()).environment;
    let directory = Directory::choose(args.dir.clone(), args.silo, &environment)?;
    say(format_args!("demo in {}", directory.root().display()))?;
    let mut signals = Signals::listen()?;
    let server = match args.silo {
        DemoSilo::Sqlite => None,
        DemoSilo::Postgres => Some(Server::start(&directory, &environment).await?),
    };
    let told = told(&args, &directory, environment, server.as_ref(), &mut signals).await;
    // However it went, and whoever asked to stop: nothing goes on running.
    let stopped = match server {
        Some(server) => server.stop().await,
        None => Ok(()),
    };
    let exit = told?;
    stopped.map(|()| exit)
}

/// Everything between the start of the source and its end.
async fn told(
    args: &DemoArgs,
    directory: &Directory,
    environment: Vec<(String, String)>,
    server: Option<&Server>,
    signals: &mut Signals,
) -> anyhow::Result<Exit> {
    let loaded = tokio::select! {
        loaded = prepared(directory, args, server, environment.clone()) => loaded?,
        signal = signals.next() => anyhow::bail!("{signal}: stopped before the shop was there"),
    };
    cli::init_logs(&loaded.settings.log)?;
    let tenant = loaded.settings.organization.tenant.clone();
    let app = App::build(loaded.settings, &environment, Arc::new(SystemClock)).await.context(
        "cannot start the daemon (a demo that still runs there? --port 0 takes a free port)",
    )?;
    prepare::api_key(directory, app.store().as_ref(), tenant.as_str()).await?;
    let url = format!("http://{}", app.address());
    say(format_args!("daemon    serving {url}"))?;

    let shutdown = CancellationToken::new();
    let mut running = Box::pin(app.run(shutdown.clone()));
    let mut journey = Box::pin(travel(directory, &url));
    let received = tokio::select! {
        received = &mut journey => received?,
        ended = &mut running => {
            ended?;
            anyhow::bail!("the daemon stopped before the bundle was there");
        }
        signal = signals.next() => {
            shutdown.cancel();
            running.await?;
            anyhow::bail!("{signal}: stopped before the bundle was there; the next demo goes on");
        }
    };
    let source = source(directory, server);
    say(screen::farewell(directory, &received, &source, &url, args.once)?)?;
    if !args.once {
        tokio::select! {
            ended = &mut running => return ended.map(|()| Exit::Done).map_err(Into::into),
            _ = signals.next() => say("stopping")?,
        }
    }
    shutdown.cancel();
    running.await?;
    Ok(Exit::Done)
}

/// Makes what is missing and loads the settings, so that a second run finds the first one's shop, keys and store.
async fn prepared(
    directory: &Directory,
    args: &DemoArgs,
    server: Option<&Server>,
    environment: Vec<(String, String)>,
) -> anyhow::Result<Loaded> {
    let shop = prepare::shop(directory, args.events);
    match server {
        None => shop.await?,
        Some(server) => server.fill(directory, shop).await?,
    }
    let hash = prepare::keys(directory).await?;
    prepare::settings(directory, &hash, args.silo)?;
    let flags = [
        ("listen.address", format!("127.0.0.1:{}", args.port)),
        // The story is told on stdout; the log speaks up when something is wrong.
        ("log.level", "warn".to_owned()),
    ];
    let heard = cli::hear(Sources {
        file: Some(directory.settings()),
        environment,
        flags: flags.map(|(key, value)| (key.to_owned(), value)).to_vec(),
        base: directory.root().to_owned(),
    })?;
    prepare::gateway_key_is_listed(directory, &heard.loaded.settings, &hash)?;
    prepare::silo_is(directory, &heard.loaded.settings, args.silo)?;
    Ok(heard.loaded)
}

/// What the last screen says of the source.
fn source(directory: &Directory, server: Option<&Server>) -> Source {
    match server {
        None => Source {
            path: directory.shop(),
            what: "the shop's database, read and never written".to_owned(),
            stays: true,
        },
        Some(server) => {
            Source { path: server.path().to_owned(), what: server.shown(), stays: false }
        }
    }
}

/// Everything a client does: ask, wait, download, verify.
async fn travel(directory: &Directory, url: &str) -> anyhow::Result<Received> {
    let journey = Journey::begin(directory, url)?;
    let request = journey.submit().await?;
    journey.wait(&request).await?;
    journey.receive(&request).await
}
