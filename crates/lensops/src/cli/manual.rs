//! What the command line says of itself: completions for shells, and manual pages.

use std::path::Path;

use super::examples::command;
use crate::commands::error::Result;
use crate::commands::exit::Exit;
use crate::commands::files::FileError;

/// Prints what completes commands and options in `shell`.
pub(super) fn completions(shell: clap_complete::Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "lensops", &mut script);
    say!("{}", String::from_utf8_lossy(&script).trim_end());
    Exit::Good
}

/// Writes a manual page for every command into `out`.
///
/// # Errors
/// When the folder or a page cannot be written.
pub(super) fn pages(out: &Path) -> Result<Exit> {
    std::fs::create_dir_all(out).map_err(FileError::create(out))?;
    clap_mangen::generate_to(command(), out).map_err(FileError::write(out))?;
    say!(
        "✅ Created: {} manual pages in {}",
        std::fs::read_dir(out).map_err(FileError::read(out))?.count(),
        out.display()
    );
    Ok(Exit::Good)
}
