//! What runs leave behind: bundles, their verification, and the package that a reviewer reads.

pub mod bundle;
pub mod package;
pub mod verify;
