//! Which routes are there?

use std::sync::Arc;

use http::{Method, Response};

use super::{files, health, public_key, sombra};
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
}

impl Route {
    /// Every route.
    pub(crate) const ALL: [Self; 6] =
        [Self::Health, Self::PublicKey, Self::Submit, Self::Poll, Self::DownloadKeys, Self::Files];

    /// Returns the method; a GET route serves HEAD, too.
    pub(crate) const fn method(self) -> &'static Method {
        match self {
            Self::Health | Self::PublicKey | Self::Poll | Self::DownloadKeys | Self::Files => {
                &Method::GET
            }
            Self::Submit => &Method::POST,
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
