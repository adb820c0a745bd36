//! Who somebody is, for ever: a number that follows from what an issuer calls them.
//!
//! Invariant: two people have two IDs, also where their issuers call them alike, and one person has one
//! whatever their name, address or role becomes. Nothing of what the issuer calls them can be read from it.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Invalid;

const PREFIX: &str = "usr_";
const BYTES: usize = 16;
/// Of [`BYTES`] in base32, without padding.
const DIGITS: usize = 26;
/// RFC 4648's alphabet, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The ID of a person: `usr_` and 26 digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId([u8; BYTES]);

impl UserId {
    /// The ID of whom `issuer` calls `subject`.
    pub fn of(issuer: &str, subject: &str) -> Self {
        let digest = Sha256::new()
            // With its length before it, no issuer can pass for another with a part of the subject.
            .chain_update((issuer.len() as u64).to_be_bytes())
            .chain_update(issuer)
            .chain_update(subject)
            .finalize();
        let mut bytes = [0; BYTES];
        bytes.copy_from_slice(&digest[..BYTES]);
        Self(bytes)
    }

    /// Reads what [`fmt::Display`] writes.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refused = || Invalid::new("must be usr_ and 26 digits of base32 in lower case");
        let digits = text.strip_prefix(PREFIX).ok_or_else(refused)?;
        let digits: &[u8; DIGITS] = digits.as_bytes().try_into().map_err(|_| refused())?;
        let [whole @ .., last] = digits;
        let mut value = 0;
        for digit in whole {
            value = value << 5 | digit_of(*digit).ok_or_else(refused)?;
        }
        // The last digit has three bits of the value, and two that are zero.
        match digit_of(*last) {
            Some(digit) if digit & 0b11 == 0 => Ok(Self((value << 3 | digit >> 2).to_be_bytes())),
            _ => Err(refused()),
        }
    }
}

fn digit_of(digit: u8) -> Option<u128> {
    let at = ALPHABET.iter().position(|known| *known == digit)?;
    u128::try_from(at).ok()
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        // Written at once: every record of a person's goes through here.
        let mut text = [0; PREFIX.len() + DIGITS];
        let (prefix, digits) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        let [whole @ .., last] = digits else {
            return Ok(());
        };
        for (at, place) in (1..DIGITS).zip(whole) {
            *place = digit(value >> (128 - 5 * at));
        }
        *last = digit(value << 2);
        f.write_str(str::from_utf8(&text).unwrap_or_default())
    }
}

/// The digit of the last five bits.
fn digit(value: u128) -> u8 {
    ALPHABET[(value & 0b1_1111) as usize]
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_somebody_is_follows_from_issuer_and_subject() {
        let id = UserId::of("https://id.example.org", "alice");
        // By another implementation: SHA-256 of the length, the issuer and the subject, then base32.
        assert_eq!(id.to_string(), "usr_gu6qyegrnco24sk2yxorpu77wm");
        assert_ne!(id, UserId::of("https://id.example.org", "Alice"));
        assert_ne!(id, UserId::of("https://id.example.com", "alice"));
        // No part of one can pass for a part of the other.
        assert_ne!(UserId::of("ab", "c"), UserId::of("a", "bc"));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        let id = UserId::of("i", "s").to_string();
        for text in [
            "",
            "usr_",
            &id[4..],
            &id[..29],
            &format!("{id}a"),
            &id.to_uppercase(),
            &id.replace("usr_", "USR_"),
            // More bits than an ID has.
            &format!("{}b", &id[..29]),
            &format!("{}é", &id[..28]),
            &format!("{}1", &id[..29]),
        ] {
            assert!(UserId::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_id_reads_back(issuer: String, subject: String) {
            let id = UserId::of(&issuer, &subject);
            prop_assert_eq!(UserId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(id.to_string().len(), 30);
        }
    }
}
