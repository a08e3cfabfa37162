//! Where a captured value stands in an answer.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dialect::Dialect;
use crate::exchange::Response;
use crate::redaction::is_secret_key;
use crate::request::JsonPath;

/// Where a captured value stands: a named place of the dialect (`entity`), a JSONPath
/// (`$.result.id`), a header (`header:location`) or the value of a cookie that the answer sets (`cookie:session`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// A named place of the dialect.
    Named(String),
    /// A JSONPath.
    Path(JsonPath),
    /// A header.
    Header(String),
    /// The value of a cookie.
    Cookie(String),
}

impl TryFrom<String> for Place {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('$') {
            return JsonPath::try_from(text).map(Self::Path);
        }
        match text.split_once(':') {
            Some(("header", name)) => Ok(Self::Header(name.trim().to_owned())),
            Some(("cookie", name)) => Ok(Self::Cookie(name.trim().to_owned())),
            _ => Ok(Self::Named(text)),
        }
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.to_string()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Path(path) => path.fmt(f),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

crate::text_form::text_form!(
    Place,
    "place",
    "",
    "a named place of the dialect, a JSONPath, a header or a cookie: entity, $.result.id, header:location, cookie:session"
);

impl Place {
    /// Whether what stands there is a secret: every cookie, and by its name what is like `$.access_token` or
    /// `header:set-cookie`.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        if matches!(self, Self::Cookie(_)) {
            return true;
        }
        let text = self.to_string();
        let name = text.trim_end_matches(['\'', '"', ']']);
        let start = name.rfind(['.', '[', '\'', '"', ':']).map_or(0, |at| at + 1);
        is_secret_key(&name[start..])
    }

    /// The value that stands there in `response`, if there is one.
    #[must_use]
    pub fn find(&self, dialect: &Dialect, response: &Response) -> Option<Value> {
        match self {
            Self::Header(name) => response.header(name).map(|value| Value::String(value.to_owned())),
            Self::Cookie(name) => response.cookie(name).map(|value| Value::String(value.to_owned())),
            Self::Named(name) => dialect.find(name, &response.json()?).cloned(),
            Self::Path(path) => path.first(&response.json()?).filter(|value| !value.is_null()).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_holds_a_secret_is_known_by_its_name() {
        for (text, secret) in [
            ("$.access_token", true),
            ("$['session']['refresh-token']", true),
            ("$.users[0].password", true),
            ("header:Set-Cookie", true),
            ("$.id", false),
            ("$.password.length", false),
            ("header:location", false),
            ("entity", false),
            ("cookie:theme", true),
        ] {
            assert_eq!(Place::try_from(text.to_owned()).unwrap().is_secret(), secret, "{text}");
        }
    }
}
