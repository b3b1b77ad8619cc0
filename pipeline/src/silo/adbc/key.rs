//! Which columns are a section's key? Those that the driver says are unique and never NULL; nothing else is a proof here, because what
//! is looked at now may be otherwise when it is read.

use super::column::Source;
use super::link::Server;
use super::select::find;
use crate::SiloError;
use crate::silo::{SectionSource, SectionSpec};

/// The key of a section.
pub(super) enum Key {
    /// It holds.
    Proven(Vec<String>),
    /// Settings name it, and it cannot be one; why.
    Unproven(Vec<String>, &'static str),
    None,
}

/// Asks the driver.
pub(super) fn of(
    server: &mut Server<'_>,
    section: &SectionSpec,
    columns: &[Source],
) -> Result<Key, SiloError> {
    for name in &section.key {
        find(columns, name)?;
    }
    let promised = match &section.source {
        SectionSource::Table { parts, .. } => match server.keys(parts) {
            Ok(promised) => promised,
            Err(error) if error.retry() => return Err(super::fault::running(&error)),
            Err(_) => {
                server.settle();
                Vec::new()
            }
        },
        _ => Vec::new(),
    };
    let fit = |key: &[String]| {
        let mut names = key.iter();
        names.all(|name| find(columns, name).is_ok_and(Source::can_be_key))
    };
    if section.key.is_empty() {
        let found = promised.into_iter().find(|key| fit(key));
        return Ok(found.map_or(Key::None, Key::Proven));
    }
    let wanted = section.key.clone();
    let same = |key: &Vec<String>| {
        key.len() == wanted.len() && key.iter().all(|name| wanted.contains(name))
    };
    Ok(if !fit(&wanted) {
        Key::Unproven(wanted, "has a type that cannot be one")
    } else if promised.iter().any(same) {
        Key::Proven(wanted)
    } else {
        Key::Unproven(wanted, "is not said to be unique and never NULL by the driver")
    })
}
