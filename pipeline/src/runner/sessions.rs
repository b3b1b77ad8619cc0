//! Which silo sessions does a run hold? One for each silo, so that all of its sections see one snapshot.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::SiloError;
use crate::silo::{Session, Silo};

/// The silos of one run, connected when they are first needed.
pub struct Sessions {
    silos: HashMap<String, Arc<dyn Silo>>,
    open: HashMap<String, Box<dyn Session>>,
}

impl Sessions {
    /// Names the silos of settings; nothing is connected yet.
    #[must_use]
    pub fn new(silos: &[antumbra_config::Silo]) -> Self {
        let silos = silos
            .iter()
            .map(|silo| (silo.name.as_str().to_owned(), crate::silo::open(silo)))
            .collect();
        Self { silos, open: HashMap::new() }
    }

    /// Returns a silo's session, connecting if there is none yet. A silo that failed to connect is tried again.
    ///
    /// # Errors
    /// As [`Silo::connect`]; [`SiloError::Missing`] for a name that settings do not have (any more).
    pub async fn of(&mut self, name: &str) -> Result<&mut dyn Session, SiloError> {
        if !self.open.contains_key(name) {
            let Some(silo) = self.silos.get(name) else {
                return Err(SiloError::Missing { what: format!("silo {name}") });
            };
            let session = silo.connect().await?;
            self.open.insert(name.to_owned(), session);
        }
        match self.open.get_mut(name) {
            Some(session) => Ok(session.as_mut()),
            None => Err(SiloError::Missing { what: format!("silo {name}") }),
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("open", &self.open.keys()).finish_non_exhaustive()
    }
}
