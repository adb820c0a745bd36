//! Behind Caddy, which PyPI has.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Proxy, changed, documented, free_port, names_the_proxy};
use crate::aws_support::reverse_proxy::{self, START};
use crate::support::Service;

const UPSTREAM: &str = "reverse_proxy 127.0.0.1:8000";

/// Caddy before a service of its own, with this block.
fn behind(block: &str) -> (Proxy, Service) {
    let service = Service::start(&[]);
    let port = free_port();
    (
        start(block, &format!("http://127.0.0.1:{port}"), &service),
        service,
    )
}

fn start(block: &str, base: &str, service: &Service) -> Proxy {
    let folder = service.folder.path().join("caddy");
    std::fs::create_dir(&folder).unwrap();
    let block = changed(block, "files.example.org {", &format!("{base} {{"));
    let address = service.base.trim_start_matches("http://");
    let block = block.replace("127.0.0.1:8000", address);
    let port = base.rsplit(':').next().unwrap().parse().unwrap();
    Proxy::start(
        &mut reverse_proxy::caddy(&folder, &block),
        port,
        base.to_owned(),
        folder.join("log"),
    )
}

/// With these lines in the site, before what the document has.
fn with_site(lines: &str) -> String {
    changed(
        &documented("caddy"),
        UPSTREAM,
        &format!("{lines}\n{UPSTREAM}"),
    )
}

fn with_upstream(lines: &str) -> String {
    changed(
        &documented("caddy"),
        UPSTREAM,
        &format!("{UPSTREAM} {{\n{lines}\n}}"),
    )
}

#[test]
fn with_the_documented_block_of_caddy_all_is_well() {
    let (proxy, service) = behind(&documented("caddy"));
    proxy.doctor().all_well();
    assert_eq!(proxy.upload(&service).code, 0);
}

#[test]
fn a_limit_of_caddy_on_bodies_is_said_with_the_line_that_lifts_it() {
    let (proxy, service) = behind(&with_site("request_body {\nmax_size 1MB\n}"));
    let words = ["413", "max_size 21MB"];
    proxy.doctor().only("upload", &words);
    names_the_proxy(&proxy.upload(&service), &words);
}

#[test]
fn a_host_that_caddy_does_not_pass_on_is_said() {
    let (proxy, _service) = behind(&with_upstream("header_up Host {upstream_hostport}"));
    proxy
        .doctor()
        .only("addresses", &["no `header_up Host`", "PUBLIC_URL"]);
}

#[test]
fn uploads_that_caddy_keeps_until_they_are_whole_are_said() {
    let (proxy, _service) = behind(&with_upstream("request_buffers 30MB"));
    proxy.doctor().only(
        "buffering",
        &["only when all of it was sent", "request_buffers"],
    );
}

#[test]
fn a_sign_in_of_caddy_is_told_from_the_service() {
    for (line, words) in [
        (
            "redir https://login.example/?to={uri}",
            &["302", "https://login.example"][..],
        ),
        ("respond 401", &["401", "sign-in"]),
        ("respond 403", &["403", "firewall"]),
    ] {
        let (proxy, service) = behind(&with_site(line));
        proxy.doctor().only("server", words);
        names_the_proxy(&proxy.upload(&service), words);
    }
}

/// Within this nobody has waited between attempts.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Caddy with TLS by an authority of its own.
pub(crate) struct TlsProxy {
    proxy: Proxy,
    folder: PathBuf,
    /// Where it listens, whatever it is called.
    pub address: String,
}

impl TlsProxy {
    pub(crate) fn start(service: &Service, name: &str) -> Self {
        Self::at(&format!("https://{name}:{}", free_port()), service)
    }

    fn at(base: &str, service: &Service) -> Self {
        let port = base.rsplit(':').next().unwrap();
        Self {
            proxy: start(&with_site("tls internal"), base, service),
            folder: service.folder.path().join("caddy"),
            address: format!("127.0.0.1:{port}"),
        }
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.folder.join("caddy/pki/authorities/local/root.crt")
    }

    /// It makes its certificates after it has begun to listen.
    pub(crate) fn wait(&self, is_ready: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_ready() {
            let log = std::fs::read_to_string(&self.proxy.log).unwrap();
            assert!(began.elapsed() < START, "{log}");
        }
    }

    /// Until it answers, with what `fshare` needs to trust it.
    fn trusted(&self, run: impl Fn(&Proxy, &[(&str, &str)])) {
        let certificates = self.certificates();
        let settings = [("SSL_CERT_FILE", certificates.to_str().unwrap())];
        self.wait(|| {
            let list = self.proxy.run_with(&["list"], &settings, &self.folder);
            list.code == 0
        });
        run(&self.proxy, &settings);
    }
}

#[test]
fn behind_tls_urls_in_the_clear_are_refused_and_the_setting_is_named() {
    let service = Service::start(&[]);
    service.file("f", b"f");
    let link = service.upload("g", b"g");
    let id = link.rsplit('/').next().unwrap();
    let words = ["from https to http", "PUBLIC_URL"];
    let caddy = TlsProxy::start(&service, "localhost");
    caddy.trusted(|proxy, settings| {
        // Whoever doesn't know the authority is told how to know it, and nothing of firewalls.
        let untrusted = proxy.doctor();
        untrusted.ends_with(3, "server", &["whom this machine knows", "SSL_CERT_FILE"]);
        // Asking again would change nothing.
        let asked = Instant::now();
        let list = proxy.run_with(&["list"], &[], service.folder.path());
        assert_eq!(list.code, 3, "{list:?}");
        assert!(list.err.contains("SSL_CERT_FILE"), "{list:?}");
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
        proxy.doctor_with(settings).only("create", &words);
        // And in use, both ways.
        for arguments in [&["upload", "f"][..], &["download", id, "-o", "-"]] {
            let ran = proxy.run_with(arguments, settings, service.folder.path());
            assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
            assert!(words.iter().all(|word| ran.err.contains(word)), "{ran:?}");
        }
    });
    let base = format!("https://localhost:{}", free_port());
    let service = Service::start_public(&base);
    let caddy = TlsProxy::at(&base, &service);
    caddy.trusted(|proxy, settings| proxy.doctor_with(settings).all_well());
}
