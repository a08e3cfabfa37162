//! Template sets: the built-in one, one in a folder, and ejecting.

use std::collections::BTreeMap;
use std::path::Path;

use lensops_core::template::TemplateSet;
use rust_embed::RustEmbed;

use crate::commands::error::{Context as _, Error, Result};
use crate::commands::files;

/// The built-in set and the template of the lens file.
#[derive(RustEmbed)]
#[folder = "../../templates"]
struct BuiltIn;

/// The name of the built-in set.
pub const BUILT_IN: &str = "action-router";

/// The files of the built-in set.
///
/// # Errors
/// When one is no text, which the tests rule out.
pub fn built_in() -> Result<BTreeMap<String, String>> {
    let prefix = format!("{BUILT_IN}/");
    let names = BuiltIn::iter().filter_map(|name| Some((name.strip_prefix(&prefix)?.to_owned(), name.clone())));
    names.map(|(name, path)| Ok((name, embedded(&path)?))).collect()
}

/// The template of the lens file.
///
/// # Errors
/// When it is no text, which the tests rule out.
pub fn lens_file() -> Result<String> {
    embedded("lens.yml")
}

fn embedded(path: &str) -> Result<String> {
    let file = BuiltIn::get(path).with_context(|| format!("built-in template {path} is missing"))?;
    String::from_utf8(file.data.into_owned())
        .map_err(Error::invalid)
        .with_context(|| format!("built-in template {path} is no text"))
}

/// Reads the set in `folder`, or the built-in one.
///
/// # Errors
/// When it cannot be read, or is no set.
pub fn load(folder: Option<&Path>) -> Result<TemplateSet> {
    let Some(folder) = folder else {
        return Ok(TemplateSet::load(built_in()?)?);
    };
    let mut set = BTreeMap::new();
    for path in files::list(folder, "")? {
        if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|name| name.to_str())) {
            set.insert(name.to_owned(), files::read(&path)?);
        }
    }
    TemplateSet::load(set).with_context(|| format!("template set {}", folder.display()))
}

/// Writes the built-in set into `folder`, to be changed and given back with `--template-dir`.
///
/// # Errors
/// When a file of it is there already, or cannot be written.
pub fn eject(folder: &Path) -> Result<()> {
    let set = built_in()?;
    if let Some(there) = set.keys().map(|name| folder.join(name)).find(|path| path.exists()) {
        return Err(Error::usage(format!(
            "{} is there already: eject into another folder",
            there.display()
        )));
    }
    let files: Vec<_> = set
        .iter()
        .map(|(name, text)| (folder.join(name), text.as_str()))
        .collect();
    files::replace_all(&files)?;
    for (path, _) in &files {
        say!("✅ Created: {}", path.display());
    }
    Ok(())
}
