//! Who remembers the figures that this process counts?

use std::sync::OnceLock;

use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Remembers from now on what this process counts, and returns what shows it. Figures that were found before stay uncounted.
///
/// `None` if the process has another recorder.
pub(super) fn recorder() -> Option<PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).ok()?;
            gauge!("antumbra_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            Some(handle)
        })
        .clone()
}

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
