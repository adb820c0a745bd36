//! Whose request it is, as far as an address tells.
//!
//! Invariant: what a request says of where it comes from (`X-Forwarded-For`) is believed hop by hop from its end,
//! and only as far as hops are proxies that the operator named. So nobody chooses their own address.
//!
//! Absent on purpose: `Forwarded`, `X-Real-IP` and their like. A proxy that sets none of them passes on what a client
//! wrote into them, and one header that is read leaves no doubt which.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Bits of an IPv6 address that its provider gives out; a client chooses the rest.
const NETWORK_BITS: u32 = 64;
/// Proxies that stand one before the other; who names more is taken for the last of these.
const MAX_HOPS: usize = 16;

/// Whoever shares an address, as far as that can be told: an address of IPv4, or a /64 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork(IpAddr);

impl ClientNetwork {
    /// Whose address this is.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let host = u128::MAX >> NETWORK_BITS;
                Ipv6Addr::from_bits(address.to_bits() & !host).into()
            }
            v4 => v4,
        })
    }
}

/// A network by its first address and the number of bits that all its addresses share (CIDR, RFC 4632).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or an address, which is a network of one.
    ///
    /// # Errors
    /// Any other text; what to write instead where that can be told.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no network such as 10.0.0.0/8 or fd00::/8");
        let (address, bits) = text.split_once('/').unwrap_or((text, ""));
        let first: IpAddr = address.parse().map_err(|_| refused())?;
        let width = width(first);
        let bits = match bits {
            "" if !text.contains('/') => width,
            bits => bits.parse().map_err(|_| refused())?,
        };
        if bits > width {
            return Err(refused());
        }
        if bits == 0 {
            return Err(format!(
                "{text:?} is every address: then anybody could claim to be anybody"
            ));
        }
        let network = Self {
            first: masked(first, bits),
            bits,
        };
        match network.first == first {
            true => Ok(network),
            false => Err(format!("{text:?} should be {network}")),
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        let is_alike = width(address) == width(self.first);
        is_alike && masked(address, self.bits) == self.first
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

fn width(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => u32::BITS,
        IpAddr::V6(_) => u128::BITS,
    }
}

/// `bits` is at least 1 and at most the address's width.
fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX << (u32::BITS - bits);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX << (u128::BITS - bits);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

/// The proxies that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// From where a request comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client's, or of the first hop that isn't believed.
    pub address: IpAddr,
    /// Whether a proxy that is believed named it.
    pub is_told_by_proxy: bool,
}

impl TrustedProxies {
    /// Reads networks with commas between them; none of an empty text.
    ///
    /// # Errors
    /// As [`Network::parse`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let networks = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        networks
            .map(Network::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether none is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// From where a request comes that `peer` sent, with these values of `X-Forwarded-For` in their order. Each hop
    /// that is believed names the one before it, at the end; what none of them wrote isn't read.
    pub fn client_of<'a>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> ClientAddress {
        let mut client = ClientAddress {
            address: peer.to_canonical(),
            is_told_by_proxy: false,
        };
        if self.is_empty() {
            return client;
        }
        let hops = forwarded_for
            .rev()
            .flat_map(|value| value.rsplit(|byte| *byte == b','));
        for hop in hops.take(MAX_HOPS) {
            if !self.trusts(client.address) {
                break;
            }
            // What isn't an address names nobody, and nobody before it is known.
            let Some(address) = address_of(hop) else {
                break;
            };
            client = ClientAddress {
                address,
                is_told_by_proxy: true,
            };
        }
        client
    }
}

/// An address; some proxies write the port behind it. What a client wrote before it may be no text at all.
fn address_of(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let address = text.parse().or_else(|_| {
        let with_port = text.parse::<SocketAddr>();
        with_port.map(|it| it.ip())
    });
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: &str, forwarded_for: &[&str]) -> (String, bool) {
        let proxies = TrustedProxies::parse(trusted).unwrap();
        let client = proxies.client_of(
            peer.parse().unwrap(),
            forwarded_for.iter().map(|it| it.as_bytes()),
        );
        (client.address.to_string(), client.is_told_by_proxy)
    }

    #[test]
    fn without_a_trusted_proxy_nobody_is_believed() {
        for forged in [
            &["203.0.113.7"][..],
            &["203.0.113.7, 127.0.0.1"],
            &[""],
            &[],
        ] {
            let told = client("", "192.0.2.1", forged);
            assert_eq!(told, ("192.0.2.1".into(), false));
            let told = client("10.0.0.0/8", "192.0.2.1", forged);
            assert_eq!(told, ("192.0.2.1".into(), false));
        }
    }

    #[test]
    fn a_trusted_proxy_names_its_client_and_what_stands_before_it_is_not_read() {
        for (headers, expected) in [
            (&["198.51.100.9"][..], "198.51.100.9"),
            // The client wrote the first.
            (&["203.0.113.7, 198.51.100.9"], "198.51.100.9"),
            (&["203.0.113.7", "198.51.100.9"], "198.51.100.9"),
            (&["10.0.0.7", "198.51.100.9"], "198.51.100.9"),
            // Two proxies, the outer one in the middle.
            (&["203.0.113.7, 198.51.100.9, 10.2.3.4"], "198.51.100.9"),
            (&["203.0.113.7", "198.51.100.9 ,10.2.3.4 "], "198.51.100.9"),
            (&["198.51.100.9:4711"], "198.51.100.9"),
            (&["[2001:db8::7]:4711"], "2001:db8::7"),
            (&["::ffff:198.51.100.9"], "198.51.100.9"),
        ] {
            let told = client("10.0.0.0/8", "10.0.0.1", headers);
            assert_eq!(told, (expected.into(), true), "{headers:?}");
        }
    }

    #[test]
    fn what_names_nobody_is_the_proxys_own() {
        for headers in [
            &[][..],
            &[""],
            &["unknown"],
            &["203.0.113.7, _hidden"],
            &[","],
        ] {
            let told = client("10.0.0.0/8", "10.0.0.1", headers);
            assert_eq!(told, ("10.0.0.1".into(), false), "{headers:?}");
        }
        // As far as it goes.
        let told = client("10.0.0.0/8", "10.0.0.1", &["203.0.113.7, ?, 10.9.9.9"]);
        assert_eq!(told, ("10.9.9.9".into(), true));
        let proxies = vec!["10.0.0.1"; 1_000].join(",");
        let told = client("10.0.0.0/8", "10.0.0.1", &["203.0.113.7", &proxies]);
        assert_eq!(told, ("10.0.0.1".into(), true));
        let trusted = TrustedProxies::parse("10.0.0.0/8").unwrap();
        let no_text = [&b"\xff\xfe, 198.51.100.9"[..]];
        let told = trusted.client_of([10, 0, 0, 1].into(), no_text.into_iter());
        assert_eq!(told.address, IpAddr::from([198, 51, 100, 9]));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_however_it_is_written() {
        let of = |text: &str| ClientNetwork::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn networks_are_read_as_they_are_written_and_else_it_is_said_how() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.128/25", "192.0.2.200", "192.0.2.127"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::2"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
        ] {
            let network = Network::parse(text).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{text}");
            assert!(!network.contains(outside.parse().unwrap()), "{text}");
            assert!(!network.contains("::".parse().unwrap()), "{text}");
        }
        for (text, advice) in [
            ("10.0.0.1/8", "should be 10.0.0.0/8"),
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("10.0.0.0/33", "such as"),
            ("10.0.0.0/", "such as"),
            ("10.0.0.0/-1", "such as"),
            ("proxy.lan", "such as"),
            ("10.0.0.0:80", "such as"),
        ] {
            let refused = Network::parse(text).unwrap_err();
            assert!(refused.contains(advice), "{refused}");
        }
        let two = TrustedProxies::parse(" 10.0.0.0/8 ,::1,").unwrap();
        assert_eq!(two.0.len(), 2);
        assert!(TrustedProxies::parse(" ").unwrap().is_empty());
    }
}
