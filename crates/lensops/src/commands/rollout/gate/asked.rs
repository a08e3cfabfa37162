//! What `lensops gate` is asked.

use std::path::Path;

use jiff::Timestamp;

/// How the answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// The decision and its reason.
    #[default]
    Text,
    /// Every criterion as well.
    Explain,
    /// JSON.
    Json,
    /// Markdown, for a pull request.
    Markdown,
}

/// What the gate is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The lens.
    pub lens: &'a str,
    /// The window, such as `7d`.
    pub window: &'a str,
    /// Its end; now, or the end of a file's last slot, where it is left out.
    pub at: Option<Timestamp>,
    /// A file of exported checks, or a folder of such files, instead of the store.
    pub history: Option<&'a Path>,
    /// Whether every hour is asked.
    pub backtest: bool,
    /// How the answer is printed.
    pub form: Form,
}
