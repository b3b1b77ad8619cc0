//! Which silo do settings describe?

use std::sync::Arc;

use antumbra_config::SiloKind;

use super::{Silo, sqlite};

/// Makes the silo that settings describe.
#[must_use]
pub fn open(settings: &antumbra_config::Silo) -> Arc<dyn Silo> {
    match &settings.kind {
        SiloKind::Sqlite { path, busy_timeout } => {
            Arc::new(sqlite::SqliteSilo::new(path.clone(), busy_timeout.duration()))
        }
    }
}
