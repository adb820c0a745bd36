//! The keys that sign receipts.
//!
//! Invariant: a key is judged without ever being printed, also where it is refused.

use std::fmt;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use clap::Args;

use super::{Problems, SecretText};

/// How many keys there may be: the one that signs, and those before it whose receipts somebody may still have.
const MAX_KEYS: usize = 20;
/// How many bytes a private key of Ed25519 has.
const KEY_BYTES: usize = 32;

/// 43 letters of base64url have two bits more than 32 bytes. They are whatever made the text says, so that a generator
/// of passwords will do.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The flag that has the keys, as text.
#[derive(Debug, Clone, Args)]
pub struct ReceiptArgs {
    /// What signs receipts: 32 secret bytes as base64url, the same for all processes of a service. Several are
    /// separated by commas: the first signs, and receipts by the others can still be verified. Without it local mode
    /// makes one, and aws mode gives no receipts. Others on this machine can see flags, so set the variable
    #[arg(long, env = "RECEIPT_KEY", hide_env_values = true, value_name = "KEYS")]
    pub receipt_key: Option<SecretText>,
}

/// The secret bytes of a key that signs receipts. They don't print.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptSeed([u8; KEY_BYTES]);

impl ReceiptSeed {
    /// The bytes themselves, for what signs alone.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let bytes = LENIENT.decode(text.trim()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for ReceiptSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptSeed")
    }
}

impl ReceiptArgs {
    /// The keys in their order; `None` if they aren't right, and `problems` then says so.
    pub(super) fn judge(&self, problems: &mut Problems) -> Option<Vec<ReceiptSeed>> {
        let text = self.receipt_key.as_ref().map_or("", SecretText::expose);
        let texts = text.split(',').map(str::trim);
        let seeds: Option<Vec<ReceiptSeed>> = texts
            .filter(|text| !text.is_empty())
            .map(ReceiptSeed::parse)
            .collect();
        let seeds = seeds.filter(|seeds| seeds.len() <= MAX_KEYS);
        if seeds.is_none() {
            // Without [`Problems::judge`], which repeats what it refuses.
            problems.refuse(
                "RECEIPT_KEY",
                "must be keys of 32 bytes each as base64url (43 letters), at most 20, with commas in between, such as \
                 that of: openssl rand -base64 32 | tr '+/' '-_'",
            );
        }
        seeds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(text: &str) -> Result<Vec<ReceiptSeed>, String> {
        let args = ReceiptArgs {
            receipt_key: text.parse().ok(),
        };
        let judged = Problems::collected(|problems| args.judge(problems));
        judged.map_err(|problems| problems.to_string())
    }

    #[test]
    fn keys_keep_their_order_however_they_are_written() {
        let (one, two) = ("A".repeat(43), "_".repeat(43));
        assert_eq!(judge(""), Ok(vec![]));
        assert_eq!(judge(" , "), Ok(vec![]));
        let seeds = judge(&format!("{one}, {two}=,")).unwrap();
        assert_eq!(seeds[0].expose(), &[0; 32]);
        assert_eq!(seeds[1].expose(), &[255; 32]);
        // What a generator of passwords gives.
        judge("PasswordOfLettersAndDigits01234567890123456").unwrap();
    }

    #[test]
    fn what_is_no_key_is_refused_and_neither_repeated_nor_printed() {
        let good = "A".repeat(43);
        for wrong in [
            "hush",
            &"A".repeat(42),
            &"A".repeat(44),
            &"+".repeat(43),
            &format!("{good},hush"),
            &vec![good.as_str(); 21].join(","),
        ] {
            let said = judge(wrong).unwrap_err();
            assert!(said.contains("RECEIPT_KEY"), "{said}");
            assert!(!said.contains("hush") && !said.contains("AAA"), "{said}");
        }
        let printed = format!("{:?}", judge(&good).unwrap());
        assert_eq!(printed, "[ReceiptSeed]");
    }
}
