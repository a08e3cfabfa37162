//! Evidence: what a run leaves behind, with every secret taken out before it is written.

pub mod manifest;
pub mod redact;
pub mod signature;
pub mod transcript;

pub use manifest::Manifest;
pub use redact::{Redacted, Redactor};
pub use transcript::{BODY_LIMIT, Transcript};
