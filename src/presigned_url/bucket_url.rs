//! Where a client reaches the bucket.
//!
//! Invariant: scheme, authority and prefix are such that a key can be appended and the whole is a
//! URL. The authority is what clients make of it before they send it as `Host`, and what is signed: in
//! lower case, and without the scheme's own port (RFC 9110, section 4.2.3). The store's internal
//! address, which the service itself uses, plays no part here.

use std::fmt;

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::domain::{Invalid, ObjectKey};

/// The public base URL of the bucket, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUrl {
    scheme: Scheme,
    authority: Authority,
    path_prefix: String,
    /// The name is the end of the path or, where there is no path, the beginning of the host.
    name_length: usize,
}

impl BucketUrl {
    /// The bucket as a path below `endpoint` (path style), which may have a path of its own.
    ///
    /// # Errors
    /// If `endpoint` is no `http` or `https` URL, or has a query.
    pub fn path_style(endpoint: &str, bucket: &str) -> Result<Self, Invalid> {
        let base = Self::parse(endpoint)?;
        Ok(Self {
            path_prefix: format!("{}/{bucket}", base.path_prefix),
            name_length: bucket.len(),
            ..base
        })
    }

    /// The bucket as a path on a host that is reached by `http`, as a request's `Host` header names it.
    ///
    /// # Errors
    /// If `host` is more or less than a host with or without a port.
    pub fn on_host(host: &str, bucket: &str) -> Result<Self, Invalid> {
        let authority = host.parse().map_err(|_| not_a_host())?;
        Self::on_authority(&authority, bucket)
    }

    /// The same for a host that was read already.
    ///
    /// # Errors
    /// If it names a user as well.
    pub fn on_authority(host: &Authority, bucket: &str) -> Result<Self, Invalid> {
        let authority = Some(host.clone()).filter(is_a_place);
        let authority = authority.and_then(|place| normalized(&Scheme::HTTP, place));
        Ok(Self {
            scheme: Scheme::HTTP,
            authority: authority.ok_or_else(not_a_host)?,
            path_prefix: format!("/{bucket}"),
            name_length: bucket.len(),
        })
    }

    /// The bucket as the first label of the host name (virtual-hosted style), as AWS wants it.
    ///
    /// # Errors
    /// If bucket and region don't make a host name.
    pub fn virtual_hosted(bucket: &str, region: &str) -> Result<Self, Invalid> {
        // https://docs.aws.amazon.com/general/latest/gr/s3.html: China has a suffix of its own.
        let suffix = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        Ok(Self {
            name_length: bucket.len(),
            ..Self::parse(&format!("https://{bucket}.s3.{region}.{suffix}"))?
        })
    }

    /// The objects of a bucket as all that is on a host, as a distribution before it has them. The bucket has no name there.
    ///
    /// # Errors
    /// If `origin` is no `http` or `https` URL, or has a path or a query.
    #[cfg(feature = "server")]
    pub(super) fn whole_host(origin: &str) -> Result<Self, Invalid> {
        let base = Self::parse(origin)?;
        match base.path_prefix.is_empty() {
            true => Ok(base),
            false => Err(Invalid::new("must have no path")),
        }
    }

    fn parse(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("must be a URL such as https://files.example.org");
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let parts = uri.into_parts();
        let scheme = parts
            .scheme
            .filter(|s| *s == Scheme::HTTP || *s == Scheme::HTTPS)
            .ok_or_else(refused)?;
        let authority = parts.authority.filter(is_a_place);
        let authority = authority.and_then(|place| normalized(&scheme, place));
        let authority = authority.ok_or_else(refused)?;
        let path = parts.path_and_query.ok_or_else(refused)?;
        if path.query().is_some() {
            return Err(refused());
        }
        Ok(Self {
            scheme,
            authority,
            path_prefix: path.path().trim_end_matches('/').to_owned(),
            name_length: 0,
        })
    }

    /// The URL of an object, without a query.
    pub fn object(&self, key: ObjectKey) -> String {
        // A key consists of characters that stand for themselves in a path.
        let (scheme, authority) = (self.scheme.as_str(), self.authority.as_str());
        [
            scheme,
            "://",
            authority,
            &self.path_prefix,
            "/",
            &key.to_string(),
        ]
        .concat()
    }

    /// Where forms are sent to.
    pub fn form(&self) -> String {
        format!("{self}/")
    }

    /// The bucket's own name, as a policy has to state it.
    pub fn name(&self) -> &str {
        let (path, host) = (self.path_prefix.as_str(), self.authority.as_str());
        match path.len().checked_sub(self.name_length) {
            Some(at) if !path.is_empty() => path.get(at..),
            _ => host.get(..self.name_length),
        }
        .unwrap_or_default()
    }

    /// Scheme and authority, as a browser writes an origin that has no path.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The host, with the port if it isn't the scheme's own.
    pub fn authority(&self) -> &str {
        self.authority.as_str()
    }
}

fn not_a_host() -> Invalid {
    Invalid::new("must be a host such as localhost:8000")
}

/// Whether it names a host, with a number if there is a port, and nobody who would be logged in there.
fn is_a_place(authority: &Authority) -> bool {
    let (all, host) = (authority.as_str(), authority.host());
    !host.is_empty() && !all.contains('@') && (all == host || authority.port().is_some())
}

/// The authority in its one spelling.
fn normalized(scheme: &Scheme, authority: Authority) -> Option<Authority> {
    let all = authority.as_str();
    let own_port = match *scheme == Scheme::HTTPS {
        true => ":443",
        false => ":80",
    };
    if !all.ends_with(own_port) && !all.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(authority);
    }
    let shorter = all.strip_suffix(own_port).unwrap_or(all);
    shorter.to_ascii_lowercase().parse().ok()
}

impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}{}",
            self.scheme, self.authority, self.path_prefix
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FileId;

    #[test]
    fn a_bucket_is_a_path_below_an_endpoint_or_a_label_of_a_host() {
        for (endpoint, expected) in [
            ("http://192.168.1.7:8000", "http://192.168.1.7:8000/b"),
            ("http://localhost:8000/", "http://localhost:8000/b"),
            ("https://example.org/share/", "https://example.org/share/b"),
            ("http://[::1]:8000", "http://[::1]:8000/b"),
        ] {
            assert_eq!(
                BucketUrl::path_style(endpoint, "b").unwrap().to_string(),
                expected
            );
        }
        let hosted = BucketUrl::virtual_hosted("my-bucket", "eu-central-1").unwrap();
        assert_eq!(
            hosted.to_string(),
            "https://my-bucket.s3.eu-central-1.amazonaws.com"
        );
        assert_eq!(hosted.name(), "my-bucket");
        assert_eq!(hosted.form(), format!("{hosted}/"));
        let below = BucketUrl::path_style("http://[::1]:8000/share", "b").unwrap();
        assert_eq!(below.name(), "b");
        assert_eq!(below.origin(), "http://[::1]:8000");
    }

    #[test]
    fn a_bucket_on_a_host_is_the_one_below_its_http_url() {
        for host in ["localhost:8000", "192.168.1.7", "[::1]:8000", "[::80]"] {
            let url = BucketUrl::on_host(host, "b").unwrap();
            let same = BucketUrl::path_style(&format!("http://{host}"), "b").unwrap();
            assert_eq!(url, same);
            let key =
                ObjectKey::new(FileId::parse("0199a2b4-7c1e-7f4d-9a7e-0d8a4c1b2e3f").unwrap());
            assert_eq!(url.object(key), format!("http://{host}/b/{key}"));
        }
        for text in ["", "http://h", "h/a", "h?x", "u@h", "a b", ":8000", "h:x"] {
            assert!(BucketUrl::on_host(text, "b").is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_have_no_case_and_a_scheme_has_a_port_of_its_own() {
        for (host, expected) in [
            ("LOCALHOST:8000", "http://localhost:8000/b"),
            ("Files.example.org:80", "http://files.example.org/b"),
            ("files.example.org:443", "http://files.example.org:443/b"),
            ("[FE80::1]:80", "http://[fe80::1]/b"),
        ] {
            assert_eq!(BucketUrl::on_host(host, "b").unwrap().to_string(), expected);
        }
        for (endpoint, expected) in [
            ("HTTPS://S3.Example.org:443", "https://s3.example.org/b"),
            (
                "https://s3.example.org:80/Case",
                "https://s3.example.org:80/Case/b",
            ),
            ("http://S3.example.org:80/", "http://s3.example.org/b"),
        ] {
            let url = BucketUrl::path_style(endpoint, "b").unwrap();
            assert_eq!(url.to_string(), expected);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for text in [
            "",
            "localhost:8000",
            "ftp://h",
            "http://",
            "http://u:p@h",
            "http://h/?x=1",
            "/a",
            "http://a b",
            "http://h:x",
        ] {
            assert!(BucketUrl::path_style(text, "b").is_err(), "{text}");
        }
    }
}
