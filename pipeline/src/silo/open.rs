//! Which silos do settings describe?

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use antumbra_config::{SiloKind, SiloLimits};

use super::guarded::{Guard, Guarded};
use super::{Silo, SiloState, adbc, files, http, mysql, postgres, sqlite};
use crate::SiloError;

/// The silos of settings by their names, ready to be connected. A clone shares them.
#[derive(Clone, Default)]
pub struct Silos {
    by_name: Arc<HashMap<String, Entry>>,
}

struct Entry {
    silo: Arc<dyn Silo>,
    guard: Option<Arc<Guard>>,
}

impl Silos {
    /// Makes every silo that settings describe; nothing is connected yet. Reads secrets and certificates, so it blocks.
    ///
    /// Each is behind a guard that keeps its `[silo.limits]` for whoever shares these silos: connecting waits for a free connection,
    /// rows wait for the budgets, and a silo that failed again and again is left alone for a while.
    ///
    /// `environment` is [`Sources::environment`](antumbra_config::Sources::environment).
    ///
    /// # Errors
    /// [`SiloError::Settings`]: a secret that cannot be read, a URL that is not one, a certificate that is none. It names the
    /// silo and the parameter, never what they hold.
    pub fn open(
        settings: &[antumbra_config::Silo],
        environment: &[(String, String)],
    ) -> Result<Self, SiloError> {
        let made = settings.iter().map(|silo| {
            let name = silo.name.as_str().to_owned();
            match open(silo, environment) {
                Ok(made) => {
                    let guard = Arc::new(Guard::new(silo));
                    let made = Arc::new(Guarded::new(made, Arc::clone(&guard)));
                    Ok((name, Entry { silo: made, guard: Some(guard) }))
                }
                Err(what) => Err(SiloError::Settings { what: format!("silo {name}: {what}") }),
            }
        });
        Ok(Self { by_name: Arc::new(made.collect::<Result<_, _>>()?) })
    }

    /// Returns the silo of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Silo>> {
        self.by_name.get(name).map(|entry| &entry.silo)
    }

    /// Returns what settings allow to be asked of a silo; the usual limits if it came without settings.
    #[must_use]
    pub fn limits(&self, name: &str) -> SiloLimits {
        let guard = self.by_name.get(name).and_then(|entry| entry.guard.as_ref());
        guard.map_or_else(SiloLimits::default, |guard| guard.limits().clone())
    }

    /// Says how each silo of settings is doing, as far as this process knows, by name.
    #[must_use]
    pub fn states(&self) -> Vec<SiloState> {
        let guards = self.by_name.values().filter_map(|entry| entry.guard.as_ref());
        let mut states: Vec<SiloState> = guards.map(|guard| guard.state()).collect();
        states.sort_by(|a, b| a.name.cmp(&b.name));
        states
    }
}

/// Silos without a guard: no limits of settings hold.
impl FromIterator<(String, Arc<dyn Silo>)> for Silos {
    fn from_iter<I: IntoIterator<Item = (String, Arc<dyn Silo>)>>(silos: I) -> Self {
        let entries = silos.into_iter().map(|(name, silo)| (name, Entry { silo, guard: None }));
        Self { by_name: Arc::new(entries.collect()) }
    }
}

impl fmt::Debug for Silos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&String> = self.by_name.keys().collect();
        names.sort();
        f.debug_tuple("Silos").field(&names).finish()
    }
}

/// The error says what is wrong, without what it holds.
fn open(
    silo: &antumbra_config::Silo,
    environment: &[(String, String)],
) -> Result<Arc<dyn Silo>, String> {
    match &silo.kind {
        SiloKind::Sqlite { path, busy_timeout } => {
            Ok(Arc::new(sqlite::SqliteSilo::new(path.clone(), busy_timeout.duration())))
        }
        SiloKind::Postgres { url, connect_timeout, statement_timeout, lock_timeout } => {
            let url = url.resolve(environment).map_err(|error| format!("url: {error}"))?;
            let limits = postgres::Limits {
                connect: connect_timeout.duration(),
                statement: statement_timeout.duration(),
                lock: lock_timeout.duration(),
            };
            Ok(Arc::new(postgres::PostgresSilo::new(url.expose(), limits)?))
        }
        SiloKind::Mysql { url, connect_timeout, statement_timeout, lock_timeout } => {
            let url = url.resolve(environment).map_err(|error| format!("url: {error}"))?;
            let limits = mysql::Limits {
                connect: connect_timeout.duration(),
                statement: statement_timeout.duration(),
                lock: lock_timeout.duration(),
            };
            Ok(Arc::new(mysql::MysqlSilo::new(url.expose(), limits)?))
        }
        SiloKind::Http(settings) => Ok(Arc::new(http::HttpSilo::new(settings, environment)?)),
        SiloKind::Files(silo) => Ok(Arc::new(files::FilesSilo::new(silo, environment)?)),
        SiloKind::Adbc(settings) => Ok(Arc::new(adbc::AdbcSilo::new(settings, environment)?)),
    }
}
