//! Key files as an operator meets them: made, read, left open by mistake, lost.

use std::error::Error as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use antumbra_crypto::{Context, KeyRing, Retry, Root as _, Roots, stream::DataKey};
use antumbra_roots::{Error, LocalRoot, generate_key_file};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("root.key");
    (folder, path)
}

#[test]
fn generated_file_is_private_and_readable() {
    let (_folder, path) = folder();
    generate_key_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!((text.len(), text.ends_with('\n')), (45, true));
    let root = LocalRoot::from_key_file(&path).unwrap();
    assert_eq!(root.id(), LocalRoot::from_text(&text).unwrap().id());
}

#[test]
fn existing_file_is_never_overwritten() {
    let (_folder, path) = folder();
    generate_key_file(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let error = generate_key_file(&path).unwrap_err();
    assert!(matches!(&error, Error::KeyFileExists { path: named } if *named == path));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn dangling_symlink_is_not_followed() {
    let (folder, path) = folder();
    let target = folder.path().join("elsewhere");
    std::os::unix::fs::symlink(&target, &path).unwrap();
    assert_eq!(generate_key_file(&path).unwrap_err().code(), "key_file_exists");
    assert!(!target.try_exists().unwrap());
}

#[test]
fn file_open_to_group_or_others_is_refused_by_name_and_mode() {
    let (_folder, path) = folder();
    generate_key_file(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o644, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = LocalRoot::from_key_file(&path).unwrap_err();
        assert!(matches!(error, Error::KeyFileMode { mode: named, .. } if named == mode));
        let text = error.to_string();
        assert!(text.contains("root.key") && text.contains(&format!("{mode:04o}")), "{text}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert!(LocalRoot::from_key_file(&path).is_ok(), "{mode:o}");
    }
}

#[test]
fn missing_file_and_folder_are_named_with_the_systems_reason() {
    let (folder, path) = folder();
    for path in [path, folder.path().join("no/such/folder/root.key")] {
        let error = LocalRoot::from_key_file(&path).unwrap_err();
        assert_eq!((error.code(), error.retry()), ("key_file_unusable", Retry::Operator));
        assert!(error.source().is_some());
    }
    let error = generate_key_file(folder.path().join("none/root.key")).unwrap_err();
    assert_eq!(error.code(), "key_file_unusable");
    let error = LocalRoot::from_key_file(folder.path()).unwrap_err();
    assert_eq!(error.code(), "key_file_unusable");
}

#[test]
fn file_without_a_key_is_refused_and_not_quoted() {
    let (_folder, path) = folder();
    for content in [&b""[..], b"s3cret", &[0xff; 44], &[b'A'; 100_000]] {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let error = LocalRoot::from_key_file(&path).unwrap_err();
        assert_eq!(error.code(), "root_key_malformed");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn ring_lives_under_its_key_file_and_no_other() {
    let (folder, path) = folder();
    generate_key_file(&path).unwrap();
    let roots = || Roots::new(Arc::new(LocalRoot::from_key_file(&path).unwrap()));
    let (ring, file) = KeyRing::create(&roots(), "2026-01-02T03:04:05Z").await.unwrap();
    let (key, place) = (DataKey::generate().unwrap(), Context::new("test"));
    let wrapped = ring.wrap(&key, &place).await.unwrap();

    let again = KeyRing::open(&file, &roots()).await.unwrap();
    let unwrapped = again.unwrap(&wrapped.bytes, &place).await.unwrap();
    assert_eq!(unwrapped.secret().expose(), key.secret().expose());

    let other = folder.path().join("other.key");
    generate_key_file(&other).unwrap();
    let other = Roots::new(Arc::new(LocalRoot::from_key_file(&other).unwrap()));
    let error = KeyRing::open(&file, &other).await.unwrap_err();
    assert!(error.to_string().contains(roots().current().id()), "{error}");
}
