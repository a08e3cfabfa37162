//! Why flags could not be read or set.

use std::time::Duration;

/// Why the flags could not be read or set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No answer.
    #[error("the provider did not answer: {0}")]
    Silent(String),
    /// The key is refused.
    #[error("the provider refuses RENDER_API_KEY ({0}): it was revoked, or belongs to another account")]
    Denied(u16),
    /// Too many requests, and still after waiting.
    #[error("the provider answered 429: too many requests{}", asked(*.after))]
    Busy {
        /// How long it asked to be left alone, where it did.
        after: Option<Duration>,
    },
    /// Another answer than expected.
    #[error("the provider answered {0}")]
    Status(u16),
    /// An answer that is no list of variables.
    #[error("the provider's answer is not a list of variables")]
    Garbage,
    /// Pages without end.
    #[error("the provider's list does not end after {0} pages")]
    Endless(usize),
    /// A file that cannot be read or written, or is no environment file.
    #[error("{0}")]
    File(String),
}

impl FlagError {
    /// Whether the provider understood the request and will not do it, now or later.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Denied(_) => true,
            Self::Status(status) => (400..500).contains(status),
            Self::Silent(_) | Self::Busy { .. } | Self::Garbage | Self::Endless(_) | Self::File(_) => false,
        }
    }
}

fn asked(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(", it asked for {} s", after.as_secs()))
}
