//! Signs the URLs that we hand out.
//!
//! AWS's signer takes any request apart and puts it into canonical form, and derives its key anew
//! for every request, which was about a sixth of a redirect's time. What we sign is canonical as it is
//! made, so it is written down once; the key, which holds for a day, is kept, and so is everything that
//! holds for the second. The derivation of the key is AWS's own.
//!
//! Invariant: the signature is the one that AWS's signer ([`sigv4`](super::sigv4)) makes of the same
//! request. A property test holds the two together, and in local mode that signer verifies every
//! URL that was made here.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::sign::v4::generate_signing_key;
use chrono::{Datelike, Timelike};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::utf8_percent_encode;
use sha2::{Digest, Sha256};

use super::sigv4::{QUERY, SERVICE, Subject};
use crate::domain::{Invalid, Sha256Digest, Timestamp};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Room for the parameters of a signature, so that a URL grows once, in bytes.
const PARAMETERS_LENGTH: usize = 512;

/// Signs for one region, with whatever credentials it is given.
pub(super) struct Signer {
    region: String,
    newest_scope: RwLock<Option<Arc<SigningScope>>>,
}

/// What all URLs have in common that are signed in the same second with the same credentials.
struct SigningScope {
    credentials: Credentials,
    signed_at: Timestamp,
    /// "20260131"
    day: String,
    /// "20260131T090500Z"
    time: String,
    scope: String,
    /// Access key ID and scope, as they stand in a query.
    credential: String,
    /// What the secret becomes for one day.
    key: SigningKey,
}

/// The key with what HMAC makes of it alone, which is two of the five blocks that a signature hashes.
#[derive(Clone)]
struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    fn derived(secret: &str, at: SystemTime, region: &str) -> Self {
        let key = generate_signing_key(secret, at, region, SERVICE);
        Self(Hmac::new_from_slice(key.as_ref()).expect("HMAC takes a key of any length"))
    }

    /// In hexadecimal digits.
    fn signature(&self, signed: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(signed.as_bytes());
        Sha256Digest::from_bytes(mac.finalize().into_bytes().into()).to_hex()
    }
}

/// A policy and what a form has to say of its signature.
pub(super) struct SignedPolicy {
    /// In base64.
    pub policy: String,
    /// Access key ID and scope.
    pub credential: String,
    /// "20260131T090500Z"
    pub time: String,
    pub signature: String,
}

impl SigningScope {
    fn fits(&self, credentials: &Credentials, signed_at: Timestamp) -> bool {
        self.signed_at == signed_at && self.credentials == *credentials
    }
}

impl Signer {
    pub(super) fn new(region: String) -> Self {
        Self {
            region,
            newest_scope: RwLock::new(None),
        }
    }

    /// The subject's URI with a signature. Its query must be such as it is signed: encoded, sorted,
    /// and without names before `X-Amz-Z`. Its headers must have lower-case names.
    ///
    /// # Errors
    /// A URI that isn't absolute.
    pub(super) fn presign(
        &self,
        subject: &Subject<'_>,
        credentials: &Credentials,
        signed_at: Timestamp,
        lifetime: Duration,
    ) -> Result<String, Invalid> {
        let (base, own_query) = subject.uri.split_once('?').unwrap_or((subject.uri, ""));
        let (host, path) = host_and_path(base)?;
        let signing_scope = self.signing_scope(credentials, signed_at);
        let mut headers: Vec<(&str, Cow<'_, str>)> = subject
            .headers
            .iter()
            .map(|(name, value)| (*name, single_spaced(value)))
            .collect();
        headers.push(("host", host.into()));
        headers.sort_unstable();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");

        let mut url = String::with_capacity(subject.uri.len() + PARAMETERS_LENGTH);
        url.push_str(base);
        let query_start = url.len() + 1;
        url.extend(["?X-Amz-Algorithm=", ALGORITHM]);
        url.extend(["&X-Amz-Credential=", &signing_scope.credential]);
        url.extend(["&X-Amz-Date=", &signing_scope.time]);
        url.extend(["&X-Amz-Expires=", &lifetime.as_secs().to_string()]);
        if let Some(token) = credentials.session_token() {
            url.push_str("&X-Amz-Security-Token=");
            url.extend(utf8_percent_encode(token, QUERY));
        }
        url.push_str("&X-Amz-SignedHeaders=");
        url.extend(utf8_percent_encode(&names, QUERY));
        if !own_query.is_empty() {
            url.extend(["&", own_query]);
        }

        let mut canonical = String::with_capacity(url.len() + PARAMETERS_LENGTH);
        canonical.extend([subject.method, "\n", path, "\n", &url[query_start..], "\n"]);
        for (name, value) in &headers {
            canonical.extend([name, ":", value, "\n"]);
        }
        canonical.extend(["\n", &names, "\nUNSIGNED-PAYLOAD"]);
        let hash = Sha256Digest::from_bytes(Sha256::digest(&canonical).into());
        let to_sign = [
            ALGORITHM,
            "\n",
            &signing_scope.time,
            "\n",
            &signing_scope.scope,
            "\n",
            &hash.to_hex(),
        ]
        .concat();
        url.push_str("&X-Amz-Signature=");
        url.push_str(&signing_scope.key.signature(&to_sign));
        Ok(url)
    }

    /// Signs a POST policy: what is signed is its base64, as it stands in the form.
    ///
    /// `write` makes that of the credential and the time that the policy has to name. Source:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-UsingHTTPPOST.html>.
    pub(super) fn sign_policy(
        &self,
        credentials: &Credentials,
        signed_at: Timestamp,
        write: impl FnOnce(&str, &str) -> String,
    ) -> SignedPolicy {
        let signing_scope = self.signing_scope(credentials, signed_at);
        let credential = format!("{}/{}", credentials.access_key_id(), signing_scope.scope);
        let policy = write(&credential, &signing_scope.time);
        SignedPolicy {
            signature: signing_scope.key.signature(&policy),
            time: signing_scope.time.clone(),
            credential,
            policy,
        }
    }

    fn signing_scope(&self, credentials: &Credentials, signed_at: Timestamp) -> Arc<SigningScope> {
        let newest = self
            .newest_scope
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(signing_scope) = newest.as_ref()
            && signing_scope.fits(credentials, signed_at)
        {
            return Arc::clone(signing_scope);
        }
        let signing_scope =
            Arc::new(self.new_signing_scope(credentials, signed_at, newest.as_deref()));
        *self
            .newest_scope
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&signing_scope));
        signing_scope
    }

    fn new_signing_scope(
        &self,
        credentials: &Credentials,
        signed_at: Timestamp,
        last: Option<&SigningScope>,
    ) -> SigningScope {
        let day = format!(
            "{:04}{:02}{:02}",
            signed_at.year(),
            signed_at.month(),
            signed_at.day()
        );
        let time = format!(
            "{day}T{:02}{:02}{:02}Z",
            signed_at.hour(),
            signed_at.minute(),
            signed_at.second()
        );
        let scope = format!("{day}/{}/{SERVICE}/aws4_request", self.region);
        let credential = format!("{}/{scope}", credentials.access_key_id());
        let secret = credentials.secret_access_key();
        let same_key = |last: &&SigningScope| {
            last.day == day && last.credentials.secret_access_key() == secret
        };
        let key = last.filter(same_key).map_or_else(
            || SigningKey::derived(secret, signed_at.into(), &self.region),
            |last| last.key.clone(),
        );
        SigningScope {
            credentials: credentials.clone(),
            signed_at,
            credential: utf8_percent_encode(&credential, QUERY).to_string(),
            day,
            time,
            scope,
            key,
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer for {}", self.region)
    }
}

/// The host as every client sends it, which is without the scheme's own port, and the path.
fn host_and_path(base: &str) -> Result<(&str, &str), Invalid> {
    let (scheme, rest) = base
        .split_once("://")
        .ok_or_else(|| Invalid::new("the request can't be signed"))?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let host = authority.strip_suffix(own_port).unwrap_or(authority);
    Ok((host, if path.is_empty() { "/" } else { path }))
}

/// A header's value as it is signed: without spaces around it, and no two of them in a row.
fn single_spaced(value: &str) -> Cow<'_, str> {
    let value = value.trim_matches(' ');
    if !value.contains("  ") {
        return value.into();
    }
    let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").into()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::super::sigv4;
    use super::*;
    use crate::domain::from_millis;

    proptest! {
        #[test]
        fn the_signature_is_the_one_that_awss_own_signer_makes(
            method in "GET|HEAD|PUT",
            base in "(http|https)://([a-zA-Z0-9.-]{1,20}|\\[::1\\])(:(80|443|8000))?(/[a-zA-Z0-9._~-]{1,20}){0,3}",
            values in proptest::collection::vec("[ -~é]{0,30}", 0..3),
            headers in proptest::collection::vec("[!-~][ -~]{0,30}", 0..4),
            secret in "[ -~]{1,40}",
            token in proptest::option::of("[ -~]{1,40}"),
            region in "[a-z0-9-]{1,14}",
            seconds in proptest::collection::vec(0_i64..4_000_000_000, 1..3),
            lifetime in 1_u64..604_800,
        ) {
            prop_assume!(base.parse::<http::Uri>().is_ok());
            let mut uri = base;
            for (index, value) in values.iter().enumerate() {
                let separator = if index == 0 { '?' } else { '&' };
                let value = utf8_percent_encode(value, QUERY);
                write!(uri, "{separator}name-{index}={value}").unwrap();
            }
            let names = ["content-length", "content-type", "if-none-match", "x-amz-checksum-sha256"];
            let headers: Vec<(&str, &str)> =
                names.into_iter().zip(headers.iter().map(String::as_str)).collect();
            let subject = Subject { method: &method, uri: &uri, headers: &headers };
            let credentials = Credentials::new("AK/ID", secret, token, None, "test");
            let identity = credentials.clone().into();
            let signer = Signer::new(region.clone());
            // Twice for each time: with a key that is made, and with one that was kept.
            for seconds in seconds.iter().flat_map(|s| [s, s]) {
                let at = from_millis(seconds * 1000).unwrap();
                let lifetime = Duration::from_secs(lifetime);
                let url = signer.presign(&subject, &credentials, at, lifetime).unwrap();
                let signed = sigv4::presign(&subject, &identity, &region, at, lifetime).unwrap();
                let mut expected: Vec<String> = uri
                    .split_once('?')
                    .map(|(_, query)| query.split('&').map(str::to_owned).collect())
                    .unwrap_or_default();
                expected.extend(signed.params.iter().map(|(name, value)| {
                    format!("{name}={}", utf8_percent_encode(value, QUERY))
                }));
                expected.sort();
                let mut params: Vec<&str> = url.split_once('?').unwrap().1.split('&').collect();
                params.sort_unstable();
                prop_assert_eq!(params, expected);
            }
        }
    }

    #[test]
    fn other_credentials_get_a_key_of_their_own() {
        let signer = Signer::new("local".into());
        let subject = Subject {
            method: "GET",
            uri: "http://h/b/k",
            headers: &[],
        };
        let at = from_millis(1_790_000_000_000).unwrap();
        let sign = |secret| {
            let credentials = Credentials::new("AKID", secret, None, None, "test");
            let url = signer.presign(&subject, &credentials, at, Duration::from_secs(60));
            url.unwrap()
        };
        let first = sign("one");
        assert_ne!(first, sign("two"));
        assert_eq!(first, sign("one"));
    }

    #[test]
    fn a_signer_does_not_print_its_key() {
        let signer = Signer::new("local".into());
        assert_eq!(format!("{signer:?}"), "Signer for local");
    }
}
