//! `antumbra healthcheck`: is a running daemon well? Made for a container's health check: exits 0 or 1, nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use antumbra_config::Listen;

use super::args::HealthcheckArgs;
use super::{Exit, HttpClient, note, settings};
use crate::tls::Trust;

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
    let (url, trust) = match args.url {
        Some(url) => (url, Trust::Machine),
        None => own(&settings::load(&args.settings)?.loaded.settings.listen),
    };
    // No key is sent, and nothing that is answered is secret.
    let client = HttpClient::even_in_clear(&url, &trust)?;
    client.get("/health").await?.success("the daemon is not well")?;
    Ok(())
}

/// Returns where the daemon of these settings is reached on this machine, and how it is known: by the very certificate that it
/// was given, which is made out to another name than an address of this machine.
pub(super) fn own(listen: &Listen) -> (String, Trust) {
    let address = reachable(listen.address);
    match &listen.tls_certificate {
        Some(certificate) => (format!("https://{address}"), Trust::Exactly(certificate.clone())),
        None => (format!("http://{address}"), Trust::Machine),
    }
}

/// A daemon that listens everywhere is asked through the loopback.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
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

    #[test]
    fn a_daemon_that_serves_tls_is_known_by_its_certificate() {
        let mut listen = Listen { address: "0.0.0.0:443".parse().unwrap(), ..Listen::default() };
        assert_eq!(own(&listen), ("http://127.0.0.1:443".to_owned(), Trust::Machine));
        listen.tls_certificate = Some("/tls/cert.pem".into());
        let exactly = Trust::Exactly("/tls/cert.pem".into());
        assert_eq!(own(&listen), ("https://127.0.0.1:443".to_owned(), exactly));
    }
}
