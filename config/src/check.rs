//! What is compared only after every value is typed, silos aside.

use std::{collections::BTreeSet, path::Path};

use crate::{
    Keys, Origin, RootKey, SecretRef,
    path::{child, split},
    report::Report,
    settings::Tables,
    silo::SiloTable,
    value::clip,
};

/// Compares settings with each other.
pub(crate) fn check_tables(tables: &Tables, report: &mut Report) {
    check_listen(tables, report);
    check_metrics(tables, report);
    check_export(tables, report);
    let (lease, heartbeat) = (tables.worker.lease, tables.worker.heartbeat);
    if heartbeat.duration().saturating_mul(2) >= lease.duration() {
        let expected = format!("less than half of worker.lease (\"{lease}\")");
        report_either("worker.heartbeat", "worker.lease", &expected, &heartbeat, report);
    }
    let uri = &tables.organization.uri;
    if uri.trim().is_empty() || uri.contains(char::is_control) {
        report.misfit(&split("organization.uri"), "a text that is not blank", &clip(uri));
    }
    check_path(&tables.data.directory, "data.directory", report);
    check_path(&tables.keys.ring, "keys.ring", report);
    let hashes = split("gateway.internal_key_hashes");
    if tables.gateway.internal_key_hashes.is_empty() && !report.is_faulted(&hashes) {
        report.warn(&hashes, "there is none: every Sombra route answers 401".to_owned());
    }
}

/// Lists the variables that hold a secret.
pub(crate) fn secret_variables<'a>(
    keys: &'a Keys,
    silos: &'a [SiloTable],
) -> impl Iterator<Item = &'a str> {
    let of_silos = silos.iter().flat_map(SiloTable::secrets);
    keys.roots().flat_map(RootKey::secrets).chain(of_silos).filter_map(SecretRef::variable)
}

fn check_listen(tables: &Tables, report: &mut Report) {
    let listen = &tables.listen;
    let pair =
        [("listen.tls_certificate", &listen.tls_certificate), ("listen.tls_key", &listen.tls_key)];
    for ((key, path), (other, missing)) in [(pair[0], pair[1]), (pair[1], pair[0])] {
        if let Some(path) = path {
            check_path(path, key, report);
            let (path, other) = (split(key), split(other));
            if missing.is_none() && !report.is_faulted(&path) && !report.is_faulted(&other) {
                let expected = format!("{} beside it", other.join("."));
                report.misfit(&path, &expected, "nothing");
            }
        }
    }
    if !listen.serves_tls()
        && !listen.insecure_http
        && !listen.address.ip().to_canonical().is_loopback()
        && !pair.iter().any(|(key, _)| report.is_faulted(&split(key)))
    {
        report_either(
            "listen.address",
            "listen.insecure_http",
            "a loopback address, listen.tls_certificate and listen.tls_key, or listen.insecure_http = true \
             (plain HTTP is readable on its way)",
            &clip(&listen.address.to_string()),
            report,
        );
    }
}

fn check_metrics(tables: &Tables, report: &mut Report) {
    let Some(address) = tables.metrics.listen else { return };
    if !tables.metrics.insecure_http && !address.ip().to_canonical().is_loopback() {
        report_either(
            "metrics.listen",
            "metrics.insecure_http",
            "a loopback address, or metrics.insecure_http = true (metrics are answered to anybody, in plain HTTP)",
            &clip(&address.to_string()),
            report,
        );
    }
}

fn check_export(tables: &Tables, report: &mut Report) {
    let formats = split("export.formats");
    if tables.export.formats.is_empty() && !report.is_faulted(&formats) {
        report.misfit(&formats, "at least one format", "none");
    }
    let mut seen = BTreeSet::new();
    for (index, format) in tables.export.formats.iter().enumerate() {
        if !seen.insert(format) {
            let path = child(&formats, &index.to_string());
            report.misfit(&path, "each format once", &clip(format.as_str()));
        }
    }
    let (bundle, retention) = (tables.export.bundle_ttl, tables.export.retention);
    if bundle > retention {
        let expected = format!("at most export.retention (\"{retention}\")");
        report_either("export.bundle_ttl", "export.retention", &expected, &bundle, report);
    }
}

/// Reports two settings that do not go together, at the first one unless only the other was set.
fn report_either(
    first: &str,
    other: &str,
    expected: &str,
    found: &dyn ToString,
    report: &mut Report,
) {
    let (path, other) = (split(first), split(other));
    if report.is_faulted(&path) || report.is_faulted(&other) {
        return;
    }
    let place = match report.places.of(&path) {
        Origin::Default => report.places.near(&other),
        place => place,
    };
    let found = found.to_string();
    let found = if found.starts_with('"') { found } else { clip(&found) };
    report.fault_at(place, &path, format!("expected {expected}, found {found}"));
}

fn check_path(path: &Path, key: &str, report: &mut Report) {
    if path.as_os_str().is_empty() {
        report.misfit(&split(key), "a path", "\"\"");
    }
}
