//! The provider that the settings choose: one type for every command.

use std::time::Duration;

use lensops_core::exchange::Sender;

use super::env_file::EnvFile;
use super::error::FlagError;
use super::provider::{Deploy, FlagProvider, Variables};
use super::render_api::RenderProvider;

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
