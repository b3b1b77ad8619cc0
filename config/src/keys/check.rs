//! From `[keys]` to checked keys: what each type of root key needs, what it has no use for, and what contradicts.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{
    AwsKeys, Keys, RootKey, SecretRef, VaultLogin,
    keys::{
        KeysTable, RootTable, root_paths,
        table::{KeyField, defaults},
    },
    path::{child, dotted, split},
    report::Report,
    secret,
    value::{BaseUrl, RootType, clip},
};

/// Checks `[keys]`; faults go to the report. What is faulty has its default in the answer.
pub(crate) fn check_keys(table: KeysTable, report: &mut Report) -> Keys {
    let usual = Keys::default();
    let cache = table.cache.duration();
    if !(SHORTEST_CACHE..=LONGEST_CACHE).contains(&cache) {
        let found = clip(&table.cache.to_string());
        report.misfit(&split("keys.cache"), r#"a length of time from "1s" to "24h""#, &found);
    }
    let paths: Vec<Vec<String>> = root_paths(table.older_roots.len()).collect();
    let mut tables = std::iter::once(table.root).chain(table.older_roots).zip(&paths);
    let mut check = |(table, path): (RootTable, &Vec<String>)| {
        // An element that was taken out left an empty table.
        if report.is_faulted(path) { None } else { check_root(table, path, report) }
    };
    let root = tables.next().and_then(&mut check);
    let older: Vec<Option<RootKey>> = tables.map(check).collect();
    check_distinct(std::iter::once(&root).chain(&older).zip(&paths), report);
    Keys {
        ring: table.ring,
        root: root.unwrap_or(usual.root),
        older_roots: older.into_iter().flatten().collect(),
        cache: table.cache,
        allow_export: table.allow_export,
    }
}

fn check_root(table: RootTable, path: &[String], report: &mut Report) -> Option<RootKey> {
    let of = match table.r#type {
        Some(of) => of,
        // It was no type; what it meant cannot be known.
        None if report.is_faulted(&child(path, "type")) => return None,
        None if table.present().any(|(key, _)| RootTable::needs_type(key)) => {
            let kinds = r#""sombra", "aws-kms" or "vault""#;
            return report.required(None, &child(path, "type"), kinds);
        }
        None => RootType::Local,
    };
    check_strangers(&table, of, path, report);
    match of {
        RootType::Local => check_local(table, path, report).map(RootKey::Local),
        RootType::Sombra => {
            check_key_reference(table.key, path, report).map(|key| RootKey::Sombra { key })
        }
        RootType::AwsKms => check_aws(table, path, report),
        RootType::Vault => check_vault(table, path, report),
    }
}

/// Reports keys of other types: they would be ignored, and whoever wrote them meant something by them.
fn check_strangers(table: &RootTable, of: RootType, path: &[String], report: &mut Report) {
    for (key, owners) in table.present() {
        if !owners.contains(&of) {
            let owners: Vec<String> =
                owners.iter().map(|owner| format!("{:?}", owner.as_str())).collect();
            let expected = format!("`{key}` only where type = {}", owners.join(" or "));
            report.misfit(&child(path, key), &expected, &format!("{:?}", of.as_str()));
        }
    }
}

fn check_local(table: RootTable, path: &[String], report: &mut Report) -> Option<SecretRef> {
    let named = [
        table.file.map(|path| SecretRef::File(PathBuf::from(path))),
        table.env.map(SecretRef::Env),
        table.credential.map(SecretRef::Credential),
    ];
    let mut named = named.into_iter().flatten();
    match (named.next(), named.next()) {
        (Some(reference), None) if reference.is_usable() => Some(reference),
        _ => {
            report.misfit(path, secret::EXPECTED, "a table (not shown)");
            None
        }
    }
}

fn check_key_reference(
    key: Option<KeyField>,
    path: &[String],
    report: &mut Report,
) -> Option<SecretRef> {
    let path = child(path, "key");
    match report.required(key, &path, KEY_REFERENCE)? {
        KeyField::Secret(reference) => Some(reference),
        KeyField::Name(_) => {
            report.misfit(&path, KEY_REFERENCE, "a plain string (not shown)");
            None
        }
    }
}

/// Takes the name of a key that `fits`. What does not is not shown: it may be a key.
fn check_key_name(
    key: Option<KeyField>,
    (expected, fits): (&str, fn(&str) -> bool),
    path: &[String],
    report: &mut Report,
) -> Option<String> {
    let path = child(path, "key");
    match report.required(key, &path, expected)? {
        KeyField::Name(name) if fits(&name) => return Some(name),
        KeyField::Name(_) => report.misfit(&path, expected, "something else (not shown)"),
        KeyField::Secret(_) => report.misfit(&path, expected, "a reference to a secret"),
    }
    None
}

fn check_aws(table: RootTable, path: &[String], report: &mut Report) -> Option<RootKey> {
    check_way(table.endpoint.as_ref(), "endpoint", path, report);
    if let Some(endpoint) = table.endpoint.as_ref().filter(|endpoint| endpoint.has_path()) {
        report.misfit(&child(path, "endpoint"), "a URL without a path", &clip(endpoint.as_str()));
    }
    let access = check_access(&table, path, report);
    let key = check_key_name(table.key, (AWS_KEY, is_aws_key), path, report);
    let region = report.required(table.region, &child(path, "region"), REGION);
    let region = region.filter(|region| {
        let fits = !region.is_empty() && region.len() <= 64 && region.bytes().all(is_region_byte);
        if !fits {
            report.misfit(&child(path, "region"), REGION, &clip(region));
        }
        fits
    });
    if let (Some(key), Some(region)) = (&key, &region)
        && let Some(told) = region_of(key)
        && told != region
    {
        let expected = format!("the region of the key, {}", clip(told));
        report.misfit(&child(path, "region"), &expected, &clip(region));
    }
    Some(RootKey::AwsKms {
        key: key?,
        region: region?,
        endpoint: table.endpoint,
        access,
        ca: check_ca(table.ca, path, report),
        timeout: table.timeout.unwrap_or(defaults::TIMEOUT),
        attempts: table.attempts.unwrap_or(defaults::ATTEMPTS),
    })
}

/// The two halves of an access key belong together, and a session's token to both.
fn check_access(table: &RootTable, path: &[String], report: &mut Report) -> Option<AwsKeys> {
    let halves = [
        ("access_key_id", &table.access_key_id, "secret_access_key", &table.secret_access_key),
        ("secret_access_key", &table.secret_access_key, "access_key_id", &table.access_key_id),
        ("session_token", &table.session_token, "access_key_id", &table.access_key_id),
    ];
    for (key, there, other, beside) in halves {
        let (at, other_at) = (child(path, key), child(path, other));
        if there.is_some() && beside.is_none() && !report.is_faulted(&other_at) {
            report.misfit(&at, &format!("`{other}` beside it"), "nothing");
        }
    }
    Some(AwsKeys {
        access_key_id: table.access_key_id.clone()?,
        secret_access_key: table.secret_access_key.clone()?,
        session_token: table.session_token.clone(),
    })
}

fn check_vault(table: RootTable, path: &[String], report: &mut Report) -> Option<RootKey> {
    let at = child(path, "address");
    let address = report.required(table.address.clone(), &at, ADDRESS);
    check_way(address.as_ref(), "address", path, report);
    let login = check_login(&table, path, report);
    let key = check_key_name(table.key, (VAULT_KEY, is_segment), path, report);
    let mount = table.mount.unwrap_or_else(|| defaults::MOUNT.to_owned());
    check_mount(&mount, "mount", path, report);
    if let Some(namespace) = &table.namespace {
        check_mount(namespace, "namespace", path, report);
    }
    Some(RootKey::Vault {
        address: address?,
        mount,
        key: key?,
        derived: table.derived.unwrap_or_default(),
        namespace: table.namespace,
        login: login?,
        ca: check_ca(table.ca, path, report),
        timeout: table.timeout.unwrap_or(defaults::TIMEOUT),
        attempts: table.attempts.unwrap_or(defaults::ATTEMPTS),
    })
}

/// There is one way to log in: a token, or both ids of a role.
fn check_login(table: &RootTable, path: &[String], report: &mut Report) -> Option<VaultLogin> {
    let at = |key: &str| child(path, key);
    let faulted = ["token", "role_id", "secret_id"].iter().any(|key| report.is_faulted(&at(key)));
    if faulted {
        return None;
    }
    let (token, role, secret) = (&table.token, &table.role_id, &table.secret_id);
    match (token, role, secret) {
        (Some(_), None, None) if table.approle.is_some() => {
            report.misfit(&at("approle"), "`role_id` and `secret_id` beside it", "`token`");
        }
        (Some(token), None, None) => return Some(VaultLogin::Token(token.clone())),
        (None, Some(role), Some(secret)) => {
            let mount = table.approle.clone().unwrap_or_else(|| defaults::APPROLE.to_owned());
            check_mount(&mount, "approle", path, report);
            return Some(VaultLogin::AppRole {
                mount,
                role_id: role.clone(),
                secret_id: secret.clone(),
            });
        }
        (Some(_), _, _) => {
            report.misfit(&at("token"), "`token`, or `role_id` and `secret_id`", "both");
        }
        (None, Some(_), None) => report.misfit(&at("role_id"), "`secret_id` beside it", "nothing"),
        (None, None, Some(_)) => report.misfit(&at("secret_id"), "`role_id` beside it", "nothing"),
        (None, None, None) => {
            report.misfit(&at("token"), "`token`, or `role_id` and `secret_id`", "neither");
        }
    }
    None
}

/// Keys are sent there.
fn check_way(url: Option<&BaseUrl>, key: &str, path: &[String], report: &mut Report) {
    if let Some(url) = url.filter(|url| url.is_readable_on_its_way()) {
        let expected = "an https:// URL (http:// only on this machine: keys go this way)";
        report.misfit(&child(path, key), expected, &clip(url.as_str()));
    }
}

fn check_mount(mount: &str, key: &str, path: &[String], report: &mut Report) {
    if mount.len() > 256 || !mount.split('/').all(is_segment) {
        let expected = "names of letters, digits, `_`, `.` or `-`, with `/` between them";
        report.misfit(&child(path, key), expected, &clip(mount));
    }
}

fn check_ca(ca: Option<String>, path: &[String], report: &mut Report) -> Option<PathBuf> {
    if ca.as_ref().is_some_and(String::is_empty) {
        report.misfit(&child(path, "ca"), "a path", "\"\"");
    }
    ca.map(PathBuf::from)
}

/// A ring remembers which root wrapped a key by the root's name: two of one name could not be told apart.
fn check_distinct<'a>(
    roots: impl Iterator<Item = (&'a Option<RootKey>, &'a Vec<String>)>,
    report: &mut Report,
) {
    let mut first: BTreeMap<String, (&RootKey, &Vec<String>)> = BTreeMap::new();
    for (root, path) in roots {
        let Some(root) = root else { continue };
        match first.get(&name(root)) {
            Some((same, earlier)) => {
                let found = dotted(earlier, &report.names);
                let found = format!("that of {found}{}", elsewhere(same, root));
                report.misfit(path, "a root key that is not listed before", &found);
            }
            None => {
                first.insert(name(root), (root, path));
            }
        }
    }
}

/// Explains what makes one root of two, to whoever sees two of them.
fn elsewhere(first: &RootKey, second: &RootKey) -> &'static str {
    match (first, second) {
        (
            RootKey::Vault { address, namespace, .. },
            RootKey::Vault { address: other, namespace: within, .. },
        ) if (address, namespace) != (other, within) => {
            "; a vault's key is known by `mount` and `key` alone, wherever the vault is: a new one needs another name"
        }
        (
            RootKey::AwsKms { region, endpoint, .. },
            RootKey::AwsKms { region: other, endpoint: at, .. },
        ) if (region, endpoint) != (other, at) => {
            "; a key of AWS KMS is known by `key` alone, whatever its region: name it by its ARN"
        }
        _ => "",
    }
}

/// Says what a root is known by, as far as settings can tell.
fn name(root: &RootKey) -> String {
    match root {
        RootKey::Local(key) => format!("local {key}"),
        RootKey::Sombra { key } => format!("sombra {key}"),
        RootKey::AwsKms { key, .. } => format!("aws-kms {key}"),
        RootKey::Vault { mount, key, .. } => format!("vault {mount}/{key}"),
    }
}

fn is_aws_key(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'/' | b'_' | b'-');
    (1..=2048).contains(&text.len()) && text.bytes().all(plain)
}

/// Returns the region that an ARN names: `arn:aws:kms:REGION:ACCOUNT:key/ID`.
fn region_of(key: &str) -> Option<&str> {
    key.strip_prefix("arn:")?.split(':').nth(2)
}

fn is_region_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

/// Part of a path that means itself in a URL.
fn is_segment(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(plain) && !matches!(text, "." | "..")
}

const KEY_REFERENCE: &str = "where the key is, such as { env = \"JWT_ECDSA_KEY\" }";
const AWS_KEY: &str = "the ARN, id or alias of a KMS key";
const VAULT_KEY: &str = "the name of a transit key: letters, digits, `_`, `.` or `-`";
const REGION: &str = r#"a region such as "eu-central-1""#;
const ADDRESS: &str = r#"where the vault is, such as "https://vault.example:8200""#;
const SHORTEST_CACHE: Duration = Duration::from_secs(1);
const LONGEST_CACHE: Duration = Duration::from_secs(24 * 60 * 60);
