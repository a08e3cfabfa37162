//! A place in a JSON body, as a plan writes it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSONPath (RFC 9535), parsed when the plan is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPath {
    text: String,
    parsed: serde_json_path::JsonPath,
}

impl JsonPath {
    /// The first value that the path selects.
    #[must_use]
    pub fn first<'a>(&self, body: &'a Value) -> Option<&'a Value> {
        self.parsed.query(body).first()
    }
}

impl TryFrom<String> for JsonPath {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let parsed = serde_json_path::JsonPath::parse(&text)
            .map_err(|error| format!("{text:?} is no JSONPath: {}", error.message()))?;
        Ok(Self { text, parsed })
    }
}

impl From<JsonPath> for String {
    fn from(path: JsonPath) -> String {
        path.text
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::hash::Hash for JsonPath {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Eq for JsonPath {}

crate::text_form::text_form!(
    JsonPath,
    "JSONPath",
    "^\\$",
    "a JSONPath of RFC 9535, such as $.total_count"
);
