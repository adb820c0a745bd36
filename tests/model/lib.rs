//! The life of a file as a small model, searched exhaustively: every order in which clients, two
//! workers, reconcilers, a delete, notifications and crashes can meet.
//!
//! The model says in a few hundred lines what `src/operations` and the conditions of the metadata
//! store come to; each of its steps names the function that it mirrors. It compiles nothing of
//! theirs, so it can be read, and be wrong, by itself: whoever changes an
//! operation changes its steps.
//!
//! Invariant: for every [`flaw::Flaw`] the search finds a state in which a promise is broken. A search that
//! finds nothing in the service as it is would else say little.
//!
//! Absent on purpose: the real code, which runs under faults in `worker/tests/simulation`; and more than
//! one file, since no operation touches two.

pub mod flaw;
pub mod life;
pub mod promises;
pub mod state;
pub mod tasks;

#[cfg(test)]
mod tests;
