//! How does the daemon that runs stand with its silos? It is asked for its figures, if settings say where it shows them.

use std::collections::BTreeMap;
use std::time::Duration;

use antumbra_config::Metrics;
use serde::Serialize;

use crate::cli::HttpClient;
use crate::cli::healthcheck::reachable;
use crate::cli::words::{plural, span};
use crate::tls::Trust;

/// What a daemon's figures say, silo by silo.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Daemon(BTreeMap<String, BTreeMap<String, u64>>);

/// What they say of one silo.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standing<'s> {
    silo: &'s str,
    /// Whose count this is.
    process: &'static str,
    circuit: &'static str,
    /// How often it was opened since the daemon started.
    circuit_opened: u64,
    connections: u64,
    connections_waiting: u64,
    sections_reading: u64,
    budget_waits: u64,
    budget_wait_millis: u64,
}

impl Daemon {
    /// Asks the daemon of these settings; `None` if they do not say where, or nobody answers there.
    pub(super) async fn ask(metrics: &Metrics) -> Option<Self> {
        let url = format!("http://{}", reachable(metrics.listen?));
        // Nothing is sent that is secret, and nothing that is answered is.
        let client = HttpClient::even_in_clear(&url, &Trust::Machine).ok()?;
        let text = client.get("/metrics").await.ok()?.success("no figures").ok()?;
        Some(Self::read(&text))
    }

    /// Takes the figures of silos from Prometheus' text; what else is there is passed over.
    fn read(text: &str) -> Self {
        let mut silos = BTreeMap::<String, BTreeMap<String, u64>>::new();
        for line in text.lines() {
            let Some((figure, silo, value)) = figure(line) else { continue };
            silos.entry(silo.to_owned()).or_default().insert(figure.to_owned(), value);
        }
        Self(silos)
    }

    /// Returns what is known of a silo; `None` if that daemon has no silo of this name.
    pub(super) fn of<'s>(&self, silo: &'s str) -> Option<Standing<'s>> {
        let figures = self.0.get(silo)?;
        let figure = |name: &str| figures.get(name).copied().unwrap_or_default();
        Some(Standing {
            silo,
            process: "the daemon",
            circuit: match figures.get("circuit") {
                Some(0) => "closed",
                Some(1) => "trying",
                Some(_) => "open",
                None => "unknown",
            },
            circuit_opened: figure("circuit_opened_total"),
            connections: figure("connections"),
            connections_waiting: figure("connections_waiting"),
            sections_reading: figure("sections_reading"),
            budget_waits: figure("budget_waits_total"),
            budget_wait_millis: figure("budget_wait_milliseconds_total"),
        })
    }
}

impl Standing<'_> {
    /// Words it in a line.
    pub(super) fn text(&self) -> String {
        let circuit = match self.circuit {
            "trying" => "being tried",
            word => word,
        };
        format!(
            "  daemon circuit {circuit}, opened {} since it started; {} in use, {} for one; {} for a budget, {} together",
            plural(self.circuit_opened, "time"),
            plural(self.connections, "connection"),
            plural(self.connections_waiting, "wait"),
            plural(self.budget_waits, "wait"),
            span(Duration::from_millis(self.budget_wait_millis)),
        )
    }
}

/// Reads a line such as `antumbra_silo_rows_total{silo="shop",type="sqlite"} 7`.
fn figure(line: &str) -> Option<(&str, &str, u64)> {
    let (name, rest) = line.strip_prefix("antumbra_silo_")?.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    // Names of silos need no escapes.
    let silo = labels.split(',').find_map(|label| {
        label.strip_prefix("silo=\"").and_then(|label| label.strip_suffix('"'))
    })?;
    let whole = value.split('.').next()?;
    Some((name, silo, whole.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_daemon_are_told_silo_by_silo() {
        let daemon = Daemon::read(
            "# TYPE antumbra_silo_circuit gauge\n\
             antumbra_silo_circuit{silo=\"shop\",type=\"sqlite\"} 2\n\
             antumbra_silo_circuit{silo=\"crm\",type=\"postgres\"} 0\n\
             antumbra_silo_circuit_opened_total{silo=\"shop\",type=\"sqlite\"} 3\n\
             antumbra_silo_connections{silo=\"shop\",type=\"sqlite\"} 1.0\n\
             antumbra_silo_failures_total{silo=\"shop\",type=\"sqlite\",code=\"silo_missing\"} 9\n\
             antumbra_silo_budget_waits_total{type=\"sqlite\",silo=\"shop\"} 2\n\
             antumbra_silo_budget_wait_milliseconds_total{silo=\"shop\",type=\"sqlite\"} 61500\n\
             other{silo=\"shop\"} 7\nantumbra_silo_circuit 5\n",
        );
        assert_eq!(
            daemon.of("shop").unwrap().text(),
            "  daemon circuit open, opened 3 times since it started; 1 connection in use, 0 waits for one; 2 waits for a \
             budget, 1 min 1 s together"
        );
        assert_eq!(daemon.of("crm").unwrap().circuit, "closed");
        assert!(daemon.of("hr").is_none());
    }

    #[tokio::test]
    async fn a_daemon_that_does_not_run_tells_nothing() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listen = Some(free.local_addr().unwrap());
        drop(free);
        let metrics = Metrics { listen, ..Metrics::default() };
        assert!(Daemon::ask(&metrics).await.is_none());
        assert!(Daemon::ask(&Metrics::default()).await.is_none());
    }
}
