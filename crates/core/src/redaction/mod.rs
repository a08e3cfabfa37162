//! Text that may leave the process: secrets found and taken out, and transcripts of what went over
//! the wire.

mod finder;
mod forms;
mod redactor;
pub mod transcript;

pub(crate) use redactor::is_secret_key;
pub use redactor::{Redacted, Redactor, SHORTEST_SECRET, legible, one_line};
pub use transcript::{BODY_LIMIT, Transcript};
