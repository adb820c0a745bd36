//! Capability tokens: whoever has one may do what it stands for, such as fetch the files of a link.
//!
//! A token is 43 characters: `base64url(id[16] ‖ HMAC-SHA256(secret, label ‖ id)[..16])`. What can be renewed has
//! its generation in the last two bytes of `id`, so a token is judged whole before any store is read, and one of an
//! earlier generation is known by it afterwards. The alternatives were a tag of less than half of the hash, which
//! RFC 2104 (section 5) advises against, or longer links.
//!
//! Invariant: [`CapabilityKeys::verify`] says of a token that it was signed here, for this label, in a time that
//! tells nothing of the tag. No secret and no token prints.
//!
//! Absent on purpose: whether what a token stands for is still there, and stores altogether.

mod id;
mod secrets;
#[cfg(test)]
mod tests;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

pub use id::{
    CapabilityId, Generation, ID_BYTES, RENEWABLE_BYTES, RENEWABLE_ID_CHARACTERS, RenewableId,
};
pub use secrets::LINK_SECRET_FILE;

/// How many bytes of the tag a token has: half of the hash.
const TAG_BYTES: usize = 16;
/// How many characters a token has.
pub const TOKEN_CHARACTERS: usize = (ID_BYTES + TAG_BYTES) * 4 / 3 + 1;
const _: () = assert!(TOKEN_CHARACTERS == 43);
/// Nothing else that is signed by the same secret begins like this.
const CONTEXT: &[u8] = b"file-share capability 1\0";

/// What people and programs put behind a link without meaning it: the end of a sentence, of brackets, of a path.
const TRAILING: [char; 5] = ['/', '.', ')', '>', ','];

/// What a token is for. One for something else is worth nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CapabilityLabel {
    /// To fetch the files of a link.
    Link,
    /// To hand in files to a box.
    Drop,
    /// To follow a file that was handed in.
    Submission,
}

impl CapabilityLabel {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Link, Self::Drop, Self::Submission];

    fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Link => b"link\0",
            Self::Drop => b"drop\0",
            Self::Submission => b"submission\0",
        }
    }
}

/// A token. Whoever has its text may do what it is for, so it doesn't print.
#[derive(Clone, PartialEq, Eq)]
pub struct CapabilityToken(String);

impl CapabilityToken {
    /// The text, for whom it is meant.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CapabilityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CapabilityToken")
    }
}

/// The token in what somebody copied, without the punctuation that came along behind it.
pub fn without_trailing_punctuation(text: &str) -> &str {
    text.trim_end_matches(TRAILING)
}

/// What signs tokens and knows those that it signed.
#[derive(Clone)]
pub struct CapabilityKeys {
    /// One for each secret; the first signs. Never empty.
    keys: Vec<hmac::Key>,
}

impl CapabilityKeys {
    /// The token for what is called `id`.
    pub fn sign(&self, label: CapabilityLabel, id: CapabilityId) -> CapabilityToken {
        let mut bytes = [0; ID_BYTES + TAG_BYTES];
        bytes[..ID_BYTES].copy_from_slice(id.as_bytes());
        bytes[ID_BYTES..].copy_from_slice(&tag(&self.keys[0], label, id));
        CapabilityToken(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What a token is for; `None`: it wasn't signed here, or not for this. No secret is left out, whichever
    /// signed it, and every byte of a tag is compared.
    pub fn verify(&self, label: CapabilityLabel, text: &str) -> Option<CapabilityId> {
        if text.len() != TOKEN_CHARACTERS {
            return None;
        }
        let mut bytes = [0; ID_BYTES + TAG_BYTES];
        // One text a token: the spare bits of the last character have to be zero.
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        let (id, shown) = bytes.split_first_chunk::<ID_BYTES>()?;
        let id = CapabilityId::from_bytes(*id);
        let mut is_signed = Choice::from(0);
        for key in &self.keys {
            let equal = tag(key, label, id).ct_eq(shown);
            is_signed = Choice::conditional_select(&is_signed, &Choice::from(1), equal);
        }
        bool::from(is_signed).then_some(id)
    }
}

impl fmt::Debug for CapabilityKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CapabilityKeys")
    }
}

fn tag(key: &hmac::Key, label: CapabilityLabel, id: CapabilityId) -> [u8; TAG_BYTES] {
    let mut context = hmac::Context::with_key(key);
    context.update(CONTEXT);
    context.update(label.as_bytes());
    context.update(id.as_bytes());
    let mut tag = [0; TAG_BYTES];
    tag.copy_from_slice(&context.sign().as_ref()[..TAG_BYTES]);
    tag
}
