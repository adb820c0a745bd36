//! The worker of the File Share Service in aws mode: it learns from the store's notifications that
//! bytes have arrived, and finalizes the files they belong to.
//!
//! A message goes one way: [`event_queue`] delivers it, [`notification`] reads it, [`consumer`]
//! does the work and decides how the delivery ends.
//!
//! What nobody could handle waits in the dead-letter queue; [`dead_letters`] is for the person who
//! looks after it, and [`operator`] puts that into commands.
//!
//! Invariant: a notification is a hint. Nothing that it says about an object is believed except
//! which key to look at; the truth is read from the stores.
//!
//! Absent on purpose: the HTTP API. This crate is built without it.

pub mod consumer;
pub mod dead_letters;
pub mod event_queue;
pub mod function;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod notification;
pub mod operator;
pub mod settings;
