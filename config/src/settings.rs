//! All settings together.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    Compliance, Data, Export, Gateway, Keys, Listen, Log, Metrics, Organization, Silo, Sombra,
    Worker, keys::KeysTable, silo::SiloTable,
};

/// Holds every setting, checked. Fields are named and nested as in `antumbra.toml`; `REFERENCE.md` lists them.
///
/// `Settings::default()` is what an empty file gives, before paths are resolved. Holds no secret, only references.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// `[listen]`: the listener, its TLS and its limits.
    pub listen: Listen,
    /// `[data]`: where the daemon keeps what is its own.
    pub data: Data,
    /// `[organization]`: whose gateway this is.
    pub organization: Organization,
    /// `[keys]`: where the keys are.
    pub keys: Keys,
    /// `[gateway]`: who is let into the Sombra routes.
    pub gateway: Gateway,
    /// `[sombra]`: where published Sombra clients disagree.
    pub sombra: Sombra,
    /// `[compliance]`: the routes under `/v1/compliance`.
    pub compliance: Compliance,
    /// `[export]`: what an export holds and how long it lives.
    pub export: Export,
    /// `[worker]`: how jobs are worked on.
    pub worker: Worker,
    /// `[metrics]`: where a monitoring system reads how the daemon does.
    pub metrics: Metrics,
    /// `[log]`: what is logged and how.
    pub log: Log,
    /// `[[silo]]`: the systems that hold data, in the order of the file, names unique after case folding.
    #[serde(rename = "silo", skip_serializing_if = "Vec::is_empty")]
    pub silos: Vec<Silo>,
}

impl Settings {
    /// Makes every relative path relative to `root`.
    pub(crate) fn resolve_paths(&mut self, root: &Path) {
        self.listen.resolve_paths(root);
        self.data.directory = root.join(&self.data.directory);
        self.keys.resolve_paths(root);
        for silo in &mut self.silos {
            silo.resolve_paths(root);
        }
    }
}

/// Takes what the layers hold: every value typed, nothing yet compared with anything else.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct Tables {
    pub(crate) listen: Listen,
    pub(crate) data: Data,
    pub(crate) organization: Organization,
    pub(crate) keys: KeysTable,
    pub(crate) gateway: Gateway,
    pub(crate) sombra: Sombra,
    pub(crate) compliance: Compliance,
    pub(crate) export: Export,
    pub(crate) worker: Worker,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) silo: Vec<SiloTable>,
}

impl Tables {
    /// Puts the sections and what was checked of the others together.
    pub(crate) fn with(self, keys: Keys, silos: Vec<Silo>) -> Settings {
        Settings {
            listen: self.listen,
            data: self.data,
            organization: self.organization,
            keys,
            gateway: self.gateway,
            sombra: self.sombra,
            compliance: self.compliance,
            export: self.export,
            worker: self.worker,
            metrics: self.metrics,
            log: self.log,
            silos,
        }
    }
}
