//! What the command line says of itself: completions for shells, and manual pages.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::examples::command;
use crate::commands::exit::Exit;

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
    std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    clap_mangen::generate_to(command(), out).with_context(|| format!("{} cannot be written", out.display()))?;
    say!(
        "✅ Created: {} manual pages in {}",
        std::fs::read_dir(out)?.count(),
        out.display()
    );
    Ok(Exit::Good)
}
