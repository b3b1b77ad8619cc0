//! Which routes are there?

use std::sync::Arc;

use antumbra_config::Settings;
use http::{Method, Response};

use super::{compliance, files, health, public_key, sombra};
use crate::http::{ApiError, Body, Call, RequestBody, Shared};

/// A route. Handlers ask for keys themselves; those that need none say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Says whether the daemon can work.
    Health,
    /// The key that signatures are checked with.
    PublicKey,
    /// Submits a request.
    Submit,
    /// Says where a request stands.
    Poll,
    /// Lists what can be downloaded, each with a key.
    DownloadKeys,
    /// Sends what a download key opens.
    Files,
    /// Creates a compliance job.
    ComplianceCreate,
    /// Lists compliance jobs.
    ComplianceList,
    /// Says where a compliance job stands.
    ComplianceGet,
    /// Does a compliance job while the caller waits.
    ComplianceRun,
    /// Sends what a compliance job exported.
    ComplianceDownload,
    /// Stops a compliance job.
    ComplianceCancel,
}

impl Route {
    /// Every route.
    pub(crate) const ALL: [Self; 12] = [
        Self::Health,
        Self::PublicKey,
        Self::Submit,
        Self::Poll,
        Self::DownloadKeys,
        Self::Files,
        Self::ComplianceCreate,
        Self::ComplianceList,
        Self::ComplianceGet,
        Self::ComplianceRun,
        Self::ComplianceDownload,
        Self::ComplianceCancel,
    ];

    /// Returns the routes that settings let exist.
    pub(crate) fn served(settings: &Settings) -> Vec<Self> {
        let served = |route: &Self| settings.compliance.enabled || !route.is_compliance();
        Self::ALL.into_iter().filter(served).collect()
    }

    /// Says whether the answer to a call comes when a job ended, so that no deadline fits it.
    pub(crate) fn waits(method: &Method, path: &str) -> bool {
        let inside =
            path.strip_prefix("/v1/compliance/dsar/").and_then(|rest| rest.strip_suffix("/run"));
        method == Method::POST && inside.is_some_and(|id| !id.contains('/'))
    }

    const fn is_compliance(self) -> bool {
        matches!(
            self,
            Self::ComplianceCreate
                | Self::ComplianceList
                | Self::ComplianceGet
                | Self::ComplianceRun
                | Self::ComplianceDownload
                | Self::ComplianceCancel
        )
    }

    /// Returns the method; a GET route serves HEAD, too.
    pub(crate) const fn method(self) -> &'static Method {
        match self {
            Self::Health
            | Self::PublicKey
            | Self::Poll
            | Self::DownloadKeys
            | Self::Files
            | Self::ComplianceList
            | Self::ComplianceGet
            | Self::ComplianceDownload => &Method::GET,
            Self::Submit
            | Self::ComplianceCreate
            | Self::ComplianceRun
            | Self::ComplianceCancel => &Method::POST,
        }
    }

    /// Returns the path's pattern; also how logs and metrics name the route.
    pub(crate) const fn pattern(self) -> &'static str {
        match self {
            Self::Health => "/health",
            Self::PublicKey => "/public-keys/sombra-general-signing-key",
            Self::Submit => "/v1/data-subject-request",
            Self::Poll => "/v1/data-subject-request/{id}",
            Self::DownloadKeys => "/v1/data-subject-request/{id}/download-keys",
            Self::Files => "/v1/files",
            Self::ComplianceCreate | Self::ComplianceList => "/v1/compliance/dsar",
            Self::ComplianceGet => "/v1/compliance/dsar/{id}",
            Self::ComplianceRun => "/v1/compliance/dsar/{id}/run",
            Self::ComplianceDownload => "/v1/compliance/dsar/{id}/download",
            Self::ComplianceCancel => "/v1/compliance/dsar/{id}/cancel",
        }
    }

    /// Answers a call.
    ///
    /// # Errors
    /// The handler's.
    pub(crate) async fn handle(
        self,
        shared: Arc<Shared>,
        call: &Call,
        body: RequestBody,
    ) -> Result<Response<Body>, ApiError> {
        match self {
            Self::Health => health::handle(&shared).await,
            Self::PublicKey => Ok(public_key::handle(&shared)),
            Self::Submit => sombra::submit(&shared, call, body).await,
            Self::Poll => sombra::poll(&shared, call).await,
            Self::DownloadKeys => sombra::download_keys(&shared, call).await,
            Self::Files => files::handle(shared, call).await,
            Self::ComplianceCreate => compliance::create(&shared, call, body).await,
            Self::ComplianceList => compliance::list(&shared, call).await,
            Self::ComplianceGet => compliance::get(&shared, call).await,
            Self::ComplianceRun => compliance::run(shared, call).await,
            Self::ComplianceDownload => compliance::download(shared, call).await,
            Self::ComplianceCancel => compliance::cancel(&shared, call).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_waits() {
        for route in Route::ALL {
            let path = route.pattern().replace("{id}", "dsar%3A7");
            let waits = Route::waits(route.method(), &path);
            assert_eq!(waits, route == Route::ComplianceRun, "{path}");
        }
        assert!(!Route::waits(&Method::GET, "/v1/compliance/dsar/dsar:7/run"));
    }

    /// The file is YAML; what the test needs of it stands at fixed indents.
    #[test]
    fn the_openapi_file_lists_exactly_the_routes() {
        let file = include_str!("../../openapi.yaml");
        let mut listed = Vec::new();
        let mut path = "";
        for line in file.lines() {
            if let Some(found) = line.strip_prefix("  /") {
                path = found.trim_end_matches(':');
            } else if let Some(method @ ("get:" | "post:")) = line.strip_prefix("    ") {
                listed.push(format!("{} /{path}", method.trim_end_matches(':').to_uppercase()));
            }
        }
        let mut routes: Vec<_> = Route::ALL
            .iter()
            .map(|route| format!("{} {}", route.method(), route.pattern()))
            .collect();
        listed.sort();
        routes.sort();
        assert_eq!(listed, routes);
    }
}
