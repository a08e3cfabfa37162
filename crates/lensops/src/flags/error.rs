//! Why flags could not be read or set.

use std::time::Duration;

use lensops_core::flags::Unreadable;

/// Why the flags could not be read or set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No answer.
    #[error("the provider did not answer: {0}")]
    Silent(String),
    /// The key is refused.
    #[error("the provider refuses {variable} ({status}): {}", refused(*.status))]
    Denied {
        /// Its answer.
        status: u16,
        /// The variable that holds the key.
        variable: String,
    },
    /// Too many requests, and still after waiting.
    #[error("the provider answered 429: too many requests{}", asked(*.after))]
    Busy {
        /// How long it asked to be left alone, where it did.
        after: Option<Duration>,
    },
    /// Another answer than expected.
    #[error("the provider answered {0}{meaning}", meaning = meaning(*.0))]
    Status(u16),
    /// An answer that says nothing of the flag.
    #[error("{0}")]
    Garbage(Unreadable),
    /// Pages without end.
    #[error("the provider's list does not end after {0} pages")]
    Endless(usize),
    /// A page that stands on another host, where the key does not go.
    #[error("the provider's next page is at another address than its own: it is not asked")]
    Elsewhere,
    /// The provider has no such flag, and switching makes none.
    #[error("the provider has no flag {0}: make it there, or correct its name in the lens file")]
    NoFlag(String),
    /// It can only be read.
    #[error("{0}")]
    ReadOnly(String),
    /// A file that cannot be read or written, or is no environment file; a command that does not answer as it should.
    #[error("{0}")]
    File(String),
    /// A command that switches and would not.
    #[error("{0}")]
    Refused(String),
    /// A command that failed.
    #[error("{0}")]
    Command(String),
}

impl FlagError {
    /// Whether the provider understood the request and will not do it, now or later.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Denied { .. } | Self::NoFlag(_) | Self::ReadOnly(_) | Self::Refused(_) => true,
            Self::Status(status) => (400..500).contains(status),
            Self::Silent(_)
            | Self::Busy { .. }
            | Self::Garbage(_)
            | Self::Endless(_)
            | Self::Elsewhere
            | Self::File(_)
            | Self::Command(_) => false,
        }
    }
}

fn asked(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(", it asked for {} s", after.as_secs()))
}

fn refused(status: u16) -> &'static str {
    match status {
        401 => "it was revoked, or belongs to another account",
        _ => "it may not do this, or the change needs an approval there",
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        404 => ": it does not know what `flags` of lensops.yml names",
        405 | 409 => ": the change needs an approval there, or somebody else changes it now",
        _ => "",
    }
}
