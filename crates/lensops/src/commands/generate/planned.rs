//! What would be written, and how each file stands to the one on disk.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lensops_core::lens::Lens;
use lensops_core::plan::header::{self, Origin, origin};
use lensops_core::template::{Rendered, blueprint, render_lens_file};

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
    options: &Options,
) -> Result<Option<Planned>> {
    let shown = format!("{LENSES}/{}.yml", lens.lens);
    let path = settings.root.join(&shown);
    let before = files::read_if_there(&path)?;
    if before.is_some() && !options.force {
        let (there, _) = load_lens(settings, &path, options.allow_placeholders)?;
        if there != *resolved {
            return Err(Error::usage(format!(
                "{shown} is there and says something else: edit it and run `lensops generate`, or give --force to replace it"
            )));
        }
        return Ok(None);
    }
    let text = render_lens_file(&templates::lens_file()?, lens)?;
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

/// What a rendered file is beside the one on disk, and what there is to say of it.
pub(super) fn plan_file(settings: &Settings, file: Rendered, prune: bool) -> Result<(Planned, Vec<String>)> {
    let path = settings.root.join(&file.path);
    let before = files::read_if_there(&path)?;
    let (mut text, mut why, mut notes) = (file.text, None, Vec::new());
    let standing = if file.blueprint {
        match blueprint::edit(before.as_deref(), &text, prune) {
            Ok(edited) => {
                text = edited.text;
                let told = |name: &String| {
                    format!(
                        "⚠️ service {name} of {} is of no lens: `lensops generate --prune` removes it",
                        file.path
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
        shown: file.path,
        text,
        before,
        standing,
        why,
    };
    Ok((planned, notes))
}

/// Files beside the rendered ones that this template set made for lenses that are no more.
pub(super) fn stale_files(
    settings: &Settings,
    folders: &BTreeSet<String>,
    rendered: &[Rendered],
    set: &str,
) -> Result<Vec<Planned>> {
    let mut stale = Vec::new();
    for folder in folders {
        for path in files::list(&settings.root.join(folder), "")? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let shown = format!("{folder}/{name}");
            if rendered.iter().any(|file| file.path == shown) {
                continue;
            }
            // What is no text was not generated.
            let Ok(before) = files::read(&path) else { continue };
            let ours =
                header::split(&before).is_some_and(|(header, _)| header.template_set.split('@').next() == Some(set));
            if ours {
                stale.push(Planned {
                    path,
                    shown,
                    text: String::new(),
                    before: Some(before),
                    standing: Standing::Stale,
                    why: None,
                });
            }
        }
    }
    Ok(stale)
}

fn standing(before: Option<&str>, text: &str) -> Standing {
    match before {
        None => Standing::New,
        Some(before) if before == text => Standing::Same,
        Some(before) => match origin(before) {
            Origin::Generated => Standing::Changed,
            Origin::Edited => Standing::Edited,
            Origin::Foreign => Standing::Foreign,
        },
    }
}
