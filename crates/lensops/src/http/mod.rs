//! Sends a prepared request and times its phases.
//!
//! Connections are kept for the next request; no redirects are followed, since an answer is evidence.
//! Failures are classed here, once, for every command. A connection pool library was not taken: it
//! hides whether a connection was reused, which is part of a timing.

mod client;
mod connection;
mod failure;
mod idle;

pub use client::{Client, TIMEOUT};

#[cfg(test)]
mod tests;
