//! How is the server made, started, filled and stopped?

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use antumbra_crypto::{Secret32, SecretBytes};
use anyhow::{Context, bail};
use tokio_postgres::{Client, Config, NoTls};

use super::super::directory::Directory;
use super::account::Account;
use super::copy;
use super::place::Place;
use super::tools::Tools;
use crate::cli::{create_private_dir, note, read_private, say, write_private};

/// A server that runs, until it is stopped or dropped.
#[derive(Debug)]
pub(in crate::demo) struct Server {
    tools: Tools,
    place: Place,
    running: bool,
    port: u16,
    password: SecretBytes,
}

impl Server {
    /// Makes a server, unless the demo has one, and starts it.
    ///
    /// # Errors
    /// When none is installed or it does not start; then none runs.
    pub(in crate::demo) async fn start(
        directory: &Directory,
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        create_private_dir(directory.root())?;
        let account = Account::for_server(directory.root())?;
        let tools = Tools::find(environment, account)?;
        let place = Place::take(&directory.postgres(), account.as_ref(), &random(8)?)?;
        match Self::started(tools, &place, account.as_ref()).await {
            Ok((tools, port, password)) => Ok(Self { tools, place, running: true, port, password }),
            Err(error) => {
                // Its own failure is the lesser one.
                drop(place.leave());
                Err(error)
            }
        }
    }

    /// Stops it and removes what is temporary of it.
    ///
    /// # Errors
    /// Says where it is when it does not stop.
    pub(in crate::demo) async fn stop(mut self) -> anyhow::Result<()> {
        let data = self.place.data().display().to_string();
        let stop = ["-D", &data, "-m", "fast", "-w", "-t", PATIENCE, "stop"];
        self.tools
            .run("pg_ctl", self.place.path(), &stop)
            .await
            .with_context(|| format!("the server in {data} goes on running"))?;
        self.running = false;
        self.place.leave()
    }

    /// Fills the server with the shop, unless it has it, and writes the URL of a user who may read it and nothing else.
    ///
    /// `shop` is a file with the shop; `make` makes it, and it is removed once it was copied.
    ///
    /// # Errors
    /// When the server refuses. Cancelled, nothing is left of a shop that was not whole.
    pub(in crate::demo) async fn fill(
        &self,
        directory: &Directory,
        make: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        let mut config = Config::new();
        config
            .host(Ipv4Addr::LOCALHOST.to_string())
            .port(self.port)
            .user(OWNER)
            .password(self.password.expose())
            .dbname("postgres")
            .connect_timeout(Duration::from_secs(30));
        let (mut client, connection) =
            config.connect(NoTls).await.context("the server does not answer")?;
        let mut connection = Box::pin(connection);
        tokio::select! {
            filled = filled(&mut client, directory, make) => filled?,
            ended = &mut connection => {
                ended?;
                bail!("the server ended the connection");
            }
        }
        let reader = random(32)?;
        let role = format!("alter role {READER} password '{reader}'");
        tokio::select! {
            changed = client.batch_execute(&role) => changed?,
            ended = &mut connection => ended?,
        }
        let url = format!(
            "postgres://{READER}:{reader}@127.0.0.1:{}/postgres?sslmode=disable\n",
            self.port
        );
        write_private(&directory.postgres_url(), url.as_bytes())?;
        drop(client);
        Ok(connection.await?)
    }

    /// Says where it is, for people.
    pub(in crate::demo) fn shown(&self) -> String {
        let stays = if self.place.is_temporary() { "removed at the end" } else { "kept" };
        format!("a PostgreSQL server at 127.0.0.1:{}, {stays}", self.port)
    }

    /// Returns the directory of its files.
    pub(in crate::demo) fn path(&self) -> &Path {
        self.place.path()
    }

    async fn started(
        tools: Tools,
        place: &Place,
        account: Option<&Account>,
    ) -> anyhow::Result<(Tools, u16, SecretBytes)> {
        let (data, secret) = (place.data(), place.path().join("password"));
        let text = data.display().to_string();
        if !data.try_exists()? {
            say("source    making a PostgreSQL server")?;
            // It gets its name when it is whole; half of one is from a demo that was killed.
            let half = data.with_extension("unfinished");
            if half.try_exists()? {
                fs::remove_dir_all(&half).context("cannot remove half a server")?;
            }
            let text = half.display().to_string();
            write_private(&secret, random(32)?.as_bytes())?;
            place.give_to(account, &secret)?;
            let secret = format!("--pwfile={}", secret.display());
            let owner = format!("--username={OWNER}");
            let init = [
                "-D",
                &text,
                &secret,
                &owner,
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ];
            tools.run("initdb", place.path(), &init).await?;
            fs::rename(&half, &data).context("cannot name the new server")?;
        }
        let password = read_private(&secret)?;
        let password = password.with_context(|| format!("{} is not there", secret.display()))?;
        let password = SecretBytes::new(password.into_bytes());
        let mut tries = 0;
        loop {
            let port = free_port()?;
            let options = format!("-c port={port} {OPTIONS}");
            let start = ["-D", &text, "-l", "log", "-w", "-t", PATIENCE, "-o", &options, "start"];
            match tools.run("pg_ctl", place.path(), &start).await {
                Ok(()) => return Ok((tools, port, password)),
                // Somebody may have taken the port since.
                Err(_) if tries < 2 => tries += 1,
                Err(error) => {
                    let log = fs::read_to_string(place.path().join("log")).unwrap_or_default();
                    let last = log.trim_end().lines().next_back().unwrap_or("nothing");
                    return Err(error.context(format!("the server said: {last}")));
                }
            }
        }
    }
}

impl Drop for Server {
    /// Whoever could not stop it in peace does not leave it behind either.
    fn drop(&mut self) {
        if self.running {
            let data = self.place.data().display().to_string();
            let stop = ["-D", &data, "-m", "immediate", "-w", "-t", PATIENCE, "stop"];
            let stopped = self.tools.run_blocking("pg_ctl", self.place.path(), &stop);
            if let Err(error) = stopped.and_then(|()| self.place.leave()) {
                note(format_args!("the server in {data} may go on running: {error:#}"));
            }
        }
    }
}

async fn filled(
    client: &mut Client,
    directory: &Directory,
    make: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    if copy::is_there(client).await? {
        return say("source    the server has the shop").map_err(Into::into);
    }
    make.await?;
    say("source    copying the shop into the server")?;
    let shop = directory.shop();
    let grants = format!(
        "create role {READER} login; grant select on all tables in schema public to {READER}"
    );
    copy::copy(client, &shop, &grants).await?;
    fs::remove_file(&shop).with_context(|| format!("cannot remove {}", shop.display()))
}

/// A free port now; it may be taken the moment after.
fn free_port() -> anyhow::Result<u16> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(socket.local_addr()?.port())
}

/// That many random bytes, at most 32, in hexadecimal.
fn random(bytes: usize) -> anyhow::Result<String> {
    let secret = Secret32::generate()?;
    Ok(secret.expose().iter().take(bytes).map(|byte| format!("{byte:02x}")).collect())
}

const OWNER: &str = "owner";
const READER: &str = "reader";
/// Seconds.
const PATIENCE: &str = "60";
/// Loopback only, no socket file; nothing is lost with an invented shop, so nothing waits for the disk.
const OPTIONS: &str = "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=32MB \
    -c max_connections=20 -c fsync=off -c synchronous_commit=off -c full_page_writes=off";
