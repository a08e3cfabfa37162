//! Template sets: the built-in one, one in a folder, and ejecting.

use std::collections::BTreeMap;
use std::path::Path;

use lensops_core::template::TemplateSet;
use rust_embed::RustEmbed;

use crate::commands::error::{Context as _, Error, Result};
use crate::commands::files;
use crate::config::{PROJECT_FILE, Settings};

/// The built-in set and the template of the lens file.
#[derive(RustEmbed)]
#[folder = "sets/"]
struct BuiltIn;

/// The name of the built-in set.
pub const BUILT_IN: &str = "action-router";

/// The folders that its files go into.
pub(super) const USUAL_FOLDERS: [&str; 6] = [
    "tools/ops/monitors",
    "tests/ci",
    "tests/stress",
    ".github/workflows",
    "docs/pipeline",
    "verification_handoff/phase6",
];

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

/// The set that the repository names, or the one in `folder` where this run has one of its own.
///
/// # Errors
/// When it cannot be read, or is no set.
pub fn load(settings: &Settings, folder: Option<&Path>) -> Result<TemplateSet> {
    match (folder, settings.project.template_set.as_deref()) {
        (Some(folder), _) => read(folder),
        (None, None | Some(BUILT_IN)) => Ok(TemplateSet::load(built_in()?)?),
        (None, Some(named)) => {
            let folder = settings.root.join(named);
            if !folder.is_dir() {
                return Err(Error::usage(format!(
                    "{PROJECT_FILE}: template_set {named:?} is neither a built-in set ({BUILT_IN}) nor a folder: {} is not there",
                    folder.display()
                )));
            }
            read(&folder)
        }
    }
}

fn read(folder: &Path) -> Result<TemplateSet> {
    let mut set = BTreeMap::new();
    for path in files::list(folder, "")? {
        if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|name| name.to_str())) {
            set.insert(name.to_owned(), files::read(&path)?);
        }
    }
    TemplateSet::load(set).with_context(|| format!("template set {}", folder.display()))
}

/// Writes the built-in set into `folder`, to be changed and named as `template_set` of `lensops.yml`.
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
    say!("Name it in {PROJECT_FILE}: `template_set: FOLDER`, or once with `lensops generate --template-dir FOLDER`");
    Ok(())
}
