//! Which silos do settings describe?

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use antumbra_config::SiloKind;

use super::{Silo, postgres, sqlite};
use crate::SiloError;

/// The silos of settings by their names, ready to be connected. A clone shares them.
#[derive(Clone, Default)]
pub struct Silos {
    by_name: Arc<HashMap<String, Arc<dyn Silo>>>,
}

impl Silos {
    /// Makes every silo that settings describe; nothing is connected yet. Reads secrets and certificates, so it blocks.
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
                Ok(made) => Ok((name, made)),
                Err(what) => Err(SiloError::Settings { what: format!("silo {name}: {what}") }),
            }
        });
        made.collect()
    }

    /// Returns the silo of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Silo>> {
        self.by_name.get(name)
    }
}

impl FromIterator<(String, Arc<dyn Silo>)> for Silos {
    fn from_iter<I: IntoIterator<Item = (String, Arc<dyn Silo>)>>(silos: I) -> Self {
        Self { by_name: Arc::new(silos.into_iter().collect()) }
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
    }
}
