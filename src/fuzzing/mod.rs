//! What must hold for any input whatever: the properties that `fuzz/` searches for an exception to,
//! and that a test replays over the inputs that were found before.
//!
//! Only with the feature `fuzzing`, so that what is internal stays internal: the doors that these
//! properties need are opened inside the crate and nowhere else.
//!
//! Invariant: a property is a function of its bytes alone, without clock, chance or state, so an
//! input that fails once fails always.
//!
//! Absent on purpose: the property of the worker's notifications, which is in the worker.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a property that doesn't hold ends the run, which is what it is for"
)]

mod cursor;
mod file_name;
mod file_types;
mod form;
mod presigned_request;
mod range;

/// A property: panics on an input for which it doesn't hold.
pub type Property = fn(&[u8]);

/// The properties of this crate, by the names of their fuzz targets and corpora.
pub const PROPERTIES: [(&str, Property); 7] = [
    ("cursor", cursor::property),
    ("file_name", file_name::property),
    ("file_types", file_types::property),
    ("range", range::property),
    ("forged_request", presigned_request::forged),
    ("mutated_request", presigned_request::mutated),
    ("mutated_form", form::mutated),
];

/// The property with this name.
///
/// # Panics
/// If there is none.
pub fn property(name: &str) -> Property {
    let found = PROPERTIES.iter().find(|(own, _)| *own == name);
    found.expect("a property has this name").1
}

/// Takes input apart from its front; an input that is too short is filled up with zeros.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let (taken, rest) = self.0.split_at(self.0.len().min(N));
        array[..taken.len()].copy_from_slice(taken);
        self.0 = rest;
        array
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    fn rest(self) -> &'a [u8] {
        self.0
    }
}
