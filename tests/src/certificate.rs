//! Whom does a TLS client trust? An authority of the story's own, and certificates of it.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};

/// Files of an authority and of one server's certificate.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The authority, PEM.
    pub authority: PathBuf,
    /// The server's chain, PEM.
    pub chain: PathBuf,
    /// The server's key, PEM; its owner's alone.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes an authority and a certificate for some names, and writes them into a directory.
    ///
    /// # Errors
    /// When a name is none, or a file cannot be written.
    pub fn make(directory: &Path, names: &[&str]) -> anyhow::Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name = named(&format!("the authority in {}", directory.display()));
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate()?;
        let authority_pem = authority.self_signed(&authority_key)?.pem();
        let issuer = Issuer::new(authority, authority_key);
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate()?;
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name = named("the story's server");
        let chain = server.signed_by(&key, &issuer)?;
        let made = Self {
            authority: directory.join("authority.pem"),
            chain: directory.join("chain.pem"),
            key: directory.join("key.pem"),
        };
        fs::write(&made.authority, authority_pem)?;
        fs::write(&made.chain, chain.pem())?;
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&made.key);
        std::io::Write::write_all(
            &mut file.context("the key's file")?,
            key.serialize_pem().as_bytes(),
        )?;
        Ok(made)
    }
}

/// A certificate with its issuer's name would be taken for one that signed itself.
fn named(name: &str) -> DistinguishedName {
    let mut all = DistinguishedName::new();
    all.push(DnType::CommonName, name);
    all
}
