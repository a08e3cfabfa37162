//! The flag proof: off at the provider means 503 at the API, on means 200.
//!
//! It switches a flag of a running service, so it puts back what it found whatever happens: the
//! intent is on disk before the first switch, an interrupt goes to the restoring at once, and a
//! run that was killed is undone by the next one.

mod intent;
mod prove;
mod restore;

pub use intent::{close, warning};
pub(super) use restore::{alone, undo};
