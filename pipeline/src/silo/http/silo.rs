//! The silo and its session.

use std::fmt;
use std::sync::Arc;

use antumbra_config::Endpoint;
use async_trait::async_trait;
use http::StatusCode;
use tokio_util::task::TaskTracker;

use super::address::Allowed;
use super::client::Client;
use super::connect::{Connector, Resolve, System};
use super::narrow::Narrow;
use super::pages::{Kept, Key, Pages};
use super::{read, template};
use crate::silo::{
    Batches, Cursor, Explained, Identifiers, SectionSource, SectionSpec, Session, Shape, Silo,
};
use crate::{SiloError, Value};

/// A REST service.
pub struct HttpSilo {
    shared: Arc<Shared>,
}

/// What sessions have in common.
struct Shared {
    base_url: String,
    max_pages: u32,
    client: Arc<Client>,
    tasks: TaskTracker,
}

impl HttpSilo {
    /// Reads secrets and certificates; nothing is connected yet.
    ///
    /// `environment` is [`Sources::environment`](antumbra_config::Sources::environment).
    ///
    /// # Errors
    /// What is wrong, by the name of the setting; nothing it holds.
    pub fn new(
        settings: &antumbra_config::HttpSilo,
        environment: &[(String, String)],
    ) -> Result<Self, String> {
        Self::with_resolver(settings, environment, Arc::new(System))
    }

    /// As [`new`](Self::new), with a way of its own to find addresses.
    pub(super) fn with_resolver(
        settings: &antumbra_config::HttpSilo,
        environment: &[(String, String)],
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, String> {
        let connector = Connector::new(resolver, Allowed::new(&settings.allow_private));
        let client = Client::new(settings, environment, connector)?;
        let shared = Shared {
            base_url: settings.base_url.clone(),
            max_pages: settings.max_pages.get(),
            client: Arc::new(client),
            tasks: TaskTracker::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Waits until no section is read any more.
    #[cfg(test)]
    pub(super) async fn finished(&self) {
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl fmt::Debug for HttpSilo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSilo").field("client", &self.shared.client).finish_non_exhaustive()
    }
}

#[async_trait]
impl Silo for HttpSilo {
    /// Connects to nothing: a service has no sessions.
    async fn connect(&self) -> Result<Box<dyn Session>, SiloError> {
        Ok(Box::new(HttpSession { shared: Arc::clone(&self.shared), kept: Kept::default() }))
    }
}

struct HttpSession {
    shared: Arc<Shared>,
    kept: Kept,
}

impl HttpSession {
    /// The pages of a section, and what they are called where pages are kept; `last`: they are read for good.
    fn pages(
        &self,
        section: &SectionSpec,
        known: &Identifiers,
        narrowed: bool,
        last: bool,
    ) -> Result<(Pages, Key), SiloError> {
        let endpoint = endpoint(section)?;
        let shared = &self.shared;
        let addresses = template::addresses(&shared.base_url, section, endpoint, known, narrowed)?;
        let key = Key::new(section, &addresses);
        let mut pages = Pages::new(&shared.client, endpoint, addresses, shared.max_pages);
        self.kept.serve(&key, last, &mut pages);
        Ok((pages, key))
    }
}

#[async_trait]
impl Session for HttpSession {
    async fn distinct(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        columns: &[String],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, SiloError> {
        let (mut pages, key) = self.pages(section, known, false, false)?;
        let (found, collected) = read::distinct(columns, limit, &mut pages).await?;
        if let Some(all) = collected.all() {
            self.kept.keep(key, all);
        }
        Ok(found)
    }

    async fn describe(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
    ) -> Result<Shape, SiloError> {
        let (mut pages, key) = self.pages(section, known, true, false)?;
        let requests = key.requests();
        let described = read::describe(section, endpoint(section)?, requests, &mut pages).await;
        let (shape, collected) = described?;
        if let Some(all) = collected.and_then(super::pages::Collected::all) {
            self.kept.keep(key, all);
        }
        Ok(shape)
    }

    async fn read(
        &mut self,
        section: &SectionSpec,
        known: &Identifiers,
        shape: &Shape,
        after: Option<Cursor>,
    ) -> Result<Batches, SiloError> {
        if after.is_some() {
            return Err(SiloError::ShapeChanged);
        }
        let (pages, _) = self.pages(section, known, true, true)?;
        let narrow = Narrow::new(section, endpoint(section)?);
        let shape = shape.clone();
        Ok(Batches::spawn(&self.shared.tasks, |sender| read::rows(narrow, shape, pages, sender)))
    }

    /// Asks whether the service answers, with a token where there is one, but for no data.
    async fn explain(
        &mut self,
        section: &SectionSpec,
        _known: &Identifiers,
    ) -> Result<Explained, SiloError> {
        let endpoint = endpoint(section)?;
        let base = self
            .shared
            .base_url
            .parse()
            .map_err(|_| SiloError::Settings { what: "base_url is no address".to_owned() })?;
        let status = Box::pin(self.shared.client.look(&base)).await?;
        let mut advice = Vec::new();
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            advice.push(format!(
                "base_url answered {}: see whether what `auth` names is still good",
                status.as_u16()
            ));
        } else if status.is_server_error() {
            advice.push(format!("base_url answered {}: the service may be down", status.as_u16()));
        }
        let names = template::names(endpoint);
        let plan = if names.is_empty() {
            vec!["one series of requests".to_owned()]
        } else {
            vec![format!("a series of requests for each value of {}", names.join(", "))]
        };
        Ok(Explained { statement: template::shown(endpoint), plan, rows: None, advice })
    }

    /// A service has no snapshot that could be shared; what was fetched is.
    async fn beside(&mut self) -> Result<Option<Box<dyn Session>>, SiloError> {
        let beside = Self { shared: Arc::clone(&self.shared), kept: self.kept.clone() };
        Ok(Some(Box::new(beside)))
    }
}

fn endpoint(section: &SectionSpec) -> Result<&Endpoint, SiloError> {
    match &section.source {
        SectionSource::Endpoint { endpoint } => Ok(endpoint),
        other => Err(other.is_strange_to("http")),
    }
}
