//! What a provider of flags can do: read some, switch one, and have it followed.

use std::future::Future;
use std::time::Duration;

use lensops_core::exchange::Sender;
use lensops_core::flags::Readings;
use lensops_core::ident::FlagName;

use super::error::FlagError;

/// How long a check may wait for a provider that is busy.
pub const CHECK_PATIENCE: Duration = Duration::from_secs(5);

/// How long a person's command may wait for it: longer than a minute of 429.
pub const COMMAND_PATIENCE: Duration = Duration::from_secs(90);

/// What follows once a flag is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deploy {
    /// Whoever asks for the flag hears of it without a restart.
    Live,
    /// The provider starts the service anew.
    Started,
    /// Somebody has to: the service reads its flags when it starts.
    ByHand,
}

/// Who keeps the flags of a service.
pub trait FlagProvider: Send + Sync {
    /// The flags `asked`, each of them. A part of them is no answer.
    fn read<S: Sender>(
        &self,
        sender: &S,
        asked: &[FlagName],
    ) -> impl Future<Output = Result<Readings, FlagError>> + Send;

    /// Sets one flag to `value`: `true`, `false`, or what was read of it.
    fn set<S: Sender>(
        &self,
        sender: &S,
        flag: &FlagName,
        value: &str,
    ) -> impl Future<Output = Result<(), FlagError>> + Send;

    /// Has the service follow, where the provider can.
    fn deploy<S: Sender>(&self, sender: &S) -> impl Future<Output = Result<Deploy, FlagError>> + Send;

    /// What follows once a flag is set.
    fn follows(&self) -> Deploy;

    /// Why no flag can be switched here; `None` where it can.
    fn read_only(&self) -> Option<String>;

    /// Whether a flag that is not there is off, as a variable is; elsewhere it has to be made first.
    fn makes_flags(&self) -> bool;

    /// What is switched, for records: a service id, a path, a project with its environment.
    fn target(&self) -> String;

    /// For people.
    fn name(&self) -> String;

    /// What to look at where it refuses: the variables that it reads, or its file.
    fn settings(&self) -> String;
}
