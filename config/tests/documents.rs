//! The reference names every setting, and the example is true.

use std::path::PathBuf;

use antumbra_config::{Redaction, Source, Sources, load};

#[test]
fn the_reference_names_every_setting_with_its_default() {
    let reference = std::fs::read_to_string("REFERENCE.md").unwrap();
    let base = PathBuf::from("");
    let defaults = load(&Sources { base, ..Sources::default() }).unwrap();
    let mut section = String::new();
    let mut rows = 0;
    for line in defaults.show().lines() {
        if let Some(header) = line.strip_prefix('[') {
            header.trim_end_matches(']').clone_into(&mut section);
        } else if let Some((key, rest)) = line.split_once(" = ") {
            let (value, _) = rest.rsplit_once("  # ").unwrap();
            let row =
                reference.lines().find(|row| row.starts_with(&format!("| `{section}.{key}` |")));
            let row = row.unwrap_or_else(|| panic!("{section}.{key} is missing"));
            assert!(row.contains(&format!("| `{value}` |")), "{row} does not say {value}");
            rows += 1;
        }
    }
    let described =
        reference.lines().filter(|row| row.starts_with("| `") && !row.contains("`silo."));
    assert_eq!(described.count(), rows, "the reference describes settings that do not exist");
}

#[test]
fn the_reference_names_every_key_of_silos_and_datapoints() {
    let reference = std::fs::read_to_string("REFERENCE.md").unwrap();
    // The fault of an unknown key lists the known ones.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, "[[silo]]\nzzzzzzzzz = 1\n[[silo.datapoint]]\nzzzzzzzzz = 1\n").unwrap();
    let faults = load(&Sources { file: Some(file), ..Sources::default() }).unwrap_err();
    let mut rows = 0;
    for (place, table) in [("silo[0].zzz", "silo"), ("datapoint[0].zzz", "silo.datapoint")] {
        let fault = faults.as_slice().iter().find(|fault| fault.key.contains(place)).unwrap();
        let (_, known) = fault.message.split_once("known here are ").unwrap();
        for key in known.split(", ").filter(|key| *key != "datapoint") {
            assert!(reference.contains(&format!("\n| `{table}.{key}` |")), "{table}.{key}");
            rows += 1;
        }
    }
    let described = reference.lines().filter(|row| row.starts_with("| `silo."));
    assert_eq!(described.count(), rows, "the reference describes settings that do not exist");
}

#[test]
fn the_example_loads_without_warnings() {
    let sources =
        Sources { file: Some(PathBuf::from("examples/antumbra.toml")), ..Sources::default() };
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.warnings, []);
    let silo = &loaded.settings.silos[0];
    assert_eq!(silo.tenant.as_str(), "shop");
    let names: Vec<&str> = silo.datapoints.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(
        names,
        ["customers", "orders", "basket_lines", "campaign_views", "shipping_methods"]
    );
    let orders = &silo.datapoints[1];
    let table = Source::Table { name: vec!["main".to_owned(), "orders".to_owned()] };
    assert_eq!(orders.source, table);
    let redact =
        [("card_number".to_owned(), Redaction::Drop), ("note".to_owned(), Redaction::Hash)];
    assert_eq!(orders.redact, redact);
}
