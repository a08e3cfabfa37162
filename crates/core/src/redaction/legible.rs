//! A stranger's text that steers no terminal and breaks no line.

use std::borrow::Cow;

/// `text` with control characters besides line breaks and tabs, and those that turn the direction
/// of writing, as escapes: evidence is read at terminals.
#[must_use]
pub fn legible(text: &str) -> Cow<'_, str> {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// `text` on one line that steers no terminal: as [`legible`], line breaks escaped too.
#[must_use]
pub fn one_line(text: &str) -> String {
    legible(text).replace('\n', "\\n").replace('\r', "\\r")
}
