//! How to generate, as the options of a command say it.

use std::path::PathBuf;

use crate::config::Runtime;

/// What to do with what was rendered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Write what differs.
    #[default]
    Write,
    /// Write nothing, show the differences, exit 1 on any.
    Check {
        /// As JSON.
        json: bool,
    },
    /// Write nothing, list what would be written.
    DryRun,
}

/// How to generate.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What to do.
    pub mode: Mode,
    /// Overwrite hand edits.
    pub force: bool,
    /// Accept placeholder ids.
    pub allow_placeholders: bool,
    /// A template set in a folder.
    pub template_dir: Option<PathBuf>,
    /// One worker service for all lenses.
    pub single_worker: bool,
    /// How the hosting provider runs it.
    pub runtime: Option<Runtime>,
    /// Workflows of a folder below a repository's root go to the root: somebody agreed to it.
    pub workflows_to_root: bool,
    /// Remove what was generated for lenses that are no more.
    pub prune: bool,
}
