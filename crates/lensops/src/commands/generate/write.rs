//! Writes the files that differ, and lists what was or would be written.

use std::path::PathBuf;

use lensops_core::plan::header::{Origin, origin};

use super::options::Options;
use super::planned::{Planned, Standing};
use crate::commands::error::{Error, Result};
use crate::commands::files::{self, FileError};

/// Writes what differs; a file that is not safe to edit is left as it is.
pub(super) fn write(planned: &[Planned], options: &Options) -> Result<()> {
    let is_edited = |file: &&Planned| match file.standing {
        Standing::Edited | Standing::Foreign => true,
        Standing::Stale => {
            options.prune
                && file
                    .before
                    .as_deref()
                    .is_some_and(|text| origin(text) == Origin::Edited)
        }
        _ => false,
    };
    let edited: Vec<&Planned> = planned.iter().filter(is_edited).collect();
    if let (false, Some(first)) = (options.force, edited.first()) {
        let names: Vec<&str> = edited.iter().map(|file| file.shown.as_str()).collect();
        let what = match first.standing {
            Standing::Foreign
                if first
                    .before
                    .as_deref()
                    .is_some_and(|text| origin(text) != Origin::Foreign) =>
            {
                "written for another folder of the repository"
            }
            Standing::Foreign => "not written by lensops",
            _ => "edited by hand",
        };
        return Err(Error::usage(format!(
            "{what}: {}: nothing was written; put the change into the lens's `overrides`, or give --force to overwrite",
            names.join(", ")
        )));
    }
    let changed: Vec<(PathBuf, &str)> = planned
        .iter()
        .filter(|file| !matches!(file.standing, Standing::Same | Standing::Refused | Standing::Stale))
        .map(|file| (file.path.clone(), file.text.as_str()))
        .collect();
    files::replace_all(&changed)?;
    for file in planned
        .iter()
        .filter(|file| options.prune && file.standing == Standing::Stale)
    {
        std::fs::remove_file(&file.path).map_err(FileError::remove(&file.path))?;
    }
    Ok(())
}

/// Lists what was written, kept and removed, and counts it.
pub(super) fn report(planned: &[Planned], options: &Options) {
    let mut counts = [
        ("created", 0),
        ("updated", 0),
        ("unchanged", 0),
        ("removed", 0),
        ("kept", 0),
    ];
    let mut count = |at: &str| {
        counts
            .iter_mut()
            .filter(|(name, _)| *name == at)
            .for_each(|(_, count)| *count += 1)
    };
    for file in planned {
        match file.standing {
            Standing::Refused => {
                count("kept");
                say!(
                    "⚠️ Kept: {} cannot be edited safely ({}); enter this by hand:\n{}",
                    file.shown,
                    file.why.as_deref().unwrap_or_default(),
                    file.text.trim_end()
                );
            }
            Standing::Stale if options.prune => {
                count("removed");
                say!("✅ Removed: {}", file.shown);
            }
            Standing::Stale => {}
            Standing::Same => {
                count("unchanged");
                say!("· Unchanged: {}", file.shown);
            }
            Standing::New => {
                count("created");
                say!("✅ Created: {}", file.shown);
            }
            Standing::Changed | Standing::Edited | Standing::Foreign => {
                count("updated");
                say!("✅ Updated: {}", file.shown);
            }
        }
    }
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    let told = counts
        .iter()
        .enumerate()
        .filter(|(at, (_, count))| *at < 3 || *count > 0);
    let told: Vec<String> = told.map(|(_, (name, count))| format!("{count} {name}")).collect();
    say!("{all} files: {}", told.join(", "));
}

/// Lists what would be done.
pub(super) fn dry_run(planned: &[Planned]) {
    for file in planned {
        let what = match file.standing {
            Standing::Same => "unchanged",
            Standing::New => "would create",
            Standing::Changed => "would update",
            Standing::Edited => "edited by hand, would stop",
            Standing::Foreign => "not written by lensops, would stop",
            Standing::Refused => "cannot be edited safely, would be kept",
            Standing::Stale => "of no lens, would go with --prune",
        };
        say!("{what}: {}", file.shown);
    }
}
