//! Which of a machine's addresses are told to others, and in which order.

use super::*;

fn own(ip: &str, interface: &str) -> OwnAddress {
    OwnAddress {
        ip: ip.parse().unwrap(),
        interface: interface.to_owned(),
        is_point_to_point: false,
        is_default: false,
    }
}

fn told(addresses: &[OwnAddress]) -> Vec<String> {
    let sorted = sorted(addresses.to_vec());
    sorted.iter().map(ToString::to_string).collect()
}

#[test]
fn the_address_that_this_machine_sends_from_comes_first_and_ipv4_before_ipv6() {
    let default = OwnAddress {
        is_default: true,
        ..own("192.168.1.7", "wlan0")
    };
    let addresses = [
        own("127.0.0.1", "lo"),
        own("::1", "lo"),
        own("2001:db8:1::7", "eth0"),
        own("10.0.0.7", "eth0"),
        own("fe80::7", "wlan0"),
        default,
    ];
    let expected = ["192.168.1.7", "10.0.0.7", "2001:db8:1::7"];
    assert_eq!(told(&addresses), expected);
}

#[test]
fn bridges_to_containers_are_told_only_where_there_is_nothing_else() {
    let docker = [
        own("172.17.0.1", "docker0"),
        own("172.18.0.1", "br-0123456789ab"),
        own("192.168.122.1", "virbr0"),
        own("10.244.0.1", "cni0"),
        own("169.254.8.1", "eth0"),
    ];
    assert_eq!(told(&docker).len(), 5, "better than nothing");
    let mut with_network = docker.to_vec();
    with_network.push(own("10.0.0.7", "br-lan"));
    with_network.push(own("10.1.0.7", "br0"));
    assert_eq!(told(&with_network), ["10.0.0.7", "10.1.0.7"]);
}

#[test]
fn a_tunnel_comes_after_the_network_of_the_room_also_where_everything_goes_through_it() {
    let tunnel = OwnAddress {
        is_point_to_point: true,
        is_default: true,
        ..own("10.8.0.2", "tun0")
    };
    let addresses = [tunnel.clone(), own("192.168.1.7", "wlan0")];
    assert_eq!(told(&addresses), ["192.168.1.7", "10.8.0.2"]);
    assert_eq!(told(&[tunnel]), ["10.8.0.2"]);
}

#[test]
fn of_the_many_addresses_of_ipv6_one_of_each_kind_is_told() {
    let default = OwnAddress {
        is_default: true,
        ..own("2001:db8::3", "wlan0")
    };
    let addresses = [
        own("2001:db8::1", "wlan0"),
        own("2001:db8::2", "wlan0"),
        default,
        own("fd00::1", "wlan0"),
        own("fd00::2", "wlan0"),
        own("2001:db8::4", "eth0"),
    ];
    assert_eq!(told(&addresses), ["2001:db8::3", "fd00::1", "2001:db8::4"]);
}

#[test]
fn nobody_else_reaches_what_listens_on_loopback_and_what_listens_at_one_address_is_reached_there() {
    let reached = |listening: &str| reached_at(listening.parse().unwrap());
    for loopback in [
        "127.0.0.1:8000",
        "127.8.0.1:1",
        "[::1]:8000",
        "[::ffff:127.0.0.1]:1",
    ] {
        assert_eq!(reached(loopback), [], "{loopback}");
    }
    assert_eq!(
        reached("192.168.1.7:80"),
        ["192.168.1.7:80".parse().unwrap()]
    );
    assert_eq!(reached("[fd00::2]:80"), ["[fd00::2]:80".parse().unwrap()]);
}

#[test]
fn what_listens_on_all_addresses_is_reached_at_a_handful_of_those_of_this_machine() {
    let of_ipv6: IpAddr = "2001:db8::7".parse().unwrap();
    let of_ipv4: Vec<IpAddr> = (1..=MAX_ADDRESSES as u8)
        .map(|n| IpAddr::from([10, 0, 0, n]))
        .collect();
    let own = [&[of_ipv6][..], &of_ipv4].concat();
    let reached = |listening: &str| among(listening.parse().unwrap(), || own.clone());
    let at = |ips: &[IpAddr]| -> Vec<SocketAddr> {
        ips.iter().map(|ip| SocketAddr::new(*ip, 8000)).collect()
    };
    assert_eq!(reached("0.0.0.0:8000"), at(&of_ipv4));
    assert_eq!(reached("[::]:8000"), at(&own[..MAX_ADDRESSES]));
    assert_eq!(among("[::]:8000".parse().unwrap(), Vec::new), []);
}

#[test]
fn the_addresses_of_this_machine_are_remembered_as_the_system_says_them() {
    for listening in ["0.0.0.0:8000", "[::]:8000"] {
        let listening = listening.parse().unwrap();
        let addresses = NetworkAddresses::default();
        // In no network both are empty: then the test before is the one that says something.
        assert_eq!(addresses.reached_at(listening), reached_at(listening));
        assert_eq!(addresses.reached_at(listening), reached_at(listening));
    }
}

#[test]
fn a_host_that_means_this_machine_is_told_from_one_that_others_reach() {
    for here in [
        "localhost",
        "LOCALHOST.",
        "files.localhost",
        "127.0.0.1",
        "127.1.2.3",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ] {
        assert!(means_this_machine(here), "{here}");
    }
    for there in [
        "192.168.1.7",
        "[fd00::2]",
        "laptop",
        "localhost.example",
        "",
    ] {
        assert!(!means_this_machine(there), "{there}");
    }
}
