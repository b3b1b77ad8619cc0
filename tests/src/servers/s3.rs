//! S3 as moto serves it, with signatures checked.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use super::child::{Server, free_port};
use super::moto::{Calls, MotoUser};
use crate::{Client, checker};

/// A server with one user who may do everything; its objects are in its memory.
#[derive(Debug)]
pub struct S3 {
    server: Server,
    address: SocketAddr,
    user: MotoUser,
}

impl S3 {
    /// Starts a server and makes its user, after which every call needs a signature.
    ///
    /// # Errors
    /// When moto is not installed or does not start.
    pub async fn start() -> anyhow::Result<Self> {
        let address = free_port()?;
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let free = [("INITIAL_NO_AUTH_ACTION_COUNT", FREE_CALLS)];
        let mut server =
            Server::start(Server::place()?, "moto_server", &["-H", &host, "-p", &port], &free)?;
        let calls = Calls::to(Client::new(&format!("http://{address}")));
        server.answers(calls.client(), "/moto-api/").await?;
        let user = calls.user("antumbra").await?;
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }],
        });
        calls.allow("antumbra", &policy).await?;
        Ok(Self { server, address, user })
    }

    /// Makes a bucket and puts the files of a folder below a prefix, with `more` small files in a folder `many`.
    ///
    /// # Errors
    /// When a call is refused.
    pub fn fill(&self, folder: &Path, bucket: &str, prefix: &str, more: u32) -> anyhow::Result<()> {
        let (folder, url, more) = (folder.display().to_string(), self.url(), more.to_string());
        let (key, secret) = (&self.user.access_key_id, &self.user.secret_access_key);
        let args = ["upload", &folder, &url, bucket, prefix, key, secret, &more];
        checker("files_lake.py", &args).map(drop)
    }

    /// Returns its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the user who may do everything.
    #[must_use]
    pub const fn user(&self) -> &MotoUser {
        &self.user
    }

    /// Counts the answered requests whose line holds some words.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn calls(&self, words: &str) -> anyhow::Result<usize> {
        Ok(self.server.log()?.lines().filter(|line| line.contains(words)).count())
    }
}

/// One user with an access key and a policy.
const FREE_CALLS: &str = "3";
