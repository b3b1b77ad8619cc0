//! Where do logs go? To stderr, as text or as JSON.

use std::io::{self, IsTerminal};

use antumbra_config::{Log, LogFormat, LogLevel};
use tracing_subscriber::EnvFilter;

/// Starts logging as the settings say. From then on a panic is logged by its place alone: its message may quote data.
///
/// # Errors
/// When logging was started before.
pub(crate) fn init(log: &Log) -> anyhow::Result<()> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(log.level)))
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    let started = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error))?;
    std::panic::set_hook(Box::new(|panic| match panic.location() {
        Some(at) => tracing::error!(file = at.file(), line = at.line(), "panic"),
        None => tracing::error!("panic"),
    }));
    Ok(())
}

/// Libraries speak from `warn` on only: at finer levels they quote what passes through them.
fn filter(level: LogLevel) -> String {
    let libraries = if level == LogLevel::Error { "error" } else { "warn" };
    format!("{libraries},antumbra={level}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_never_speak_below_warn() {
        for level in LogLevel::ALL {
            let filter = filter(*level);
            assert!(filter.starts_with("warn,") || filter.starts_with("error,"), "{filter}");
            assert!(filter.parse::<EnvFilter>().is_ok(), "{filter}");
        }
    }
}
