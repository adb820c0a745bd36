//! A SHA-256 digest.
//!
//! Invariant: always 32 bytes. Shown to people as 64 lower-case hex digits, sent to S3 as base64.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};

use super::Invalid;

/// The SHA-256 of some bytes; `Display` and `Debug` write 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// Takes a digest that was computed already; nothing is hashed here.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hex digits of either case.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse_hex(text: &str) -> Result<Self, Invalid> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| Invalid::new("must be 64 hex digits"))?;
        Ok(Self(bytes))
    }

    /// Reads the padded base64 of `x-amz-checksum-sha256`. A composite checksum of a multipart
    /// upload (`…-3`) is no digest of the bytes, so it is refused like any other text.
    pub fn parse_base64(text: &str) -> Result<Self, Invalid> {
        BASE64_STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .map(Self)
            .ok_or_else(|| Invalid::new("must be the base64 of 32 bytes"))
    }

    /// The 32 bytes that [`Self::from_bytes`] takes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hex digits, as clients see it.
    pub fn to_hex(self) -> String {
        self.to_string()
    }

    /// Padded base64, as `x-amz-checksum-sha256` has it.
    pub fn to_base64(self) -> String {
        BASE64_STANDARD.encode(self.0)
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Into an array first: every signature needs one, and a string made digit by digit takes longer.
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn hex_and_base64_are_two_spellings_of_one_digest() {
        let digest = Sha256Digest::parse_hex(&EMPTY.to_uppercase()).unwrap();
        assert_eq!(digest.to_hex(), EMPTY);
        assert_eq!(
            digest.to_base64(),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
        assert_eq!(Sha256Digest::parse_base64(&digest.to_base64()), Ok(digest));
    }

    #[test]
    fn what_has_not_32_bytes_is_refused() {
        for text in [
            "",
            "00",
            &EMPTY[1..],
            &format!("{EMPTY}00"),
            &EMPTY.replace('e', "g"),
        ] {
            assert!(Sha256Digest::parse_hex(text).is_err(), "{text}");
        }
        for text in ["", "47DE", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=-3"] {
            assert!(Sha256Digest::parse_base64(text).is_err(), "{text}");
        }
    }
}
