//! `fshare` where the environment names a proxy.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::reverse_proxies::caddy::TlsProxy;
use crate::support::{Ran, Service, fshare};

/// Nobody can look this name up: whoever gets there went by a proxy.
const NAME: &str = "files.example";

/// A proxy that passes everything on to one address, and the heads of what it was asked.
struct Proxy {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(
        serve: impl Fn(TcpStream, &Mutex<Vec<String>>) -> Option<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let (noted, serve) = (seen.clone(), Arc::new(serve));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (noted, serve) = (noted.clone(), serve.clone());
                thread::spawn(move || serve(client.unwrap(), &noted));
            }
        });
        Self { address, seen }
    }

    /// One that is handed requests with the whole address in their first line.
    fn http(target: &str) -> Self {
        let target = target.trim_start_matches("http://").to_owned();
        Self::start(move |mut client, seen| {
            let head = head_of(&mut client)?;
            seen.lock().unwrap().push(head.clone());
            let mut server = TcpStream::connect(&target).ok()?;
            // One request a connection, for the server in its short form.
            let head = head.replacen(&format!("http://{NAME}"), "", 1);
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            server.write_all(head.as_bytes()).ok()?;
            pass(client, server)
        })
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn head_of(client: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Both ways, until the server has said all.
fn pass(client: TcpStream, server: TcpStream) -> Option<()> {
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
    to.shutdown(Shutdown::Both).ok()
}

fn service() -> Service {
    Service::start_public(&format!("http://{NAME}"))
}

fn run(service: &Service, server: &str, settings: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = fshare(server);
    let command = command.envs(settings.iter().copied()).args(arguments);
    Ran::of(command.current_dir(service.folder.path()).output().unwrap())
}

#[test]
fn calls_and_bytes_go_by_the_proxy_that_the_environment_names() {
    let service = service();
    service.file("f", b"by a proxy");
    let proxy = Proxy::http(&service.base);
    let address = format!("http://me:s%20cret@{}", proxy.address);
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let settings = [(variable, address.as_str())];
        let server = format!("http://{NAME}");
        let ran = run(&service, &server, &settings, &["upload", "f"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{variable}: {ran:?}");
        let link = ran.out.trim();
        let ran = run(&service, &server, &settings, &["download", link, "-o", "-"]);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (0, "by a proxy"),
            "{variable}: {ran:?}"
        );
    }
    let seen = proxy.seen();
    assert!(
        seen.iter()
            .any(|head| head.starts_with(&format!("PUT http://{NAME}/"))),
        "{seen:?}"
    );
    for head in &seen {
        let head = head.to_lowercase();
        // me:s cret
        assert!(
            head.contains("proxy-authorization: basic bwu6cybjcmv0"),
            "{head}"
        );
    }
}

#[test]
fn what_no_proxy_names_and_this_machine_are_reached_without_one() {
    let service = service();
    let proxy = Proxy::http(&service.base);
    let settings = [
        ("ALL_PROXY", proxy.address.as_str()),
        ("NO_PROXY", "other.example, files.example"),
    ];
    let ran = run(&service, &format!("http://{NAME}"), &settings, &["list"]);
    assert_eq!(ran.code, 3, "nobody knows that name: {ran:?}");
    let settings = [("ALL_PROXY", "http://127.0.0.1:1")];
    let ran = run(&service, &service.base, &settings, &["list"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(proxy.seen(), Vec::<String>::new());
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_to_what_speaks_tls() {
    let service = service();
    let proxy = Proxy::start(|mut client, seen| {
        let head = head_of(&mut client)?;
        seen.lock().unwrap().push(head);
        client
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            .ok()
    });
    let settings = [("HTTPS_PROXY", proxy.address.as_str())];
    let ran = run(&service, &format!("https://{NAME}"), &settings, &["list"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.err.contains(&format!("the proxy {}", proxy.address)),
        "{ran:?}"
    );
    assert!(ran.err.contains("authorization"), "{ran:?}");
    let seen = proxy.seen();
    assert!(!seen.is_empty());
    let tunnel = format!("CONNECT {NAME}:443 HTTP/1.1\r\n");
    assert!(
        seen.iter().all(|head| head.starts_with(&tunnel)),
        "{seen:?}"
    );
}

#[test]
fn tls_goes_through_the_tunnel_to_what_the_name_says() {
    let service = Service::start_public("https://files.example");
    service.file("f", b"in a tunnel");
    let caddy = TlsProxy::start(&service, NAME);
    let target = caddy.address.clone();
    let proxy = Proxy::start(move |mut client, seen| {
        let head = head_of(&mut client)?;
        seen.lock().unwrap().push(head);
        let server = TcpStream::connect(&target).ok()?;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
        pass(client, server)
    });
    let address = format!("http://me:secret@{}", proxy.address);
    let certificates = caddy.certificates();
    let settings = [
        ("HTTPS_PROXY", address.as_str()),
        ("SSL_CERT_FILE", certificates.to_str().unwrap()),
    ];
    let server = format!("https://{NAME}");
    caddy.wait(|| run(&service, &server, &settings, &["list"]).code == 0);
    let ran = run(&service, &server, &settings, &["upload", "f"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let link = ran.out.trim();
    let ran = run(&service, &server, &settings, &["download", link, "-o", "-"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "in a tunnel"), "{ran:?}");
    for head in proxy.seen() {
        let head = head.to_lowercase();
        assert!(head.starts_with("connect files.example:443 "), "{head}");
        // me:secret
        assert!(
            head.contains("proxy-authorization: basic bwu6c2vjcmv0"),
            "{head}"
        );
    }
}

#[test]
fn socks_is_spoken_and_the_proxy_looks_the_name_up() {
    let service = service();
    let target = service.base.trim_start_matches("http://").to_owned();
    let proxy = Proxy::start(move |mut client, seen| {
        // RFC 1928: no authentication; a name and a port; yes.
        let mut hello = [0; 3];
        client.read_exact(&mut hello).ok()?;
        client.write_all(&[5, 0]).ok()?;
        let mut request = [0; 5];
        client.read_exact(&mut request).ok()?;
        let mut name = vec![0; usize::from(request[4])];
        client.read_exact(&mut name).ok()?;
        client.read_exact(&mut [0; 2]).ok()?;
        seen.lock().unwrap().push(String::from_utf8(name).ok()?);
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
        pass(client, TcpStream::connect(&target).ok()?)
    });
    service.file("f", b"f");
    let address = format!("socks5h://{}", proxy.address);
    let settings = [("ALL_PROXY", address.as_str())];
    let ran = run(
        &service,
        &format!("http://{NAME}"),
        &settings,
        &["upload", "f"],
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(proxy.seen().iter().all(|name| name == NAME));
}

#[test]
fn a_variable_that_names_no_proxy_is_said_without_what_it_holds() {
    let service = service();
    for value in [
        "ftp://me:secret@x",
        "http://me:secret@",
        "socks4://secret:1",
        "socks5://secret",
    ] {
        let ran = run(
            &service,
            &service.base,
            &[("HTTPS_PROXY", value)],
            &["list"],
        );
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{value}: {ran:?}");
        assert!(ran.err.contains("HTTPS_PROXY"), "{value}: {ran:?}");
        assert!(!ran.err.contains("secret"), "{ran:?}");
    }
}
