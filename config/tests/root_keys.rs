//! Every kind of fault in the table of a root key, with the exact line an operator reads.

use std::path::PathBuf;

use antumbra_config::{Faults, Loaded, Sources, load};

/// Loads `text` as `antumbra.toml` with variables.
fn load_with(text: &str, environment: &[(&str, &str)]) -> Result<Loaded, Faults> {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    std::fs::write(folder.path().join("antumbra.toml"), text).expect("there is room for a file");
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    load(&Sources {
        file: Some(PathBuf::from("antumbra.toml")),
        environment: environment.iter().map(owned).collect(),
        flags: Vec::new(),
        base: folder.path().to_owned(),
    })
}

/// Returns the lines of the faults of a file, without the file's name.
fn faults(text: &str) -> Vec<String> {
    let faults = load_with(text, &[]).expect_err("the settings are faulty").to_string();
    let line = |line: &str| line.strip_prefix("antumbra.toml:").unwrap_or(line).to_owned();
    faults.lines().map(line).collect()
}

/// Loads `[keys]` with one root key; the root key's first line is line 2 of the file.
fn root_faults(root: &str) -> Vec<String> {
    faults(&format!("[keys.root]\n{root}"))
}

const REFERENCE: &str = "expected exactly one of { file = \"…\" }, { env = \"…\" } or { credential = \"…\" }, found a table (not shown)";

#[test]
fn a_root_key_says_what_its_type_needs() {
    assert_eq!(
        root_faults("type = 'hsm'\n"),
        [r#"2: keys.root.type: expected "local", "sombra", "aws-kms" or "vault", found "hsm""#]
    );
    assert_eq!(
        root_faults("type = 'aws-kms'\n"),
        [
            "1: keys.root.key: expected the ARN, id or alias of a KMS key, found nothing",
            r#"1: keys.root.region: expected a region such as "eu-central-1", found nothing"#,
        ]
    );
    assert_eq!(
        root_faults("type = 'vault'\n"),
        [
            r#"1: keys.root.address: expected where the vault is, such as "https://vault.example:8200", found nothing"#,
            "1: keys.root.key: expected the name of a transit key: letters, digits, `_`, `.` or `-`, found nothing",
            "1: keys.root.token: expected `token`, or `role_id` and `secret_id`, found neither",
        ]
    );
    assert_eq!(
        root_faults("type = 'sombra'\n"),
        [
            r#"1: keys.root.key: expected where the key is, such as { env = "JWT_ECDSA_KEY" }, found nothing"#
        ]
    );
    assert_eq!(root_faults("type = 'local'\n"), [format!("1: keys.root: {REFERENCE}")]);
    assert_eq!(
        root_faults("type = 'local'\nfile = 'a'\nenv = 'B'\n"),
        [format!("1: keys.root: {REFERENCE}")]
    );
    assert_eq!(
        root_faults("region = 'eu-central-1'\nkey = 'alias/a'\n"),
        [r#"1: keys.root.type: expected "sombra", "aws-kms" or "vault", found nothing"#]
    );
}

#[test]
fn a_root_key_has_the_keys_of_its_type_and_no_others() {
    assert_eq!(
        root_faults(
            "type = 'aws-kms'\nkey = 'alias/a'\nregion = 'eu-west-1'\nfile = 'x'\nmount = 'transit'\n\
             token = { env = 'T' }\nregoin = 'x'\n"
        ),
        [
            r#"5: keys.root.file: expected `file` only where type = "local", found "aws-kms""#,
            r#"6: keys.root.mount: expected `mount` only where type = "vault", found "aws-kms""#,
            r#"7: keys.root.token: expected `token` only where type = "vault", found "aws-kms""#,
            r#"8: keys.root.regoin: unknown setting, did you mean "region"?"#,
        ]
    );
    assert_eq!(
        root_faults("type = 'local'\nfile = 'x'\nca = 'ca.pem'\nkey = 'x'\n"),
        [
            r#"4: keys.root.ca: expected `ca` only where type = "aws-kms" or "vault", found "local""#,
            r#"5: keys.root.key: expected `key` only where type = "sombra" or "aws-kms" or "vault", found "local""#,
        ]
    );
}

#[test]
fn what_a_root_key_says_must_not_contradict_itself() {
    let aws = "type = 'aws-kms'\nkey = 'arn:aws:kms:eu-west-1:1:key/a'\n";
    assert_eq!(
        root_faults(&format!(
            "{aws}region = 'eu-central-1'\nsecret_access_key = {{ env = 'A' }}\n"
        )),
        [
            r#"4: keys.root.region: expected the region of the key, "eu-west-1", found "eu-central-1""#,
            "5: keys.root.secret_access_key: expected `access_key_id` beside it, found nothing",
        ]
    );
    assert_eq!(
        root_faults(&format!(
            "{aws}region = 'eu-west-1'\naccess_key_id = {{ env = 'A' }}\nendpoint = 'http://kms.example'\n"
        )),
        [
            "5: keys.root.access_key_id: expected `secret_access_key` beside it, found nothing",
            r#"6: keys.root.endpoint: expected an https:// URL (http:// only on this machine: keys go this way), found "http://kms.example""#,
        ]
    );
    assert_eq!(
        root_faults(&format!("{aws}region = 'eu-west-1'\nendpoint = 'https://kms/v1/'\n")),
        [r#"5: keys.root.endpoint: expected a URL without a path, found "https://kms/v1""#]
    );
    assert_eq!(
        root_faults(&format!("{aws}region = 'eu-west-1'\nsession_token = {{ env = 'A' }}\n")),
        ["5: keys.root.session_token: expected `access_key_id` beside it, found nothing"]
    );
    let vault = "type = 'vault'\naddress = 'http://10.0.0.1:8200'\nkey = 'a/b'\nmount = 'a/../b'\n";
    assert_eq!(
        root_faults(&format!("{vault}token = {{ env = 'A' }}\nrole_id = {{ env = 'B' }}\n")),
        [
            r#"3: keys.root.address: expected an https:// URL (http:// only on this machine: keys go this way), found "http://10.0.0.1:8200""#,
            "4: keys.root.key: expected the name of a transit key: letters, digits, `_`, `.` or `-`, found something else (not shown)",
            r#"5: keys.root.mount: expected names of letters, digits, `_`, `.` or `-`, with `/` between them, found "a/../b""#,
            "6: keys.root.token: expected `token`, or `role_id` and `secret_id`, found both",
        ]
    );
    let vault = "type = 'vault'\naddress = 'https://v'\nkey = 'a'\n";
    for (rest, fault) in [
        (
            "role_id = { env = 'B' }",
            "5: keys.root.role_id: expected `secret_id` beside it, found nothing",
        ),
        (
            "secret_id = { env = 'B' }",
            "5: keys.root.secret_id: expected `role_id` beside it, found nothing",
        ),
        (
            "approle = 'x'\ntoken = { env = 'B' }",
            "5: keys.root.approle: expected `role_id` and `secret_id` beside it, found `token`",
        ),
        ("token = { env = '' }", "5: keys.root.token: "),
        ("token = { env = 'B' }\nca = ''", r#"6: keys.root.ca: expected a path, found """#),
        (
            "token = { env = 'B' }\nattempts = 0",
            "6: keys.root.attempts: expected a whole number from 1 to 1000000, found 0",
        ),
    ] {
        let lines = root_faults(&format!("{vault}{rest}\n"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with(fault), "{lines:?}");
    }
}

#[test]
fn older_root_keys_have_their_places_and_none_is_named_twice() {
    assert_eq!(
        faults(
            "[keys]\nroot = { env = 'A' }\nolder_roots = [\n{ env = 'B' },\n{ env = 'A' },\n5,\n\
             { type = 'vault', address = 'https://v', key = 'k', token = { env = 'T' } },\n\
             { type = 'vault', address = 'https://w', key = 'k', mount = 'transit', token = { env = 'U' } },\n\
             { type = 'aws-kms', key = 'k' },\n]\ncache = '25h'\n"
        ),
        [
            "5: keys.older_roots[1]: expected a root key that is not listed before, found that of keys.root",
            "6: keys.older_roots[2]: expected exactly one of { file = \"…\" }, { env = \"…\" } or { credential = \"…\" }, \
             found a number (not shown)",
            "8: keys.older_roots[4]: expected a root key that is not listed before, found that of keys.older_roots[3]; \
             a vault's key is known by `mount` and `key` alone, wherever the vault is: a new one needs another name",
            r#"9: keys.older_roots[5].region: expected a region such as "eu-central-1", found nothing"#,
            r#"11: keys.cache: expected a length of time from "1s" to "24h", found "25h""#,
        ]
    );
    assert_eq!(
        faults("[keys]\nolder_roots = [{ file = 'keys/root.key' }]\n"),
        [
            "2: keys.older_roots[0]: expected a root key that is not listed before, found that of keys.root"
        ]
    );
    assert_eq!(
        faults(
            "[keys]\nroot = { type = 'aws-kms', key = 'alias/a', region = 'eu-west-1' }\nolder_roots = [\n\
             { type = 'aws-kms', key = 'alias/a', region = 'eu-west-2' },\n\
             { type = 'aws-kms', key = 'alias/a', region = 'eu-west-1' },\n]\n"
        ),
        [
            "4: keys.older_roots[0]: expected a root key that is not listed before, found that of keys.root; \
             a key of AWS KMS is known by `key` alone, whatever its region: name it by its ARN",
            "5: keys.older_roots[1]: expected a root key that is not listed before, found that of keys.root",
        ]
    );
    let variable = load_with("", &[("ANTUMBRA_KEYS__OLDER_ROOTS", "x")]).unwrap_err();
    assert_eq!(
        variable.to_string(),
        "ANTUMBRA_KEYS__OLDER_ROOTS: keys.older_roots: expected a list in the settings file, found an environment variable"
    );
}

#[test]
fn a_secret_in_the_table_of_a_root_key_is_not_echoed() {
    const SECRET: &str = "hunter2hunter2";
    let wrong = |kind: &str, key: &str| format!("type = '{kind}'\n{key} = '{SECRET}'\n");
    for root in [
        wrong("sombra", "key"),
        wrong("aws-kms", "access_key_id"),
        wrong("aws-kms", "secret_access_key"),
        wrong("aws-kms", "session_token"),
        wrong("vault", "token"),
        wrong("vault", "role_id"),
        wrong("vault", "secret_id"),
        format!("type = 'vault'\naddress = 'https://me:{SECRET}@vault'\n"),
        format!("type = 'vault'\ntoken = {{ value = '{SECRET}' }}\n"),
        format!("type = 'aws-kms'\nkey = '{SECRET} {SECRET}'\n"),
        format!("type = 'vault'\ntoken = {{ credential = '../{SECRET}' }}\n"),
        format!("type = 'local'\ncredential = '../{SECRET}'\n"),
        format!("type = 'vault'\nzzz = '{SECRET}'\n"),
    ] {
        let lines = root_faults(&root);
        assert!(!lines.join("\n").contains(SECRET), "{lines:?}");
    }
    for older in [format!("'{SECRET}'"), format!("['{SECRET}']"), format!("[{{ {SECRET} = 1 }}]")] {
        let lines = faults(&format!("[keys]\nolder_roots = {older}\n"));
        assert_eq!(lines.len(), 1);
        assert!(!lines.join("\n").contains(SECRET), "{lines:?}");
    }
}
