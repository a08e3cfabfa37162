//! Evidence: what a run leaves behind, sealed so that a change shows.

pub mod manifest;
pub mod signature;

pub use manifest::Manifest;
