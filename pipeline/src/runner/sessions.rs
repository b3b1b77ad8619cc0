//! Which silo sessions does a run hold? One for each silo, so that all of its sections see one snapshot.

use std::collections::HashMap;
use std::fmt;

use crate::SiloError;
use crate::silo::{Session, Silos};

/// The silos of one run, connected when they are first needed.
pub struct Sessions {
    silos: Silos,
    open: HashMap<String, Box<dyn Session>>,
}

impl Sessions {
    /// Knows the silos of settings; nothing is connected yet.
    #[must_use]
    pub fn new(silos: &Silos) -> Self {
        Self { silos: silos.clone(), open: HashMap::new() }
    }

    /// Returns a silo's session, connecting if there is none yet. A silo that failed to connect is tried again.
    ///
    /// # Errors
    /// As [`Silo::connect`](crate::silo::Silo::connect); [`SiloError::Missing`] for a name that settings do not have (any more).
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

    /// Drops a silo's session, so that the next use connects anew, to another snapshot; says whether there was one.
    pub fn forget(&mut self, name: &str) -> bool {
        self.open.remove(name).is_some()
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("open", &self.open.keys()).finish_non_exhaustive()
    }
}
