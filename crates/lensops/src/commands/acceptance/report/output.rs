//! What a command prints and leaves behind besides the evidence.

use std::path::PathBuf;

/// What to print and leave behind besides the evidence.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Print JSON instead of lines.
    pub json: bool,
    /// Write JUnit to this file as well.
    pub junit: Option<PathBuf>,
    /// Let the master flag prove itself as well, asking the API this often for each state.
    pub flag_proof: Option<u32>,
}
