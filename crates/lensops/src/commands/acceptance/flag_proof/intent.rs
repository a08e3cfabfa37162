//! The record on disk of a flag proof: what it found, and what it has written since.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::commands::files::{self, FileError};
use crate::config::Settings;

/// What was found before the first switch, and what was written since: whatever else stands at the
/// provider later was set by somebody else, and stays.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Intent {
    pub(super) service: String,
    pub(super) flag: String,
    /// `None`: the variable was not there. It is restored as `false`, which means the same.
    pub(super) found: Option<String>,
    #[serde(default)]
    pub(super) wrote: Vec<String>,
}

pub(super) fn intent_path(settings: &Settings) -> PathBuf {
    settings.state_dir().join("flag-proof.json")
}

/// Whether a proof was cut off and must be undone before anything else switches flags.
#[must_use]
pub(super) fn is_pending(settings: &Settings) -> bool {
    intent_path(settings).exists()
}

/// Closes the record of a proof of `flag`: what a rollback or restore decides is not to be undone by the
/// end of a proof. Whether there was one.
///
/// # Errors
/// When the record cannot be read or removed.
pub fn close(settings: &Settings, flag: &str) -> Result<bool, FileError> {
    let path = intent_path(settings);
    let text = files::read_if_there(&path)?;
    let intent = text.and_then(|text| serde_json::from_str::<Intent>(&text).ok());
    if intent.is_none_or(|intent| intent.flag != flag) {
        return Ok(false);
    }
    files::remove_if_there(&path)?;
    Ok(true)
}

/// What whoever looks at flags must know: that a proof was cut off and left one switched, or runs now.
#[must_use]
pub fn warning(settings: &Settings) -> Option<&'static str> {
    is_pending(settings)
        .then_some("⚠️ A flag proof runs, or was cut off and left its flag switched: lensops accept puts it back")
}
