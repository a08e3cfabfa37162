//! The dialect of an API: where its answers keep what expectations speak of.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json_path::JsonPath;
use crate::ident::Ident;

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

    /// The value at the named place of `body`: the first listed path that is there.
    #[must_use]
    pub fn find<'a>(&self, name: &str, body: &'a Value) -> Option<&'a Value> {
        let (_, paths) = self.paths.iter().find(|(key, _)| key.as_str() == name)?;
        paths
            .iter()
            .find_map(|path| path.first(body))
            .filter(|value| !value.is_null())
    }

    /// The error code of `body`, if it has one.
    #[must_use]
    pub fn code(&self, body: &Value) -> Option<String> {
        self.find("code", body).and_then(Value::as_str).map(str::to_owned)
    }
}
