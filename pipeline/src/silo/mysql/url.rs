//! What does a URL say? `mysql://user:password@host:port/database?parameter=value&…`, but never to fall back to clear text.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use mysql_async::{Opts, OptsBuilder};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::tls::{self, Check, TlsFiles};

/// How the server is reached.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) opts: Opts,
}

/// Reads a URL. The error names the parameter; nothing of the URL is in it but the names of known parameters.
pub(super) fn parse(url: &str) -> Result<Target, String> {
    if !["mysql://", "mariadb://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err("url: it does not begin with mysql://".to_owned());
    }
    if url.contains('#') {
        return Err("url: a `#` in a user, password or name is written %23".to_owned());
    }
    let url = Url::parse(url).map_err(|_| UNREADABLE.to_owned())?;
    let given = Given::of(&url)?;
    let host = match url.host() {
        Some(Host::Ipv6(ip)) => ip.to_string(),
        Some(host) => decoded("host", &host.to_string())?,
        None => String::new(),
    };
    if host.is_empty() && given.socket.is_none() {
        return Err("url: it names no host".to_owned());
    }
    let user = decoded("user", url.username())?;
    let password = url.password().map(|text| decoded("password", text)).transpose()?;
    let database = decoded("database", url.path().trim_start_matches('/'))?;
    if database.contains('/') {
        return Err("url: it names more than one database".to_owned());
    }
    let ssl = given.tls(&host)?;
    let mut opts = OptsBuilder::default()
        .tcp_port(url.port().unwrap_or(PORT))
        .user(Some(user).filter(|user| !user.is_empty()))
        .pass(password)
        .db_name(Some(database).filter(|name| !name.is_empty()))
        .ssl_opts(ssl)
        // A path that the server names would be another line, and a clear one.
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .max_allowed_packet(Some(LONGEST_ROW))
        .wait_timeout(Some(0))
        .stmt_cache_size(STATEMENTS);
    opts = match given.socket {
        Some(path) => opts.socket(Some(path)),
        None => opts.ip_or_hostname(host),
    };
    Ok(Target { opts: opts.into() })
}

/// What the parameters of a URL say.
#[derive(Default)]
struct Given {
    check: Option<Check>,
    socket: Option<String>,
    files: TlsFiles,
}

impl Given {
    fn of(url: &Url) -> Result<Self, String> {
        let mut given = Self::default();
        for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or("url: a parameter has no value")?;
            let path = || decoded(name, value).map(PathBuf::from).map(Some);
            match name {
                "ssl-mode" => given.check = Some(mode(&decoded(name, value)?)?),
                "ssl-ca" => given.files.root = path()?,
                "ssl-cert" => given.files.certificate = path()?,
                "ssl-key" => given.files.key = path()?,
                "socket" => given.socket = Some(decoded(name, value)?),
                name => return Err(format!("url: parameter {} is not known", shown(name))),
            }
        }
        Ok(given)
    }

    fn tls(&self, host: &str) -> Result<Option<mysql_async::SslOpts>, String> {
        let wanted = self.check.is_some_and(|check| check != Check::Off) || self.files.are_given();
        if self.socket.is_some() {
            return if wanted && self.check != Some(Check::Off) {
                Err("url: parameter ssl-mode has no meaning beside socket".to_owned())
            } else {
                Ok(None)
            };
        }
        // Clear text is for this machine, and for nobody who speaks of encryption.
        let clear = is_local(host) && !wanted;
        match self.check.unwrap_or(if clear { Check::Off } else { Check::Full }) {
            Check::Off => Ok(None),
            check => tls::options(check, &self.files).map(Some),
        }
    }
}

/// The words of the server's own clients, in any case, with a hyphen or an underscore.
fn mode(value: &str) -> Result<Check, String> {
    match value.to_ascii_lowercase().replace('_', "-").as_str() {
        "disabled" | "disable" => Ok(Check::Off),
        "required" | "require" => Ok(Check::Nothing),
        "verify-ca" => Ok(Check::Authority),
        "verify-identity" => Ok(Check::Full),
        "preferred" | "prefer" => Err(
            "url: parameter ssl-mode is `preferred`, which falls back to clear text without a word: write disabled, required, \
             verify-ca or verify-identity"
                .to_owned(),
        ),
        _ => Err("url: parameter ssl-mode is none of disabled, required, verify-ca, verify-identity".to_owned()),
    }
}

/// Says whether a host is this machine.
fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn decoded(name: &str, value: &str) -> Result<String, String> {
    let text = percent_decode_str(value).decode_utf8();
    text.map(std::borrow::Cow::into_owned).map_err(|_| format!("url: its {name} is not UTF-8"))
}

/// A name that may be a piece of a password is not repeated.
fn shown(name: &str) -> String {
    let plain =
        name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
    if plain && !name.is_empty() { format!("`{name}`") } else { "that is no word".to_owned() }
}

const UNREADABLE: &str = "url: it cannot be read as mysql://user:password@host/database";
const PORT: u16 = 3_306;
/// A server that vanished is noticed while a long sort keeps the line silent.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// As much as the protocol can hold: what the server is willing to send is its own setting.
const LONGEST_ROW: usize = 1 << 30;
/// Prepared statements that are kept for the next time.
const STATEMENTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn opts(url: &str) -> Opts {
        parse(url).map(|target| target.opts).unwrap()
    }

    #[test]
    fn a_whole_url_is_read() {
        let opts = opts("mariadb://ada:p%40ss%3Fw%25@127.0.0.1:3307/my%20db");
        assert_eq!(opts.user(), Some("ada"));
        assert_eq!(opts.pass(), Some("p@ss?w%"));
        assert_eq!(opts.db_name(), Some("my db"));
        assert_eq!((opts.ip_or_hostname(), opts.tcp_port()), ("127.0.0.1", 3307));
        assert!(opts.ssl_opts().is_none());
        assert!(!opts.prefer_socket());
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        let opts = opts("mysql://localhost");
        assert_eq!((opts.user(), opts.pass(), opts.db_name()), (None, None, None));
        assert_eq!(opts.tcp_port(), 3306);
        let opts = self::opts("mysql:///shop?socket=/run/mysqld/mysqld.sock");
        assert_eq!(opts.socket(), Some("/run/mysqld/mysqld.sock"));
        assert_eq!(self::opts("mysql://[::1]/x").ip_or_hostname(), "::1");
    }

    #[test]
    fn another_machine_is_never_spoken_to_in_clear_unless_said() {
        for url in ["mysql://db.internal/x", "mysql://10.0.0.1/x", "mysql://localhost.example/x"] {
            let opts = opts(url);
            let ssl = opts.ssl_opts().unwrap();
            assert!(!ssl.skip_domain_validation() && !ssl.accept_invalid_certs(), "{url}");
        }
        for url in
            ["mysql://db.internal/x?ssl-mode=DISABLED", "mysql://LOCALHOST/x", "mysql://[::1]/x"]
        {
            assert!(opts(url).ssl_opts().is_none(), "{url}");
        }
    }

    #[test]
    fn modes_ask_of_the_certificate_what_their_words_say() {
        for (word, unknown, nameless) in [
            ("required", true, false),
            ("VERIFY_CA", false, true),
            ("verify-identity", false, false),
        ] {
            let opts = opts(&format!("mysql://localhost/x?ssl-mode={word}"));
            let ssl = opts.ssl_opts().unwrap();
            assert_eq!(
                (ssl.accept_invalid_certs(), ssl.skip_domain_validation()),
                (unknown, nameless),
                "{word}"
            );
        }
    }

    #[test]
    fn errors_name_the_parameter_and_nothing_else() {
        for (url, what) in [
            ("postgres://u:canary@h/x", "does not begin with mysql://"),
            ("mysql://u:canary@h/x?ssl-mode=preferred", "falls back to clear text"),
            ("mysql://u:canary@h/x?ssl-mode=canary", "parameter ssl-mode is none of"),
            ("mysql://u:canary@h/x?ssl-mod=required", "parameter `ssl-mod` is not known"),
            ("mysql://u:canary@h/x?Canary%21=1", "parameter that is no word is not known"),
            ("mysql://u:canary@h:canary/x", "cannot be read as"),
            ("mysql://u:can#canary@h/x", "written %23"),
            ("mysql://u:canary@/x", "cannot be read as"),
            ("mysql:///x", "names no host"),
            ("mysql://u:canary@h/x?ssl-ca=%ff", "ssl-ca is not UTF-8"),
            ("mysql://u:canary@h/x?ssl-ca=/canary", "parameter ssl-ca"),
            ("mysql://u:canary@h/x?ssl-cert=/canary", "parameter ssl-key"),
            ("mysql://u:canary@h/x?ssl-key=/canary", "parameter ssl-cert"),
            ("mysql://u:canary@h/x?ssl-mode", "a parameter has no value"),
            ("mysql://u:canary@h/canary/x", "more than one database"),
            ("mysql://u:canary@h/x?socket=/run/s&ssl-mode=required", "no meaning beside socket"),
        ] {
            let error = parse(url).err().unwrap();
            assert!(error.contains(what), "{url}: {error}");
            assert!(!error.to_lowercase().contains("canary"), "{url}: {error}");
        }
    }
}
