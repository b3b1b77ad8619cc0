//! `antumbra healthcheck`: is a running daemon well? Made for a container's health check: exits 0 or 1, nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::args::HealthcheckArgs;
use super::{Exit, HttpClient, note, settings};

/// Asks `GET /health`.
pub(super) async fn healthcheck(args: HealthcheckArgs) -> Exit {
    match ask(args).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            note(format_args!("antumbra: {error:#}"));
            Exit::Failed
        }
    }
}

async fn ask(args: HealthcheckArgs) -> anyhow::Result<()> {
    let url = match args.url {
        Some(url) => url,
        None => {
            let heard = settings::load(&args.settings)?;
            format!("http://{}", reachable(heard.loaded.settings.listen.address))
        }
    };
    HttpClient::new(&url)?.get("/health").await?.success("the daemon is not well")?;
    Ok(())
}

/// A daemon that listens everywhere is asked through the loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_asked_through_the_loopback() {
        let shown = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(shown("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(shown("[::]:80"), "[::1]:80");
        assert_eq!(shown("192.0.2.7:80"), "192.0.2.7:80");
    }
}
