//! `.gitattributes` of the folder: a block of lensops in a file that others may write too.

use lensops_core::template::attributes;

use super::planned::{Planned, Standing};
use crate::commands::error::Result;
use crate::commands::files;
use crate::config::Settings;

const FILE: &str = ".gitattributes";

/// The file as it should be; `None` where nothing is wanted and nothing is there.
pub(super) fn plan_attributes(settings: &Settings, lines: &[String]) -> Result<Option<Planned>> {
    let path = settings.root.join(FILE);
    let before = files::read_if_there(&path)?;
    let text = attributes::edit(before.as_deref(), lines);
    let standing = match &before {
        None if text.is_empty() => return Ok(None),
        None => Standing::New,
        Some(before) if *before == text => Standing::Same,
        Some(_) if text.trim().is_empty() => Standing::Stale,
        Some(_) => Standing::Changed,
    };
    Ok(Some(Planned {
        path,
        shown: FILE.to_owned(),
        text,
        before,
        standing,
        why: None,
    }))
}
