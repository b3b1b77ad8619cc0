//! From `[[silo]]` tables to checked silos.

use std::collections::BTreeMap;

use crate::{
    Silo, TenantName,
    path::child,
    report::Report,
    silo::{SiloTable, datapoint::check_datapoint, identifiers::warn_unknown, kind::check_kind},
};

/// Checks every silo; faults and warnings go to the report. Silos that are not whole are left out of the answer.
pub(crate) fn check_silos(
    tables: Vec<SiloTable>,
    tenant: &TenantName,
    report: &mut Report,
) -> Vec<Silo> {
    let root = ["silo".to_owned()];
    let names = tables.iter().map(|table| table.name.as_ref().map(|name| name.folded())).collect();
    report_duplicates(&root, names, "no other silo", report);
    if tables.is_empty() && !report.is_faulted(&root) {
        report.warn(&root, "there is no silo: every export is empty".to_owned());
    }
    let silos: Vec<Silo> = tables
        .into_iter()
        .enumerate()
        .filter_map(|(index, table)| {
            check_silo(table, tenant, &child(&root, &index.to_string()), report)
        })
        .collect();
    warn_unknown(&silos, report);
    silos
}

fn check_silo(
    mut table: SiloTable,
    tenant: &TenantName,
    path: &[String],
    report: &mut Report,
) -> Option<Silo> {
    let points = child(path, "datapoint");
    let names = table.datapoint.iter().map(|d| d.name.as_ref().map(|name| name.folded())).collect();
    report_duplicates(&points, names, "no other datapoint of the silo", report);
    let of = table.r#type;
    let datapoints = std::mem::take(&mut table.datapoint)
        .into_iter()
        .enumerate()
        .filter_map(|(index, datapoint)| {
            check_datapoint(datapoint, of, &child(&points, &index.to_string()), report)
        })
        .collect();

    let kind = check_kind(&table, path, report);
    let name = report.required(table.name, &child(path, "name"), "a name");
    Some(Silo {
        name: name?,
        tenant: table.tenant.unwrap_or_else(|| tenant.clone()),
        kind: kind?,
        limits: table.limits.map(Into::into).unwrap_or_default(),
        datapoints,
    })
}

/// Reports each name that an earlier element of the list at `list` has already.
fn report_duplicates(
    list: &[String],
    folded: Vec<Option<String>>,
    nobody: &str,
    report: &mut Report,
) {
    let mut first: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (index, name) in folded.into_iter().enumerate() {
        let Some(name) = name else { continue };
        let path = child(&child(list, &index.to_string()), "name");
        match first.get(&name) {
            None => {
                first.insert(name, path);
            }
            Some(earlier) => {
                let expected = format!("a name that {nobody} has, whatever the case");
                let found = format!("{name:?} also at {}", report.place(earlier));
                report.misfit(&path, &expected, &found);
            }
        }
    }
}
