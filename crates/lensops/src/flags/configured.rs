//! The provider that the settings choose: one type for every command.

use std::time::Duration;

use lensops_core::exchange::Sender;
use lensops_core::flags::Readings;
use lensops_core::ident::FlagName;

use super::command::CommandProvider;
use super::env_file::EnvFile;
use super::error::FlagError;
use super::provider::{Deploy, FlagProvider};
use super::render_api::RenderProvider;
use super::service::ServiceProvider;

/// The providers there are.
#[derive(Debug, Clone)]
pub enum Provider {
    /// The hosting provider's interface.
    Render(RenderProvider),
    /// A file of `KEY=VALUE` lines.
    EnvFile(EnvFile),
    /// A flag service over HTTP.
    Service(Box<ServiceProvider>),
    /// Commands.
    Command(CommandProvider),
}

/// The same question to whichever it is.
macro_rules! each {
    ($provider:expr, $one:ident => $asked:expr) => {
        match $provider {
            Provider::Render($one) => $asked,
            Provider::EnvFile($one) => $asked,
            Provider::Service($one) => $asked,
            Provider::Command($one) => $asked,
        }
    };
}

impl Provider {
    /// The same, waiting up to `patience` for a provider that is busy or down.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        match self {
            Self::Render(render) => Self::Render(RenderProvider { patience, ..render }),
            Self::Service(service) => Self::Service(Box::new(ServiceProvider { patience, ..*service })),
            other @ (Self::EnvFile(_) | Self::Command(_)) => other,
        }
    }

    /// Sets a flag and has the service follow where the provider can.
    ///
    /// # Errors
    /// When the provider does not say that it did.
    pub async fn switch<S: Sender>(&self, sender: &S, flag: &FlagName, value: &str) -> Result<Deploy, FlagError> {
        self.set(sender, flag, value).await?;
        self.deploy(sender).await
    }
}

impl FlagProvider for Provider {
    async fn read<S: Sender>(&self, sender: &S, asked: &[FlagName]) -> Result<Readings, FlagError> {
        each!(self, one => one.read(sender, asked).await)
    }

    async fn set<S: Sender>(&self, sender: &S, flag: &FlagName, value: &str) -> Result<(), FlagError> {
        each!(self, one => one.set(sender, flag, value).await)
    }

    async fn deploy<S: Sender>(&self, sender: &S) -> Result<Deploy, FlagError> {
        each!(self, one => one.deploy(sender).await)
    }

    fn follows(&self) -> Deploy {
        each!(self, one => one.follows())
    }

    fn read_only(&self) -> Option<String> {
        each!(self, one => one.read_only())
    }

    fn makes_flags(&self) -> bool {
        each!(self, one => one.makes_flags())
    }

    fn target(&self) -> String {
        each!(self, one => one.target())
    }

    fn name(&self) -> String {
        each!(self, one => one.name())
    }

    fn settings(&self) -> String {
        each!(self, one => one.settings())
    }
}
