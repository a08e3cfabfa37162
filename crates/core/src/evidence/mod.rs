//! Evidence: what a run leaves behind, sealed so that a change shows.

pub mod envelope;
pub mod finding;
pub mod manifest;
pub mod seal;
pub mod signature;
pub mod trust;

pub use finding::Finding;
pub use manifest::Manifest;
pub use trust::{EvidenceFile, Standing, Whose};
