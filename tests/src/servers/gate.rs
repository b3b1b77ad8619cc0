//! What does a client see when the network fails? A door in front of a server, which a story opens and shuts.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Duration, sleep};

/// How a shut gate meets a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shut {
    /// Nobody listens.
    Refused,
    /// The connection is accepted and never answered.
    Hanging,
    /// The connection is accepted and reset.
    Reset,
}

/// A port of this machine that leads to a server while it is open. Shutting it cuts what is connected.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    state: watch::Sender<Option<Shut>>,
    /// What the port does now; the same as `state` a moment later.
    settled: watch::Receiver<Option<Shut>>,
    accepted: Arc<AtomicU64>,
    keeper: JoinHandle<()>,
}

impl Gate {
    /// Opens a gate to a server.
    ///
    /// # Errors
    /// When no port is free.
    #[expect(clippy::disallowed_methods, reason = "ended with the gate, below")]
    pub async fn open_to(target: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (state, asked) = watch::channel(None);
        let (settling, settled) = watch::channel(None);
        let accepted = Arc::new(AtomicU64::new(0));
        let keeper = Keeper { address, target, accepted: Arc::clone(&accepted), settling };
        let keeper = tokio::spawn(keeper.run(listener, asked));
        Ok(Self { address, state, settled, accepted, keeper })
    }

    /// Returns where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns how many connections were accepted so far, whatever became of them. What is refused is not seen.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Shuts it; returns when nobody is connected any more.
    ///
    /// # Errors
    /// When the gate broke.
    pub async fn shut(&mut self, how: Shut) -> anyhow::Result<()> {
        self.change(Some(how)).await
    }

    /// Opens it again; returns when it can be passed.
    ///
    /// # Errors
    /// When the gate broke.
    pub async fn open(&mut self) -> anyhow::Result<()> {
        self.change(None).await
    }

    async fn change(&mut self, to: Option<Shut>) -> anyhow::Result<()> {
        self.state.send_replace(to);
        self.settled.wait_for(|now| *now == to).await.context("the gate broke")?;
        Ok(())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// The task behind a gate.
struct Keeper {
    address: SocketAddr,
    target: SocketAddr,
    accepted: Arc<AtomicU64>,
    settling: watch::Sender<Option<Shut>>,
}

impl Keeper {
    async fn run(self, listener: TcpListener, mut asked: watch::Receiver<Option<Shut>>) {
        let mut listener = Some(listener);
        loop {
            let state = *asked.borrow_and_update();
            if state == Some(Shut::Refused) {
                listener = None;
            } else if listener.is_none() {
                listener = Some(self.listen_again().await);
            }
            self.settling.send_replace(state);
            // Dropped at a change, and every connection with it.
            let mut connections = JoinSet::new();
            let ended = tokio::select! {
                changed = asked.changed() => changed.is_err(),
                never = self.serve(listener.as_ref(), state, &mut connections) => match never {},
            };
            connections.shutdown().await;
            if ended {
                return;
            }
        }
    }

    /// Takes connections for as long as the state lasts.
    async fn serve(
        &self,
        listener: Option<&TcpListener>,
        state: Option<Shut>,
        connections: &mut JoinSet<()>,
    ) -> std::convert::Infallible {
        let Some(listener) = listener else { return std::future::pending().await };
        loop {
            // A client that went away before it was accepted is no loss.
            let Ok((client, _)) = listener.accept().await else { continue };
            self.accepted.fetch_add(1, Ordering::SeqCst);
            let target = self.target;
            connections.spawn(async move {
                match state {
                    None => pass(client, target).await,
                    Some(Shut::Reset) => drop(client.set_zero_linger()),
                    // Held open until the gate changes.
                    Some(Shut::Hanging | Shut::Refused) => {
                        let _client = client;
                        std::future::pending::<()>().await;
                    }
                }
            });
        }
    }

    /// The port was ours a moment ago; somebody may hold it for as short a time.
    async fn listen_again(&self) -> TcpListener {
        loop {
            if let Ok(listener) = TcpListener::bind(self.address).await {
                return listener;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Carries bytes both ways. However it ends, the client sees a connection that ended.
async fn pass(mut client: TcpStream, target: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(target).await {
        drop(copy_bidirectional(&mut client, &mut server).await);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> anyhow::Result<(SocketAddr, JoinSet<()>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                open.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        Ok((address, tasks))
    }

    async fn said(gate: &Gate) -> std::io::Result<[u8; 4]> {
        let mut stream = TcpStream::connect(gate.address()).await?;
        stream.write_all(b"ping").await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn gate_refuses_hangs_resets_and_opens_again() -> anyhow::Result<()> {
        let (target, _echo) = echo().await?;
        let mut gate = Gate::open_to(target).await?;
        assert_eq!(&said(&gate).await?, b"ping");
        let mut connected = TcpStream::connect(gate.address()).await?;
        accepts(&gate, 2).await?;
        gate.shut(Shut::Refused).await?;
        assert_eq!(connected.read(&mut [0; 1]).await.unwrap_or_default(), 0, "cut");
        assert!(TcpStream::connect(gate.address()).await.is_err());
        gate.shut(Shut::Reset).await?;
        assert!(said(&gate).await.is_err());
        gate.shut(Shut::Hanging).await?;
        let mut held = TcpStream::connect(gate.address()).await?;
        held.write_all(b"ping").await?;
        accepts(&gate, 4).await?;
        let silence =
            tokio::time::timeout(Duration::from_millis(100), held.read(&mut [0; 1])).await;
        assert!(silence.is_err(), "answered");
        gate.open().await?;
        assert_eq!(held.read(&mut [0; 1]).await.unwrap_or_default(), 0, "cut");
        assert_eq!(&said(&gate).await?, b"ping");
        assert_eq!(gate.accepted(), 5);
        Ok(())
    }

    /// A client is connected before anybody accepted it.
    async fn accepts(gate: &Gate, count: u64) -> anyhow::Result<()> {
        let all = async || Ok((gate.accepted() >= count).then_some(()));
        crate::until("an accepted connection", all).await
    }
}
