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
        let what = if first.standing == Standing::Foreign {
            "not written by lensops"
        } else {
            "edited by hand"
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

/// Lists what was written, kept and removed.
pub(super) fn report(planned: &[Planned], options: &Options) {
    for file in planned {
        match file.standing {
            Standing::Refused => say!(
                "⚠️ Kept: {} cannot be edited safely ({}); enter this by hand:\n{}",
                file.shown,
                file.why.as_deref().unwrap_or_default(),
                file.text.trim_end()
            ),
            Standing::Stale if options.prune => say!("✅ Removed: {}", file.shown),
            Standing::Stale => {}
            Standing::Same => say!("✅ Unchanged: {}", file.shown),
            _ => say!("✅ Created: {}", file.shown),
        }
    }
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
