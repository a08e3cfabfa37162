//! What an answer must be, and what is taken from it: expectations, and the places of an answer.

mod capture;
mod dialect;
mod expectation;
mod limit;
mod pattern;
mod place;
mod status_set;

pub use capture::{Capture, Part};
pub use dialect::Dialect;
pub use expectation::{Expect, FEATURE_DISABLED};
pub use limit::Limit;
pub use pattern::Pattern;
pub use place::Place;
pub use status_set::StatusSet;
