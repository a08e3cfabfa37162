//! What a provider of flags can do: read the variables of a service, set one, and deploy.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use lensops_core::exchange::Sender;

use super::error::FlagError;

/// The variables of a service by name.
pub type Variables = BTreeMap<String, String>;

/// Whether a flag with this value is on.
#[must_use]
pub fn is_on(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// How long a check may wait for a provider that is busy.
pub const CHECK_PATIENCE: Duration = Duration::from_secs(5);

/// How long a person's command may wait for it: longer than a minute of 429.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(90);

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
