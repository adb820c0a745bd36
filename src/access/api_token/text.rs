//! A token as a text: `fst_`, 32 random characters, and six that follow from them.
//!
//! Invariant: a text that was cut, mistyped or made up is told by its checksum, without a look into any store.
//! The checksum is no secret and proves nothing. A token doesn't print.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::access::random_text::random_text;

/// What secret scanners know it by.
const PREFIX: &str = "fst_";
/// Random characters: 190 bits.
const RANDOM: usize = 32;
/// Characters of the checksum, which hold 35 bits.
const CHECKSUM: usize = 6;
/// How long a token is, in bytes.
const LENGTH: usize = PREFIX.len() + RANDOM + CHECKSUM;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The digest that a token is stored and found by.
pub(super) type TokenDigest = [u8; 32];

/// A token as its holder has it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenText(String);

impl TokenText {
    /// Whether a text could be meant to be one, right or wrong.
    pub fn is_like(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// One that nobody has.
    ///
    /// # Errors
    /// If the operating system has no random numbers.
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let random = random_text(ALPHABET, RANDOM)?;
        Ok(Self(format!("{PREFIX}{random}{}", checksum(&random))))
    }

    /// The token itself, to be shown to its owner this once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> TokenDigest {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for TokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenText")
    }
}

/// The digest of a text that can be a token; `None` if it is none of ours.
pub(super) fn digest_of(text: &str) -> Option<TokenDigest> {
    let rest = text.strip_prefix(PREFIX)?;
    let is_well_formed = text.len() == LENGTH && rest.bytes().all(|it| it.is_ascii_alphanumeric());
    let (random, sum) = is_well_formed.then(|| rest.split_at(RANDOM))?;
    (checksum(random) == sum).then(|| Sha256::digest(text.as_bytes()).into())
}

fn character(value: u32) -> char {
    char::from(ALPHABET[value as usize % ALPHABET.len()])
}

/// CRC-32 in base62, the highest digit first.
fn checksum(of: &str) -> String {
    let mut rest = crc32fast::hash(of.as_bytes());
    let mut digits = ['0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = character(rest);
        rest /= ALPHABET.len() as u32;
    }
    digits.iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_is_the_crc_that_everybody_knows() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
        assert_eq!(checksum(""), "000000");
    }

    #[test]
    fn every_token_is_taken_and_no_two_are_alike() {
        let tokens: Vec<_> = (0..500).map(|_| TokenText::random().unwrap()).collect();
        for token in &tokens {
            assert_eq!(digest_of(token.expose()), Some(token.digest()));
            assert_eq!(token.expose().len(), LENGTH);
            assert!(!format!("{token:?}").contains(&token.expose()[4..12]));
        }
        let different: BTreeSet<_> = tokens.iter().map(TokenText::expose).collect();
        assert_eq!(different.len(), tokens.len());
        let characters: BTreeSet<_> = tokens
            .iter()
            .flat_map(|it| it.expose()[4..36].chars())
            .collect();
        assert_eq!(characters.len(), ALPHABET.len(), "each is drawn");
    }

    proptest! {
        #[test]
        fn one_character_that_is_another_is_refused(
            at in PREFIX.len()..LENGTH, with in proptest::sample::select(ALPHABET.to_vec()),
        ) {
            let token = TokenText::random().unwrap();
            let mut bytes = token.expose().as_bytes().to_vec();
            prop_assume!(bytes[at] != with);
            bytes[at] = with;
            prop_assert_eq!(digest_of(std::str::from_utf8(&bytes).unwrap()), None);
        }

        #[test]
        fn two_neighbours_that_changed_places_are_refused(at in PREFIX.len()..LENGTH - 1) {
            let token = TokenText::random().unwrap();
            let mut bytes = token.expose().as_bytes().to_vec();
            prop_assume!(bytes[at] != bytes[at + 1]);
            bytes.swap(at, at + 1);
            prop_assert_eq!(digest_of(std::str::from_utf8(&bytes).unwrap()), None);
        }

        #[test]
        fn a_part_and_what_has_more_is_refused(at in 0..LENGTH, more in "\\PC{1,8}") {
            let token = TokenText::random().unwrap();
            prop_assert_eq!(digest_of(&token.expose()[..at]), None);
            prop_assert_eq!(digest_of(&format!("{}{more}", token.expose())), None);
            prop_assert_eq!(digest_of(&format!("{more}{}", token.expose())), None);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            prop_assert_eq!(digest_of(&text), None);
            prop_assert_eq!(digest_of(&format!("{PREFIX}{text}")), None);
        }
    }
}
