//! Which layer wins, where paths lead, what is shown, and what is warned of.

use std::path::{Path, PathBuf};

use antumbra_config::{
    CsvFormulas, Loaded, Origin, RootKey, SecretRef, Settings, Sources, VaultLogin, load,
};
use proptest::prelude::*;

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn local(key: SecretRef) -> RootKey {
    RootKey::Local(key)
}

/// Writes `text` to a file and loads it with variables and flags. Returns the file's folder too.
fn load_with(
    text: &str,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> (tempfile::TempDir, Loaded) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    std::fs::write(folder.path().join("a.toml"), text).expect("there is room for a file");
    let sources = Sources {
        file: Some(PathBuf::from("a.toml")),
        environment: owned(environment),
        flags: owned(flags),
        base: folder.path().to_owned(),
    };
    let loaded = load(&sources).unwrap_or_else(|faults| unreachable!("{faults}"));
    (folder, loaded)
}

#[test]
fn later_layers_win_and_each_setting_knows_its_layer() {
    let text = "[worker]\nlease = '40s'\nheartbeat = '11s'\nconcurrency = 2\n";
    let environment =
        [("ANTUMBRA_WORKER__HEARTBEAT", "12s"), ("ANTUMBRA_WORKER__CONCURRENCY", "3")];
    let flags = [("worker.concurrency", "4"), ("worker.concurrency", "5")];
    let (_folder, loaded) = load_with(text, &environment, &flags);
    let worker = &loaded.settings.worker;
    assert!(worker.enabled);
    assert_eq!(worker.lease.duration().as_secs(), 40);
    assert_eq!(worker.heartbeat.duration().as_secs(), 12);
    assert_eq!(worker.concurrency.get(), 5);
    let file = PathBuf::from("a.toml");
    for (key, origin) in [
        ("worker.enabled", Origin::Default),
        ("worker.lease", Origin::File { path: file, line: 2 }),
        ("worker.heartbeat", Origin::Env { name: "ANTUMBRA_WORKER__HEARTBEAT".to_owned() }),
        ("worker.concurrency", Origin::Flag { name: "worker.concurrency".to_owned() }),
    ] {
        assert_eq!(loaded.origins.get(key), Some(&origin), "{key}");
    }
}

#[test]
fn texts_of_variables_are_read_as_the_setting_needs() {
    let environment = [
        ("ANTUMBRA_ORGANIZATION__URI", "12"),
        ("ANTUMBRA_ORGANIZATION__TENANT", "true"),
        ("ANTUMBRA_LISTEN__BODY_LIMIT", "2048"),
        ("ANTUMBRA_WORKER__ENABLED", "false"),
        ("ANTUMBRA_CONFIG", "a.toml"),
    ];
    let (_folder, loaded) = load_with(
        "",
        &environment,
        &[("export.deflate_level", "9"), ("export.csv_formulas", "keep")],
    );
    assert_eq!(loaded.settings.organization.uri, "12");
    assert_eq!(loaded.settings.organization.tenant.as_str(), "true");
    assert_eq!(loaded.settings.listen.body_limit.bytes(), 2048);
    assert!(!loaded.settings.worker.enabled);
    assert_eq!(loaded.settings.export.deflate_level.get(), 9);
    assert_eq!(loaded.settings.export.csv_formulas, CsvFormulas::Keep);
    assert_eq!(Settings::default().export.csv_formulas, CsvFormulas::Defuse);
}

#[test]
fn a_reference_to_a_secret_is_replaced_whole() {
    let text = "[keys]\nroot = { credential = 'root' }\n";
    let (_folder, loaded) = load_with(text, &[], &[]);
    assert_eq!(loaded.settings.keys.root, local(SecretRef::Credential("root".to_owned())));
    let environment = [("ANTUMBRA_KEYS__ROOT__ENV", "ROOT")];
    let (_folder, loaded) = load_with(text, &environment, &[]);
    assert_eq!(loaded.settings.keys.root, local(SecretRef::Env("ROOT".to_owned())));
    let origin = Origin::Env { name: "ANTUMBRA_KEYS__ROOT__ENV".to_owned() };
    assert_eq!(loaded.origins.get("keys.root"), Some(&origin));
    let (_folder, loaded) = load_with(text, &environment, &[("keys.root.credential", "other")]);
    assert_eq!(loaded.settings.keys.root, local(SecretRef::Credential("other".to_owned())));
    let origin = Origin::Flag { name: "keys.root.credential".to_owned() };
    assert_eq!(loaded.origins.get("keys.root"), Some(&origin));
}

#[test]
fn a_root_key_of_any_type_is_replaced_whole_and_shown_to_load_again() {
    let text = std::fs::read_to_string("examples/kms.toml").unwrap();
    let (_folder, loaded) = load_with(&text, &[], &[]);
    assert!(matches!(loaded.settings.keys.root, RootKey::AwsKms { .. }));
    let environment = [("ANTUMBRA_KEYS__ROOT__CREDENTIAL", "root.key")];
    let (_folder, loaded) = load_with(&text, &environment, &[]);
    assert_eq!(loaded.settings.keys.root, local(SecretRef::Credential("root.key".to_owned())));

    let vault = "[keys]\ncache = '90s'\nallow_export = true\nolder_roots = [\n\
                 { type = 'sombra', key = { env = 'ANTUMBRA_JWT' } },\n\
                 { type = 'aws-kms', key = 'alias/old', region = 'eu-west-1', endpoint = 'http://[::1]:4566', \
                 access_key_id = { env = 'ID' }, secret_access_key = { file = 'aws.key' }, \
                 session_token = { credential = 'aws.token' }, ca = 'ca.pem', timeout = '1s', attempts = 2 },\n]\n\
                 [keys.root]\ntype = 'vault'\naddress = 'https://Vault.example:8200/'\nkey = 'antumbra'\n\
                 namespace = 'team/a'\nrole_id = { file = 'role' }\nsecret_id = { env = 'S' }\nca = '/ca.pem'\n";
    let (folder, loaded) = load_with(vault, &[("ANTUMBRA_JWT", "s3cret")], &[]);
    let path = |name: &str| SecretRef::File(folder.path().join(name));
    let RootKey::Vault { address, mount, login, ca, timeout, .. } = &loaded.settings.keys.root
    else {
        unreachable!("the file says vault");
    };
    assert_eq!((address.as_str(), mount.as_str()), ("https://vault.example:8200", "transit"));
    let secret_id = SecretRef::Env("S".to_owned());
    let role =
        VaultLogin::AppRole { mount: "approle".to_owned(), role_id: path("role"), secret_id };
    assert_eq!(*login, role);
    assert_eq!((ca.as_deref(), timeout.to_string().as_str()), (Some(Path::new("/ca.pem")), "5s"));
    let RootKey::AwsKms { access: Some(keys), ca, .. } = &loaded.settings.keys.older_roots[1]
    else {
        unreachable!("the file says aws-kms");
    };
    assert_eq!(keys.secret_access_key, path("aws.key"));
    assert_eq!(*ca, Some(folder.path().join("ca.pem")));
    let strays = loaded.warnings.iter().filter(|warning| warning.to_string().contains("JWT"));
    assert_eq!(strays.count(), 0, "a variable of a root key is no stray");

    let shown = loaded.show();
    for line in [
        "cache = \"90s\"  # a.toml:2",
        "allow_export = true  # a.toml:3",
        "root = { type = \"vault\", key = \"antumbra\", address = \"https://vault.example:8200\", mount = \"transit\"",
        "older_roots = [{ type = \"sombra\", key = { env = \"ANTUMBRA_JWT\" } }, { type = \"aws-kms\", key = \"alias/old\"",
    ] {
        assert!(shown.contains(line), "{line}\nis missing in\n{shown}");
    }
    let (_folder, again) = load_with(&shown, &[], &[]);
    assert_eq!(again.settings, loaded.settings);
}

#[test]
fn relative_paths_start_at_the_settings_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    let silo = "[[silo]]\nname = 's'\ntype = 'sqlite'\npath = 'x/s.db'\n";
    std::fs::write(
        folder.path().join("etc/a.toml"),
        format!(
            "[data]\ndirectory = '/var/lib/antumbra'\n[listen]\ntls_certificate = 'tls/a.pem'\ntls_key = '/k.pem'\n{silo}\
             [[silo]]\nname = 'p'\ntype = 'postgres'\nurl = {{ file = 'p.url' }}\n"
        ),
    )
    .unwrap();
    let sources = Sources {
        file: Some(PathBuf::from("etc/a.toml")),
        flags: owned(&[("keys.ring", "ring.json")]),
        base: folder.path().to_owned(),
        ..Sources::default()
    };
    let etc = folder.path().join("etc");
    assert_eq!(sources.root(), etc);
    let settings = load(&sources).unwrap().settings;
    assert_eq!(settings.data.directory, Path::new("/var/lib/antumbra"));
    assert_eq!(settings.keys.ring, etc.join("ring.json"));
    assert_eq!(settings.keys.root, local(SecretRef::File(etc.join("keys/root.key"))));
    let antumbra_config::SiloKind::Sqlite { path, .. } = &settings.silos[0].kind else {
        unreachable!("the file says sqlite");
    };
    assert_eq!(path, &etc.join("x/s.db"));
    let antumbra_config::SiloKind::Postgres { url, .. } = &settings.silos[1].kind else {
        unreachable!("the file says postgres");
    };
    assert_eq!(*url, SecretRef::File(etc.join("p.url")));
    assert_eq!(settings.listen.tls_certificate, Some(etc.join("tls/a.pem")));
    assert_eq!(settings.listen.tls_key, Some(PathBuf::from("/k.pem")));

    let bare = load(&Sources { base: folder.path().to_owned(), ..Sources::default() }).unwrap();
    assert_eq!(bare.settings.data.directory, folder.path().join("data"));
}

#[test]
fn without_a_file_the_defaults_hold() {
    let loaded = load(&Sources::default()).unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert!(loaded.origins.values().all(|origin| *origin == Origin::Default));
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "default: gateway.internal_key_hashes: there is none: every Sombra route answers 401",
            "default: silo: there is no silo: every export is empty",
        ]
    );
}

#[test]
fn identifiers_that_nothing_provides_and_stray_variables_are_warned_of() {
    let text = "[keys]\nroot = { env = 'ANTUMBRA_ROOT_KEY' }\n[[silo]]\nname = 's'\ntype = 'sqlite'\npath = 'x'\n\
                [[silo.datapoint]]\nname = 'a'\ntable = 'a'\nprovides = { cid = 'id' }\n\
                match = { e = 'email', c = 'cid', m = 'member_no' }\n\
                [[silo]]\nname = 't'\ntype = 'sqlite'\ntenant = 'other'\npath = 'x'\n\
                [[silo.datapoint]]\nname = 'b'\ntable = 'b'\nmatch = { c = 'cid' }\n\
                [[silo]]\nname = 'p'\ntype = 'postgres'\nurl = { env = 'ANTUMBRA_SHOP_URL' }\n";
    let environment = [
        ("ANTUMBRA_ROOT_KEY", "s3cret"),
        ("ANTUMBRA_STRAY", "s3cret"),
        ("ANTUMBRA_SHOP_URL", "s3cret"),
        ("ANTUMBRA_PORT_5039_TCP_ADDR", "10.0.0.1"),
    ];
    let (_folder, loaded) = load_with(text, &environment, &[]);
    let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "default: gateway.internal_key_hashes: there is none: every Sombra route answers 401",
            "ANTUMBRA_STRAY: is no setting and is ignored (a setting is ANTUMBRA_<SECTION>__<KEY>)",
            "a.toml:11: silo.s.datapoint.a.match.m: no datapoint provides \"member_no\": only requests that bring it find rows",
            "a.toml:20: silo.t.datapoint.b.match.c: no datapoint provides \"cid\": only requests that bring it find rows",
        ]
    );
}

#[test]
fn shown_settings_are_whole_annotated_and_load_again() {
    let example = std::fs::read_to_string("examples/antumbra.toml").unwrap();
    let environment = [("ANTUMBRA_WORKER__CONCURRENCY", "2")];
    let (folder, loaded) = load_with(&example, &environment, &[("log.level", "debug")]);
    let shown = loaded.show();
    let root = folder.path().join("keys/root.key");
    for line in [
        "[worker]\nenabled = true  # default\nlease = \"30s\"  # a.toml:".to_owned(),
        "concurrency = 2  # ANTUMBRA_WORKER__CONCURRENCY".to_owned(),
        "level = \"debug\"  # flag log.level".to_owned(),
        format!("root = {{ file = \"{}\" }}  # a.toml:", root.display()),
        "[[silo.datapoint]]\nname = \"orders\"  # a.toml:".to_owned(),
        "redact = { card_number = \"drop\", note = \"hash\" }  # a.toml:".to_owned(),
        "busy_timeout = \"5s\"  # default".to_owned(),
    ] {
        assert!(shown.contains(&line), "{line}\nis missing in\n{shown}");
    }
    let (_folder, again) = load_with(&shown, &[], &[]);
    assert_eq!(again.settings, loaded.settings);
}

#[test]
fn a_server_is_shown_by_its_reference_and_loads_again() {
    let text = std::fs::read_to_string("examples/compliance.toml").unwrap();
    let (_folder, loaded) = load_with(&text, &[("ANTUMBRA_COMPLIANCE__MAX_ACTIVE", "7")], &[]);
    let shown = loaded.show();
    for line in [
        "url = { credential = \"platform.url\" }  # a.toml:",
        "connect_timeout = \"10s\"  # default",
        "max_active = 7  # ANTUMBRA_COMPLIANCE__MAX_ACTIVE",
        "public_url = \"https://privacy.platform.example\"  # a.toml:",
        "silo_backoff = \"500ms\"  # a.toml:",
    ] {
        assert!(shown.contains(line), "{line}\nis missing in\n{shown}");
    }
    let (_folder, again) = load_with(&shown, &[], &[]);
    assert_eq!(again.settings, loaded.settings);
}

#[test]
fn values_of_secrets_are_printed_nowhere() {
    const SECRET: &str = "hunter2hunter2";
    let folder = tempfile::tempdir().unwrap();
    let sources = Sources {
        environment: owned(&[("ROOT", SECRET), ("ANTUMBRA_KEYS__ROOT__ENV", "ROOT")]),
        flags: owned(&[("organization.uri", SECRET)]),
        base: folder.path().to_owned(),
        ..Sources::default()
    };
    assert!(!format!("{sources:?}").contains(SECRET));
    let sources = Sources { flags: Vec::new(), ..sources };
    let loaded = load(&sources).unwrap();
    let RootKey::Local(reference) = &loaded.settings.keys.root else {
        unreachable!("a reference is a local root key");
    };
    let secret = reference.resolve(&sources.environment).unwrap();
    assert_eq!(secret.expose(), SECRET);
    let printed = format!("{secret:?} {loaded:?} {}", loaded.show());
    assert!(!printed.contains(SECRET));
    assert!(printed.contains(r#"root = { env = "ROOT" }  # ANTUMBRA_KEYS__ROOT__ENV"#));
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_not_utf8_can_be_shown() {
    use std::os::unix::ffi::OsStrExt;
    let base = PathBuf::from(std::ffi::OsStr::from_bytes(b"/tmp/\xff"));
    let loaded = load(&Sources { base: base.clone(), ..Sources::default() }).unwrap();
    assert_eq!(loaded.settings.data.directory, base.join("data"));
    assert!(loaded.show().contains("/tmp/\u{fffd}/data"));
}

/// Texts that look enough like settings to get past the first check.
fn almost_settings() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "[listen]",
        "[[silo]]",
        "[[silo.datapoint]]",
        "[keys]",
        "[keys.root]",
        "older_roots",
        "region",
        "token",
        "'vault'",
        "'aws-kms'",
        "[export]",
        "silo",
        "datapoint",
        "name",
        "address",
        "root",
        "file",
        "formats",
        "match",
        "key",
        "type",
        "table",
        "query",
        "worker.lease",
        "=",
        "=",
        "=",
        "'shop'",
        "'sqlite'",
        "'postgres'",
        "url",
        "env",
        "'30s'",
        "5",
        "-1",
        "1.5",
        "nan",
        "true",
        "1979-05-27",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\n",
        "\n",
        "\n",
        ".",
        "\"",
        "''",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_panics(text in prop_oneof![".*", almost_settings()], name in "[A-Z_]{0,12}", value in ".*") {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.toml"), &text).unwrap();
        let sources = Sources {
            file: Some(PathBuf::from("a.toml")),
            environment: vec![(format!("ANTUMBRA_{name}"), value.clone())],
            flags: vec![(name, value)],
            base: folder.path().to_owned(),
        };
        match load(&sources) {
            Ok(loaded) => prop_assert!(!loaded.show().is_empty()),
            Err(faults) => {
                prop_assert!(!faults.as_slice().is_empty());
                prop_assert_eq!(faults.to_string().lines().count(), faults.as_slice().len());
            }
        }
    }
}
