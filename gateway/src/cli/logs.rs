//! Where do logs go? To stderr, as text or as JSON.

use std::io::{self, IsTerminal};

use antumbra_config::{Log, LogFormat, LogLevel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging as the settings say. From then on a panic is logged by its place alone: its message may quote data.
///
/// # Errors
/// When logging was started before.
pub(crate) fn init(log: &Log) -> anyhow::Result<()> {
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let lines = tracing_subscriber::registry().with(filter(log.level));
    let started = match log.format {
        LogFormat::Text => lines.with(layer).try_init(),
        LogFormat::Json => lines.with(layer.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error))?;
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(at) => tracing::error!(file = at.file(), line = at.line(), "panic"),
        None => tracing::error!("panic"),
    }));
    Ok(())
}

/// Changes the level for a command whose own lines tell what it does: then only what goes wrong is logged, unless settings ask
/// for more than usual.
pub(crate) fn quiet(log: &Log) -> Log {
    let level = if log.level == LogLevel::Info { LogLevel::Warn } else { log.level };
    Log { level, ..log.clone() }
}

/// Libraries speak from `warn` on only: at finer levels they quote what passes through them.
fn filter(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(ours.min(LevelFilter::WARN)).with_target("antumbra", ours)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_never_speak_below_warn() {
        for level in LogLevel::ALL {
            let filter = filter(*level);
            assert!(filter.would_enable("antumbra_pipeline::runner", &Level::ERROR));
            assert!(!filter.would_enable("hyper", &Level::INFO), "{level}");
        }
    }

    #[test]
    fn every_crate_of_ours_follows_the_setting() {
        for target in ["antumbra::http", "antumbra_pipeline::runner::worker", "antumbra_jobs"] {
            assert!(filter(LogLevel::Debug).would_enable(target, &Level::DEBUG), "{target}");
            assert!(!filter(LogLevel::Info).would_enable(target, &Level::DEBUG), "{target}");
        }
    }
}
