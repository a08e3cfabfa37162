//! Text made safe for the page that it goes into.

use lensops_core::redaction::legible;

/// Text that fits into a cell of a Markdown table.
pub(crate) fn cell(text: &str) -> String {
    legible(text).replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// Text that stands for itself in a page.
pub(crate) fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
