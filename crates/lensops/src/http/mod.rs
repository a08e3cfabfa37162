//! Sends a prepared request and times its phases.
//!
//! One hyper connection a request stream, kept for the next request; no redirects are followed,
//! since an answer is evidence. Failures are classed here, once, for every command. A connection
//! pool library was not taken: it hides whether a connection was reused, which is part of a timing.

mod client;
mod connection;
mod exchange;
mod failure;

pub use client::{Client, TIMEOUT, unsent};
pub use connection::Connection;
