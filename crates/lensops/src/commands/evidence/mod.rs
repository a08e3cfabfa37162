//! What runs leave behind: bundles, their verification, and the package that a reviewer reads.

pub mod bundle;
pub mod key;
pub mod list;
pub mod markdown;
pub mod package;
pub mod runs;
pub mod trust;
pub mod verify;
