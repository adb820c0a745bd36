//! Presigned URLs against local mode's endpoint, over raw sockets: what they are good for, and
//! everything that a holder may try to do with them besides.

mod download;
mod form;
mod form_refusal;
mod refusal;
mod upload;
mod versions;
