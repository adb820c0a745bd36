//! What a browser may be made to do here by somebody else's page.
//!
//! Whoever reaches the API may use it, and a browser on this machine or network reaches it for every
//! page that it shows. CORS keeps such a page from reading answers and from sending JSON or DELETE.
//! Two ways are left, and closed here:
//!
//! - A request that needs no preflight, such as a POST without a body, is done although its answer
//!   can't be read. So nothing is changed for a page of another origin that isn't allowed. The rules
//!   are those of <https://pkg.go.dev/net/http#CrossOriginProtection>: what the browser says in
//!   `Sec-Fetch-Site`, which no page can set, else `Origin` compared with the host.
//! - DNS rebinding: a page of `evil.example`, whose name suddenly means 127.0.0.1, is of the same
//!   origin for the browser, which still sends that name as `Host`. So local mode answers only to
//!   names that nobody on the internet can give to this machine, and to those that an operator allowed.
//!
//! Invariant: a refusal depends on headers that browsers set by themselves; clients that are no
//! browser send none of them and notice nothing.
//!
//! Absent on purpose: who sends a request. A session's cookie comes along with requests of pages of our own site alone
//! (`SameSite=Strict`); this holds also where nobody is asked, and for browsers that know no such cookies.

use std::net::IpAddr;

use poem::Request;
use poem::http::uri::Authority;
use poem::http::{HeaderMap, HeaderName, Uri, header};

use super::middleware::Identified;
use super::problem::{Code, Problem};
use crate::cors::CorsPolicy;
use crate::domain::Invalid;
use crate::request_host::{HostError, is_host_of, request_host};
use crate::request_log::cut;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The host names that the API answers to.
#[derive(Debug, Clone)]
pub enum OwnHosts {
    /// Any: in aws mode, where a load balancer or proxy stands before it and knows the names.
    Any {
        /// As below.
        public_url: Option<Uri>,
    },
    /// Addresses, `localhost`, names without a dot, and these.
    Local {
        /// This machine's, and the one of the public URL.
        own: Vec<String>,
        /// What an operator added: a name, or `*.` and one below which all are meant.
        allowed: Vec<String>,
        /// Where an operator said that people reach the service. Other ports of that host are other origins.
        public_url: Option<Uri>,
    },
}

impl OwnHosts {
    /// This machine's, the one of the public URL, and those that an operator allowed.
    pub fn of_this_machine(public_url: Option<&Uri>, allowed: &[String]) -> Self {
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_string_lossy().to_ascii_lowercase();
        // Under which a machine is found on a local network without a name server (RFC 6762).
        let short = machine.split('.').next().unwrap_or_default();
        let mut names = vec![format!("{short}.local"), machine];
        names.extend(public_url.and_then(Uri::host).map(str::to_ascii_lowercase));
        Self::Local {
            own: names,
            allowed: allowed.to_vec(),
            public_url: public_url.cloned(),
        }
    }

    fn include(&self, host: &str) -> bool {
        let Self::Local { own, allowed, .. } = self else {
            return true;
        };
        let unbracketed = host.trim_start_matches('[').trim_end_matches(']');
        // A name may be written with a dot at its end, which says that it is complete.
        let name = host.strip_suffix('.').unwrap_or(host);
        let is_below_localhost = || {
            name.rsplit_once('.')
                .is_some_and(|(_, last)| last.eq_ignore_ascii_case("localhost"))
        };
        unbracketed.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || is_below_localhost()
            || own.iter().any(|own| own.eq_ignore_ascii_case(name))
            || allowed.iter().any(|pattern| is_allowed(pattern, name))
    }
}

/// Whether a name is the one that is allowed, or one or more labels below it.
fn is_allowed(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(name),
        Some(domain) => name
            .len()
            .checked_sub(domain.len() + 1)
            .and_then(|at| name.split_at_checked(at))
            .is_some_and(|(below, rest)| {
                !below.is_empty() && rest.starts_with('.') && rest[1..].eq_ignore_ascii_case(domain)
            }),
    }
}

/// Lets a request through that is for this service, and that no page of a stranger's makes change something; the
/// host that it is for.
///
/// # Errors
/// If the request names another host than ours, or none where HTTP wants one, or would change
/// something for a page of another origin that isn't allowed.
pub(super) fn judge(
    request: &Request,
    hosts: &OwnHosts,
    cors: &CorsPolicy,
) -> Result<Option<Authority>, Problem> {
    let host = host_of(request).map_err(|error| Code::InvalidRequest.with(error.to_string()))?;
    if let Some(host) = &host
        && !hosts.include(host.host())
    {
        // The same characters as in a name that is looked up: nothing that could be more than a name.
        let detail = format!(
            "the request's host is {:?}: add it to ALLOWED_HOSTS if it is a name of this machine, or set \
             PUBLIC_URL to the address that people use",
            cut(host.host())
        );
        return Err(Code::MisdirectedRequest.with(detail));
    }
    if request.method().is_safe() || is_own_page(request.headers(), host.as_ref(), hosts, cors) {
        return Ok(host);
    }
    // A browser that says itself that the page is a foreign one is right. One that doesn't, as over plain
    // HTTP, may well stand before a proxy that hides its name.
    Err(match request.headers().get(SEC_FETCH_SITE) {
        Some(_) => Code::OriginNotAllowed.plain(),
        None => Code::OriginNotAllowed.with(HIDDEN_HOST),
    })
}

/// What a request comes to whose proxy has put its own name for us into `Host`.
const HIDDEN_HOST: &str = "the page is at another address than the one in the Host header. If a proxy stands \
     between them, it hides the host that was asked for: have it pass that on (in nginx: proxy_set_header \
     Host $http_host;), or set PUBLIC_URL to the address of the page. Pages of other sites may change \
     nothing here";

/// Whether a browser says that the page and this service have one origin, and the host that we see isn't
/// that one: a proxy hides it, and a URL for that host would lead nowhere.
///
/// # Errors
/// If so, with what to change.
pub(super) fn check_host_is_passed_on(
    headers: &HeaderMap,
    host: Option<&Authority>,
) -> Result<(), Invalid> {
    if headers
        .get(SEC_FETCH_SITE)
        .is_none_or(|site| site != "same-origin")
    {
        return Ok(());
    }
    let origin: Option<Uri> = headers
        .get(header::ORIGIN)
        .and_then(|origin| origin.to_str().ok()?.parse().ok());
    match (origin, host) {
        (Some(origin), Some(host)) if !is_host_of(&origin, host) => {
            Err(Invalid(HIDDEN_HOST.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The host that is asked for.
///
/// # Errors
/// [`HostError`].
pub(super) fn host_of(request: &Request) -> Result<Option<Authority>, HostError> {
    if let Some(Identified { host, .. }) = request.extensions().get() {
        return Ok(host.clone());
    }
    request_host(request.headers(), request.original_uri(), request.version())
}

/// Whether the request comes from no page, from one of ours, or from one that is allowed.
fn is_own_page(
    headers: &HeaderMap,
    host: Option<&Authority>,
    hosts: &OwnHosts,
    cors: &CorsPolicy,
) -> bool {
    let origin = headers.get(header::ORIGIN);
    if origin.is_some_and(|origin| cors.allows(origin)) {
        return true;
    }
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        // `none` is a person at the address bar.
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = origin else {
        return true;
    };
    let origin: Option<Uri> = origin.to_str().ok().and_then(|text| text.parse().ok());
    let Some(origin) = origin.filter(|origin| origin.authority().is_some()) else {
        return false;
    };
    // A proxy that ends TLS hides the scheme, and one that writes its own Host hides the name; but
    // not the one that an operator set.
    let is_public = || match hosts {
        OwnHosts::Any { public_url } | OwnHosts::Local { public_url, .. } => public_url
            .as_ref()
            .is_some_and(|url| is_origin_of(&origin, url)),
    };
    host.is_some_and(|host| is_host_of(&origin, host)) || is_public()
}

/// Whether a URL has this origin: scheme, host and port.
fn is_origin_of(origin: &Uri, url: &Uri) -> bool {
    origin.scheme() == url.scheme() && url.authority().is_some_and(|host| is_host_of(origin, host))
}

#[cfg(test)]
mod tests {
    use poem::http::{Method, Version};

    use super::*;

    fn hosts() -> OwnHosts {
        let public_url = "https://share.example.org/x".parse().unwrap();
        let allowed = ["files.lan", "*.tailnet.example"].map(str::to_owned);
        OwnHosts::of_this_machine(Some(&public_url), &allowed)
    }

    fn request(method: Method, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.finish()
    }

    fn code(request: &Request, hosts: &OwnHosts) -> Option<Code> {
        let cors = CorsPolicy::new(vec!["https://app.example.org".into()]);
        judge(request, hosts, &cors)
            .err()
            .map(|problem| problem.code)
    }

    #[test]
    fn a_name_that_anybody_could_point_here_is_refused_in_local_mode() {
        let asked = |host: &str| code(&request(Method::GET, &[("host", host)]), &hosts());
        for own in [
            "127.0.0.1:8000",
            "192.168.1.7:8000",
            "[::1]:8000",
            "localhost",
            "LOCALHOST.:8000",
            "app.localhost:8000",
            "laptop:8000",
            "Share.Example.org",
            "files.lan:8000",
            "FILES.lan.",
            "a.tailnet.example",
            "b.A.Tailnet.Example:8000",
        ] {
            assert_eq!(asked(own), None, "{own}");
        }
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_str().unwrap();
        assert_eq!(asked(machine), None, "{machine}");
        for other in [
            "evil.example",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "share.example.org.evil.example",
            "localhost.evil.example",
            "other.local",
            "other.files.lan",
            "afiles.lan",
            "tailnet.example",
            ".tailnet.example",
            "atailnet.example",
            "a.tailnet.example.evil.example",
        ] {
            assert_eq!(asked(other), Some(Code::MisdirectedRequest), "{other}");
            let anywhere = request(Method::GET, &[("host", other)]);
            let any = OwnHosts::Any { public_url: None };
            assert_eq!(code(&anywhere, &any), None);
        }
    }

    #[test]
    fn a_request_whose_host_is_none_is_refused() {
        let asked = |headers: &[(&str, &str)]| code(&request(Method::GET, headers), &hosts());
        for headers in [&[][..], &[("host", "a"), ("host", "a")], &[("host", "é")]] {
            assert_eq!(asked(headers), Some(Code::InvalidRequest), "{headers:?}");
        }
        let old = Request::builder().version(Version::HTTP_10).finish();
        assert_eq!(code(&old, &hosts()), None);
    }

    #[test]
    fn the_port_that_a_scheme_has_anyway_makes_no_other_origin() {
        for (host, origin, is_own) in [
            ("files.lan:443", "https://files.lan", true),
            ("files.lan", "https://files.lan:443", true),
            ("FILES.lan:80", "http://files.lan", true),
            ("files.lan:443", "http://files.lan", false),
            ("files.lan:80", "https://files.lan", false),
        ] {
            let asked = request(Method::DELETE, &[("host", host), ("origin", origin)]);
            assert_eq!(code(&asked, &hosts()).is_none(), is_own, "{host} {origin}");
        }
    }

    #[test]
    fn a_page_behind_a_proxy_that_hides_its_host_is_told_what_to_change_there() {
        let judged = |headers: &[(&str, &str)]| {
            let cors = CorsPolicy::default();
            judge(&request(Method::POST, headers), &hosts(), &cors)
                .unwrap_err()
                .detail
        };
        let (host, origin) = (("host", "127.0.0.1:8000"), ("origin", "http://files.lan"));
        let hidden = judged(&[host, origin]);
        assert!(hidden.contains("proxy_set_header Host") && hidden.contains("PUBLIC_URL"));
        assert!(!hidden.contains("ALLOWED_ORIGINS"), "{hidden}");
        let foreign = judged(&[host, origin, ("sec-fetch-site", "cross-site")]);
        assert!(foreign.contains("ALLOWED_ORIGINS"), "{foreign}");

        let checked = |site: &str, host: &str| {
            let headers = [
                ("host", host),
                ("origin", "https://files.lan"),
                ("sec-fetch-site", site),
            ];
            let request = request(Method::POST, &headers);
            let host = host_of(&request).unwrap();
            check_host_is_passed_on(request.headers(), host.as_ref())
        };
        assert!(checked("same-origin", "127.0.0.1:8000").is_err());
        for (site, host) in [
            ("same-origin", "Files.lan:443"),
            ("cross-site", "127.0.0.1:8000"),
        ] {
            assert_eq!(checked(site, host), Ok(()));
        }
    }

    #[test]
    fn only_pages_of_our_own_and_allowed_origins_change_anything() {
        let host = ("host", "192.168.1.7:8000");
        let cross = Some(Code::OriginNotAllowed);
        for (headers, expected) in [
            (&[host][..], None),
            (&[host, ("origin", "http://192.168.1.7:8000")], None),
            (&[host, ("origin", "https://192.168.1.7:8000")], None),
            (&[host, ("origin", "https://share.example.org")], None),
            (&[host, ("origin", "https://app.example.org")], None),
            (
                &[
                    host,
                    ("origin", "https://app.example.org"),
                    ("sec-fetch-site", "cross-site"),
                ],
                None,
            ),
            (&[host, ("sec-fetch-site", "same-origin")], None),
            (&[host, ("sec-fetch-site", "none")], None),
            (
                &[
                    host,
                    ("origin", "https://proxied.example"),
                    ("sec-fetch-site", "same-origin"),
                ],
                None,
            ),
            (&[host, ("origin", "https://share.example.org:443")], None),
            // Somebody else's page on the same host.
            (&[host, ("origin", "https://share.example.org:9000")], cross),
            (&[host, ("origin", "http://share.example.org")], cross),
            (&[host, ("origin", "https://evil.example")], cross),
            (&[host, ("origin", "http://192.168.1.7:9000")], cross),
            (&[host, ("origin", "null")], cross),
            (&[host, ("origin", "")], cross),
            (&[host, ("sec-fetch-site", "cross-site")], cross),
            (&[host, ("sec-fetch-site", "same-site")], cross),
            (
                &[
                    host,
                    ("origin", "http://192.168.1.7:8000"),
                    ("sec-fetch-site", "cross-site"),
                ],
                cross,
            ),
        ] {
            for method in [Method::POST, Method::DELETE] {
                assert_eq!(
                    code(&request(method, headers), &hosts()),
                    expected,
                    "{headers:?}"
                );
            }
            assert_eq!(code(&request(Method::GET, headers), &hosts()), None);
        }
    }

    #[test]
    fn in_aws_mode_too_a_proxy_may_hide_the_host_that_an_operator_named() {
        let any = OwnHosts::Any {
            public_url: Some("https://share.example.org/x".parse().unwrap()),
        };
        for (origin, expected) in [
            ("https://share.example.org", None),
            (
                "https://share.example.org:9000",
                Some(Code::OriginNotAllowed),
            ),
            ("https://evil.example", Some(Code::OriginNotAllowed)),
        ] {
            let headers = [("host", "origin.internal"), ("origin", origin)];
            let asked = request(Method::POST, &headers);
            assert_eq!(code(&asked, &any), expected, "{origin}");
        }
    }

    #[test]
    fn a_page_at_another_port_of_this_machine_changes_nothing() {
        let machine = rustix::system::uname();
        let machine = machine.nodename().to_str().unwrap().to_owned();
        let (host, origin) = (format!("{machine}:8000"), format!("http://{machine}:9000"));
        let asked = request(Method::POST, &[("host", &host), ("origin", &origin)]);
        assert_eq!(code(&asked, &hosts()), Some(Code::OriginNotAllowed));
        let own = format!("http://{host}");
        let asked = request(Method::POST, &[("host", &host), ("origin", &own)]);
        assert_eq!(code(&asked, &hosts()), None);
    }
}
