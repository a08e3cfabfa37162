//! What would be written, and how each file stands to the one on disk.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lensops_core::lens::Lens;
use lensops_core::plan::header::{self, Origin, lf, origin};
use lensops_core::repository::RepoFolder;
use lensops_core::template::{Rendered, Terms, blueprint, render_lens_file};

use serde_json::Value;

use super::options::Options;
use super::templates;
use crate::commands::error::{Error, Result};
use crate::commands::files;
use crate::commands::plans::{LENSES, load_lens};
use crate::config::Settings;

/// What a rendered file is beside the one on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Same,
    New,
    Changed,
    /// Edited by hand since it was generated.
    Edited,
    /// Not written by lensops.
    Foreign,
    /// Shared with others, and not safe to edit: what is missing is shown instead.
    Refused,
    /// Generated for a lens that is no more.
    Stale,
}

/// A file as it would be.
pub(super) struct Planned {
    pub(super) path: PathBuf,
    /// Its path below the repository, for people.
    pub(super) shown: String,
    pub(super) text: String,
    pub(super) before: Option<String>,
    pub(super) standing: Standing,
    /// Why it is [`Standing::Refused`].
    pub(super) why: Option<String>,
}

/// The lens file is a person's: one that says something else is not overwritten.
pub(super) fn plan_lens_file(
    settings: &Settings,
    lens: &Lens,
    resolved: &Lens,
    terms: &Terms,
    options: &Options,
) -> Result<Option<Planned>> {
    let shown = format!("{LENSES}/{}.yml", lens.lens);
    let path = settings.root.join(&shown);
    let before = files::read_if_there(&path)?;
    if before.is_some() && !options.force {
        let (there, _) = load_lens(settings, &path, options.allow_placeholders)?;
        if there != *resolved {
            return Err(Error::usage(format!(
                "{shown} is there and says something else ({}): edit it and run `lensops generate`, or give --force to replace it",
                differences(&there, resolved)
            )));
        }
        return Ok(None);
    }
    let text = render_lens_file(&templates::lens_file()?, lens, terms)?;
    let standing = standing(before.as_deref(), &text);
    // With force the person asked for it to be replaced.
    let standing = if standing == Standing::Foreign {
        Standing::Changed
    } else {
        standing
    };
    Ok(Some(Planned {
        path,
        shown,
        text,
        before,
        standing,
        why: None,
    }))
}

/// The keys that two lenses say otherwise, with both values where these are short.
fn differences(there: &Lens, given: &Lens) -> String {
    const SHORT: usize = 40;
    let json = |lens: &Lens| serde_json::to_value(lens).unwrap_or_default();
    let (there, given) = (json(there), json(given));
    let mut keys: Vec<&String> = [&there, &given]
        .into_iter()
        .filter_map(Value::as_object)
        .flat_map(|map| map.keys())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let differ = keys.into_iter().filter(|key| there[*key] != given[*key]);
    let told = differ.map(|key| match (there[key].to_string(), given[key].to_string()) {
        (there, given) if there.len() + given.len() <= SHORT => format!("{key}: {there} there, {given} given"),
        _ => key.clone(),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// What a rendered file is beside the one on disk, and what there is to say of it.
pub(super) fn plan_file(settings: &Settings, file: Rendered, prune: bool) -> Result<(Planned, Vec<String>)> {
    let (path, shown) = place(settings, file.at_root, &file.path)?;
    let before = files::read_if_there(&path)?;
    let (mut text, mut why, mut notes) = (file.text, None, Vec::new());
    let standing = if file.blueprint {
        match blueprint::edit(before.as_deref(), &text, prune) {
            Ok(edited) => {
                text = edited.text;
                let told = |name: &String| {
                    format!(
                        "⚠️ service {name} of {} is of no lens: `lensops generate --prune` removes it",
                        shown
                    )
                };
                notes.extend(edited.orphans.iter().map(told));
                match &before {
                    None => Standing::New,
                    Some(before) if *before == text => Standing::Same,
                    Some(_) => Standing::Changed,
                }
            }
            Err(refusal) => {
                why = Some(refusal.to_string());
                Standing::Refused
            }
        }
    } else {
        standing(before.as_deref(), &text)
    };
    let planned = Planned {
        path,
        shown,
        text,
        before,
        standing,
        why,
    };
    Ok((planned, notes))
}

/// Where a generated path is, and how people are told.
fn place(settings: &Settings, at_root: bool, path: &str) -> Result<(PathBuf, String)> {
    match (at_root, settings.repository_root()?, &settings.project.repository.root) {
        (true, Some(root), Some(folder)) => Ok((root.join(path), format!("{}{path}", "../".repeat(folder.depth())))),
        _ => Ok((settings.root.join(path), path.to_owned())),
    }
}

/// A file that is generated no more, and where it is generated now.
pub(super) struct Left {
    pub(super) planned: Planned,
    pub(super) moved_to: Option<String>,
}

/// Files beside the rendered ones that these template sets made for lenses that are no more, or in other places.
pub(super) fn stale_files(
    settings: &Settings,
    folders: &BTreeSet<(bool, String)>,
    rendered: &[Rendered],
    sets: &[&str],
) -> Result<Vec<Left>> {
    let mut stale = Vec::new();
    for (at_root, folder) in folders {
        let ours_alone = settings.project.repository.root.as_ref().filter(|_| *at_root);
        for path in files::list(&place(settings, *at_root, folder)?.0, "")? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let below = format!("{folder}/{name}");
            if rendered
                .iter()
                .any(|file| file.path == below && file.at_root == *at_root)
            {
                continue;
            }
            // What is no text was not generated.
            let Ok(before) = files::read(&path) else { continue };
            let ours = header::split(&before).is_some_and(|(header, _)| {
                header
                    .template_set
                    .split('@')
                    .next()
                    .is_some_and(|set| sets.contains(&set))
                    && header.folder.as_deref() == ours_alone.map(RepoFolder::as_str)
            });
            if ours {
                let (_, shown) = place(settings, *at_root, &below)?;
                let same_name = |file: &&Rendered| {
                    let other = file.path.rsplit('/').next().unwrap_or_default();
                    other == name || (file.at_root && !at_root && other.ends_with(&format!("-{name}")))
                };
                stale.push(Left {
                    moved_to: rendered.iter().find(same_name).map(|file| file.path.clone()),
                    planned: Planned {
                        path,
                        shown,
                        text: String::new(),
                        before: Some(before),
                        standing: Standing::Stale,
                        why: None,
                    },
                });
            }
        }
    }
    Ok(stale)
}

/// Line ends that a checkout rewrote are no difference.
fn standing(before: Option<&str>, text: &str) -> Standing {
    let Some(before) = before.map(lf) else {
        return Standing::New;
    };
    if before == lf(text) {
        return Standing::Same;
    }
    let folder = |text: &str| header::split(text).and_then(|(header, _)| header.folder);
    match origin(&before) {
        // Two folders of a repository would write one file.
        Origin::Generated | Origin::Edited if folder(&before) != folder(text) => Standing::Foreign,
        Origin::Generated => Standing::Changed,
        Origin::Edited => Standing::Edited,
        Origin::Foreign => Standing::Foreign,
    }
}

impl Planned {
    /// Whether nothing but the header line differs.
    pub(super) fn is_header_alone(&self) -> bool {
        let before = self.before.as_deref().map(lf);
        let bodies = before.as_deref().and_then(header::split).zip(header::split(&self.text));
        self.standing == Standing::Changed && bodies.is_some_and(|((_, before), (_, after))| before == after)
    }
}
