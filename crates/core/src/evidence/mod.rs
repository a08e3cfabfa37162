//! Evidence: what a run leaves behind, with every secret taken out before it is written.

pub mod manifest;
pub mod redact;
pub mod signature;
pub mod transcript;

pub use manifest::Manifest;
pub(crate) use redact::is_secret_key;
pub use redact::{Redacted, Redactor, SHORTEST_SECRET, legible, one_line};
pub use transcript::{BODY_LIMIT, Transcript};
