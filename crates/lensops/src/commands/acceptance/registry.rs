//! The action registry that an option or `lensops.yml` names.

use std::path::Path;

use lensops_core::verdict::registry::Registry;

use crate::commands::error::{Context as _, Result};
use crate::commands::files;
use crate::config::Settings;

/// Reads the action registry of the option, else of `lensops.yml`; `None` where neither names one.
///
/// # Errors
/// When it cannot be read, or is no registry.
pub fn read_registry(settings: &Settings, option: Option<&Path>) -> Result<Option<Registry>> {
    let named = settings.project.registry.as_ref().map(|path| settings.root.join(path));
    let Some(path) = option.map(Path::to_owned).or(named) else {
        return Ok(None);
    };
    let registry = serde_json::from_str(&files::read(&path)?);
    Ok(Some(registry.with_context(|| {
        format!("{} is no action registry", path.display())
    })?))
}
