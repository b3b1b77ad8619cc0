//! From `keys.root` and `keys.older_roots` to roots that wrap and unwrap. Reads secrets; asks no KMS and no vault yet.

use std::sync::Arc;
use std::time::Duration;

use antumbra_config::{AwsKeys, Count, Keys, Period, RootKey, SecretError, SecretRef, VaultLogin};
use antumbra_crypto::{Root, Roots, SecretBytes};
use antumbra_roots::{
    AwsCredentials, AwsKms, AwsKmsRoot, CachedRoot, Error as RootError, LocalRoot, Patience,
    SecretSource, SombraRoot, Vault, VaultAuth, VaultRoot,
};

use crate::app::StartError;

/// The roots that the settings name, ready to be asked.
#[derive(Debug)]
pub(crate) struct OpenedRoots {
    /// The one that wraps, and older ones.
    pub(crate) roots: Roots,
    /// What keeps unwrapped keys of a KMS or vault for a while. Each use of one purges it; where no use may come for long, as in a
    /// daemon, somebody else has to.
    pub(crate) caches: Vec<Arc<CachedRoot>>,
}

/// Opens every root key of the settings.
///
/// `environment` is where secrets named by `env` or `credential` are looked for. Blocks on small files.
///
/// # Errors
/// [`StartError::Secret`] when a secret is not where the settings say, [`StartError::Root`] when it is no key; both name the setting.
pub(crate) fn open_roots(
    keys: &Keys,
    environment: &[(String, String)],
) -> Result<OpenedRoots, StartError> {
    let mut opened = Opened::default();
    for (at, root) in keys.roots().enumerate() {
        opened
            .open(root, keys.cache.into(), environment)
            .map_err(|fault| fault.of_setting(setting(at)))?;
    }
    let mut found = opened.found.into_iter();
    let current = found.next().expect("every kind of root key adds at least one, or is an error");
    let roots = found.fold(Roots::new(current), Roots::with_older);
    Ok(OpenedRoots { roots, caches: opened.caches })
}

/// Names the setting of a root key by its place among them, as faults of the settings name it.
fn setting(at: usize) -> String {
    at.checked_sub(1)
        .map_or_else(|| "keys.root".to_owned(), |older| format!("keys.older_roots[{older}]"))
}

/// Why one root key cannot be opened.
#[derive(Debug)]
enum Fault {
    Secret(SecretError),
    Root(RootError),
}

impl Fault {
    fn of_setting(self, setting: String) -> StartError {
        match self {
            Self::Secret(source) => StartError::Secret { setting, source },
            Self::Root(source) => StartError::Root { setting, source },
        }
    }
}

impl From<SecretError> for Fault {
    fn from(error: SecretError) -> Self {
        Self::Secret(error)
    }
}

impl From<RootError> for Fault {
    fn from(error: RootError) -> Self {
        Self::Root(error)
    }
}

/// What was opened so far, in the order in which the settings name it.
#[derive(Default)]
struct Opened {
    found: Vec<Arc<dyn Root>>,
    caches: Vec<Arc<CachedRoot>>,
}

impl Opened {
    fn open(
        &mut self,
        root: &RootKey,
        cache: Duration,
        environment: &[(String, String)],
    ) -> Result<(), Fault> {
        match root {
            // Read by the roots room itself, which also looks at the file's mode.
            RootKey::Local(SecretRef::File(path)) => {
                self.add(Arc::new(LocalRoot::from_key_file(path)?));
            }
            RootKey::Local(key) => {
                self.add(Arc::new(LocalRoot::from_text(key.resolve(environment)?.expose())?));
            }
            RootKey::Sombra { key } => {
                for one in SombraRoot::list(key.resolve(environment)?.expose())? {
                    self.add(Arc::new(one));
                }
            }
            RootKey::AwsKms { key, region, endpoint, access, ca, timeout, attempts } => {
                let kms = AwsKmsRoot::new(AwsKms {
                    key: key.clone(),
                    region: region.clone(),
                    endpoint: endpoint.as_ref().map(ToString::to_string),
                    credentials: credentials(access.as_ref(), environment)?,
                    ca: ca.clone(),
                    patience: patience(*timeout, *attempts),
                })?;
                self.add_cached(Arc::new(kms), cache);
            }
            RootKey::Vault {
                address,
                mount,
                key,
                derived,
                namespace,
                login,
                ca,
                timeout,
                attempts,
            } => {
                let vault = VaultRoot::new(Vault {
                    address: address.to_string(),
                    mount: mount.clone(),
                    key: key.clone(),
                    derived: *derived,
                    namespace: namespace.clone(),
                    auth: auth(login, environment)?,
                    ca: ca.clone(),
                    patience: patience(*timeout, *attempts),
                })?;
                self.add_cached(Arc::new(vault), cache);
            }
        }
        Ok(())
    }

    fn add_cached(&mut self, root: Arc<dyn Root>, cache: Duration) {
        let root = Arc::new(CachedRoot::new(root, cache));
        self.caches.push(Arc::clone(&root));
        self.add(root);
    }

    /// A key that is listed twice, say in an old list and a new one, is one root.
    fn add(&mut self, root: Arc<dyn Root>) {
        if self.found.iter().all(|known| known.id() != root.id()) {
            self.found.push(root);
        }
    }
}

fn credentials(
    access: Option<&AwsKeys>,
    environment: &[(String, String)],
) -> Result<AwsCredentials, SecretError> {
    let Some(keys) = access else { return Ok(AwsCredentials::Machine) };
    let token = keys.session_token.as_ref().map(|token| secret(token, environment)).transpose()?;
    Ok(AwsCredentials::Static {
        access_key_id: keys.access_key_id.resolve(environment)?.expose().to_owned(),
        secret_access_key: secret(&keys.secret_access_key, environment)?,
        session_token: token,
    })
}

fn auth(login: &VaultLogin, environment: &[(String, String)]) -> Result<VaultAuth, SecretError> {
    Ok(match login {
        VaultLogin::Token(token) => VaultAuth::Token(source(token, environment)?),
        VaultLogin::AppRole { mount, role_id, secret_id } => VaultAuth::AppRole {
            mount: mount.clone(),
            role_id: source(role_id, environment)?,
            secret_id: source(secret_id, environment)?,
        },
    })
}

/// Hands out a secret as often as it is asked for. Agents exchange the files of tokens, so a file is read anew each time; it has to
/// be there now, too.
fn source(
    reference: &SecretRef,
    environment: &[(String, String)],
) -> Result<SecretSource, SecretError> {
    let now = secret(reference, environment)?;
    if matches!(reference, SecretRef::Env(_)) {
        return Ok(Arc::new(move || Ok(now.clone())));
    }
    let reference = reference.clone();
    // The rest of the environment may hold other secrets, which nobody needs to keep.
    let folder: Vec<_> =
        environment.iter().filter(|(name, _)| name == CREDENTIALS).cloned().collect();
    Ok(Arc::new(move || {
        Ok(SecretBytes::from_slice(reference.resolve(&folder)?.expose().as_bytes()))
    }))
}

fn secret(
    reference: &SecretRef,
    environment: &[(String, String)],
) -> Result<SecretBytes, SecretError> {
    Ok(SecretBytes::from_slice(reference.resolve(environment)?.expose().as_bytes()))
}

fn patience(timeout: Period, attempts: Count) -> Patience {
    Patience { timeout: timeout.into(), attempts: attempts.get(), pause: FIRST_PAUSE }
}

/// The longest pause before the second try.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Names the folder that systemd puts a service's credentials into.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const OTHER: &str = "HxAREhMUFRYXGBkaGwECAwQFBgcICQoLDA0ODxwdHgA=";

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn env(name: &str) -> SecretRef {
        SecretRef::Env(name.to_owned())
    }

    /// What a command says.
    fn told(error: StartError) -> String {
        format!("{:#}", anyhow::Error::from(error))
    }

    fn keys(root: RootKey, older_roots: Vec<RootKey>) -> Keys {
        Keys { root, older_roots, ..Keys::default() }
    }

    fn vault(login: VaultLogin) -> RootKey {
        RootKey::Vault {
            address: "http://127.0.0.1:1".parse().unwrap(),
            mount: "transit".to_owned(),
            key: "antumbra".to_owned(),
            derived: false,
            namespace: None,
            login,
            ca: None,
            timeout: "1s".parse().unwrap(),
            attempts: Count::new(1).unwrap(),
        }
    }

    #[test]
    fn the_root_that_wraps_comes_first_and_each_is_known_once() {
        let environment = environment(&[("A", KEY), ("B", OTHER), ("C", KEY), ("ID", "id")]);
        let aws = RootKey::AwsKms {
            key: "alias/a".to_owned(),
            region: "eu-west-1".to_owned(),
            endpoint: Some("http://127.0.0.1:1".parse().unwrap()),
            access: Some(AwsKeys {
                access_key_id: env("ID"),
                secret_access_key: env("ID"),
                session_token: None,
            }),
            ca: None,
            timeout: "1s".parse().unwrap(),
            attempts: Count::new(1).unwrap(),
        };
        let local = |name| RootKey::Local(env(name));
        let older = vec![local("A"), vault(VaultLogin::Token(env("ID"))), local("B"), local("C")];
        let opened = open_roots(&keys(aws, older), &environment).unwrap();
        assert_eq!(opened.roots.current().id(), "aws-kms:alias/a");
        let a = LocalRoot::from_text(KEY).unwrap();
        for id in ["aws-kms:alias/a", "vault:transit/antumbra", a.id()] {
            assert!(opened.roots.by_id(id).is_some(), "{id}");
        }
        assert!(opened.roots.by_id("local:00000000").is_none());
        assert_eq!(opened.caches.len(), 2, "keys in this process need no cache");
    }

    #[test]
    fn a_secret_that_is_not_there_is_named_before_anything_is_asked() {
        let absent = keys(RootKey::Local(env("NONE")), Vec::new());
        let error = told(open_roots(&absent, &[]).unwrap_err());
        assert!(error.contains("NONE"), "{error}");
        let absent = keys(vault(VaultLogin::Token(env("TOKEN"))), Vec::new());
        let error = told(open_roots(&absent, &[]).unwrap_err());
        assert!(error.contains("TOKEN"), "{error}");
        let wrong = keys(RootKey::Sombra { key: env("JWT") }, Vec::new());
        let error = open_roots(&wrong, &environment(&[("JWT", "hunter2")])).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        let error = told(error);
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_root_key_that_is_none_is_known_by_its_setting() {
        let environment = environment(&[("A", KEY), ("B", OTHER), ("BAD", "hunter2")]);
        let local = |name| RootKey::Local(env(name));
        for (root, older, setting) in [
            ("BAD", vec!["A"], "keys.root"),
            ("A", vec!["BAD", "B"], "keys.older_roots[0]"),
            ("A", vec!["B", "BAD"], "keys.older_roots[1]"),
            ("A", vec!["B", "ABSENT"], "keys.older_roots[1]"),
            ("ABSENT", vec!["A"], "keys.root"),
        ] {
            let keys = keys(local(root), older.into_iter().map(local).collect());
            let error = told(open_roots(&keys, &environment).unwrap_err());
            assert!(error.starts_with(&format!("{setting} ")), "{setting}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_file_of_a_token_is_read_each_time_and_a_variable_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        let folder = dir.path().display().to_string();
        let environment = environment(&[(CREDENTIALS, &folder), ("TOKEN", "of a variable")]);
        let read = |source: &SecretSource| source().unwrap().expose_str().unwrap().to_owned();
        let file = source(&SecretRef::File(path.clone()), &environment).unwrap();
        let credential = source(&SecretRef::Credential("token".to_owned()), &environment).unwrap();
        let variable = source(&env("TOKEN"), &environment).unwrap();
        assert_eq!([read(&file), read(&credential)], ["one", "one"]);
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!([read(&file), read(&credential)], ["two", "two"]);
        assert_eq!(read(&variable), "of a variable");
        std::fs::remove_file(&path).unwrap();
        let error = file().unwrap_err().to_string();
        assert!(error.contains("token") && !error.contains("two"), "{error}");
    }
}
