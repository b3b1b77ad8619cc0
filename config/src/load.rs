//! Loading: four layers, one answer. The only file that reads the process environment.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::Serialized,
    value::{Dict, Value},
};

use crate::{
    Faults, Origin, Settings, Warning,
    check::{check_tables, secret_variables},
    extract::extract,
    file::{self, File},
    keys::check_keys,
    origin::Places,
    overrides::{self, Override, Overrides, stray_warning},
    path::split,
    report::Report,
    settings::Tables,
    show,
    silo::check_silos,
};

/// Says what settings are loaded from.
#[derive(Clone, Default)]
pub struct Sources {
    /// The settings file, relative to `base`; `None` loads defaults, variables and flags only.
    pub file: Option<PathBuf>,
    /// The whole environment. Settings are the variables `ANTUMBRA_<SECTION>__<KEY>`; secrets may be in any.
    pub environment: Vec<(String, String)>,
    /// Dotted paths and what the command line set them to. A later one wins.
    pub flags: Vec<(String, String)>,
    /// What `file` is relative to, and without a file every path in the settings.
    pub base: PathBuf,
}

impl Sources {
    /// Takes the environment and the working directory of this process.
    ///
    /// Bytes that are not UTF-8 are replaced; a setting that holds such is a fault.
    pub fn from_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Self {
        let environment = std::env::vars_os()
            .map(|(name, value)| {
                (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
            })
            .collect();
        let base = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Self { file, environment, flags, base }
    }

    /// Names the folder that relative paths in the settings are relative to: the settings file's.
    pub fn root(&self) -> PathBuf {
        let file = self.file.as_ref().map(|file| self.base.join(file));
        file.as_deref().and_then(Path::parent).unwrap_or(&self.base).to_owned()
    }
}

/// Prints names only: values of variables and flags may be secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("environment", &names(&self.environment))
            .field("flags", &names(&self.flags))
            .field("base", &self.base)
            .finish()
    }
}

/// Holds loaded settings and where each came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings, checked, paths resolved.
    pub settings: Settings,
    /// Where each setting came from, by dotted path, silos and datapoints by name: `silo.shop.datapoint.orders.key`.
    pub origins: BTreeMap<String, Origin>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Warning>,
}

impl Loaded {
    /// Writes every setting as TOML with its origin as a comment. Secrets appear as references only.
    pub fn show(&self) -> String {
        show::show(&self.settings, &self.origins)
    }
}

/// Loads settings: defaults, then the file, then variables, then flags; later ones win.
///
/// Reads the settings file and nothing else: no secret, no silo. Blocks.
///
/// # Errors
/// [`Faults`] with everything that is wrong. A file that is not TOML is one fault, beside those of variables and flags.
pub fn load(sources: &Sources) -> Result<Loaded, Faults> {
    let mut report = Report::default();
    let file = read_file(sources, &mut report);
    // What follows from settings that could not be read is not worth a line.
    let unread = !report.faults.is_empty();
    let overrides = overrides::read(&sources.environment, &sources.flags);
    report.places = places(sources, &file, &overrides);
    for path in &file.dates {
        report.misfit(path, "a value of another type", "a date or time");
    }
    report.faults.extend(overrides.faults.iter().cloned());
    let Some(mut tables) = typed(file, &overrides, &mut report).filter(|_| !unread) else {
        return Err(Faults::new(report.faults));
    };
    check_tables(&tables, &mut report);
    let keys = check_keys(std::mem::take(&mut tables.keys), &mut report);
    let secrets: Vec<&str> = secret_variables(&keys, &tables.silo).collect();
    let strays = overrides.strays.iter().filter(|name| !secrets.contains(&name.as_str()));
    report.warnings.extend(strays.filter_map(|name| stray_warning(name)));
    let silo_tables = std::mem::take(&mut tables.silo);
    let silos = check_silos(silo_tables, &tables.organization.tenant, &mut report);
    if !report.faults.is_empty() {
        return Err(Faults::new(report.faults));
    }
    let mut settings = tables.with(keys, silos);
    settings.resolve_paths(&sources.root());
    let origins = show::origins(&settings, &report);
    Ok(Loaded { settings, origins, warnings: report.warnings })
}

fn read_file(sources: &Sources, report: &mut Report) -> File {
    let Some(name) = &sources.file else { return File::default() };
    let fault = |line, message| (Origin::File { path: name.clone(), line }, message);
    let parsed = match std::fs::read_to_string(sources.base.join(name)) {
        Ok(text) => file::parse(&text)
            .map_err(|error| fault(error.line, format!("is not TOML: {}", error.message))),
        Err(error) => Err(fault(0, format!("cannot be read: {error}"))),
    };
    parsed.unwrap_or_else(|(origin, message)| {
        report.fault_at(origin, &[], message);
        File::default()
    })
}

fn places(sources: &Sources, file: &File, overrides: &Overrides) -> Places {
    let set = overrides.environment.iter().chain(&overrides.flags);
    Places {
        file: sources.file.clone(),
        lines: file.lines.clone(),
        overrides: set.map(|set| (split(&set.path), set.origin.clone())).collect(),
    }
}

/// Types what the layers hold together. `None` if that is hopeless; the report then says why.
fn typed(file: File, overrides: &Overrides, report: &mut Report) -> Option<Tables> {
    match layered(file, overrides) {
        Ok(tree) => extract(tree.into(), report),
        Err(_) => {
            report.fault(&[], "the layers cannot be put together".to_owned());
            None
        }
    }
}

/// Puts the layers on top of each other.
///
/// A reference to a secret is replaced whole: `{ file }` below and `{ env }` above are not both meant.
fn layered(file: File, overrides: &Overrides) -> Result<Dict, Unmerged> {
    let defaults = Value::serialize(Settings::default())?.into_dict().unwrap_or_default();
    let layers =
        [defaults, file.values, as_dict(&overrides.environment)?, as_dict(&overrides.flags)?];
    let mut merged = Figment::new();
    for mut layer in layers {
        if root_reference(&mut layer).is_some() {
            let mut below: Dict = merged.extract()?;
            if let Some(keys) = root_reference(&mut below) {
                keys.remove("root");
            }
            merged = Figment::from(Serialized::defaults(below));
        }
        merged = merged.merge(Serialized::defaults(layer));
    }
    Ok(merged.extract()?)
}

fn as_dict(set: &[Override]) -> Result<Dict, Unmerged> {
    let mut merged = Figment::new();
    for one in set {
        merged = merged.merge(Serialized::default(&one.path, &one.value));
    }
    Ok(merged.extract()?)
}

/// Says that figment would not merge. Carries nothing: what figment says may quote a value.
struct Unmerged;

impl From<figment::Error> for Unmerged {
    fn from(_: figment::Error) -> Self {
        Self
    }
}

/// Returns `[keys]` if it holds `root`.
fn root_reference(layer: &mut Dict) -> Option<&mut Dict> {
    match layer.get_mut("keys") {
        Some(Value::Dict(_, keys)) if keys.contains_key("root") => Some(keys),
        _ => None,
    }
}
