//! The folders that runs left, read back and verified.

use std::path::{Path, PathBuf};

use lensops_core::evidence::manifest::{self};
use lensops_core::evidence::seal::{self, Files, Verification};

use crate::commands::error::{Error, Result};
use crate::commands::files::{self, FileError};
use crate::config::Settings;

/// The folder of all evidence below the repository.
pub const FOLDER: &str = "verification_handoff";

/// The largest file that verifying reads, in bytes. [`write`] leaves none that is larger.
pub(crate) const LARGEST_ARTEFACT: u64 = 1 << 30;

/// A temporary folder is for its owner alone; evidence is for the auditor.
pub(crate) fn readable(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).map_err(FileError::write(folder))?;
    }
    Ok(())
}

/// The folders of all runs, oldest first.
///
/// # Errors
/// When they cannot be listed.
pub fn folders(settings: &Settings) -> Result<Vec<PathBuf>> {
    let runs = settings.root.join(FOLDER).join("runs");
    Ok(files::list(&runs, "")?
        .into_iter()
        .filter(|path| path.is_dir())
        .collect())
}

/// What verifying the run of `folder` found, and its files.
///
/// # Errors
/// When a file cannot be read.
pub fn verified(folder: &Path) -> Result<(Verification, Files)> {
    let files = read_bundle(folder)?;
    Ok((seal::verify(&files), files))
}

pub(crate) fn read_bundle(folder: &Path) -> Result<Files> {
    if !folder.join(manifest::FILE).is_file() {
        return Err(Error::usage(format!(
            "{} holds no {}: name the folder of a run",
            folder.display(),
            manifest::FILE
        )));
    }
    let mut found = Files::new();
    for entry in std::fs::read_dir(folder).map_err(FileError::read(folder))? {
        let entry = entry.map_err(FileError::read(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type().map_err(FileError::read(folder))?.is_file() {
            // A folder or a link is nothing a run left: it stands for an added file.
            found.insert(name, Vec::new());
            continue;
        }
        if entry.metadata().map_err(FileError::read(folder))?.len() > LARGEST_ARTEFACT {
            // No run leaves such a file: it was changed, and need not be read to say so.
            found.insert(name, Vec::new());
            continue;
        }
        let path = entry.path();
        found.insert(name, std::fs::read(&path).map_err(FileError::read(&path))?);
    }
    Ok(found)
}
