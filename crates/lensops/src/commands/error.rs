//! Why a command came to no result, and the exit code that follows.
//!
//! One type for all commands: [`Error::exit`] is matched exhaustively, so that an error of a new kind
//! cannot be added without its exit code. A verdict is no error: a failed case, an unhealthy check and
//! drift are results.

use std::fmt::Display;

use lensops_core::yaml::YamlErrors;

use super::exit::Exit;
use super::files::FileError;
use crate::config::ConfigError;
use crate::flags::FlagError;
use crate::store::{SinkError, StoreError};

/// What a command returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of any type, for one line of text.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a command came to no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Bad usage: what is wrong, and what to do instead.
    #[error("{0}")]
    Usage(String),
    /// An option, a variable or a file that holds something invalid.
    #[error(transparent)]
    Invalid(Cause),
    /// A YAML file with mistakes, each with its place.
    #[error(transparent)]
    Yaml(#[from] YamlErrors),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The journal or a store cannot be opened, read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A store took nothing.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Flags cannot be read or set.
    #[error(transparent)]
    Flags(#[from] FlagError),
    /// The flag provider refused to read or switch a flag: nothing was switched.
    #[error("{what}")]
    Refused {
        /// What was attempted.
        what: String,
        /// How it refused.
        source: FlagError,
    },
    /// The API or a store did not give what is needed to go on.
    #[error("{0}")]
    Unanswered(String),
    /// This machine failed: a pipe, a socket, a thread, randomness.
    #[error(transparent)]
    System(Cause),
    /// Another error, and what was attempted or on what.
    #[error("{what}")]
    Within {
        /// What was attempted.
        what: String,
        /// Why it failed.
        source: Box<Error>,
    },
}

impl Error {
    /// Bad usage: what is wrong, and what to do instead.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Something invalid was given, as `cause` says.
    pub(crate) fn invalid(cause: impl Into<Cause>) -> Self {
        Self::Invalid(cause.into())
    }

    /// This machine failed, as `cause` says.
    pub(crate) fn system(cause: impl Into<Cause>) -> Self {
        Self::System(cause.into())
    }

    /// The exit code of a command that ends with this error.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Invalid(_) | Self::Yaml(_) | Self::Config(_) => Exit::Usage,
            Self::File(error) if error.is_write() => Exit::CouldNotJudge,
            Self::File(_) => Exit::Usage,
            // An address is a setting; everything else is the journal's or the store's own.
            Self::Store(StoreError::Address(_)) => Exit::Usage,
            Self::Store(_) | Self::Sink(_) | Self::Unanswered(_) | Self::System(_) => Exit::CouldNotJudge,
            Self::Flags(error) => match error {
                // A key that is refused, and a file that is no environment file, are configuration.
                FlagError::Denied { .. } | FlagError::File(_) | FlagError::NoFlag(_) | FlagError::ReadOnly(_) => {
                    Exit::Usage
                }
                FlagError::Silent(_)
                | FlagError::Busy { .. }
                | FlagError::Status(_)
                | FlagError::Garbage(_)
                | FlagError::Command(_)
                | FlagError::Refused(_)
                | FlagError::Elsewhere
                | FlagError::Endless(_) => Exit::CouldNotJudge,
            },
            Self::Refused { .. } => Exit::Bad,
            Self::Within { source, .. } => source.exit(),
        }
    }

    /// A flag provider's error on the way to switch a flag: a refusal is a result, the rest is not.
    pub(crate) fn not_switched(what: String, error: FlagError) -> Self {
        if error.is_refusal() {
            return Self::Refused { what, source: error };
        }
        Self::Within {
            what,
            source: Box::new(error.into()),
        }
    }

    /// The first error of the chain that is not [`Error::Within`].
    #[must_use]
    pub fn root(&self) -> &Self {
        match self {
            Self::Within { source, .. } => source.root(),
            other => other,
        }
    }

    /// The error and its causes on one line, `what: why: why`.
    #[must_use]
    pub fn line(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

/// Says what was attempted when something failed.
pub(crate) trait Context<T> {
    /// The value, or the error within `what`.
    fn context(self, what: impl Display) -> Result<T>;
    /// As [`Context::context`], with the text made only where it is needed.
    fn with_context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl Display) -> Result<T> {
        self.with_context(|| what)
    }

    fn with_context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| Error::Within {
            what: what().to_string(),
            source: Box::new(error.into()),
        })
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, what: impl Display) -> Result<T> {
        self.ok_or_else(|| Error::Usage(what.to_string()))
    }

    fn with_context<D: Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.ok_or_else(|| Error::Usage(what().to_string()))
    }
}

/// Errors that always mean that something invalid was given.
macro_rules! invalid {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::invalid(error)
            }
        })+
    };
}

invalid!(
    lensops_core::duration::DurationError,
    lensops_core::evidence::signature::KeyError,
    lensops_core::alert::BookErrors,
    lensops_core::crypto::token::TokenError,
    lensops_core::exchange::BaseError,
    lensops_core::ident::NameError,
    lensops_core::lens::LensErrors,
    lensops_core::plan::PlanError,
    lensops_core::request::fill::PrepareError,
    lensops_core::exchange::ControlCharacter,
    lensops_core::template::TemplateError,
    lensops_core::yaml::YamlError,
    serde_json::Error,
);
