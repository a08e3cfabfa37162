//! The line that a plan shows for an answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::request::JsonPath;

/// A line shown for an answer: text with JSONPaths in braces, `{$.total_count} actions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Show {
    text: String,
    parts: Vec<Part>,
}

crate::text_form::text_form!(
    Show,
    "line",
    "",
    "text with JSONPaths in braces: {$.total_count} actions"
);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Path(JsonPath),
}

impl Show {
    /// The line for `body`; `None` when a place it speaks of is not there.
    #[must_use]
    pub fn render(&self, body: &Value) -> Option<String> {
        let mut line = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Path(path) => match path.first(body)? {
                    Value::String(text) => line.extend(text.chars().filter(|c| !c.is_control()).take(120)),
                    Value::Null => return None,
                    value => line.push_str(&value.to_string()),
                },
            }
        }
        Some(line)
    }
}

impl TryFrom<String> for Show {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some(open) = rest.find("{$") {
            let close = rest[open..]
                .find('}')
                .ok_or_else(|| format!("{text:?} opens a place that it does not close"))?
                + open;
            parts.push(Part::Text(rest[..open].to_owned()));
            parts.push(Part::Path(JsonPath::try_from(rest[open + 1..close].to_owned())?));
            rest = &rest[close + 1..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { text, parts })
    }
}

impl From<Show> for String {
    fn from(show: Show) -> String {
        show.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_shown_line_is_absent_when_its_place_is() {
        let show = Show::try_from("{$.status} ({$.n} handlers)".to_owned()).unwrap();
        assert_eq!(
            show.render(&json!({"status": "healthy", "n": 4})).unwrap(),
            "healthy (4 handlers)"
        );
        assert_eq!(show.render(&json!({"status": "healthy"})), None);
    }
}
