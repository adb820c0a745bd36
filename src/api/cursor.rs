//! Where a page of a list ends, as an opaque text.
//!
//! Invariant: a cursor reads back for its own list alone. A position in a list is no secret, so what says which list it
//! belongs to is no signature: it catches damage and texts from elsewhere.
//!
//! Absent on purpose: which lists there are. Each says itself what tells it from all others.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// How many bytes a position has: an ID's.
const POSITION_BYTES: usize = 16;
/// How many bytes say which list a position belongs to.
const CHECK_BYTES: usize = 8;

/// What [`write`] writes, for the contract: 24 bytes as base64.
pub(super) const PATTERN: &str = "^[A-Za-z0-9_-]{32}$";
const _: () = assert!((POSITION_BYTES + CHECK_BYTES) * 4 == 32 * 3);

/// A place in a list.
pub(super) type Position = [u8; POSITION_BYTES];

/// Says of a position which list it belongs to.
pub(super) type Check = [u8; CHECK_BYTES];

/// The check of these parts, which name the kind of list first, and then the list and the position. None of them may
/// run into the next: what follows a text of any length has to begin with what can't be in it.
pub(super) fn check<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Check {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    let mut check = Check::default();
    check.copy_from_slice(&digest[..CHECK_BYTES]);
    check
}

/// The text of a position with its check.
pub(super) fn write(position: &Position, check: Check) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([&position[..], &check].concat())
}

/// The position in a text that [`write`] wrote with the check that `check_of` gives of it; `None` if it is another text.
pub(super) fn read(text: &str, check_of: impl FnOnce(&Position) -> Check) -> Option<Position> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let (position, sent) = bytes.split_first_chunk()?;
    (sent == check_of(position)).then_some(*position)
}
