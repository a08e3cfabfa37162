//! Where the root of the repository is, as `lensops.yml` says it.

use std::path::PathBuf;

use super::error::ConfigError;
use super::settings::Settings;

impl Settings {
    /// The repository's own root, where `lensops.yml` says that this folder lies below it.
    ///
    /// # Errors
    /// When this folder is another one: files would go to a place that nobody named.
    pub fn repository_root(&self) -> Result<Option<PathBuf>, ConfigError> {
        let Some(folder) = &self.project.repository.root else {
            return Ok(None);
        };
        let here = self.root.canonicalize().map_err(|source| ConfigError::Read {
            path: self.root.display().to_string(),
            source,
        })?;
        if !here.ends_with(folder.as_str()) {
            return Err(ConfigError::Value {
                name: "repository.root of lensops.yml",
                value: folder.to_string(),
                why: format!(
                    "this folder is {}: name its path below the repository's root",
                    here.display()
                ),
            });
        }
        Ok(Some(self.root.join(vec![".."; folder.depth()].join("/"))))
    }
}
