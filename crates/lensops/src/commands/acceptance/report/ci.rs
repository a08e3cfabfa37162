//! What the CI service shows: annotations, and the summary page of a step.

use std::io::Write as _;

use lensops_core::redaction::Redacted;

use crate::commands::error::Result;
use crate::commands::files::FileError;
use crate::config::Settings;

/// A message of the CI service's own format: its special characters are escaped, so that what a
/// server answered cannot start a command of its own.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The most of a summary page, in bytes: the service drops a page of 1 MiB or more whole.
const SUMMARY_LIMIT: usize = 1_000_000;

/// How many annotations of a step the service shows.
pub(crate) const ANNOTATIONS: usize = 10;

/// Adds `text` to the summary page of a CI step, where there is one.
///
/// # Errors
/// When the file that the CI service names cannot be written.
pub(crate) fn add_to_summary(settings: &Settings, text: &Redacted) -> Result<()> {
    let Some(path) = settings.step_summary() else {
        return Ok(());
    };
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(FileError::write(&path))?;
    let there = file.metadata().map_err(FileError::write(&path))?.len();
    let mut text = text.clone();
    let room = SUMMARY_LIMIT.saturating_sub(usize::try_from(there).unwrap_or(usize::MAX));
    let is_cut = text.shorten(room);
    writeln!(file, "{text}").map_err(FileError::write(&path))?;
    if is_cut {
        writeln!(file, "\n\n(cut: the evidence holds all of it)").map_err(FileError::write(&path))?;
    }
    Ok(())
}

/// Prints an annotation of the CI service; `level` is `error` or `warning`. Beside JSON it goes to
/// standard error, which the service reads as well.
pub(crate) fn annotate(level: &str, title: &str, text: &str, beside_json: bool) {
    let title = escaped(title).replace([':', ','], " ");
    let line = format!("::{level} title={title}::{}", escaped(text));
    if beside_json {
        complain!("{line}");
    } else {
        say!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_a_server_answered_cannot_start_a_ci_command() {
        assert_eq!(
            escaped("got x\n::set-output name=a::b 100%"),
            "got x%0A::set-output name=a::b 100%25"
        );
    }
}
