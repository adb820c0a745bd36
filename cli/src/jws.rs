//! Receipts as JOSE writes them (RFC 7515), and the keys that verify them (RFC 7517, RFC 8037).
//!
//! **Invariant:** nothing of a receipt is believed before a key that the person chose has verified it. There is one
//! algorithm: what a receipt says of itself chooses nothing. What is there twice is refused, since two readers could
//! take one of them each.
//!
//! **Absent on purpose:** `jku`, `jwk` and `x5u`, by which a receipt would name its own keys.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::CliError;

/// The most that a receipt may have, in bytes: names and titles are a few hundred characters each.
pub(crate) const MAX_RECEIPT_BYTES: u64 = 16 * 1024;
/// The most that a list of keys may have, in bytes: several hundred keys.
pub(crate) const MAX_KEYS_BYTES: u64 = 64 * 1024;
/// What a receipt says it is.
const RECEIPT_TYPE: &str = "file-share-receipt+jwt";
/// The only algorithm that there is (RFC 9864).
const ALGORITHM: &str = "Ed25519";
const PUBLIC_KEY_BYTES: usize = 32;
const DIGEST_DIGITS: usize = 64;

/// A receipt whose signature nobody has looked at yet.
#[derive(Debug)]
pub(crate) struct UnverifiedReceipt {
    /// Which key it says has signed it.
    pub key_id: String,
    signed: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// What a genuine receipt says.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    pub issuer: String,
    pub file_id: Uuid,
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// As 64 hex digits.
    pub sha256: String,
    pub uploaded_at: String,
    /// In seconds since 1970.
    pub issued_at: i64,
    /// All that it says, also what this program doesn't know.
    pub all: Map<String, Value>,
}

impl UnverifiedReceipt {
    /// Reads a compact JWS. Mails and chats break long lines, so white space in it counts for nothing.
    ///
    /// # Errors
    /// It is none, or none of a receipt.
    pub(crate) fn parse(text: &str) -> Result<Self, CliError> {
        let no_receipt = |why: &str| CliError::NoReceipt(format!("this is no receipt: {why}"));
        let text: String = text.split_ascii_whitespace().collect();
        let parts: Vec<&str> = text.split('.').take(4).collect();
        let [header, payload, signature] = parts[..] else {
            return Err(no_receipt("it isn't three parts with dots in between"));
        };
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let header = decode(header).and_then(|json| fields(&json));
        let header = header.ok_or_else(|| no_receipt("its header can't be read"))?;
        let said = |name: &str| header.get(name).and_then(Value::as_str);
        if said("alg") != Some(ALGORITHM) {
            return Err(no_receipt(
                "it isn't signed by Ed25519, by which all receipts are",
            ));
        }
        // What would have to be understood isn't.
        if said("typ") != Some(RECEIPT_TYPE) || header.contains_key("crit") {
            return Err(no_receipt("it is signed for something else"));
        }
        let key_id = said("kid").ok_or_else(|| no_receipt("it doesn't say by which key"))?;
        let (Some(payload_bytes), Some(signature)) = (decode(payload), decode(signature)) else {
            return Err(no_receipt("it isn't base64url"));
        };
        let signed = text.rsplit_once('.').map_or("", |(signed, _)| signed);
        Ok(Self {
            key_id: key_id.to_owned(),
            signed: signed.to_owned(),
            payload: payload_bytes,
            signature,
        })
    }

    /// What it says, if one of these keys has signed it. `whose` are the keys, for a person.
    ///
    /// # Errors
    /// None of them has, or it says what no receipt says.
    pub(crate) fn verified_by(&self, keys: &Keys, whose: &str) -> Result<Claims, CliError> {
        let mut of_this_name = keys.0.iter().filter(|key| key.id == self.key_id).peekable();
        if of_this_name.peek().is_none() {
            return Err(CliError::NotGenuine(format!(
                "the receipt isn't shown to be genuine: none of the keys {whose} is the one that it says has signed \
                 it ({})",
                self.key_id
            )));
        }
        let has_signed = |key: &Key| {
            UnparsedPublicKey::new(&ED25519, &key.public)
                .verify(self.signed.as_bytes(), &self.signature)
                .is_ok()
        };
        if !of_this_name.any(has_signed) {
            return Err(CliError::NotGenuine(format!(
                "the receipt isn't genuine: the key {whose} that it names has not signed it. It was changed, or made up"
            )));
        }
        let claims = fields(&self.payload).and_then(Claims::of);
        claims.ok_or_else(|| {
            CliError::NoReceipt("it is signed, and says something else than receipts do".to_owned())
        })
    }

    /// The name of the file, as the receipt says: to name a file by, and for nothing else.
    pub(crate) fn unverified_name(&self) -> Option<String> {
        fields(&self.payload)
            .and_then(Claims::of)
            .map(|claims| claims.name)
    }
}

impl Claims {
    fn of(all: Map<String, Value>) -> Option<Self> {
        let text = |name: &str| all.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_digest = |text: &String| {
            text.len() == DIGEST_DIGITS
                && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        Some(Self {
            issuer: text("iss")?,
            file_id: text("jti")?.parse().ok()?,
            name: text("displayName")?,
            size: all.get("size")?.as_u64()?,
            sha256: text("sha256").filter(is_digest)?,
            uploaded_at: text("uploadedAt")?,
            issued_at: all.get("iat")?.as_i64()?,
            all,
        })
    }
}

/// Public keys that may have signed receipts.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: String,
    public: Vec<u8>,
}

impl Keys {
    /// Reads a JWK Set; keys of other kinds are left out. `None`: it isn't one.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let set = fields(json)?;
        let keys = set.get("keys")?.as_array()?;
        Some(Self(keys.iter().filter_map(Key::of).collect()))
    }

    pub(crate) fn are_none(&self) -> bool {
        self.0.is_empty()
    }
}

impl Key {
    fn of(key: &Value) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let is_ours = text("kty") == Some("OKP")
            && text("crv") == Some(ALGORITHM)
            && key.get("use").is_none_or(|usage| usage == "sig");
        let public = BASE64_URL_SAFE_NO_PAD.decode(text("x")?).ok()?;
        (is_ours && public.len() == PUBLIC_KEY_BYTES).then_some(Self {
            id: text("kid")?.to_owned(),
            public,
        })
    }
}

/// An object in which no field is there twice; `None`: it isn't one.
fn fields(json: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(json)
        .ok()
        .map(|Fields(fields)| fields)
}

struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = from.next_entry::<String, Value>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("a field is there twice"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Once)
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    const HEADER: &str = r#"{"alg":"Ed25519","typ":"file-share-receipt+jwt","kid":"k"}"#;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn part(bytes: impl AsRef<[u8]>) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn signed(header: &str, payload: &str, seed: u8) -> String {
        let signed = format!("{}.{}", part(header), part(payload));
        let signature = pair(seed).sign(signed.as_bytes());
        format!("{signed}.{}", part(signature))
    }

    fn payload() -> String {
        json!({
            "iss": "https://files.example.org",
            "jti": "019c134c-66db-7f4d-9a7e-0d8a4c1b2e3f",
            "displayName": "notes.txt",
            "size": 5,
            "sha256": "ab".repeat(32),
            "uploadedAt": "2026-01-31T09:05:01.528Z",
            "iat": 1_769_850_360,
            "late": false,
        })
        .to_string()
    }

    fn keys(seeds: &[u8]) -> Keys {
        let keys = seeds.iter().map(|seed| {
            let x = part(pair(*seed).public_key());
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": x, "use": "sig", "alg": "Ed25519"})
        });
        let others = [
            json!({"kty": "RSA", "kid": "k"}),
            json!(7),
            json!({"kty": "OKP"}),
        ];
        let keys: Vec<Value> = others.into_iter().chain(keys).collect();
        Keys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    fn verify(text: &str, keys: &Keys) -> Result<Claims, String> {
        let receipt = UnverifiedReceipt::parse(text).map_err(|error| error.code().to_owned())?;
        let verified = receipt.verified_by(keys, "of x");
        verified.map_err(|error| error.code().to_owned())
    }

    #[test]
    fn a_receipt_is_read_once_a_key_of_its_name_has_signed_it_and_unknown_fields_are_kept() {
        let text = signed(HEADER, &payload(), 1);
        for keys in [keys(&[1]), keys(&[2, 1])] {
            let claims = verify(&text, &keys).unwrap();
            assert_eq!((claims.name.as_str(), claims.size), ("notes.txt", 5));
            assert_eq!(claims.all["late"], false);
        }
        // As a mail breaks it.
        let broken = format!("\n {} \r\n{}\n", &text[..60], &text[60..]);
        verify(&broken, &keys(&[1])).unwrap();
    }

    #[test]
    fn what_another_key_signed_or_was_changed_is_not_genuine() {
        let text = signed(HEADER, &payload(), 1);
        let not_genuine = "not_genuine".to_owned();
        assert_eq!(verify(&text, &keys(&[2])).unwrap_err(), not_genuine);
        assert_eq!(verify(&text, &keys(&[])).unwrap_err(), not_genuine);
        let [header, _, signature] = text.split('.').collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        let other = payload().replace("notes.txt", "other.txt");
        let changed = format!("{header}.{}.{signature}", part(other));
        assert_eq!(verify(&changed, &keys(&[1])).unwrap_err(), not_genuine);
        let cut = &text[..text.len() - 2];
        assert!(verify(cut, &keys(&[1])).is_err());
    }

    #[test]
    fn what_is_no_receipt_is_refused_before_any_key_is_looked_at() {
        let with = |from: &str, to: &str| signed(&HEADER.replace(from, to), &payload(), 1);
        for text in [
            "",
            "..",
            "a.b",
            "a.b.c.d",
            "no receipt at all",
            &with("Ed25519", "none"),
            &with("Ed25519", "HS256"),
            &with("Ed25519", "EdDSA"),
            &with("file-share-receipt+jwt", "JWT"),
            &with(r#""kid""#, r#""alg":"Ed25519","kid""#),
            &with(r#""kid""#, r#""crit":["b64"],"kid""#),
            &with(r#","kid":"k""#, ""),
            &with("{", "["),
            &format!("{}=", signed(HEADER, &payload(), 1)),
        ] {
            assert_eq!(
                verify(text, &keys(&[1])).unwrap_err(),
                "no_receipt",
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_signed_and_is_no_receipt_is_refused_too() {
        for (from, to) in [
            (r#""size":5"#, r#""size":5,"size":6"#),
            (r#""size":5"#, r#""size":-5"#),
            (r#""size":5"#, r#""size":"5""#),
            (r#""abab"#, r#""ABab"#),
            ("019c134c-", ""),
            (r#""iss""#, r#""is""#),
            ("}", ""),
        ] {
            let text = signed(HEADER, &payload().replacen(from, to, 1), 1);
            assert_eq!(
                verify(&text, &keys(&[1])).unwrap_err(),
                "no_receipt",
                "{to}"
            );
        }
    }

    #[test]
    fn what_is_no_set_of_keys_is_none() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"keys": 7}"#,
            r#"{"keys": [], "keys": []}"#,
        ] {
            assert!(Keys::parse(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Keys::parse(br#"{"keys": []}"#).unwrap().are_none());
    }
}
