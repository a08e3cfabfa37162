//! Template sets: the built-in ones, one in a folder, and ejecting.

use std::collections::BTreeMap;
use std::path::Path;

use lensops_core::ident::nearest;
use lensops_core::template::{MANIFEST, TemplateSet, Terms};
use rust_embed::RustEmbed;

use crate::commands::error::{Context as _, Error, Result};
use crate::commands::files;
use crate::config::{PROJECT_FILE, Settings};

/// The built-in sets, what they share, and the template of the lens file.
#[derive(RustEmbed)]
#[folder = "sets/"]
struct BuiltIn;

/// The built-in set of a repository that names none.
pub const BUILT_IN: &str = "action-router";

/// The built-in sets.
pub const BUILT_INS: [&str; 2] = [BUILT_IN, "http"];

/// The folders that their files go into.
pub(super) const USUAL_FOLDERS: [&str; 6] = [
    "tools/ops/monitors",
    "tests/ci",
    "tests/stress",
    ".github/workflows",
    "docs/pipeline",
    "verification_handoff/phase6",
];

/// The files of the built-in set `name`, those that it shares with the others among them.
///
/// # Errors
/// When one is no text, which the tests rule out.
pub fn built_in(name: &str) -> Result<BTreeMap<String, String>> {
    let of = |folder: &str| {
        let prefix = format!("{folder}/");
        let names = BuiltIn::iter().filter_map(|path| Some((path.strip_prefix(&prefix)?.to_owned(), path.clone())));
        names
            .map(|(name, path)| Ok((name, embedded(&path)?)))
            .collect::<Result<BTreeMap<_, _>>>()
    };
    let mut files = of("common")?;
    files.extend(of(name)?);
    Ok(files)
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
        (None, named) => named_set(settings, named.unwrap_or(BUILT_IN), PROJECT_FILE),
    }
}

/// The set of a lens that names it `named`: an empty name is the repository's own set, and so is the name that this set
/// calls itself. What a lens names goes before what the repository does. `place` is where it is named.
///
/// # Errors
/// When there is no such set, or it cannot be read.
pub fn of_lens(settings: &Settings, project: &TemplateSet, named: &str, place: &str) -> Result<Option<TemplateSet>> {
    let own = named.is_empty() || named == project.name() || settings.project.template_set.as_deref() == Some(named);
    if own {
        Ok(None)
    } else {
        named_set(settings, named, place).map(Some)
    }
}

/// The terms of the set of a lens that names it `named`; `None` where there is no such set, as in an image that carries
/// the plans alone.
pub fn terms(settings: &Settings, named: &str) -> Option<Terms> {
    let project = settings.project.template_set.as_deref().unwrap_or(BUILT_IN);
    let read = |set: &str| Terms::read(&manifest(settings, set)?).ok();
    let of_project = read(project);
    if let Some(terms) = of_project.filter(|terms| named.is_empty() || named == project || named == terms.set()) {
        return Some(terms);
    }
    read(if named.is_empty() { BUILT_IN } else { named })
}

fn manifest(settings: &Settings, set: &str) -> Option<String> {
    if BUILT_INS.contains(&set) {
        return embedded(&format!("{set}/{MANIFEST}")).ok();
    }
    files::read(&settings.root.join(set).join(MANIFEST)).ok()
}

/// The set called `named`: a built-in one, or a folder of the repository.
fn named_set(settings: &Settings, named: &str, place: &str) -> Result<TemplateSet> {
    if BUILT_INS.contains(&named) {
        return Ok(TemplateSet::load(built_in(named)?)?);
    }
    let folder = settings.root.join(named);
    if !folder.is_dir() {
        let hint = nearest(named, &BUILT_INS).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
        return Err(Error::usage(format!(
            "{place}: template_set {named:?} is neither a built-in set ({}) nor a folder{hint}: {} is not there",
            BUILT_INS.join(", "),
            folder.display()
        )));
    }
    read(&folder)
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

/// Writes the built-in set `name` into `folder`, to be changed and named as `template_set` of `lensops.yml`.
///
/// # Errors
/// When a file of it is there already, or cannot be written.
pub fn eject(name: &str, folder: &Path) -> Result<()> {
    let set = built_in(name)?;
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
