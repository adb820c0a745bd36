//! The addresses at which others in the network reach what listens on this machine.
//!
//! Invariant: none of them means this machine alone or no machine at all (loopback, `0.0.0.0`, link-local IPv6), and
//! there are [`MAX_ADDRESSES`] at the most, the likeliest first.
//!
//! Absent on purpose: whether a firewall lets anybody in, and addresses that a router or a container's host maps to
//! this machine. Nothing here knows of those; an operator says them in `PUBLIC_URL`.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most addresses that people are told. Who needs another one knows it.
pub const MAX_ADDRESSES: usize = 5;

/// For how long the system's answer is used again: a laptop changes networks while the service runs.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Addresses that are nobody's (RFC 5737, RFC 3849), and are routed as any other.
const ELSEWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// What containers and virtual machines on this machine are reached by, and nobody else.
const INTERNAL_BRIDGES: [&str; 12] = [
    "docker", "veth", "virbr", "vboxnet", "vmnet", "lxcbr", "lxdbr", "incusbr", "podman", "cni",
    "flannel", "cali",
];

/// The addresses of this machine, asked of the system again and again.
#[derive(Debug, Clone, Default)]
pub struct NetworkAddresses {
    known: Arc<Mutex<Option<Known>>>,
}

/// What the system said, and when.
type Known = (Instant, Vec<IpAddr>);

impl NetworkAddresses {
    /// As [`reached_at`], by what the system said some seconds ago at the most.
    pub fn reached_at(&self, listening: SocketAddr) -> Vec<SocketAddr> {
        among(listening, || self.of_this_machine())
    }

    fn of_this_machine(&self) -> Vec<IpAddr> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((at, addresses)) if at.elapsed() < ASK_AGAIN_AFTER => addresses.clone(),
            _ => {
                let addresses = sorted(own_addresses());
                *known = Some((Instant::now(), addresses.clone()));
                addresses
            }
        }
    }
}

/// Where others reach what listens there, the likeliest first; empty if only this machine does, or it is in no
/// network, as far as the system says.
pub fn reached_at(listening: SocketAddr) -> Vec<SocketAddr> {
    among(listening, || sorted(own_addresses()))
}

fn among(listening: SocketAddr, own: impl FnOnce() -> Vec<IpAddr>) -> Vec<SocketAddr> {
    let ip = listening.ip().to_canonical();
    let at = |ip| SocketAddr::new(ip, listening.port());
    if ip.is_loopback() {
        return Vec::new();
    }
    if !ip.is_unspecified() {
        return vec![at(ip)];
    }
    let is_for = |own: &IpAddr| own.is_ipv4() || listening.is_ipv6();
    let reached = own().into_iter().filter(is_for).take(MAX_ADDRESSES);
    reached.map(at).collect()
}

/// Whether a host's name or address means the machine of whoever asks it: to others it leads to their own.
pub fn means_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|it| it.to_canonical().is_loopback() || it.is_unspecified())
}

/// An address of this machine's, and what speaks for it.
#[derive(Debug, Clone)]
struct OwnAddress {
    ip: IpAddr,
    interface: String,
    /// As of a tunnel, at whose other end there is one machine.
    is_point_to_point: bool,
    /// Whether this machine would send to others from it.
    is_default: bool,
}

/// Whom an address is for. What comes first is likelier to be reached from the same room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Network,
    Tunnel,
    /// Told only where there is nothing else.
    LastResort,
}

impl OwnAddress {
    /// `None` if nobody else can use it.
    fn reach(&self) -> Option<Reach> {
        let is_for_nobody =
            self.ip.is_loopback() || self.ip.is_unspecified() || self.ip.is_multicast();
        match self.ip {
            _ if is_for_nobody => None,
            // Without the name of an interface, which differs on each machine, it is no address.
            IpAddr::V6(ip) if ip.is_unicast_link_local() => None,
            // Two machines at one cable have nothing else.
            IpAddr::V4(ip) if ip.is_link_local() => Some(Reach::LastResort),
            _ if is_internal_bridge(&self.interface) => Some(Reach::LastResort),
            _ if self.is_point_to_point => Some(Reach::Tunnel),
            _ => Some(Reach::Network),
        }
    }

    /// Of several IPv6 addresses of this kind that an interface has, one is enough: the others are there so that
    /// servers don't know this machine again (RFC 8981).
    fn kind(&self) -> Option<(String, bool)> {
        match self.ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some((self.interface.clone(), ip.is_unique_local())),
        }
    }
}

/// The likeliest first: in the network before tunnels, where this machine sends from before others, IPv4, which is
/// easier to type, before IPv6. Bridges to containers only where there is nothing else.
fn sorted(mut addresses: Vec<OwnAddress>) -> Vec<IpAddr> {
    addresses.sort_by_key(|own| (own.reach(), !own.is_default, own.ip.is_ipv6()));
    let mut kinds = Vec::new();
    let mut told: Vec<(Reach, IpAddr)> = Vec::new();
    for own in &addresses {
        let Some(reach) = own.reach() else { continue };
        if let Some(kind) = own.kind() {
            if kinds.contains(&kind) {
                continue;
            }
            kinds.push(kind);
        }
        if !told.iter().any(|(_, ip)| *ip == own.ip) {
            told.push((reach, own.ip));
        }
    }
    let has_better = told.iter().any(|(reach, _)| *reach < Reach::LastResort);
    told.retain(|(reach, _)| !has_better || *reach < Reach::LastResort);
    told.into_iter().map(|(_, ip)| ip).collect()
}

fn is_internal_bridge(interface: &str) -> bool {
    // Docker's own networks: `br-` and the beginning of an ID. `br-lan` is a network of machines.
    let docker_id = interface.strip_prefix("br-");
    docker_id.is_some_and(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        || INTERNAL_BRIDGES
            .iter()
            .any(|bridge| interface.starts_with(bridge))
}

/// The addresses of the interfaces that are up; the one that this machine sends from where the system doesn't list
/// them.
fn own_addresses() -> Vec<OwnAddress> {
    let defaults = ELSEWHERE.map(sends_from);
    let is_default = |ip: IpAddr| defaults.contains(&Some(ip));
    let listed = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::debug!(%error, "the system doesn't list this machine's addresses");
        Vec::new()
    });
    if listed.is_empty() {
        let alone = |ip| OwnAddress {
            ip,
            interface: String::new(),
            is_point_to_point: false,
            is_default: true,
        };
        return defaults.into_iter().flatten().map(alone).collect();
    }
    let up = listed.into_iter().filter(if_addrs::Interface::is_oper_up);
    up.map(|interface| OwnAddress {
        ip: interface.ip(),
        is_default: is_default(interface.ip()),
        is_point_to_point: interface.is_p2p,
        interface: interface.name,
    })
    .collect()
}

/// The address from which this machine would send there. No packet is sent for it.
fn sends_from(there: IpAddr) -> Option<IpAddr> {
    let here: IpAddr = match there {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((here, 0)).ok()?;
    socket.connect((there, 9)).ok()?;
    socket.local_addr().ok().map(|own| own.ip())
}
