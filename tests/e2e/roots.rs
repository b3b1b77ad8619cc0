//! The root key lives elsewhere: in AWS KMS as moto serves it, with signatures and permissions checked; in OpenBao; in a `JWT_ECDSA_KEY`
//! that the real `openssl` made. Every root holds what the same suite demands, the real binary works with each, and a root that says
//! no is an error that names it, at once.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use antumbra_crypto::{Context as Place, Error, Retry, Root, SecretBytes};
use antumbra_e2e::{
    AppRole, Caller, EMAIL, House, LOYALTY, Moto, MotoUser, OpenBao, Scale, Serve, checker,
    left_out, run, submission_of, until,
};
use antumbra_roots::{
    AwsCredentials, AwsKms, AwsKmsRoot, Patience, SombraRoot, Vault, VaultAuth, VaultRoot,
    conformance,
};
use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[tokio::test]
async fn kms_does_what_every_root_does() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let moto = Moto::start().await?;
    let root = kms(&moto, moto.key(), moto.user())?;
    conformance::every(&root).await;
    conformance::strangers(&root, &kms(&moto, moto.other_key(), moto.user())?).await;
    Ok(())
}

#[tokio::test]
async fn kms_that_says_no_is_asked_once() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let moto = Moto::start().await?;
    let root = kms(&moto, moto.key(), moto.user())?;
    let wrapped = root.wrap(&secret(), &place()).await?;
    let mut forger = moto.user().clone();
    forger.secret_access_key = "not-the-secret-of-this-user/at/all+ever0".to_owned();
    let mut unknown = moto.user().clone();
    unknown.access_key_id = "AKIAAAAAAAAAAAAAAAAA".to_owned();
    let absent = moto.key().rsplit_once('/').context("no ARN")?.0;
    let absent = format!("{absent}/00000000-0000-4000-8000-000000000000");
    for (what, key, user) in [
        ("a wrong secret", moto.key(), &forger),
        ("an unknown user", moto.key(), &unknown),
        ("a user without permission", moto.key(), moto.powerless()),
        ("a key that is not there", &*absent, moto.user()),
    ] {
        let root = kms(&moto, key, user)?;
        let before = moto.calls()?;
        let refused = root.wrap(&secret(), &place()).await.err().context(what)?;
        refused_by_operator(&refused, what)?;
        assert_eq!(moto.calls()? - before, 1, "{what}: asked again and again");
        let shown = format!("{refused:?} {root:?}");
        assert!(!shown.contains(&user.secret_access_key), "{what}: the secret is shown");
        assert!(root.unwrap(&wrapped, &place()).await.is_err(), "{what}: unwrapped");
    }
    assert_eq!(root.unwrap(&wrapped, &place()).await?.expose(), secret().expose());
    Ok(())
}

#[tokio::test]
async fn vault_does_what_every_root_does_with_token_and_role() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let bao = OpenBao::start().await?;
    let token = VaultAuth::Token(source(&bao.token("1h").await?));
    let role = role_auth(&bao.app_role("suite", "1h").await?);
    let (by_token, by_role) = (vault(&bao, OpenBao::KEY, token)?, vault(&bao, OpenBao::KEY, role)?);
    conformance::every(&by_token).await;
    conformance::every(&by_role).await;
    // The same key, whoever asks.
    let wrapped = by_token.wrap(&secret(), &place()).await?;
    assert_eq!(by_role.unwrap(&wrapped, &place()).await?.expose(), secret().expose());
    let token = VaultAuth::Token(source(&bao.token("1h").await?));
    conformance::strangers(&by_token, &vault(&bao, OpenBao::OTHER_KEY, token)?).await;
    Ok(())
}

#[tokio::test]
async fn vault_key_is_rotated_and_its_old_version_forgotten() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let bao = OpenBao::start().await?;
    for key in [OpenBao::KEY, OpenBao::DERIVED_KEY] {
        let root = vault(&bao, key, VaultAuth::Token(source(&bao.token("1h").await?)))?;
        let old = root.wrap(&secret(), &place()).await?;
        assert_eq!(root.rewrap(&old, &place()).await?, old, "{key}: nothing newer");
        bao.rotate_key(key).await?;
        assert_eq!(root.unwrap(&old, &place()).await?.expose(), secret().expose());
        assert!(root.rewrap(&old, &place().with("elsewhere")).await.is_err(), "{key}: it moved");
        let new = root.rewrap(&old, &place()).await?;
        assert_ne!(new, old);
        bao.forget_before(key, 2).await?;
        assert!(root.unwrap(&old, &place()).await.is_err(), "{key}: a forgotten version opens");
        assert_eq!(root.unwrap(&new, &place()).await?.expose(), secret().expose());
        assert!(root.unwrap(&new, &place().with("elsewhere")).await.is_err(), "{key}: it moved");
    }
    Ok(())
}

#[tokio::test]
async fn vault_with_a_derived_key_does_what_every_root_does() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let bao = OpenBao::start().await?;
    let auth = VaultAuth::Token(source(&bao.token("1h").await?));
    let root = vault(&bao, OpenBao::DERIVED_KEY, auth.clone())?;
    conformance::every(&root).await;
    conformance::strangers(&root, &vault(&bao, OpenBao::OTHER_KEY, auth.clone())?).await;

    // A key that is not derived ignores the context: whoever says that it is must not get a wrap that any context opens.
    let mistaken = Vault { derived: true, ..settings(&bao, OpenBao::KEY, auth.clone()) };
    let mistaken = VaultRoot::new(mistaken)?;
    for refused in
        [mistaken.wrap(&secret(), &place()).await.err(), mistaken.generate(&place()).await.err()]
    {
        refused_by_operator(&refused.context("it wraps")?, "a key that is not derived")?;
    }
    // And the other way round.
    let mistaken = Vault { derived: false, ..settings(&bao, OpenBao::DERIVED_KEY, auth) };
    let refused = VaultRoot::new(mistaken)?.wrap(&secret(), &place()).await.err();
    refused_by_operator(&refused.context("it wraps")?, "a derived key without a context")
}

#[tokio::test]
async fn vault_login_that_ended_is_made_again_and_one_that_is_refused_is_not() -> anyhow::Result<()>
{
    if left_out("python") {
        return Ok(());
    }
    let bao = OpenBao::start().await?;
    let role = bao.app_role("brief", "2s").await?;
    let root = vault(&bao, OpenBao::KEY, role_auth(&role))?;
    let wrapped = root.wrap(&secret(), &place()).await?;
    // Two lifetimes of a login pass.
    for _ in 0..20 {
        assert_eq!(root.unwrap(&wrapped, &place()).await?.expose(), secret().expose());
        tokio::time::sleep(Duration::from_millis(220)).await;
    }
    bao.revoke_logins().await?;
    assert_eq!(root.unwrap(&wrapped, &place()).await?.expose(), secret().expose(), "taken back");
    bao.destroy_secret_id("brief", &role).await?;
    bao.revoke_logins().await?;
    refused_by_operator(&failure(&root, &wrapped).await?, "a role without its secret")?;

    let token = bao.token("1h").await?;
    let root = vault(&bao, OpenBao::KEY, VaultAuth::Token(source(&token)))?;
    root.unwrap(&wrapped, &place()).await?;
    bao.revoke(&token).await?;
    let refused = failure(&root, &wrapped).await?;
    refused_by_operator(&refused, "a revoked token")?;
    assert!(!format!("{refused:?} {root:?}").contains(&token), "the token is shown");
    let powerless = VaultAuth::Token(source(&bao.powerless_token().await?));
    let root = vault(&bao, OpenBao::KEY, powerless)?;
    refused_by_operator(&failure(&root, &wrapped).await?, "a token without permission")?;
    let forbidden = VaultAuth::Token(source(&bao.token("1h").await?));
    let root = vault(&bao, OpenBao::FORBIDDEN_KEY, forbidden)?;
    refused_by_operator(&failure(&root, &wrapped).await?, "a key that the policy does not name")
}

#[tokio::test]
async fn whole_journey_with_the_root_key_in_kms() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let moto = Moto::start().await?;
    let user = moto.user();
    let house = House::with_keys(Scale::Small, |keys| kms_settings(keys, &moto, &moto.url(), ""))?;
    journey(&house).await?;
    let ring = fs::read_to_string(house.path("keys/ring.json"))?;
    assert!(ring.contains(&format!("\"aws-kms:{}\"", moto.key())), "{ring}");
    assert!(!house.path("keys/root.key").try_exists()?, "a root key was made here, too");
    let listed = house.antumbra(&["keys", "list", "--json"])?.ok()?;
    assert!(listed.contains("aws-kms:"), "{listed}");

    house.set_secret("aws-secret", "not-the-secret-of-this-user/at/all+ever0")?;
    let refused = house.antumbra(&["serve", "--set", "listen.address=127.0.0.1:0"])?;
    assert_ne!(refused.code, 0, "{refused:?}");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("aws-kms:"), "it does not say which root: {said}");
    assert!(!said.contains(&user.secret_access_key) && !said.contains("at/all+ever0"), "{said}");
    Ok(())
}

#[tokio::test]
async fn whole_journey_with_the_root_key_in_a_vault_behind_tls() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let bao = OpenBao::start().await?;
    let role = bao.app_role("gateway", "3s").await?;
    let secure = |keys: &Path| -> anyhow::Result<String> {
        fs::copy(&bao.certificate().authority, keys.join("vault-ca.pem"))?;
        fs::write(keys.join("role-id"), &role.role_id)?;
        secret_file(keys, "secret-id", &role.secret_id)?;
        Ok(format!(
            "cache = \"1s\"\n[keys.root]\ntype = \"vault\"\naddress = \"{}\"\nkey = \"{}\"\nca = \"keys/vault-ca.pem\"\nrole_id = {{ file = \"keys/role-id\" }}\nsecret_id = {{ file = \"keys/secret-id\" }}\n",
            bao.secure_url(),
            OpenBao::KEY
        ))
    };
    let house = House::with_keys(Scale::Small, secure)?;
    journey(&house).await?;

    // The login ends while the daemon runs, and nobody notices.
    let daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    bao.revoke_logins().await?;
    let request = caller.submit(&["JSON"]).await?;
    caller.downloadable(&request).await?;
    caller.bundle(&request).await?;
    assert_eq!(daemon.terminate().await?, 0);

    // Without the authority nobody is believed.
    let settings = fs::read_to_string(house.path("antumbra.toml"))?;
    let trusting = settings.replace("ca = \"keys/vault-ca.pem\"\n", "");
    assert_ne!(trusting, settings);
    fs::write(house.path("antumbra.toml"), trusting)?;
    let refused = house.antumbra(&["serve", "--set", "listen.address=127.0.0.1:0"])?;
    assert_ne!(refused.code, 0, "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn token_that_is_taken_back_stops_new_jobs_until_there_is_another() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let bao = OpenBao::start().await?;
    let token = bao.token("1h").await?;
    let house = House::with_keys(Scale::Small, |keys| {
        secret_file(keys, "token", &token)?;
        Ok(format!(
            "cache = \"1s\"\n[keys.root]\ntype = \"vault\"\naddress = \"{}\"\nkey = \"{}\"\ntoken = {{ file = \"keys/token\" }}\n",
            bao.url(),
            OpenBao::KEY
        ))
    })?;
    let mut daemon = Serve::new().start(&house).await?;
    let caller = Caller::new(&house, &daemon)?;
    let request = caller.submit(&["JSON"]).await?;
    caller.downloadable(&request).await?;

    bao.revoke(&token).await?;
    // For a second what was unwrapped before is remembered.
    let mut people = 100..;
    let refused = until("a refusal", async || {
        let person = people.next().context("nobody is left")?;
        let reply = caller.post(&submission_of(person, &["JSON"]).to_string()).await?;
        Ok((!reply.complete()).then_some(reply))
    })
    .await?;
    assert_eq!(refused.status, 500, "nobody but the operator can help: {}", refused.text());
    daemon.said("vault:transit/antumbra").await?;
    assert!(!daemon.log()?.contains(&token), "the token is in the log");
    let opened = until("a refused read", async || {
        let reply = caller.download(&caller.downloads(&request).await?[0], &[]).await?;
        Ok((!reply.complete()).then_some(reply.status))
    })
    .await?;
    assert_eq!(opened, 500);

    // An agent writes a new one.
    house.set_secret("token", &bao.token("1h").await?)?;
    caller.bundle(&request).await?;
    let another = caller.submit_body(&submission_of(40, &["JSON"])).await?;
    caller.downloadable(&another).await?;
    assert_eq!(daemon.terminate().await?, 0);
    Ok(())
}

#[tokio::test]
async fn sombras_own_key_is_the_root_and_is_exchanged() -> anyhow::Result<()> {
    let (old, new) = (sombra_key()?, sombra_key()?);
    for (a, b) in [(&old, &new), (&new, &old)] {
        let roots = SombraRoot::list(&format!("{a},{b}"))?;
        assert_eq!(roots.len(), 2);
        for root in &roots {
            conformance::every(root).await;
        }
        conformance::strangers(&roots[0], &roots[1]).await;
        assert_eq!(roots[1].id(), SombraRoot::list(b)?[0].id());
    }
    let house = House::with_keys(Scale::Small, |keys| {
        secret_file(keys, "sombra", &old)?;
        Ok("root = { type = \"sombra\", key = { file = \"keys/sombra\" } }\n".to_owned())
    })?;
    let request = journey(&house).await?;
    let before = fs::read(house.path("bundle.zip"))?;

    house.set_secret("sombra", &format!("{new},{old}"))?;
    opens(&house, &request, &before).await?;
    house.antumbra(&["keys", "rewrap"])?.ok()?;
    house.set_secret("sombra", &new)?;
    opens(&house, &request, &before).await?;
    journey(&house).await?;

    house.set_secret("sombra", &old)?;
    let refused = house.antumbra(&["serve", "--set", "listen.address=127.0.0.1:0"])?;
    assert_ne!(refused.code, 0, "the key that was dropped still opens the ring");
    assert!(
        refused.stderr.contains("sombra:") || refused.stdout.contains("sombra:"),
        "{refused:?}"
    );
    Ok(())
}

/// Moves an installation from a key file to KMS while old bundles stay readable.
#[tokio::test]
async fn installation_moves_from_a_key_file_to_kms() -> anyhow::Result<()> {
    if left_out("python") {
        return Ok(());
    }
    let moto = Moto::start().await?;
    let house = House::new(Scale::Small)?;
    let request = journey(&house).await?;
    let before = fs::read(house.path("bundle.zip"))?;
    let older = "older_roots = [{ file = \"keys/root.key\" }]\n";
    let settings = kms_settings(&house.path("keys"), &moto, &moto.url(), older)?;
    house.set_keys(&settings)?;
    opens(&house, &request, &before).await?;
    house.antumbra(&["keys", "rewrap"])?.ok()?;
    house.set_keys(&settings.replace(older, ""))?;
    fs::remove_file(house.path("keys/root.key"))?;
    opens(&house, &request, &before).await?;
    let ring = fs::read_to_string(house.path("keys/ring.json"))?;
    assert!(!ring.contains("\"local:"), "{ring}");
    Ok(())
}

/// Serves, submits, downloads, verifies and compares with the source. Returns the request.
async fn journey(house: &House) -> anyhow::Result<String> {
    let daemon = Serve::new().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    let request = caller.submit(&["JSON", "CSV", "NDJSON", "PARQUET"]).await?;
    caller.downloadable(&request).await?;
    let zip = house.path("bundle.zip");
    fs::write(&zip, caller.bundle(&request).await?)?;
    ensure!(house.verified(&zip)?.contains("VERIFIED"));
    let paths = [zip, house.path("source/shop.db")].map(|path| path.display().to_string());
    if !left_out("python") {
        checker("check_bundle.py", &[&paths[0], &paths[1], EMAIL, LOYALTY])?;
    }
    ensure!(daemon.terminate().await? == 0);
    Ok(request)
}

/// Serves an older request's bundle, byte for byte.
async fn opens(house: &House, request: &str, bundle: &[u8]) -> anyhow::Result<()> {
    let daemon = Serve::new().start(house).await?;
    let caller = Caller::new(house, &daemon)?;
    ensure!(caller.bundle(request).await? == bundle, "another bundle");
    ensure!(daemon.terminate().await? == 0);
    Ok(())
}

fn kms(moto: &Moto, key: &str, user: &MotoUser) -> anyhow::Result<AwsKmsRoot> {
    Ok(AwsKmsRoot::new(AwsKms {
        key: key.to_owned(),
        region: Moto::REGION.to_owned(),
        endpoint: Some(moto.url()),
        credentials: AwsCredentials::Static {
            access_key_id: user.access_key_id.clone(),
            secret_access_key: SecretBytes::from_slice(user.secret_access_key.as_bytes()),
            session_token: None,
        },
        ca: None,
        patience: PATIENT,
    })?)
}

/// The settings of a house whose root is in KMS, which is reached at a URL.
fn kms_settings(keys: &Path, moto: &Moto, url: &str, more: &str) -> anyhow::Result<String> {
    secret_file(keys, "aws-id", &moto.user().access_key_id)?;
    secret_file(keys, "aws-secret", &moto.user().secret_access_key)?;
    Ok(format!(
        "{more}[keys.root]\ntype = \"aws-kms\"\nkey = \"{}\"\nregion = \"{}\"\nendpoint = \"{url}\"\naccess_key_id = {{ file = \"keys/aws-id\" }}\nsecret_access_key = {{ file = \"keys/aws-secret\" }}\n",
        moto.key(),
        Moto::REGION
    ))
}

fn vault(bao: &OpenBao, key: &str, auth: VaultAuth) -> anyhow::Result<VaultRoot> {
    Ok(VaultRoot::new(settings(bao, key, auth))?)
}

fn settings(bao: &OpenBao, key: &str, auth: VaultAuth) -> Vault {
    Vault {
        address: bao.url(),
        mount: OpenBao::MOUNT.to_owned(),
        key: key.to_owned(),
        derived: key == OpenBao::DERIVED_KEY,
        namespace: None,
        auth,
        ca: None,
        patience: PATIENT,
    }
}

fn role_auth(role: &AppRole) -> VaultAuth {
    VaultAuth::AppRole {
        mount: "approle".to_owned(),
        role_id: source(&role.role_id),
        secret_id: source(&role.secret_id),
    }
}

fn source(text: &str) -> antumbra_roots::SecretSource {
    let text = text.to_owned();
    Arc::new(move || Ok(SecretBytes::from_slice(text.as_bytes())))
}

async fn failure(root: &dyn Root, wrapped: &[u8]) -> anyhow::Result<Error> {
    root.unwrap(wrapped, &place()).await.err().context("it unwraps")
}

fn refused_by_operator(error: &Error, what: &str) -> anyhow::Result<()> {
    let operator = matches!(error, Error::Root { retry: Retry::Operator, .. });
    ensure!(operator, "{what}: {error:?}");
    Ok(())
}

/// A key as the operator of a Sombra makes it, one line of base64.
fn sombra_key() -> anyhow::Result<String> {
    let args = ["ecparam", "-name", "secp384r1", "-genkey", "-noout"];
    let pem = run(Path::new("openssl"), Path::new("/"), &args)?.ok()?;
    Ok(STANDARD.encode(pem))
}

fn secret_file(keys: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    antumbra_e2e::private(&keys.join(name), text)
}

fn secret() -> SecretBytes {
    SecretBytes::from_slice(&[7; 32])
}

fn place() -> Place {
    Place::new("antumbra/kek").with("kek_1")
}

const PATIENT: Patience =
    Patience { timeout: Duration::from_secs(20), attempts: 4, pause: Duration::from_millis(50) };
