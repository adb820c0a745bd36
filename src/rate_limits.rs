//! How often something may happen: for each address, person or password that asks, and within bounded memory.
//!
//! Invariant: within any time `t`, a key is let in at most `burst + rate × t` times by one process, however many ask
//! at once and wherever the clock jumps; and the memory for all keys together is bounded ([`MAX_KEYS`]).
//!
//! Absent on purpose: a count that several processes share. It would cost a write of a store for each call, and all
//! of them would wait for the same item. So N processes let in N times as much.

mod gcra;
mod limiter;
#[cfg(test)]
mod tests;

pub use gcra::{Left, Rate};
pub use limiter::{MAX_KEYS, RateLimiter};
