//! Behind Debian's nginx.

use std::process::Command;

use super::{Proxy, changed, documented, free_port, names_the_proxy};
use crate::support::Service;

const HEAD: &str = "daemon off; master_process off; pid FOLDER/pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
";
/// Where a line can be added to what the document has.
const LOCATION: &str = "location / {";

/// nginx before a service of its own, with this block.
fn behind(block: &str) -> (Proxy, Service) {
    let service = Service::start(&[]);
    let port = free_port();
    (start(block, port, &service), service)
}

fn start(block: &str, port: u16, service: &Service) -> Proxy {
    let folder = service.folder.path().join("nginx");
    std::fs::create_dir(&folder).unwrap();
    let block = changed(
        block,
        "listen 443 ssl;",
        &format!("listen 127.0.0.1:{port};"),
    );
    let block: String = block
        .lines()
        .filter(|line| !line.contains("ssl_certificate"))
        .map(|line| format!("{line}\n"))
        .collect();
    let address = service.base.trim_start_matches("http://");
    let block = block.replace("127.0.0.1:8000", address);
    let head = HEAD.replace("FOLDER", folder.to_str().unwrap());
    let configuration = folder.join("nginx.conf");
    std::fs::write(&configuration, format!("{head}{block}}}\n")).unwrap();
    let program = std::env::var("NGINX").unwrap_or_else(|_| "/usr/sbin/nginx".to_owned());
    let mut command = Command::new(program);
    command
        .arg("-p")
        .arg(&folder)
        .args(["-e", "stderr", "-c"])
        .arg(configuration);
    let base = format!("http://127.0.0.1:{port}");
    Proxy::start(&mut command, port, base, folder.join("log"))
}

/// With this line in the location.
fn with_line(line: &str) -> String {
    changed(
        &documented("nginx"),
        LOCATION,
        &format!("{LOCATION} {line}"),
    )
}

/// With PUT answered so, and nothing else.
fn with_put(answer: &str) -> String {
    with_line(&format!(
        "default_type text/html; if ($request_method = PUT) {{ {answer} }}"
    ))
}

#[test]
fn with_the_documented_block_of_nginx_all_is_well() {
    let (proxy, service) = behind(&documented("nginx"));
    proxy.doctor().all_well();
    assert_eq!(proxy.upload(&service).code, 0);
    drop(proxy);
    // And with the setting that the document asks for.
    let port = free_port();
    let service = Service::start_public(&format!("http://127.0.0.1:{port}"));
    start(&documented("nginx"), port, &service)
        .doctor()
        .all_well();
}

#[test]
fn a_limit_of_nginx_on_bodies_is_said_with_the_line_that_lifts_it() {
    let block = changed(&documented("nginx"), "client_max_body_size 21m;", "");
    let (proxy, service) = behind(&block);
    let words = ["413", "client_max_body_size 21m;", "nginx"];
    proxy.doctor().only("upload", &words);
    names_the_proxy(&proxy.upload(&service), &words);
}

#[test]
fn a_host_that_nginx_does_not_pass_on_is_said_with_the_line_that_does() {
    let header = "proxy_set_header Host $http_host;";
    let words = ["proxy_set_header Host $http_host;", "PUBLIC_URL"];
    let (proxy, _service) = behind(&changed(&documented("nginx"), header, ""));
    proxy.doctor().only("addresses", &words);
    // Its port alone lost, or another one.
    let other = "proxy_set_header Host $host:1;";
    let (proxy, _service) = behind(&changed(&documented("nginx"), header, other));
    proxy.doctor().only("store", &words);
    // A name that the service doesn't answer to.
    let other = "proxy_set_header Host backend.example;";
    let (proxy, service) = behind(&changed(&documented("nginx"), header, other));
    let words = [&words[..], &["misdirected_request", "ALLOWED_HOSTS"]].concat();
    proxy.doctor().only("server", &words);
    assert!(proxy.upload(&service).err.contains("misdirected_request"));
}

#[test]
fn uploads_that_nginx_keeps_until_they_are_whole_are_said() {
    let block = changed(&documented("nginx"), "proxy_request_buffering off;", "");
    let (proxy, _service) = behind(&block);
    let words = [
        "only when all of it was sent",
        "proxy_request_buffering off;",
    ];
    proxy.doctor().only("buffering", &words);
}

#[test]
fn a_sign_in_and_a_refusal_before_everything_are_told_from_the_service() {
    let login = "return 302 https://login.example/?next=$request_uri;";
    let page = "default_type text/html; return 200 '<html>Sign in</html>';";
    for (line, words) in [
        (login, &["302", "https://login.example", "sign-in"][..]),
        ("return 401;", &["401", "sign-in"]),
        ("deny all;", &["403", "firewall"]),
        (page, &["200", "sign-in"]),
        ("return 404;", &["404", "proxy_pass"]),
        ("return 502;", &["502", "doesn't reach the service"]),
    ] {
        let (proxy, service) = behind(&with_line(line));
        proxy.doctor().only("server", &[words, &["proxy"]].concat());
        if !line.contains("502") {
            names_the_proxy(&proxy.upload(&service), words);
        }
    }
}

#[test]
fn a_refusal_of_the_bytes_alone_is_told_from_the_store() {
    let login = "return 302 https://login.example/;";
    let page = "return 200 '<html>Sign in</html>';";
    for (answer, words) in [
        (login, &["302", "https://login.example"][..]),
        ("return 401;", &["401", "sign-in"]),
        ("return 403;", &["403", "firewall"]),
        ("return 405;", &["405", "PUT"]),
        ("return 421;", &["421", "proxy_set_header Host"]),
        // What nginx makes of a page where `if-none-match: *` came.
        (page, &["304", "sign-in"]),
    ] {
        let (proxy, service) = behind(&with_put(answer));
        proxy.doctor().only("upload", &[words, &["proxy"]].concat());
        names_the_proxy(&proxy.upload(&service), words);
    }
}
