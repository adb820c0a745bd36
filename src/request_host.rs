//! The host that a request was sent to.
//!
//! Invariant: it is read here alone, so that what is judged by its host, what is signed for it and what is
//! verified against it mean the same one. There is one, and it is a host with or without a port.
//!
//! Source: RFC 9112, section 3.2.

use http::uri::Authority;
use http::{HeaderMap, Uri, Version, header};

/// Why a request has no host that could be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// HTTP/1.1 asks for one, and the request line names none either.
    #[error("the request has no Host header")]
    Missing,
    /// Nobody knows which of them was meant.
    #[error("the request has more than one Host header")]
    Several,
    /// It can't be read as a host with or without a port.
    #[error("the Host header is no host")]
    NotAHost,
    /// The request line names a host of its own, and it is another one.
    #[error("the Host header and the request's target differ")]
    NotTheTargets,
}

/// The host that is asked for; `None` only in HTTP/1.0, which may leave it out.
///
/// # Errors
/// [`HostError`] if there isn't exactly one, or the target of the request has another.
pub fn request_host(
    headers: &HeaderMap,
    target: &Uri,
    version: Version,
) -> Result<Option<Authority>, HostError> {
    let mut sent = headers.get_all(header::HOST).iter();
    let Some(host) = sent.next() else {
        return match (target.authority(), version) {
            (Some(host), _) => Ok(Some(host.clone())),
            (None, Version::HTTP_09 | Version::HTTP_10) => Ok(None),
            (None, _) => Err(HostError::Missing),
        };
    };
    if sent.next().is_some() {
        return Err(HostError::Several);
    }
    let host = Authority::try_from(host.as_bytes())
        .ok()
        .filter(|host| !host.host().is_empty() && !host.as_str().contains('@'))
        .ok_or(HostError::NotAHost)?;
    if target.authority().is_some() && !is_host_of(target, &host) {
        return Err(HostError::NotTheTargets);
    }
    Ok(Some(host))
}

/// Whether a URL names this host, where its scheme's own port may be spelled out or not.
pub fn is_host_of(url: &Uri, host: &Authority) -> bool {
    let own_port = match url.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    let place = |authority: &Authority| {
        let port = authority.port_u16().unwrap_or(own_port);
        (authority.host().to_ascii_lowercase(), port)
    };
    url.authority()
        .is_some_and(|own| !own.as_str().contains('@') && place(own) == place(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(target: &str, version: Version, sent: &[&str]) -> Result<Option<String>, HostError> {
        let mut headers = HeaderMap::new();
        for host in sent {
            headers.append(header::HOST, host.parse().unwrap());
        }
        let host = request_host(&headers, &target.parse().unwrap(), version)?;
        Ok(host.map(|host| host.to_string()))
    }

    #[test]
    fn there_is_one_host_and_it_is_one() {
        let sent = |hosts: &[&str]| asked("/v1/files", Version::HTTP_11, hosts);
        assert_eq!(sent(&["localhost:8000"]), Ok(Some("localhost:8000".into())));
        assert_eq!(sent(&[]), Err(HostError::Missing));
        assert_eq!(sent(&["a", "a"]), Err(HostError::Several));
        for host in ["", "a b", "user@localhost", "a/b"] {
            assert_eq!(sent(&[host]), Err(HostError::NotAHost), "{host}");
        }
    }

    #[test]
    fn a_target_that_names_a_host_names_the_same_one() {
        let target = "http://localhost:8000/v1/files";
        let sent = |host| asked(target, Version::HTTP_11, &[host]);
        assert_eq!(sent("localhost:8000"), Ok(Some("localhost:8000".into())));
        assert_eq!(sent("LOCALHOST:8000"), Ok(Some("LOCALHOST:8000".into())));
        assert_eq!(sent("127.0.0.1:8000"), Err(HostError::NotTheTargets));
        let own_port = asked("http://localhost/", Version::HTTP_11, &["localhost:80"]);
        assert_eq!(own_port, Ok(Some("localhost:80".into())));
        let alone = asked(target, Version::HTTP_11, &[]);
        assert_eq!(alone, Ok(Some("localhost:8000".into())));
    }

    #[test]
    fn an_old_client_may_name_no_host() {
        assert_eq!(asked("/", Version::HTTP_10, &[]), Ok(None));
        let two = asked("/", Version::HTTP_10, &["a", "b"]);
        assert_eq!(two, Err(HostError::Several));
    }
}
