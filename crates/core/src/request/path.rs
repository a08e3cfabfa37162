//! A path of the API, as a file writes it.

use serde::{Deserialize, Serialize};

/// A path and query below the API's base: it starts with `/` and holds no white space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestPath(String);

impl RequestPath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RequestPath {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if is_path(&text) {
            return Ok(Self(text));
        }
        Err(format!(
            "{text:?} is no path: it starts with / and holds no white space"
        ))
    }
}

impl From<RequestPath> for String {
    fn from(path: RequestPath) -> Self {
        path.0
    }
}

crate::text_form::text_form!(RequestPath, "path", "^/", "a path of the API, such as /healthz");

/// Whether `text` is a path of a request.
pub(super) fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}
