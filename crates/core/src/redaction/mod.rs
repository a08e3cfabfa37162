//! Text that may leave the process: secrets found and taken out, and transcripts of what went over
//! the wire.

#[cfg(test)]
mod encodings;
mod finder;
mod forms;
mod key;
mod legible;
mod mark;
mod patterns;
mod redactor;
pub mod transcript;
mod unfold;

pub(crate) use key::{is_secret_key, names_secret};
pub use legible::{legible, one_line};
pub use mark::SHORTEST_SECRET;
pub use redactor::{Redacted, Redactor, scalars};
pub use transcript::{BODY_LIMIT, Transcript};
