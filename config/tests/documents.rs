//! The reference names every setting, and the examples are true.

use std::path::PathBuf;

use antumbra_config::{Redaction, RootKey, SecretRef, SiloKind, Source, Sources, load};

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
    // What has no default is not shown.
    let described = reference.lines().filter(|row| {
        let section = row.strip_prefix("| `").and_then(|row| row.split_once('.'));
        section.is_some_and(|(section, _)| defaults.show().contains(&format!("[{section}]\n")))
            && !row.contains("| none |")
    });
    assert_eq!(described.count(), rows, "the reference describes settings that do not exist");
}

#[test]
fn the_reference_names_every_key_of_silos_and_datapoints() {
    let reference = std::fs::read_to_string("REFERENCE.md").unwrap();
    // The fault of an unknown key lists the known ones.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let mut text = String::new();
    for (table, _) in TABLES_OF_SILOS {
        let header = match *table {
            "silo" | "silo.datapoint" => format!("[[{table}]]"),
            table => format!("[{table}]"),
        };
        text.push_str(&format!("{header}\nzzzzzzzzz = 1\n"));
    }
    std::fs::write(&file, text).unwrap();
    let faults = load(&Sources { file: Some(file), ..Sources::default() }).unwrap_err();
    let mut rows = 0;
    for (table, place) in TABLES_OF_SILOS {
        let fault =
            faults.as_slice().iter().find(|fault| fault.key == format!("{place}.zzzzzzzzz"));
        let fault = fault.unwrap_or_else(|| panic!("{place}: {faults}"));
        let (_, known) = fault.message.split_once("known here are ").unwrap();
        for key in known.split(", ") {
            let path = format!("{table}.{key}");
            if TABLES_OF_SILOS.iter().any(|(table, _)| *table == path) {
                assert!(reference.contains(&format!("[{path}]")), "{path}");
            } else {
                assert!(reference.contains(&format!("\n| `{path}` |")), "{path}");
                rows += 1;
            }
        }
    }
    let described = reference.lines().filter(|row| row.starts_with("| `silo."));
    assert_eq!(described.count(), rows, "the reference describes settings that do not exist");
}

#[test]
fn the_reference_names_every_key_of_a_root_key() {
    let reference = std::fs::read_to_string("REFERENCE.md").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    std::fs::write(&file, "[keys]\nroot = { type = 'vault', zzzzzzzzz = 1 }\n").unwrap();
    let faults = load(&Sources { file: Some(file), ..Sources::default() }).unwrap_err();
    let fault = faults.as_slice().iter().find(|fault| fault.key == "keys.root.zzzzzzzzz").unwrap();
    let (_, known) = fault.message.split_once("known here are ").unwrap();
    let (_, section) = reference.split_once("A root key (`keys.root`").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    for key in known.split(", ") {
        let named = [format!("`{key}`"), format!("{{ {key} = ")];
        assert!(named.iter().any(|name| section.contains(name)), "{key}");
    }
}

#[test]
fn the_cloud_example_says_what_it_seems_to() {
    let file = Some(PathBuf::from("examples/kms.toml"));
    let settings = load(&Sources { file, ..Sources::default() }).unwrap().settings;
    let RootKey::AwsKms { key, region, access, attempts, .. } = &settings.keys.root else {
        unreachable!("the example's root key is in a KMS");
    };
    assert_eq!(
        key,
        "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    );
    assert_eq!((region.as_str(), access), ("eu-central-1", &None));
    assert_eq!(attempts.get(), 4);
    let file = SecretRef::File(PathBuf::from("/var/lib/antumbra/keys/root.key"));
    assert_eq!(settings.keys.older_roots, [RootKey::Local(file)]);
    assert_eq!(settings.keys.cache.to_string(), "5m");
    assert!(!settings.keys.allow_export);
}

#[test]
fn every_example_loads_without_warnings() {
    let mut names = Vec::new();
    for file in std::fs::read_dir("examples").unwrap() {
        let file = file.unwrap().path();
        let loaded = load(&Sources { file: Some(file.clone()), ..Sources::default() });
        let loaded = loaded.unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(loaded.warnings, [], "{}", file.display());
        names.push(file.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["antumbra.toml", "compliance.toml", "kms.toml"]);
}

#[test]
fn the_compliance_example_says_what_it_seems_to() {
    let file = Some(PathBuf::from("examples/compliance.toml"));
    let settings = load(&Sources { file, ..Sources::default() }).unwrap().settings;
    assert!(settings.listen.serves_tls());
    assert_eq!(settings.listen.public_url.unwrap().as_str(), "https://privacy.platform.example");
    assert!(settings.compliance.enabled && settings.compliance.autostart);
    let SiloKind::Postgres { url, connect_timeout, statement_timeout, .. } =
        &settings.silos[0].kind
    else {
        unreachable!("the example's silo is a server");
    };
    assert_eq!(*url, SecretRef::Credential("platform.url".to_owned()));
    assert_eq!(connect_timeout.to_string(), "10s");
    assert_eq!(statement_timeout.to_string(), "1h");
    let exposures = &settings.silos[0].datapoints[2];
    let name = vec!["reporting".to_owned(), "Exposures".to_owned()];
    assert_eq!(exposures.source, Source::Table { name });
}

#[test]
fn the_shop_example_says_what_it_seems_to() {
    let sources =
        Sources { file: Some(PathBuf::from("examples/antumbra.toml")), ..Sources::default() };
    let loaded = load(&sources).unwrap();
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

/// Tables of silos, and where a fault of the first silo's or datapoint's is.
const TABLES_OF_SILOS: &[(&str, &str)] = &[
    ("silo", "silo[0]"),
    ("silo.limits", "silo[0].limits"),
    ("silo.auth", "silo[0].auth"),
    ("silo.location", "silo[0].location"),
    ("silo.datapoint", "silo[0].datapoint[0]"),
    ("silo.datapoint.endpoint", "silo[0].datapoint[0].endpoint"),
    ("silo.datapoint.endpoint.paging", "silo[0].datapoint[0].endpoint.paging"),
    ("silo.datapoint.files", "silo[0].datapoint[0].files"),
    ("silo.datapoint.attachment", "silo[0].datapoint[0].attachment"),
];
