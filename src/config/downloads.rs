//! The CloudFront distribution that downloads come by, and what their URLs are signed with.
//!
//! Invariant: the key is judged without ever being printed, also where it is refused, and what a URL permits can be read
//! by nobody on its way: it leads to https, or stays on this machine.
//!
//! Absent on purpose: RSA, whose signatures take fifteen times as long; several keys, since a distribution's key group
//! is where an old and a new one are trusted at a time; whether the two halves of the key belong together, which the
//! signer asks.

use std::fmt;
use std::fs::File;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use http::Uri;

use super::oidc::{given, is_private};
use super::{Problems, SecretText};

/// How long a file with a key may be, in bytes. One has some 230.
const MAX_KEY_FILE_BYTES: u64 = 16 * 1024;
/// How long the ID of a public key may be, in bytes. CloudFront's have 14.
const MAX_KEY_ID_BYTES: usize = 64;
/// How many bytes the secret half of a key has.
const PRIVATE_BYTES: usize = 32;
/// How many bytes the public half has: 4, x and y.
const PUBLIC_BYTES: usize = 65;

/// The tags of DER that a key is made of (RFC 5915, RFC 5958).
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const PARAMETERS: u8 = 0xa0;
const PUBLIC_HALF: u8 = 0xa1;
/// id-ecPublicKey and prime256v1 (RFC 5480).
const EC: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

const NO_KEY: &str = "must be a private key of ECDSA on P-256 in PEM, such as that of: openssl ecparam -name prime256v1 -genkey \
                      -noout";
const OTHER_KIND: &str = "is a key of another kind; it must be one of ECDSA on P-256 (prime256v1), such as that of: openssl ecparam \
                          -name prime256v1 -genkey -noout";
const ENCRYPTED: &str = "is protected by a passphrase; write it without one: openssl pkey -in FILE";
const PUBLIC: &str =
    "is a public key; the distribution has that, and the service signs with the private one";
const HALF: &str = "has no public half in it; write it anew: openssl ec -in FILE";

/// The flags that lead downloads by a distribution, as text.
#[derive(Debug, Clone, Args)]
pub struct DownloadArgs {
    /// The CloudFront distribution that downloads lead to instead of the bucket, such as
    /// `https://d111111abcdef8.cloudfront.net`; deploy/downloads.yaml makes one (aws mode)
    #[arg(long, env = "DOWNLOAD_ORIGIN", value_name = "URL")]
    pub download_origin: Option<String>,
    /// What CloudFront calls the public key that download URLs are verified with, such as K2JCJMDEHXQW5F: the output
    /// DownloadKeyId of deploy/downloads.yaml (aws mode)
    #[arg(long, env = "DOWNLOAD_KEY_ID", value_name = "ID")]
    pub download_key_id: Option<String>,
    /// What download URLs are signed with: the private key in PEM, of ECDSA on P-256, the same for all processes of a service.
    /// Others on this machine can see flags, so set the variable, or DOWNLOAD_KEY_FILE (aws mode)
    #[arg(
        long,
        env = "DOWNLOAD_KEY",
        hide_env_values = true,
        allow_hyphen_values = true,
        value_name = "PEM"
    )]
    pub download_key: Option<SecretText>,
    /// The file that has this key, instead of DOWNLOAD_KEY (aws mode)
    #[arg(long, env = "DOWNLOAD_KEY_FILE", value_name = "FILE")]
    pub download_key_file: Option<String>,
}

/// The distribution that downloads lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadSettings {
    /// Scheme and host, without a path.
    pub origin: Uri,
    /// What CloudFront calls the public key.
    pub key_id: String,
    /// What URLs are signed with.
    pub key: DownloadKey,
}

/// A key of ECDSA on P-256. It doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct DownloadKey {
    private: [u8; PRIVATE_BYTES],
    public: [u8; PUBLIC_BYTES],
}

impl DownloadKey {
    /// The secret half, for what signs alone.
    pub fn expose_private(&self) -> &[u8] {
        &self.private
    }

    /// The half that may be known: an uncompressed point.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// Reads PEM, with line ends as they are, as blanks, or as `\n`: what a variable makes of them.
    ///
    /// # Errors
    /// What isn't right, in words that say nothing of what is there.
    pub fn parse(pem: &str) -> Result<Self, &'static str> {
        let text = pem.replace("\\n", "\n");
        let der = |label: &str| {
            let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
            let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
            Some(body.split_whitespace().collect::<String>())
        };
        let decoded = |body: String| STANDARD.decode(body).map_err(|_| NO_KEY);
        if text.contains("ENCRYPTED") {
            return Err(ENCRYPTED);
        }
        if let Some(body) = der("EC PRIVATE KEY") {
            return ec_private_key(&decoded(body)?, None);
        }
        if let Some(body) = der("PRIVATE KEY") {
            return pkcs8(&decoded(body)?);
        }
        Err(match text.contains("BEGIN ") {
            true if text.contains("PUBLIC KEY") => PUBLIC,
            true if text.contains("PRIVATE KEY-----") && text.contains("END ") => OTHER_KIND,
            _ => NO_KEY,
        })
    }
}

impl fmt::Debug for DownloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DownloadKey")
    }
}

/// The content of the element with this tag that `rest` begins with, and what is behind it. No element of a key is
/// longer than 255 bytes.
fn element(tag: u8, rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[is], rest) = rest.split_first_chunk()?;
    let (length, rest) = match rest {
        [0x81, length, rest @ ..] => (*length, rest),
        [length @ 0..=0x7f, rest @ ..] => (*length, rest),
        _ => return None,
    };
    let found = rest.split_at_checked(usize::from(length))?;
    (is == tag).then_some(found)
}

/// What `openssl genpkey` writes (RFC 5958).
fn pkcs8(der: &[u8]) -> Result<DownloadKey, &'static str> {
    // A key of RSA is longer than an element may be here.
    let (key, _) = element(SEQUENCE, der).ok_or(OTHER_KIND)?;
    let (_, key) = element(INTEGER, key).ok_or(NO_KEY)?;
    let (algorithm, key) = element(SEQUENCE, key).ok_or(NO_KEY)?;
    let (kind, curve) = element(OBJECT_ID, algorithm).ok_or(NO_KEY)?;
    let (inner, _) = element(OCTET_STRING, key).ok_or(NO_KEY)?;
    match (kind == EC, element(OBJECT_ID, curve)) {
        (true, Some((curve, _))) => ec_private_key(inner, Some(curve)),
        _ => Err(OTHER_KIND),
    }
}

/// What `openssl ecparam -genkey` writes (RFC 5915).
fn ec_private_key(der: &[u8], curve: Option<&[u8]>) -> Result<DownloadKey, &'static str> {
    let (key, _) = element(SEQUENCE, der).ok_or(NO_KEY)?;
    let (_, key) = element(INTEGER, key).ok_or(NO_KEY)?;
    let (private, mut rest) = element(OCTET_STRING, key).ok_or(NO_KEY)?;
    let mut curve = curve;
    if let Some((parameters, behind)) = element(PARAMETERS, rest) {
        curve = element(OBJECT_ID, parameters).map(|(curve, _)| curve);
        rest = behind;
    }
    let private = private.try_into().map_err(|_| OTHER_KIND)?;
    if curve != Some(&P256) {
        return Err(OTHER_KIND);
    }
    let (public, _) = element(PUBLIC_HALF, rest).ok_or(HALF)?;
    let (public, _) = element(BIT_STRING, public).ok_or(HALF)?;
    // The first byte says how many bits are unused.
    let public = public.strip_prefix(&[0]).ok_or(HALF)?;
    let public = public.try_into().map_err(|_| HALF)?;
    Ok(DownloadKey { private, public })
}

/// Reads the whole file.
fn file(name: &str) -> Result<String, String> {
    let read = || {
        let mut text = String::new();
        let file = File::open(name)?;
        file.take(MAX_KEY_FILE_BYTES).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    read().map_err(|error| format!("can't be read: {error}"))
}

fn origin(text: &str) -> Result<Uri, String> {
    let right =
        "must be a URL of https without a path, such as https://d111111abcdef8.cloudfront.net";
    let uri: Uri = text.parse().map_err(|_| right)?;
    let is_bare = uri.path() == "/" && !text.contains(['?', '#', '@', '\\']);
    match is_private(&uri) && is_bare {
        true => Ok(uri),
        false => Err(right.into()),
    }
}

fn key_id(text: &str) -> Result<String, String> {
    let fits = (1..=MAX_KEY_ID_BYTES).contains(&text.len());
    match fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        true => Ok(text.to_owned()),
        false => Err("must be the ID of a public key of CloudFront, such as K2JCJMDEHXQW5F".into()),
    }
}

impl DownloadArgs {
    /// The outer `None`: something isn't right, and `problems` says what.
    pub(super) fn judge(
        &self,
        is_local: Option<bool>,
        problems: &mut Problems,
    ) -> Option<Option<DownloadSettings>> {
        const NEEDED: &str = "is needed with the other settings of downloads: DOWNLOAD_ORIGIN, DOWNLOAD_KEY_ID, and DOWNLOAD_KEY or \
                              DOWNLOAD_KEY_FILE";
        let key_text = given(self.download_key.as_ref().map(SecretText::expose));
        let key_file = given(self.download_key_file.as_deref());
        let origin_text = given(self.download_origin.as_deref());
        let id_text = given(self.download_key_id.as_deref());
        let has_any = [key_text, key_file, origin_text, id_text]
            .iter()
            .any(Option::is_some);
        if !has_any {
            return Some(None);
        }
        if is_local == Some(true) {
            let name = match origin_text {
                Some(_) => "DOWNLOAD_ORIGIN",
                None => "DOWNLOAD_KEY",
            };
            problems.refuse(name, "is for aws mode: local mode brings its bytes itself");
            return None;
        }
        let mut judged = |name: &str, text: Option<&str>| match text {
            Some(text) => Some(text.to_owned()),
            None => {
                problems.refuse(name, NEEDED);
                None
            }
        };
        let origin_text = judged("DOWNLOAD_ORIGIN", origin_text);
        let id_text = judged("DOWNLOAD_KEY_ID", id_text);
        let origin = origin_text.and_then(|it| problems.judge("DOWNLOAD_ORIGIN", &it, origin));
        let key_id = id_text.and_then(|it| problems.judge("DOWNLOAD_KEY_ID", &it, key_id));
        let key = self.judge_key(key_text, key_file, NEEDED, problems);
        Some(Some(DownloadSettings {
            origin: origin?,
            key_id: key_id?,
            key: key?,
        }))
    }

    /// Without [`Problems::judge`], which repeats what it refuses.
    fn judge_key(
        &self,
        text: Option<&str>,
        name: Option<&str>,
        needed: &str,
        problems: &mut Problems,
    ) -> Option<DownloadKey> {
        let (setting, pem) = match (text, name) {
            (Some(_), Some(_)) => {
                problems.refuse(
                    "DOWNLOAD_KEY",
                    "is set beside DOWNLOAD_KEY_FILE; leave one out",
                );
                return None;
            }
            (Some(text), None) => ("DOWNLOAD_KEY", text.to_owned()),
            (None, Some(name)) => (
                "DOWNLOAD_KEY_FILE",
                problems.judge("DOWNLOAD_KEY_FILE", name, file)?,
            ),
            (None, None) => {
                problems.refuse("DOWNLOAD_KEY", needed);
                return None;
            }
        };
        let key = DownloadKey::parse(&pem);
        key.map_err(|why| problems.refuse(setting, why)).ok()
    }
}

#[cfg(test)]
mod tests;
