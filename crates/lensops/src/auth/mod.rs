//! Credentials of users: made, fetched and kept for a run.
//!
//! `lensops-core` says what a credential is made of and what fetches it; this room sends that request once for all
//! who share it, and keeps what came until it ends. It writes nothing to disk: a credential ends with its run.

mod held;
mod signing;

pub use held::{FetchFailed, Held};
pub use signing::{Sending, Signed, Signing, Unsigned};
