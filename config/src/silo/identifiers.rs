//! Identifiers that nothing can supply.

use std::collections::BTreeSet;

use crate::{
    Silo,
    report::Report,
    silo::{reach::named, template::is_of_scope},
};

/// Warns of every `match` on an identifier, and every placeholder for one, that is neither well known nor provided by a datapoint of the same tenant.
///
/// Only a warning: a request may bring an identifier of any name.
pub(crate) fn warn_unknown(silos: &[Silo], report: &mut Report) {
    let provided: BTreeSet<(&str, &str)> = silos
        .iter()
        .flat_map(|silo| silo.datapoints.iter().map(move |datapoint| (silo, datapoint)))
        .flat_map(|(silo, datapoint)| {
            datapoint.provides.iter().map(|(name, _)| (silo.tenant.as_str(), name.as_str()))
        })
        .collect();
    for silo in silos {
        for datapoint in &silo.datapoints {
            let matches = datapoint.matches.iter();
            let matched = matches.map(|(column, name)| (vec!["match", column], name.clone()));
            let placed = named(&datapoint.source).into_iter();
            let placed = placed.filter(|(keys, identifier)| {
                keys.first() != Some(&"endpoint") || !is_of_scope(identifier)
            });
            for (keys, identifier) in matched.chain(placed) {
                let name = identifier.as_str();
                if !WELL_KNOWN.contains(&name) && !provided.contains(&(silo.tenant.as_str(), name))
                {
                    report.warn_datapoint(
                        (silo.name.as_str(), datapoint.name.as_str()),
                        &keys,
                        format!(
                            "no datapoint provides {name:?}: only requests that bring it find rows"
                        ),
                    );
                }
            }
        }
    }
}

/// Identifiers that requests commonly bring: the identifier types of the Sombra API and the compliance scope's subject.
const WELL_KNOWN: &[&str] = &[
    "email",
    "phone",
    "coreIdentifier",
    "dataSubjectId",
    "custom",
    "gaid",
    "idfa",
    "idfv",
    "browserId",
    "microsoftAdvertisingId",
    "amazonFireAdvertisingId",
    "rida",
    "advertisingId",
    "linkedInURL",
    "stripeId",
];
