//! The flag provider that files and environment choose.

use lensops_core::exchange::Base;
use lensops_core::secret::Secret;

use super::error::ConfigError;
use super::project::FlagsAt;
use super::settings::Settings;
use crate::flags::{CHECK_PATIENCE, EnvFile, Provider, RenderProvider};

/// The provider's public interface.
pub(super) const RENDER_API: &str = "https://api.render.com";

impl Settings {
    /// The flag provider, or why there is none.
    ///
    /// # Errors
    /// When its address is no address.
    pub fn provider(&self) -> Result<Result<Provider, String>, ConfigError> {
        if let Some(FlagsAt::EnvFile { path }) = &self.project.flags {
            return Ok(Ok(Provider::EnvFile(EnvFile::new(self.root.join(path)))));
        }
        let (Some(key), Some(service)) = (self.var("RENDER_API_KEY"), self.var("RENDER_SERVICE_ID")) else {
            let missing: Vec<&str> = ["RENDER_API_KEY", "RENDER_SERVICE_ID"]
                .into_iter()
                .filter(|name| self.var(name).is_none())
                .collect();
            let verb = if missing.len() == 1 { "is" } else { "are" };
            return Ok(Err(format!("{} {verb} not set", missing.join(" and "))));
        };
        let base = Base::parse(self.var("RENDER_API_URL").unwrap_or(RENDER_API));
        let base = base.map_err(|source| ConfigError::Address {
            name: "RENDER_API_URL",
            source,
        })?;
        Ok(Ok(Provider::Render(RenderProvider {
            base,
            key: Secret::new(key),
            service: service.to_owned(),
            patience: CHECK_PATIENCE,
        })))
    }
}
