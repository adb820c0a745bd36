//! The two codes of a pairing.
//!
//! Invariant: a user code has no letters that look alike, and none that make words. The device code begins with
//! the user code, by which it is found, and holds 256 bits besides that nobody can guess. It doesn't print.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::access::random_text::random_text;
use crate::domain::Invalid;

/// Consonants alone, as RFC 8628 proposes: 34 bits in eight of them.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code.
const LETTERS: usize = 8;
/// After so many letters of a user code people see a dash.
const DASH_BEHIND: usize = 4;
/// The longest text in which a user code is looked for, in bytes.
const MAX_TYPED_BYTES: usize = 64;

const PREFIX: &str = "fsd_";
const HEX: &[u8; 16] = b"0123456789abcdef";
/// Random digits of a device code: 256 bits.
const DIGITS: usize = 64;

/// What a program shows and a person types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        random_text(ALPHABET, LETTERS).map(Self)
    }

    /// What a person typed: in capitals or not, with dashes and blanks wherever.
    ///
    /// # Errors
    /// If it can't be a code.
    pub fn parse(typed: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("must be the eight letters that the program shows");
        if typed.len() > MAX_TYPED_BYTES {
            return Err(refused());
        }
        let is_between = |it: char| it.is_whitespace() || matches!(it, '-' | '‐' | '‑' | '–' | '—');
        let letters = typed.chars().filter(|it| !is_between(*it));
        let code: String = letters.map(|it| it.to_ascii_uppercase()).collect();
        let is_known = |byte: u8| ALPHABET.contains(&byte);
        match code.len() == LETTERS && code.bytes().all(is_known) {
            true => Ok(Self(code)),
            false => Err(refused()),
        }
    }

    /// Without the dash.
    pub(super) fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(DASH_BEHIND);
        write!(f, "{first}-{second}")
    }
}

/// What the program itself keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCode(String);

impl DeviceCode {
    pub(super) fn random(user_code: &UserCode) -> Result<Self, getrandom::Error> {
        let random = random_text(HEX, DIGITS)?;
        Ok(Self(format!("{PREFIX}{}{random}", user_code.digits())))
    }

    /// The code itself, for the program.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for DeviceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceCode")
    }
}

/// What a text says that can be a device code.
pub(super) struct ReadDeviceCode {
    pub(super) user_code: UserCode,
    pub(super) digest: [u8; 32],
}

impl ReadDeviceCode {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let (user_code, random) = rest.split_at_checked(LETTERS)?;
        let user_code = UserCode::parse(user_code).ok()?;
        let is_ours = random.len() == DIGITS && random.bytes().all(|it| HEX.contains(&it));
        is_ours.then(|| Self {
            user_code,
            digest: Sha256::digest(text.as_bytes()).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_user_code_is_read_as_people_type_it() {
        let code = UserCode("BCDFGHJK".into());
        assert_eq!(code.to_string(), "BCDF-GHJK");
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk\n", "b-c-d-f–g h\tjk"] {
            assert_eq!(UserCode::parse(typed), Ok(code.clone()), "{typed:?}");
        }
        let long = format!("{}BCDFGHJK", " ".repeat(100));
        for typed in [
            "",
            "BCDF-GHJ",
            "BCDF-GHJKL",
            "ACDF-GHJK",
            "BCDF-GH1K",
            "ßCDFGHJ",
            &long,
        ] {
            assert!(UserCode::parse(typed).is_err(), "{typed:?}");
        }
    }

    #[test]
    fn a_device_code_leads_to_its_user_code_and_does_not_print() {
        for _ in 0..100 {
            let user_code = UserCode::random().unwrap();
            let code = DeviceCode::random(&user_code).unwrap();
            let read = ReadDeviceCode::parse(code.expose()).unwrap();
            assert_eq!((read.user_code, read.digest), (user_code, code.digest()));
            assert!(!format!("{code:?}").contains(&code.expose()[12..20]));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_either_panic(text in "\\PC*") {
            let _ = UserCode::parse(&text);
            let longer = format!("{PREFIX}BCDFGHJK{text}");
            for text in [text.as_str(), &longer[..PREFIX.len()], &longer] {
                prop_assert!(ReadDeviceCode::parse(text).is_none());
            }
        }
    }
}
