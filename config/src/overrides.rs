//! Environment variables and flags: texts that set one scalar each.

use std::collections::BTreeMap;

use figment::value::Value;

use crate::{
    Fault, Origin, Settings, Warning,
    path::{is_secret, split},
    suggest::nearest,
};

/// Holds one setting that a variable or flag sets.
#[derive(Debug)]
pub(crate) struct Override {
    pub(crate) path: String,
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// Holds what variables and flags say.
#[derive(Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) environment: Vec<Override>,
    pub(crate) flags: Vec<Override>,
    pub(crate) faults: Vec<Fault>,
    /// Variables that begin like ours and are none; allowed where a secret is in one.
    pub(crate) strays: Vec<String>,
}

/// Reads the variables that begin with `ANTUMBRA_`, and the flags.
pub(crate) fn read(environment: &[(String, String)], flags: &[(String, String)]) -> Overrides {
    let known = Known::new();
    let mut overrides = Overrides::default();
    for (name, text) in environment {
        if name.starts_with(PREFIX) && name != FILE {
            overrides.variable(name, text, &known);
        }
    }
    for (name, text) in flags {
        overrides.flag(name, text, &known);
    }
    overrides
}

/// Warns of a variable that begins like ours and is none.
pub(crate) fn stray_warning(name: &str) -> Option<Warning> {
    // Kubernetes sets such variables for a service that is called like the daemon.
    if ["ANTUMBRA_SERVICE_", "ANTUMBRA_PORT"].iter().any(|set| name.starts_with(set)) {
        return None;
    }
    Some(Warning {
        origin: Origin::Env { name: name.to_owned() },
        key: String::new(),
        message: "is no setting and is ignored (a setting is ANTUMBRA_<SECTION>__<KEY>)".to_owned(),
    })
}

impl Overrides {
    fn variable(&mut self, name: &str, text: &str, known: &Known) {
        let origin = Origin::Env { name: name.to_owned() };
        let (path, kind) = match known.variables.get(name) {
            Some(path) => (path.as_str(), known.settings.get(path)),
            None if name.starts_with("ANTUMBRA_SILO__") => ("silo", Some(&Kind::Silos)),
            None => {
                let meant = known
                    .variables
                    .keys()
                    .find(|variable| variable.replace("__", "_") == name.replace("__", "_"));
                if meant.is_none() && !name.trim_start_matches(PREFIX).contains("__") {
                    self.strays.push(name.to_owned());
                    return;
                }
                let near = nearest(name, known.variables.keys().map(String::as_str));
                self.unknown(origin, "", meant.map(String::as_str).or(near));
                return;
            }
        };
        match accept(path, kind, text, "an environment variable") {
            Ok(value) => self.environment.push(Override { path: path.to_owned(), value, origin }),
            Err(message) => self.faults.push(Fault { origin, key: path.to_owned(), message }),
        }
    }

    fn flag(&mut self, name: &str, text: &str, known: &Known) {
        let origin = Origin::Flag { name: name.to_owned() };
        let silo = name == "silo" || name.starts_with("silo.");
        let kind = if silo { Some(&Kind::Silos) } else { known.settings.get(name) };
        if kind.is_none() {
            let near = nearest(name, known.settings.keys().map(String::as_str));
            self.unknown(origin, name, near);
            return;
        }
        match accept(name, kind, text, "a flag") {
            Ok(value) => self.flags.push(Override { path: name.to_owned(), value, origin }),
            Err(message) => self.faults.push(Fault { origin, key: name.to_owned(), message }),
        }
    }

    fn unknown(&mut self, origin: Origin, key: &str, meant: Option<&str>) {
        let message = match meant {
            Some(meant) => format!("unknown setting, did you mean {meant}?"),
            None => "unknown setting".to_owned(),
        };
        self.faults.push(Fault { origin, key: key.to_owned(), message });
    }
}

/// Reads a text as what the setting's default is; what does not fit stays text, and typing reports it.
fn accept(path: &str, kind: Option<&Kind>, text: &str, source: &str) -> Result<Value, String> {
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err("expected UTF-8, found other bytes".to_owned());
    }
    match kind {
        Some(Kind::Boolean) => {
            Ok(text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from))
        }
        Some(Kind::Number) => {
            Ok(text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from))
        }
        Some(Kind::Text) => Ok(Value::from(text)),
        Some(Kind::Secret) => Err(format!(
            "expected one of {path}.file, {path}.env or {path}.credential, found a plain string (not shown)"
        )),
        Some(Kind::List) => Err(format!("expected a list in the settings file, found {source}")),
        Some(Kind::Silos) | None => {
            Err(format!("expected silos in the settings file, found {source}"))
        }
    }
}

/// Says what kind of text a setting takes.
#[derive(Debug)]
enum Kind {
    Boolean,
    Number,
    Text,
    List,
    Silos,
    Secret,
}

/// Knows every setting but silos, by dotted path and by variable.
struct Known {
    settings: BTreeMap<String, Kind>,
    variables: BTreeMap<String, String>,
}

impl Known {
    fn new() -> Self {
        let mut settings = BTreeMap::new();
        let defaults = Value::serialize(Settings::default()).ok();
        let sections = defaults.and_then(Value::into_dict).unwrap_or_default();
        for (section, keys) in sections {
            for (key, value) in keys.into_dict().unwrap_or_default() {
                let path = format!("{section}.{key}");
                let kind = match value {
                    Value::Bool(..) => Kind::Boolean,
                    Value::Num(..) => Kind::Number,
                    Value::Array(..) => Kind::List,
                    Value::Dict(..) if is_secret(&split(&path)) => Kind::Secret,
                    _ => Kind::Text,
                };
                if matches!(kind, Kind::Secret) {
                    for part in ["file", "env", "credential"] {
                        settings.insert(format!("{path}.{part}"), Kind::Text);
                    }
                }
                settings.insert(path, kind);
            }
        }
        let variables = settings.keys().map(|path| (variable(path), path.clone())).collect();
        Self { settings, variables }
    }
}

fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.to_uppercase().replace('.', "__"))
}

const PREFIX: &str = "ANTUMBRA_";
/// Names the settings file; the command line reads it, it is no setting.
const FILE: &str = "ANTUMBRA_CONFIG";
