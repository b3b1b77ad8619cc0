//! Where a service is reached: the beginning of links to it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use crate::value::{ValueError, text::text_serde};

/// Holds the beginning of a link: `http` or `https`, a host, perhaps a port and a path. No slash at its end.
///
/// Has no user, no query and no fragment, so that a path can be put behind it, and no secret can hide in it. Names that are
/// not ASCII are written as they are resolved (`xn--…`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Returns the URL without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether there is a path after host and port.
    pub fn has_path(&self) -> bool {
        self.0.split_once("://").is_some_and(|(_, rest)| rest.contains('/'))
    }

    /// Says whether what is sent there can be read on its way: `http` to a host that is not this machine.
    pub fn is_readable_on_its_way(&self) -> bool {
        let Some(rest) = self.0.strip_prefix("http://") else { return false };
        let (authority, _) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => authority.split(':').next().unwrap_or(authority),
        };
        let loopback = |address: IpAddr| address.to_canonical().is_loopback();
        host != "localhost" && !host.parse().is_ok_and(loopback)
    }
}

impl FromStr for BaseUrl {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // Whoever puts a user into it puts a password into it, too.
        if text.contains('@') {
            return Err(ValueError::unquoted(EXPECTED));
        }
        let misfit = || ValueError::new(EXPECTED, text);
        let (scheme, rest) = text.split_once("://").ok_or_else(misfit)?;
        let scheme = scheme.to_ascii_lowercase();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = path.trim_end_matches('/');
        if matches!(scheme.as_str(), "http" | "https") && is_authority(authority) && is_path(path) {
            Ok(Self(format!("{scheme}://{}{path}", authority.to_ascii_lowercase())))
        } else {
            Err(misfit())
        }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_serde!(BaseUrl, EXPECTED);

fn is_authority(text: &str) -> bool {
    let (host, rest) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<Ipv6Addr>().is_ok() => ("v6", rest),
        Some(_) => return false,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let port = match rest.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|b| b.is_ascii_digit())
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
        None => rest.is_empty(),
    };
    port && host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

/// Segments as they are written in links: letters, digits, some signs, and escapes; none that leads upwards or is empty.
fn is_path(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    let Some(segments) = text.strip_prefix('/') else { return text.is_empty() };
    segments.split('/').all(|segment| {
        let mut bytes = segment.bytes();
        let mut whole = !matches!(segment, "" | "." | "..");
        while let Some(byte) = bytes.next() {
            let escape = byte == b'%'
                && [bytes.next(), bytes.next()]
                    .iter()
                    .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()));
            whole &= escape || plain(byte);
        }
        whole
    })
}

const EXPECTED: &str = r#"an http:// or https:// URL without user, query and fragment such as "https://privacy.example""#;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_kept_without_the_slash_at_their_end() {
        for (text, kept) in [
            ("https://privacy.example", "https://privacy.example"),
            ("HTTPS://Privacy.Example/", "https://privacy.example"),
            ("http://localhost:8080//", "http://localhost:8080"),
            (
                "https://[2001:db8::1]:443/Antumbra/v%20x/",
                "https://[2001:db8::1]:443/Antumbra/v%20x",
            ),
            ("https://192.0.2.7", "https://192.0.2.7"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().as_str(), kept);
        }
    }

    #[test]
    fn what_no_path_can_be_put_behind_is_refused() {
        for text in [
            "",
            "privacy.example",
            "/x",
            "ftp://a",
            "https://",
            "https:///x",
            "https://a?b=c",
            "https://a/#b",
            "https://a:0",
            "https://a:66000",
            "https://a:",
            "https://a:+1",
            "https://a b",
            "https://a\r\nx: y",
            "https://bücher.example",
            "https://a/..",
            "https://a//b",
            "https://a/%2",
            "https://a/%zz",
            "https://[::1",
            "https://[x]",
            "https://[::1]x",
            "https://a..b",
            "https://.a",
            "https://a..",
            r"https://a\b",
            "https://a/\"",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text:?}");
        }
        let error = "https://me:hunter2@a".parse::<BaseUrl>().unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn only_plain_http_that_leaves_the_machine_is_readable_on_its_way() {
        for (text, readable) in [
            ("https://kms.example", false),
            ("http://kms.example", true),
            ("http://10.0.0.1:8200/v1", true),
            ("http://[2001:db8::1]", true),
            ("http://localhost.example", true),
            ("http://127.0.0.1.example", true),
            ("http://localhost:4566", false),
            ("http://127.9.9.9:8200/x", false),
            ("http://[::1]:8200", false),
            ("http://[::ffff:127.0.0.1]", false),
        ] {
            let url: BaseUrl = text.parse().unwrap();
            assert_eq!(url.is_readable_on_its_way(), readable, "{text}");
            assert_eq!(url.has_path(), text.ends_with("/v1") || text.ends_with("/x"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(https?://)?.*") {
            if let Ok(url) = text.parse::<BaseUrl>() {
                let again: BaseUrl = url.as_str().parse().unwrap();
                prop_assert_eq!(&again, &url);
                prop_assert!(!url.as_str().contains(['@', '?', '#', '"', '\\', ' ']));
            }
        }
    }
}
