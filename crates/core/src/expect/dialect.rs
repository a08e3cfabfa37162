//! The dialect of an API: where its answers keep what expectations speak of.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ident::Ident;
use crate::request::JsonPath;

/// Where an answer of this API keeps what expectations speak of, and how it spells error codes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Named places, each a list of JSONPaths of which the first that is there counts.
    /// `code` is where an error code stands.
    #[serde(default)]
    pub paths: IndexMap<Ident, Vec<JsonPath>>,
    /// Symbolic error codes and their spelling; a code not named here is spelled as it is.
    #[serde(default)]
    pub codes: IndexMap<String, String>,
}

impl Dialect {
    /// How this dialect spells `symbol`.
    #[must_use]
    pub fn spell<'a>(&'a self, symbol: &'a str) -> &'a str {
        self.codes.get(symbol).map_or(symbol, String::as_str)
    }

    /// The value at the named place of `body`: the first listed path that holds something.
    #[must_use]
    pub fn find<'a>(&self, name: &str, body: &'a Value) -> Option<&'a Value> {
        let (_, paths) = self.paths.iter().find(|(key, _)| key.as_str() == name)?;
        paths
            .iter()
            .filter_map(|path| path.first(body))
            .find(|value| !value.is_null() && **value != "")
    }

    /// The error code of `body`: the first listed place that holds text or a number. `None` where it has
    /// none; an object beside a code is no code.
    #[must_use]
    pub fn code(&self, body: &Value) -> Option<String> {
        let (_, paths) = self.paths.iter().find(|(key, _)| key.as_str() == "code")?;
        paths
            .iter()
            .filter_map(|path| path.first(body))
            .find_map(|value| match value {
                Value::String(code) if !code.is_empty() => Some(code.clone()),
                Value::Number(code) => Some(code.to_string()),
                _ => None,
            })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Fault V13.
    #[test]
    fn the_first_place_that_holds_something_is_the_code_and_a_number_is_one() {
        let dialect: Dialect = crate::yaml::read("x", "paths: {code: [$.error_code, $.error]}").unwrap();
        for (body, code) in [
            (json!({"error_code": null, "error": "FORBIDDEN"}), Some("FORBIDDEN")),
            (json!({"error_code": "", "error": "FORBIDDEN"}), Some("FORBIDDEN")),
            (json!({"error_code": {"x": 1}, "error": "FORBIDDEN"}), Some("FORBIDDEN")),
            (json!({"error_code": 4031}), Some("4031")),
            (json!({"error": true}), None),
            (json!({}), None),
        ] {
            assert_eq!(dialect.code(&body).as_deref(), code, "{body}");
        }
    }
}
