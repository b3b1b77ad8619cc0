//! The report that faults go to: by the path of the setting, with the place of each.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Fault, Origin, Warning,
    origin::Places,
    path::{Names, dotted},
};

/// Collects faults and warnings by the path of the setting, and knows the place of each path.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) places: Places,
    pub(crate) names: Names,
    pub(crate) faults: Vec<Fault>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) removed: Removed,
    faulted: BTreeSet<Vec<String>>,
}

impl Report {
    /// Reports what was expected and what was found at a path.
    pub(crate) fn misfit(&mut self, path: &[String], expected: &str, found: &str) {
        self.fault(path, format!("expected {expected}, found {found}"));
    }

    /// Reports a fault at a path.
    pub(crate) fn fault(&mut self, path: &[String], message: String) {
        let path = self.removed.original(path);
        self.fault_at(self.places.near(&path), &path, message);
    }

    /// Reports a fault at a path whose place is known better.
    pub(crate) fn fault_at(&mut self, origin: Origin, path: &[String], message: String) {
        self.faults.push(Fault { origin, key: dotted(path, &self.names), message });
        self.faulted.insert(path.to_vec());
    }

    /// Warns of the setting at a path.
    pub(crate) fn warn(&mut self, path: &[String], message: String) {
        let (origin, key) = (self.places.near(path), dotted(path, &self.names));
        self.warnings.push(Warning { origin, key, message });
    }

    /// Warns of a setting of a datapoint that is known by name.
    pub(crate) fn warn_datapoint(&mut self, names: (&str, &str), rest: &[&str], message: String) {
        let silo = self.names.iter().position(|(name, _)| is(name.as_ref(), names.0));
        let datapoint = silo.and_then(|silo| self.names.get(silo)).and_then(|(_, datapoints)| {
            datapoints.iter().position(|name| is(name.as_ref(), names.1))
        });
        if let (Some(silo), Some(datapoint)) = (silo, datapoint) {
            let mut path = vec![
                "silo".to_owned(),
                silo.to_string(),
                "datapoint".to_owned(),
                datapoint.to_string(),
            ];
            path.extend(rest.iter().map(|&part| part.to_owned()));
            self.warn(&path, message);
        }
    }

    /// Hands a value through; reports it as missing unless its place was found faulty before.
    pub(crate) fn required<T>(
        &mut self,
        value: Option<T>,
        path: &[String],
        expected: &str,
    ) -> Option<T> {
        if value.is_none() && !self.is_faulted(path) {
            self.misfit(path, expected, "nothing");
        }
        value
    }

    /// Says whether the setting, or a table that holds it, was found faulty: what follows from that is not reported.
    pub(crate) fn is_faulted(&self, path: &[String]) -> bool {
        (1..=path.len()).any(|end| path.get(..end).is_some_and(|part| self.faulted.contains(part)))
    }

    /// Says where the setting at a path is.
    pub(crate) fn place(&self, path: &[String]) -> Origin {
        self.places.near(path)
    }
}

/// Remembers which elements of lists were taken out, so that later ones are still known by their first index.
#[derive(Debug, Default)]
pub(crate) struct Removed(BTreeMap<Vec<String>, Vec<usize>>);

impl Removed {
    /// Translates a path in what is left to the path in what was written.
    pub(crate) fn original(&self, path: &[String]) -> Vec<String> {
        let mut original = path.to_vec();
        if let Some((last, list)) = path.split_last()
            && let (Some(gone), Ok(mut index)) = (self.0.get(list), last.parse::<usize>())
        {
            for earlier in gone {
                if *earlier <= index {
                    index += 1;
                }
            }
            original.pop();
            original.push(index.to_string());
        }
        original
    }

    /// Remembers that the element at a path in what is left was taken out.
    pub(crate) fn note(&mut self, path: &[String]) {
        let original = self.original(path);
        if let Some((last, list)) = original.split_last()
            && let Ok(index) = last.parse()
        {
            let gone = self.0.entry(list.to_vec()).or_default();
            gone.push(index);
            gone.sort_unstable();
        }
    }
}

fn is<T: AsRef<str>>(name: Option<&T>, text: &str) -> bool {
    name.is_some_and(|name| name.as_ref() == text)
}
