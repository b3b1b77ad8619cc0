//! Which route does a method and a path name?

use std::fmt;

use http::{HeaderValue, Method, Request};
use matchit::Router as Tree;

use super::{ApiError, Query, RequestBody};
use crate::routes::Route;

/// A request on its way to its route's handler, without its body.
#[derive(Debug)]
pub(crate) struct Call {
    /// Method, headers, extensions.
    pub(crate) head: http::request::Parts,
    /// The parts of the path that the route leaves open.
    pub(crate) params: Params,
}

impl Call {
    /// Returns the query parameters.
    ///
    /// # Errors
    /// Malformed, when they cannot be decoded.
    pub(crate) fn query(&self) -> Result<Query, ApiError> {
        Query::parse(self.head.uri.query())
    }
}

/// The parts of a path that its route leaves open, undecoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Returns a part by name; empty when the route has no such part.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// Finds routes.
#[derive(Clone)]
pub(crate) struct Router(Tree<Vec<Route>>);

impl Router {
    /// Builds the tree of all routes.
    pub(crate) fn new(routes: &[Route]) -> Self {
        let mut tree = Tree::new();
        let mut patterns: Vec<&str> = routes.iter().map(|route| route.pattern()).collect();
        patterns.sort_unstable();
        patterns.dedup();
        for pattern in patterns {
            let methods = routes.iter().copied().filter(|route| route.pattern() == pattern);
            tree.insert(pattern, methods.collect())
                .expect("patterns are constants, and a test builds the tree");
        }
        Self(tree)
    }

    /// Finds the route of a request. HEAD is served by a GET route.
    ///
    /// # Errors
    /// Not found for an unknown path; method not allowed, with `Allow`, for a known path.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Result<(Route, Params), ApiError> {
        let found = self.0.at(path).map_err(|_| ApiError::not_found("path"))?;
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let Some(route) = found.value.iter().find(|route| route.method() == wanted) else {
            return Err(ApiError::method_not_allowed(allow(found.value)));
        };
        let params = found.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok((*route, Params(params.collect())))
    }

    /// Finds the route of a request and takes the request apart for it.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(crate) fn call(
        &self,
        request: Request<RequestBody>,
    ) -> Result<(Route, Call, RequestBody), ApiError> {
        let (route, params) = self.find(request.method(), request.uri().path())?;
        let (head, body) = request.into_parts();
        Ok((route, Call { head, params }, body))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

fn allow(routes: &[Route]) -> HeaderValue {
    let mut methods = Vec::new();
    for route in routes {
        methods.push(route.method().as_str());
        if route.method() == Method::GET {
            methods.push("HEAD");
        }
    }
    HeaderValue::try_from(methods.join(", ")).expect("method names are ASCII")
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn every_route_is_found_by_its_own_pattern() {
        let router = Router::new(&Route::ALL);
        for route in Route::ALL {
            let path = route.pattern().replace("{id}", "7");
            let (found, params) = router.find(route.method(), &path).unwrap();
            assert_eq!(found, route);
            assert_eq!(params.get("id"), if path == route.pattern() { "" } else { "7" });
        }
    }

    #[test]
    fn an_unknown_path_is_404_and_a_known_one_405() {
        let router = Router::new(&Route::ALL);
        for path in ["/", "/v1", "/v1/files/", "/v1/data-subject-request/a/b", "//health"] {
            let error = router.find(&Method::GET, path).unwrap_err();
            assert_eq!(error.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let error = router.find(&Method::DELETE, "/v1/files").unwrap_err();
        assert_eq!(error.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
