//! `lensops config`: every setting with its origin, secrets masked.

use crate::commands::exit::Exit;
use crate::config::Settings;

/// Prints every setting.
pub fn run(settings: &Settings, json: bool) -> Exit {
    let shown = settings.shown();
    if json {
        say!("{:#}", serde_json::json!(shown));
        return Exit::Good;
    }
    let width = shown.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    for setting in shown {
        say!(
            "{:width$}  {}  ({})",
            setting.name,
            setting.value.as_deref().unwrap_or("-"),
            setting.origin
        );
    }
    Exit::Good
}
