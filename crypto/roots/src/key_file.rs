//! A root key in a file: base64 of 32 bytes and a newline, for its owner's eyes only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use antumbra_crypto::{Secret32, SecretBytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Error;

/// Writes a fresh root key into a new file of mode 0600, and waits until it is on the disk.
///
/// Blocks on I/O. Leaves no file behind when it fails.
///
/// # Errors
///
/// [`Error::KeyFileExists`] if anything has that name already, [`Error::KeyFile`] if the file or
/// its folder cannot be written, [`Error::Generate`] if there is no randomness.
pub fn generate_key_file(path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let key = Secret32::generate().map_err(|source| Error::Generate { source })?;
    let mut text = String::with_capacity(64);
    STANDARD.encode_string(key.expose(), &mut text);
    text.push('\n');
    let text = SecretBytes::new(text.into_bytes());

    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = created.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::KeyFileExists { path: path.to_owned() },
        _ => Error::KeyFile { path: path.to_owned(), source },
    })?;
    let written = file.write_all(text.expose()).and_then(|()| file.sync_all());
    written.and_then(|()| sync_folder(path)).map_err(|source| {
        // Half a key would only block the next attempt; the first error is the one to tell.
        let _removed = fs::remove_file(path);
        Error::KeyFile { path: path.to_owned(), source }
    })
}

/// Reads the text of a key file, after checking that nobody else could.
pub(crate) fn read(path: &Path) -> Result<SecretBytes, Error> {
    let fault = |source| Error::KeyFile { path: path.to_owned(), source };
    let file = File::open(path).map_err(fault)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let metadata = file.metadata().map_err(fault)?;
    if !metadata.is_file() {
        return Err(fault(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(Error::KeyFileMode { path: path.to_owned(), mode });
    }
    let mut text = Vec::with_capacity(2 * MAX_LEN);
    let read = file.take(MAX_LEN as u64).read_to_end(&mut text);
    let text = SecretBytes::new(text);
    read.map_err(fault)?;
    Ok(text)
}

/// Makes the file's name as durable as its content.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// More than a key and its white space; a longer file is cut, and then is no key.
const MAX_LEN: usize = 1024;
