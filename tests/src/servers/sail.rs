//! A Flight SQL server: Sail, which reads Parquet files and speaks Spark's SQL.

use anyhow::Context;

use super::child::{Server, free_port};
use crate::checker;

/// A server, and a directory with the databases that `tests/python/make_adbc.py` made; removed when dropped.
#[derive(Debug)]
pub struct Sail {
    _server: Server,
    directory: tempfile::TempDir,
    uri: String,
    driver: String,
}

impl Sail {
    /// Starts a server and makes the databases.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> anyhow::Result<Self> {
        let (address, directory) = (free_port()?, Server::place()?);
        let (host, port) = (address.ip().to_string(), address.port().to_string());
        let args = ["flight", "server", "--ip", &host, "--port", &port];
        let server = Server::start(Server::place()?, "sail", &args, &[])?;
        let uri = format!("grpc://{address}");
        let place = directory.path().display().to_string();
        let said = checker("make_adbc.py", &[&place, &uri])
            .with_context(|| server.log().unwrap_or_default())?;
        let driver = said.lines().last().context("no driver")?.to_owned();
        Ok(Self { _server: server, directory, uri, driver })
    }

    /// Returns the path of a database: `shop.duckdb`, `people.parquet` or `nasty.parquet`.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Returns where it listens, as its driver wants it.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Returns the path of the Flight SQL driver.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.driver
    }
}
