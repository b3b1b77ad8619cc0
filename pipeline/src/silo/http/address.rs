//! Which addresses may be called?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Public addresses, and the private ones that settings allow.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowed {
    networks: Vec<IpNet>,
    /// Names of hosts, in lower case, that may be at a private address.
    hosts: Vec<String>,
}

impl Allowed {
    /// Reads addresses, networks and names of hosts.
    pub(super) fn new(entries: &[String]) -> Self {
        let mut allowed = Self::default();
        for entry in entries {
            match (entry.parse::<IpNet>(), entry.parse::<IpAddr>()) {
                (Ok(network), _) => allowed.networks.push(network),
                (_, Ok(address)) => allowed.networks.push(address.into()),
                _ => allowed.hosts.push(entry.to_ascii_lowercase()),
            }
        }
        allowed
    }

    /// Says whether a host may be called at an address. A host that is allowed by its name is not thereby at an address where
    /// clouds hand out credentials: such a one has to be allowed as an address, also where it is a public one.
    pub(super) fn permits(&self, host: &str, address: IpAddr) -> bool {
        let address = plain(address);
        if self.networks.iter().any(|network| network.contains(&address)) {
            return true;
        }
        let named = || self.hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host));
        !is_link_local(address) && !METADATA.contains(&address) && (is_public(address) || named())
    }
}

/// An address of the old kind that is written as one of the new: mapped, or behind NAT64 ([RFC 6052](https://www.rfc-editor.org/rfc/rfc6052)).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = six.segments() {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        return IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    }
    six.to_ipv4_mapped().map_or(address, IpAddr::V4)
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => is_public_v4(four),
        IpAddr::V6(six) => is_public_v6(six),
    }
}

/// Not in a block that the [special-purpose registry](https://www.iana.org/assignments/iana-ipv4-special-registry) keeps from the
/// Internet.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let kept = matches!(
        (a, b, c),
        (0 | 10 | 127 | 224..=255, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 168, _)
            | (192, 88, 99)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    );
    !kept
}

/// Within [global unicast](https://www.iana.org/assignments/ipv6-address-space), and not a block that stands for other addresses.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let kept =
        matches!((a, b), (0x2001, 0 | 0xdb8 | 0x10..=0x3f) | (0x2002, _) | (0x3fff, 0..=0xfff));
    (0x2000..0x4000).contains(&a) && !kept
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => four.is_link_local(),
        IpAddr::V6(six) => six.is_unicast_link_local(),
    }
}

/// Where clouds hand out credentials, link-local addresses aside.
const METADATA: [IpAddr; 6] = [
    // Alibaba Cloud.
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    // Azure, at an address that looks public.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // AWS: instances, and pods of EKS.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    // Google Cloud.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    // Oracle Cloud.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(entries: &[&str], host: &str, address: &str) -> bool {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        Allowed::new(&entries).permits(host, address.parse().unwrap())
    }

    #[test]
    fn only_the_internet_is_open() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "2606:4700:4700::1111",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
        ] {
            assert!(permits(&[], "x.example", address), "{address}");
        }
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:0:1::808:808",
            "64:ff9b:1::808:808",
            "168.63.129.16",
            "::ffff:168.63.129.16",
            "64:ff9b::a83f:8110",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!permits(&[], "x.example", address), "{address}");
        }
    }

    #[test]
    fn what_settings_allow_is_open_and_nothing_beside_it() {
        assert!(permits(&["10.1.0.0/16"], "x", "10.1.2.3"));
        assert!(!permits(&["10.1.0.0/16"], "x", "10.2.2.3"));
        assert!(permits(&["127.0.0.1"], "x", "127.0.0.1"));
        assert!(permits(&["127.0.0.1"], "x", "::ffff:127.0.0.1"));
        assert!(!permits(&["127.0.0.1"], "x", "127.0.0.2"));
        assert!(permits(&["fd00::/8"], "x", "fd12::1"));
        assert!(permits(&["10.1.0.0/16"], "x", "64:ff9b::a01:203"));
        assert!(permits(&["API.internal"], "api.Internal", "10.2.3.4"));
        assert!(!permits(&["api.internal"], "other.internal", "10.2.3.4"));
    }

    #[test]
    fn a_name_alone_never_opens_where_clouds_hand_out_credentials() {
        for address in [
            "169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "168.63.129.16",
            "fd00:ec2::23",
            "fd00:c1::a9fe:a9fe",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::6464:64c8",
        ] {
            assert!(!permits(&["api.internal"], "api.internal", address), "{address}");
        }
        assert!(permits(&["169.254.169.254/32"], "x", "169.254.169.254"));
        assert!(permits(&["168.63.129.16"], "x", "168.63.129.16"));
    }
}
