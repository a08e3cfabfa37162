//! A part of the document, before it is Markdown or HTML.

/// A part of the document.
pub(crate) struct Section {
    pub(super) title: &'static str,
    pub(super) text: Vec<String>,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Section {
    pub(super) fn new(title: &'static str) -> Self {
        Self {
            title,
            text: Vec::new(),
            head: Vec::new(),
            rows: Vec::new(),
        }
    }

    pub(super) fn missing(title: &'static str, what: &str, command: &str) -> Self {
        let mut section = Self::new(title);
        section
            .text
            .push(format!("Not there yet: {what}. `{command}` makes it."));
        section
    }
}
