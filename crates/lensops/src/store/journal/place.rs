//! Where the journal's file lies, and whether it is still the one that was opened.
//!
//! A file that is removed or replaced under a running process goes on to be written to and is lost with the
//! process; no write fails. So the path is held against the open file before every group.

use std::io;
use std::path::{Path, PathBuf};

/// The path of an open journal, and which file it led to.
#[derive(Debug, Clone)]
pub(super) struct Place {
    path: PathBuf,
    file: Option<(u64, u64)>,
}

impl Place {
    /// The file that `path` leads to now.
    pub(super) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: identity(path).ok(),
        }
    }

    /// Whether the path still leads to that file.
    ///
    /// # Errors
    /// That the file was removed or replaced.
    pub(super) fn holds(&self) -> io::Result<()> {
        if self.file.is_some() && identity(&self.path).ok() == self.file {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "{} was removed or replaced while it was open: put it back, or restart",
                self.path.display()
            ),
        ))
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

/// Elsewhere an open file cannot be removed.
#[cfg(not(unix))]
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::metadata(path).map(|_| (0, 0))
}
