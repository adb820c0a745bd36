//! Tokens and keys as JOSE writes them, and whether one is signed by the other.
//!
//! Invariant: a key alone says by which algorithms it signs: what a token says of itself only chooses among them, so
//! no token can make a public key a shared secret, or have none looked at. A key comes from the issuer's own list;
//! `jku`, `jwk` and `x5u` of a token aren't read.
//!
//! Absent on purpose: symmetric keys; encryption; a library. The one at hand, `jsonwebtoken`, takes an `iss` that is
//! a list, judges times by a clock that nobody can hand in, ignores `crit`, and needs a provider that is set for the
//! process and without which it panics. What would be left for it is the call of ring's below.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Map, Value};

/// How long the ID of a key may be, in bytes.
const MAX_KEY_ID_BYTES: usize = 256;
/// How many keys an issuer may have; those beyond aren't looked at.
const MAX_KEYS: usize = 100;
/// Bytes of a coordinate of P-256, and of a key of Ed25519.
const COORDINATE_BYTES: usize = 32;

/// An object as a token or a list of keys has it.
pub(super) type Claims = Map<String, Value>;

/// By what a token may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// What can't be a token that is taken, before any key is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Malformed {
    NotAToken,
    Algorithm,
    Critical,
    NoKeyId,
}

/// A token whose signature nobody has looked at yet.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: String,
    /// What kind of token it says it is, in lower case and without `application/`.
    pub(super) kind: Option<String>,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Reads header and signature of a compact JWS.
    pub(super) fn parse(token: &'a str) -> Result<Self, Malformed> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::NotAToken);
        };
        let signed = &token[..header.len() + 1 + payload.len()];
        let header = object(header).ok_or(Malformed::NotAToken)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        // Before anything else: what would have to be understood isn't.
        if header.contains_key("crit") {
            return Err(Malformed::Critical);
        }
        let algorithm = text("alg")
            .and_then(Algorithm::named)
            .ok_or(Malformed::Algorithm)?;
        let key_id = text("kid")
            .filter(|kid| (1..=MAX_KEY_ID_BYTES).contains(&kid.len()))
            .ok_or(Malformed::NoKeyId)?
            .to_owned();
        let kind = match header.get("typ") {
            None => None,
            Some(Value::String(kind)) => {
                let kind = kind.to_ascii_lowercase();
                Some(kind.trim_start_matches("application/").to_owned())
            }
            Some(_) => return Err(Malformed::NotAToken),
        };
        let signature = URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| Malformed::NotAToken)?;
        Ok(Self {
            algorithm,
            key_id,
            kind,
            signed,
            payload,
            signature,
        })
    }

    /// What it claims, if this key signed it.
    pub(super) fn verified_by(&self, key: &Key) -> Option<Claims> {
        let message = self.signed.as_bytes();
        let signature = &self.signature;
        let verified = match (&key.material, self.algorithm) {
            (Material::Rsa(key), Algorithm::Rs256) => {
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Material::Rsa(key), Algorithm::Ps256) => {
                key.verify(&RSA_PSS_2048_8192_SHA256, message, signature)
            }
            (Material::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            (Material::Ed25519(key), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
            _ => return None,
        };
        verified.ok().and_then(|()| object(self.payload))
    }
}

fn object(part: &str) -> Option<Claims> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// A public key of an issuer.
#[derive(Debug)]
pub(super) struct Key {
    id: String,
    /// The one algorithm that it is for, if it says so.
    only: Option<Algorithm>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// `4`, x and y.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Key {
    /// `None`: one that isn't for signatures, of a kind that isn't taken, or with a part that is nobody else's business.
    fn parse(key: &Value) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let is_for_signatures = match (key.get("use"), key.get("key_ops")) {
            (Some(usage), _) if usage != "sig" => false,
            (_, Some(Value::Array(operations))) => operations.iter().any(|it| it == "verify"),
            (_, Some(_)) => false,
            (_, None) => true,
        };
        let id = text("kid").filter(|kid| (1..=MAX_KEY_ID_BYTES).contains(&kid.len()))?;
        if !is_for_signatures || key.get("d").is_some() || key.get("k").is_some() {
            return None;
        }
        let only = match key.get("alg") {
            None => None,
            // The name of RFC 9864 for the same algorithm with this curve.
            Some(name) if name == "Ed25519" => Some(Algorithm::EdDsa),
            Some(name) => Some(name.as_str().and_then(Algorithm::named)?),
        };
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let coordinate = |name: &str| bytes(name).filter(|it| it.len() == COORDINATE_BYTES);
        let material = match (text("kty")?, text("crv")) {
            ("RSA", None) => Material::Rsa(RsaPublicKeyComponents {
                n: bytes("n")?,
                e: bytes("e")?,
            }),
            ("EC", Some("P-256")) => {
                Material::P256([&[4][..], &coordinate("x")?, &coordinate("y")?].concat())
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(coordinate("x")?),
            _ => return None,
        };
        let key = Self {
            id: id.to_owned(),
            only: None,
            material,
        };
        match only {
            Some(only) if !key.signs_by(only) => None,
            only => Some(Self { only, ..key }),
        }
    }

    fn signs_by(&self, algorithm: Algorithm) -> bool {
        let by_kind = match self.material {
            Material::Rsa(_) => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        by_kind && self.only.is_none_or(|only| only == algorithm)
    }
}

/// The public keys of an issuer: at least one.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

/// What an issuer's list of keys has for a token.
pub(super) enum Found<'a> {
    Key(&'a Key),
    /// A key of this ID, that doesn't sign by this algorithm.
    OtherAlgorithm,
    Nothing,
}

impl Keys {
    /// Reads a JWK Set.
    ///
    /// # Errors
    /// It isn't one, or holds no key that can be used.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let set: Value = serde_json::from_slice(body).map_err(|_| "the list of keys isn't JSON")?;
        let Some(Value::Array(keys)) = set.get("keys") else {
            return Err("the list of keys has no keys".into());
        };
        let keys: Vec<Key> = keys.iter().take(MAX_KEYS).filter_map(Key::parse).collect();
        match keys.is_empty() {
            true => Err("none of its keys is one for RS256, PS256, ES256 or EdDSA".into()),
            false => Ok(Self(keys)),
        }
    }

    pub(super) fn find(&self, token: &Unverified<'_>) -> Found<'_> {
        let mut of_this_id = self
            .0
            .iter()
            .filter(|key| key.id == token.key_id)
            .peekable();
        if of_this_id.peek().is_none() {
            return Found::Nothing;
        }
        match of_this_id.find(|key| key.signs_by(token.algorithm)) {
            Some(key) => Found::Key(key),
            None => Found::OtherAlgorithm,
        }
    }
}
