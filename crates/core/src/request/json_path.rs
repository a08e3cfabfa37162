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
    /// How many values the path selects.
    #[must_use]
    pub fn count(&self, body: &Value) -> usize {
        self.parsed.query(body).len()
    }

    /// Whether the path selects nothing but `null`.
    #[must_use]
    pub fn is_absent(&self, body: &Value) -> bool {
        self.parsed.query(body).iter().all(|value| value.is_null())
    }

    /// Every value that the path selects.
    pub fn values<'a>(&self, body: &'a Value) -> impl Iterator<Item = &'a Value> {
        self.parsed.query(body).all().into_iter()
    }

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
        if let Some(number) = inexact_number(&text) {
            return Err(format!(
                "{text:?} compares with {number}: filters compare as floats, which cannot tell it from its neighbours; \
                 use a text, or `is` with a path that needs no such filter"
            ));
        }
        Ok(Self { text, parsed })
    }
}

/// A whole number beyond 2^53 outside of quotes.
fn inexact_number(path: &str) -> Option<&str> {
    let mut quote = None;
    let mut escaped = false;
    let mut start = None;
    for (at, c) in path.char_indices() {
        let digit = quote.is_none() && c.is_ascii_digit();
        if !digit && let Some(from) = start.take() {
            let number = &path[from..at];
            if number.parse::<u128>().is_ok_and(|n| n > 1 << 53) {
                return Some(number);
            }
        }
        match (quote, c) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            // A digit within a name is part of the name.
            (None, _) if digit && start.is_none() => {
                let within = path[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
                start = (!within).then_some(at);
            }
            _ => {}
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault V8.
    #[test]
    fn a_filter_that_would_compare_inexactly_is_refused() {
        let read = |text: &str| JsonPath::try_from(text.to_owned());
        for good in [
            "$.items[?@.id == 9007199254740992].n",
            "$.items[?@.id == '9007199254740993'].n",
            "$.x9007199254740993",
            "$['\\'9007199254740993']",
            "$.items[?@.id == -12].n",
        ] {
            assert!(read(good).is_ok(), "{good}: {:?}", read(good));
        }
        for bad in [
            "$.items[?@.id == 9007199254740993].n",
            "$.items[?@.id < -9007199254740993].n",
            "$.items[?@.a == 'x' && @.id == 18446744073709551615]",
        ] {
            assert!(read(bad).unwrap_err().contains("compares with"), "{bad}");
        }
    }
}
