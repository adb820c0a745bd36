//! Signs download URLs that lead to a CloudFront distribution before the bucket.
//!
//! What CloudFront verifies is a policy that it puts together itself, of the URL as it came and the time in it (a canned
//! policy), so its text is exact, without a blank. Source:
//! <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>.
//!
//! Invariant: a URL permits to fetch one version under one name until one moment, and nothing else. Nothing in it has to
//! be escaped in the policy's JSON, since all that was given by users is percent-encoded. The key doesn't print.
//!
//! Absent on purpose: policies of one's own, with patterns or addresses; SHA-1, which CloudFront takes where nothing
//! else is said, and which is said here.

use std::fmt;

use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::{GeneralPurpose, general_purpose::PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::BucketUrl;
use crate::domain::{Invalid, ObjectKey, Timestamp};
use crate::store_error::StoreError;

/// CloudFront's base64: what means something in a query stands for itself. The padding is replaced apart.
const ALPHABET: Alphabet =
    match Alphabet::new("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~") {
        Ok(alphabet) => alphabet,
        Err(_) => panic!("64 different letters"),
    };
const ENGINE: GeneralPurpose = GeneralPurpose::new(&ALPHABET, PAD);
/// A key of ours that no file has, since no ID is all zeros.
const PROBE: &str =
    "/uploads/00000000-0000-7000-8000-000000000000?response-content-type=text%2Fplain";
/// What stands before the public half in its DER form: that it is one of ECDSA on P-256 (RFC 5480).
const PUBLIC_KEY_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Signs for one distribution, with one key.
pub struct EdgeSigner {
    base: BucketUrl,
    key_id: String,
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl EdgeSigner {
    /// Signs for the distribution at `origin`, which knows the public half by `key_id`.
    ///
    /// # Errors
    /// An origin that is none, or halves of a key that don't belong together; in words that say nothing of the key.
    pub fn new(origin: &str, key_id: &str, private: &[u8], public: &[u8]) -> Result<Self, Invalid> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            private,
            public,
            &random,
        );
        Ok(Self {
            base: BucketUrl::whole_host(origin)?,
            key_id: key_id.to_owned(),
            key: key.map_err(|_| {
                Invalid::new("its private and its public half don't belong together")
            })?,
            random,
        })
    }

    /// Scheme and host of the distribution.
    pub fn origin(&self) -> String {
        self.base.origin()
    }

    /// What CloudFront calls the public half.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public half in PEM, as CloudFront is given it.
    pub fn public_key_pem(&self) -> String {
        let der = [&PUBLIC_KEY_PREFIX, self.key.public_key().as_ref()].concat();
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        let (first, second) = text.split_at(64);
        format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n")
    }

    /// A signed URL of an object that can't be there.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without random numbers.
    pub fn probe(&self, expires_at: Timestamp) -> Result<String, StoreError> {
        let uri = format!("{}{PROBE}", self.base.origin());
        self.sign(&uri, expires_at)
    }

    /// Where the distribution has the object, without a query.
    pub(super) fn object(&self, key: ObjectKey) -> String {
        self.base.object(key)
    }

    /// `uri`, which has a query, good until then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without random numbers.
    pub(super) fn sign(&self, uri: &str, expires_at: Timestamp) -> Result<String, StoreError> {
        let expires = expires_at.timestamp();
        let policy = canned_policy(uri, expires);
        let signed = self.key.sign(&self.random, policy.as_bytes());
        let signature = signed
            .map_err(|_| StoreError::unavailable("the signer", "no random numbers to sign with"))?;
        let signature = ENGINE.encode(signature.as_ref()).replace('=', "_");
        let key_id = &self.key_id;
        Ok(format!(
            "{uri}&Expires={expires}&Signature={signature}&Key-Pair-Id={key_id}&Hash-Algorithm=SHA256"
        ))
    }
}

impl fmt::Debug for EdgeSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EdgeSigner for {}", self.base)
    }
}

/// What is signed: `expires` is in seconds since 1970.
fn canned_policy(uri: &str, expires: i64) -> String {
    format!(
        r#"{{"Statement":[{{"Resource":"{uri}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    )
}

#[cfg(test)]
pub(super) mod tests {
    use base64::engine::general_purpose::STANDARD;
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;
    use crate::domain::from_millis;

    /// The halves of a new key.
    pub(in crate::presigned_url) fn key() -> (Vec<u8>, Vec<u8>) {
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let made = made.unwrap();
        (made.as_ref()[36..68].to_vec(), made.as_ref()[73..].to_vec())
    }

    #[test]
    fn the_policy_is_cloudfronts_to_the_last_character() {
        assert_eq!(
            canned_policy("https://d1.cloudfront.net/a?b=c&d=e", 1_767_290_400),
            "{\"Statement\":[{\"Resource\":\"https://d1.cloudfront.net/a?b=c&d=e\",\"Condition\":\
             {\"DateLessThan\":{\"AWS:EpochTime\":1767290400}}}]}"
        );
    }

    #[test]
    fn a_signature_is_verified_by_the_public_half_and_has_no_character_that_means_something() {
        let (private, public) = key();
        let signer = EdgeSigner::new("https://D1.cloudfront.net:443", "K1", &private, &public);
        let signer = signer.unwrap();
        assert_eq!(signer.origin(), "https://d1.cloudfront.net");
        assert!(!format!("{signer:?}").contains("K1"));
        let verifying = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &public);
        let uri = "https://d1.cloudfront.net/a?b=c";
        // Often enough to meet each letter and each length of padding.
        for seconds in 0..200 {
            let expires = 1_790_000_000 + seconds;
            let until = from_millis(expires * 1000 + 999).unwrap();
            let url = signer.sign(uri, until).unwrap();
            let query = url.strip_prefix(uri).unwrap();
            let (before, signature) = query.split_once("&Signature=").unwrap();
            assert_eq!(before, format!("&Expires={expires}"));
            let (signature, behind) = signature.split_once('&').unwrap();
            assert_eq!(behind, "Key-Pair-Id=K1&Hash-Algorithm=SHA256");
            let meaningless = |b: u8| b.is_ascii_alphanumeric() || b"-~_".contains(&b);
            assert!(signature.bytes().all(meaningless), "{signature}");
            let plain = signature
                .replace('-', "+")
                .replace('_', "=")
                .replace('~', "/");
            let signature = STANDARD.decode(plain).unwrap();
            let policy = canned_policy(uri, expires);
            verifying.verify(policy.as_bytes(), &signature).unwrap();
        }
        let der = public_der(&signer.public_key_pem());
        assert_eq!(der, [&PUBLIC_KEY_PREFIX[..], &public].concat());
    }

    fn public_der(pem: &str) -> Vec<u8> {
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        STANDARD.decode(lines.collect::<String>()).unwrap()
    }

    #[test]
    fn halves_of_different_keys_and_an_address_below_a_host_sign_nothing() {
        let ((private, public), (_, other)) = (key(), key());
        for (origin, public) in [
            ("https://d1.cloudfront.net", &other),
            ("https://d1.cloudfront.net/below", &public),
            ("d1.cloudfront.net", &public),
        ] {
            assert!(
                EdgeSigner::new(origin, "K1", &private, public).is_err(),
                "{origin}"
            );
        }
        assert!(EdgeSigner::new("https://d1.cloudfront.net/", "K1", &private, &public).is_ok());
    }
}
