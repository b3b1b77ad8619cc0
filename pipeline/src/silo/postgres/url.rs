//! What does a URL say? `postgres://user:password@host:port/database?parameter=value&…`, as libpq reads it, but never to fall
//! back to clear text.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};

use super::tls::{Check, Tls, TlsFiles};

/// How the server is reached.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// For all of connecting, however many hosts there are.
    pub(super) connect_timeout: Duration,
}

/// Reads a URL. The error names the parameter; nothing of the URL is in it but the names of known parameters.
pub(super) fn parse(url: &str, connect_timeout: Duration) -> Result<Target, String> {
    let pieces = Pieces::of(url)?;
    let mut given = Given::default();
    let mut passed = Vec::new();
    for pair in pieces.parameters.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or("url: a parameter has no value")?;
        match name {
            "sslmode" => given.check = Some(mode(&decoded(name, value)?)?),
            "sslrootcert" => given.root = Some(decoded(name, value)?),
            "sslcert" => given.certificate = Some(decoded(name, value)?.into()),
            "sslkey" => given.key = Some(decoded(name, value)?.into()),
            name if PASSED.contains(&name) => {
                passed.push(format!("{name}={}", value.replace('@', "%40")));
            }
            name => return Err(format!("url: parameter {} is not known", shown(name))),
        }
    }
    for pair in &passed {
        let name = pair.split('=').next().unwrap_or_default();
        if format!("postgres://localhost?{pair}").parse::<Config>().is_err() {
            return Err(format!("url: parameter {name} has a value that it cannot have"));
        }
    }
    let url = format!("{}?{}", pieces.place, passed.join("&"));
    let mut config: Config = url
        .parse()
        .map_err(|_| "url: it cannot be read as postgres://user:password@host/database")?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("url: it names no host".to_owned());
    }
    if config.get_application_name().is_none() {
        config.application_name("antumbra");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(connect_timeout);
    }
    config.keepalives_idle(if has(&passed, "keepalives_idle") {
        config.get_keepalives_idle()
    } else {
        KEEPALIVE
    });
    given.negotiation = has(&passed, "sslnegotiation");
    let tls = given.tls(&mut config)?;
    let each = config.get_connect_timeout().copied().unwrap_or(connect_timeout);
    let hosts = config.get_hosts().len().max(config.get_hostaddrs().len());
    let connect_timeout = each.saturating_mul(u32::try_from(hosts).unwrap_or(u32::MAX).max(1));
    Ok(Target { config, tls, connect_timeout })
}

/// What the URL says about encryption.
#[derive(Default)]
struct Given {
    check: Option<Check>,
    root: Option<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    /// How encryption begins.
    negotiation: bool,
}

impl Given {
    fn tls(self, config: &mut Config) -> Result<Tls, String> {
        // Clear text is for this machine, and for nobody who speaks of encryption.
        let clear = is_local(config) && !self.is_wanted();
        let check = self.check.unwrap_or(if clear { Check::Off } else { Check::Full });
        if check == Check::Off {
            config.ssl_mode(SslMode::Disable);
            return Ok(Tls::Off);
        }
        if config.get_hosts().is_empty()
            || config.get_hosts().iter().any(|host| !matches!(host, Host::Tcp(_)))
        {
            return Err("url: parameter sslmode needs a host name beside each address".to_owned());
        }
        config.ssl_mode(SslMode::Require);
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        Tls::on(
            check,
            &TlsFiles { root: self.root, certificate: self.certificate, key: self.key, direct },
        )
    }

    /// Says whether a parameter is given that has no meaning without encryption.
    const fn is_wanted(&self) -> bool {
        self.root.is_some() || self.certificate.is_some() || self.key.is_some() || self.negotiation
    }
}

/// A URL before and behind its question mark.
struct Pieces<'a> {
    place: String,
    parameters: &'a str,
}

impl<'a> Pieces<'a> {
    fn of(url: &'a str) -> Result<Self, String> {
        let (scheme, rest) = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme).map(|rest| (*scheme, rest)))
            .ok_or("url: it does not begin with postgres://")?;
        // As libpq does: an `@` before the first `/` ends user and password.
        let end = rest.find(['@', '/']).filter(|at| rest.as_bytes().get(*at) == Some(&b'@'));
        let (credentials, rest) = rest.split_at(end.map_or(0, |at| at + 1));
        let (host, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let name = host.split('/').next().unwrap_or_default();
        if name.contains('@') {
            return Err("url: an `@` in a user or password is written %40".to_owned());
        }
        let host = host.replace('@', "%40");
        Ok(Self { place: format!("{scheme}{credentials}{host}"), parameters })
    }
}

fn mode(value: &str) -> Result<Check, String> {
    match value {
        "disable" => Ok(Check::Off),
        "require" => Ok(Check::Nothing),
        "verify-ca" => Ok(Check::Authority),
        "verify-full" => Ok(Check::Full),
        "allow" | "prefer" => Err(format!(
            "url: parameter sslmode is `{value}`, which falls back to clear text without a word: write disable, require, verify-ca \
             or verify-full"
        )),
        _ => {
            Err("url: parameter sslmode is none of disable, require, verify-ca, verify-full"
                .to_owned())
        }
    }
}

/// Says whether no host is beyond this machine.
fn is_local(config: &Config) -> bool {
    if !config.get_hostaddrs().is_empty() {
        return config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        Host::Unix(_) => true,
    })
}

fn decoded(name: &str, value: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(rest.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push(high << 4 | low),
            _ => return Err(format!("url: parameter {name} has a % without two hex digits")),
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("url: parameter {name} is not UTF-8"))
}

fn has(passed: &[String], name: &str) -> bool {
    passed.iter().any(|pair| pair.split('=').next() == Some(name))
}

/// A name that may be a piece of a password is not repeated.
fn shown(name: &str) -> String {
    let plain = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if plain && !name.is_empty() { format!("`{name}`") } else { "that is no word".to_owned() }
}

/// What tokio-postgres understands.
const PASSED: [&str; 18] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "sslnegotiation",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "load_balance_hosts",
    "channel_binding",
];
/// A server that vanished is noticed while a long sort keeps the line silent.
const KEEPALIVE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Target, String> {
        parse(url, Duration::from_secs(10))
    }

    #[test]
    fn a_whole_url_is_read() {
        let target = read(
            "postgresql://ada:p%40ss%3Fw@127.0.0.1:5433,[::1]:5434/my%20db?options=-c%20x%3D1&application_name=a@b&connect_timeout=3",
        )
        .unwrap();
        let config = &target.config;
        assert_eq!(config.get_user(), Some("ada"));
        assert_eq!(config.get_password(), Some(&b"p@ss?w"[..]));
        assert_eq!(config.get_dbname(), Some("my db"));
        assert_eq!(config.get_ports(), [5433, 5434]);
        assert_eq!(config.get_options(), Some("-c x=1"));
        assert_eq!(config.get_application_name(), Some("a@b"));
        assert_eq!(target.connect_timeout, Duration::from_secs(6));
        assert!(matches!(target.tls, Tls::Off));
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let target = read("postgres:///shop?host=/run/postgresql").unwrap();
        assert_eq!(target.config.get_application_name(), Some("antumbra"));
        assert_eq!(target.config.get_keepalives_idle(), KEEPALIVE);
        assert_eq!(target.config.get_ssl_mode(), SslMode::Disable);
        assert_eq!(target.connect_timeout, Duration::from_secs(10));
        assert!(matches!(target.tls, Tls::Off));
    }

    #[test]
    fn another_machine_is_never_spoken_to_in_clear_unless_said() {
        for url in ["postgres://db.internal/x", "postgres://localhost,10.0.0.1/x"] {
            let target = read(url).unwrap();
            assert_eq!(target.config.get_ssl_mode(), SslMode::Require, "{url}");
            assert!(matches!(target.tls, Tls::On(_)), "{url}");
        }
        for url in ["postgres://db.internal/x?sslmode=disable", "postgres://u@LOCALHOST/x"] {
            assert_eq!(read(url).unwrap().config.get_ssl_mode(), SslMode::Disable, "{url}");
        }
    }

    #[test]
    fn whoever_speaks_of_encryption_gets_it_on_this_machine_too() {
        for parameters in ["sslrootcert=system", "sslnegotiation=direct", "sslnegotiation=postgres"]
        {
            for place in ["postgres://localhost/x", "postgres://127.0.0.1/x", "postgres://[::1]/x"]
            {
                let target = read(&format!("{place}?{parameters}")).unwrap();
                assert_eq!(target.config.get_ssl_mode(), SslMode::Require, "{place} {parameters}");
                assert!(matches!(target.tls, Tls::On(_)), "{place} {parameters}");
            }
        }
        for (parameters, what) in [
            ("sslcert=/nowhere", "parameter sslkey"),
            ("sslkey=/nowhere", "parameter sslcert"),
            ("sslrootcert=/nowhere", "parameter sslrootcert"),
            ("host=/run/postgresql&sslrootcert=system", "needs a host name"),
        ] {
            let error = read(&format!("postgres://localhost/x?{parameters}")).err().unwrap();
            assert!(error.contains(what), "{parameters}: {error}");
        }
        let target = read("postgres://localhost/x?sslrootcert=system&sslmode=disable").unwrap();
        assert!(matches!(target.tls, Tls::Off));
    }

    #[test]
    fn errors_name_the_parameter_and_nothing_else() {
        for (url, what) in [
            ("mysql://u:canary@h/x", "does not begin with postgres://"),
            ("postgres://u:canary@h/x?sslmode=prefer", "falls back to clear text"),
            ("postgres://u:canary@h/x?sslmode=canary", "parameter sslmode is none of"),
            ("postgres://u:canary@h/x?sslmod=require", "parameter `sslmod` is not known"),
            ("postgres://u:canary@h/x?Canary%21=1", "parameter that is no word is not known"),
            ("postgres://u:canary@h/x?keepalives=canary", "parameter keepalives has a value"),
            ("postgres://u:canary@h/x?port=canary", "parameter port has a value"),
            ("postgres://u:canary@h:canary/x", "cannot be read as"),
            ("postgres://u:can@canary@h/x", "written %40"),
            ("postgres://u:canary@/x", "names no host"),
            ("postgres://u:canary@h/x?sslrootcert=%zz", "parameter sslrootcert has a %"),
            ("postgres://u:canary@h/x?sslrootcert=/canary", "parameter sslrootcert"),
            ("postgres://u:canary@h/x?sslcert=/canary", "parameter sslkey"),
            ("postgres://u:canary@h/x?sslmode", "a parameter has no value"),
            ("postgres://u:canary@%2Frun/x?sslmode=require", "needs a host name"),
        ] {
            let error = read(url).err().unwrap();
            assert!(error.contains(what), "{url}: {error}");
            assert!(!error.to_lowercase().contains("canary"), "{url}: {error}");
        }
    }
}
