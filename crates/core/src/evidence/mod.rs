//! Evidence: what a run leaves behind, sealed so that a change shows.

pub mod envelope;
pub mod manifest;
pub mod seal;
pub mod signature;

pub use manifest::Manifest;
