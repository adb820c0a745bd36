//! The consumer against a queue that really redelivers, with work that fails as scripted. Time is
//! paused: it moves only when everybody waits, so minutes of back-off cost nothing.

mod running;
mod stepping;
pub(crate) mod support;
