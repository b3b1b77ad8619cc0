//! Certificates and their files, for tests.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use antumbra_config::Listen;
use tempfile::TempDir;

/// A directory of files with modes.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    /// Writes a new certificate for `name` and its key, and makes settings serve them.
    pub(crate) fn serve(&self, listen: &mut Listen, name: &str) {
        let (certificate, key) = identity(name);
        listen.tls_certificate = Some(self.write("cert.pem", certificate.as_bytes(), 0o644));
        listen.tls_key = Some(self.write("key.pem", key.as_bytes(), 0o600));
    }
}

/// Makes a certificate that vouches for itself, and its key, as PEM.
pub(crate) fn identity(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}
