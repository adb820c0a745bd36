//! What bytes are, by their first and their last 64 KiB, and whether that fits the name that a file has.
//!
//! ```text
//! Ends ── detect ──▶ Detected ── judge (with the declaration) ──▶ fits │ the type that doesn't fit
//! ```
//!
//! Invariant: pure, and the same for the same bytes. What is looked at is bounded by [`END_BYTES`] at either end;
//! nothing is decompressed, and nothing is allocated by a number that the bytes name.
//!
//! The signatures at the beginning of a file are those of the crate `file-format`. What lies deeper is read here (the
//! directory of a zip, the root of a compound file, the beginning of a text), because the crate's own readers allocate
//! as much as an entry says that it has, up to 4 GiB.
//!
//! Absent on purpose: a scan for viruses, and any knowledge of languages that have no sign of their own at the
//! beginning of a file (JavaScript, PowerShell).

mod archive;
mod compound;
mod detection;
mod ends;
mod families;
mod judgement;
#[cfg(any(test, feature = "conformance"))]
pub mod samples;
#[cfg(test)]
mod tests;
mod text;

pub use detection::{Detected, detect};
pub use ends::{END_BYTES, Ends};
pub use judgement::judge;
