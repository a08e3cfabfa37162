//! Feature flags at the provider that hosts the API: environment variables of its service.
//!
//! The API reads a flag as `value.lower() == "true"`, and no variable as off; so does this. A
//! provider that cannot be read is no flag that is off: it is an answer of its own.

mod env_file;
mod render;
mod shared;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use lensops_core::exchange::Sender;

pub use env_file::EnvFile;
pub use render::RenderProvider;
pub use shared::SharedFlags;

/// The variables of a service by name.
pub type Variables = BTreeMap<String, String>;

/// How long a check may wait for a provider that is busy.
pub const CHECK_PATIENCE: Duration = Duration::from_secs(5);

/// How long a person's command may wait for it: longer than a minute of 429.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(90);

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

fn asked(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(", it asked for {} s", after.as_secs()))
}

/// What follows once a variable is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deploy {
    /// The provider starts the service anew.
    Started,
    /// Somebody has to: the service reads its variables when it starts.
    ByHand,
}

/// Who keeps the flags of a service.
pub trait FlagProvider: Send + Sync {
    /// All variables of the service. A part of them is no answer.
    fn read<S: Sender>(&self, sender: &S) -> impl Future<Output = Result<Variables, FlagError>> + Send;

    /// Sets one variable. Never the whole set: that would replace every other one.
    fn set<S: Sender>(&self, sender: &S, name: &str, value: &str)
    -> impl Future<Output = Result<(), FlagError>> + Send;

    /// Starts the service anew where the provider can: it reads its flags when it starts.
    fn deploy<S: Sender>(&self, sender: &S) -> impl Future<Output = Result<Deploy, FlagError>> + Send;

    /// What is switched, for records: a service id, a path.
    fn target(&self) -> String;

    /// For people.
    fn name(&self) -> String;
}

/// The providers there are.
#[derive(Debug, Clone)]
pub enum Provider {
    /// The hosting provider's interface.
    Render(RenderProvider),
    /// A file of `KEY=VALUE` lines.
    EnvFile(EnvFile),
}

impl Provider {
    /// The same, waiting up to `patience` for a provider that is busy or down.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        match self {
            Self::Render(render) => Self::Render(RenderProvider { patience, ..render }),
            file @ Self::EnvFile(_) => file,
        }
    }

    /// Sets a flag and has the service start anew where the provider can.
    ///
    /// # Errors
    /// When the provider does not say that it did.
    pub async fn switch<S: Sender>(&self, sender: &S, flag: &str, value: &str) -> Result<Deploy, FlagError> {
        self.set(sender, flag, value).await?;
        self.deploy(sender).await
    }
}

impl FlagProvider for Provider {
    async fn read<S: Sender>(&self, sender: &S) -> Result<Variables, FlagError> {
        match self {
            Self::Render(render) => render.read(sender).await,
            Self::EnvFile(file) => file.read(sender).await,
        }
    }

    async fn set<S: Sender>(&self, sender: &S, name: &str, value: &str) -> Result<(), FlagError> {
        match self {
            Self::Render(render) => render.set(sender, name, value).await,
            Self::EnvFile(file) => file.set(sender, name, value).await,
        }
    }

    async fn deploy<S: Sender>(&self, sender: &S) -> Result<Deploy, FlagError> {
        match self {
            Self::Render(render) => render.deploy(sender).await,
            Self::EnvFile(file) => file.deploy(sender).await,
        }
    }

    fn target(&self) -> String {
        match self {
            Self::Render(render) => render.target(),
            Self::EnvFile(file) => file.target(),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Render(render) => render.name(),
            Self::EnvFile(file) => file.name(),
        }
    }
}

/// Whether a flag with this value is on.
#[must_use]
pub fn is_on(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use super::is_on;

    /// Defect 8, its first third: the flag `True` was read as off.
    #[test]
    fn defect_8_true_in_any_case_is_on_and_anything_else_is_off() {
        for on in ["true", "True", "TRUE"] {
            assert!(is_on(Some(on)), "{on}");
        }
        for off in [Some("false"), Some(""), Some("1"), Some("yes"), Some(" true"), None] {
            assert!(!is_on(off), "{off:?}");
        }
    }
}
