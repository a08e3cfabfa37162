//! Where plans are: at their usual place, where the template set of the repository puts them, or wherever a
//! generated one lies.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lensops_core::ident::LensId;
use lensops_core::plan::header;
use lensops_core::template::{PlanKind, TemplateSet};

use super::files;
use super::generate::{repo_context, templates};
use crate::commands::error::Result;
use crate::config::Settings;

/// A kind of plan: what its file opens with, and where the built-in set puts it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) plan: PlanKind,
    pub(crate) folder: &'static str,
    pub(crate) ending: &'static str,
}

/// Folders that hold no plans, and copies of plans that ran.
const NOT_LOOKED_INTO: [&str; 5] = ["node_modules", "target", "vendor", "venv", "verification_handoff"];

/// How deep plans are looked for.
const DEEPEST: usize = 8;

/// The plans of a kind by lens. Plans at the usual place count in any case; `lenses` gives the lenses whose
/// places the set of the repository names.
pub(crate) fn all(
    settings: &Settings,
    kind: Kind,
    lenses: impl FnOnce() -> Vec<lensops_core::lens::Lens>,
) -> Result<Vec<PathBuf>> {
    let usual = files::list(&settings.root.join(kind.folder), kind.ending)?;
    let mut by_lens: BTreeMap<String, PathBuf> = BTreeMap::new();
    if let Some(set) = own_set(settings) {
        for lens in lenses() {
            let path = placed(settings, &set, kind, &lens).filter(|path| path.exists());
            by_lens.extend(path.map(|path| (lens.lens.to_string(), path)));
        }
    }
    if usual.is_empty() && by_lens.is_empty() {
        for (lens, path) in by_header(&settings.root, kind) {
            by_lens.entry(lens).or_insert(path);
        }
    }
    for path in usual {
        let lens = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(kind.ending))
            .unwrap_or_default();
        by_lens.entry(lens.to_owned()).or_insert(path);
    }
    Ok(by_lens.into_values().collect())
}

/// The plan of a lens; `None` where it is nowhere.
pub(crate) fn of(
    settings: &Settings,
    kind: Kind,
    id: &LensId,
    lens: impl FnOnce() -> Option<lensops_core::lens::Lens>,
) -> Option<PathBuf> {
    let named = own_set(settings).and_then(|set| placed(settings, &set, kind, &lens()?));
    let usual = settings.root.join(kind.folder).join(format!("{id}{}", kind.ending));
    let found = named.into_iter().chain([usual]).find(|path| path.exists());
    found.or_else(|| {
        let mut all = by_header(&settings.root, kind).into_iter();
        all.find(|(lens, _)| lens == id.as_str()).map(|(_, path)| path)
    })
}

/// The set of the repository, where it is not the built-in one. One that is not there, as in an image that
/// carries the plans alone, names no places.
fn own_set(settings: &Settings) -> Option<TemplateSet> {
    let named = settings.project.template_set.as_deref();
    named
        .filter(|named| *named != templates::BUILT_IN)
        .and_then(|_| templates::load(settings, None).ok())
}

fn placed(settings: &Settings, set: &TemplateSet, kind: Kind, lens: &lensops_core::lens::Lens) -> Option<PathBuf> {
    let path = set.plan_path(kind.plan, lens, &repo_context(settings)).ok()??;
    Some(settings.root.join(path))
}

/// Every generated plan of a kind below `root`, with its lens.
fn by_header(root: &Path, kind: Kind) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    look(root, DEEPEST, kind, &mut found);
    found.sort();
    found
}

fn look(folder: &Path, depth: usize, kind: Kind, found: &mut Vec<(String, PathBuf)>) {
    // What cannot be listed holds nothing that could be read.
    for path in files::list(folder, "").unwrap_or_default() {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            let is_link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
            if depth > 0 && !is_link && !NOT_LOOKED_INTO.contains(&name) {
                look(&path, depth - 1, kind, found);
            }
        } else if name.ends_with(".yml") || name.ends_with(".yaml") {
            found.extend(lens_of(&path, kind).map(|lens| (lens, path)));
        }
    }
}

/// Whose generated plan a file is.
fn lens_of(path: &Path, kind: Kind) -> Option<String> {
    let text = files::read(path).ok()?;
    let (_, body) = header::split(&text)?;
    let opening = format!("{}: ", kind.plan.key());
    let lens = body.lines().find_map(|line| line.strip_prefix(&opening))?;
    Some(lens.trim().trim_matches(['"', '\'']).to_owned())
}
