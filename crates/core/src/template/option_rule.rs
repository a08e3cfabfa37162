//! How a manifest declares an option of a lens.

use serde::Deserialize;
use serde_json::{Value, json};

/// How an option is declared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OptionRule {
    /// Whether a lens must give it.
    #[serde(deserialize_with = "crate::yaml::own_boolean")]
    pub(super) required: bool,
    /// What an option of the set's own takes; lensops knows those that are keys of a lens.
    pub(super) takes: Option<Takes>,
}

/// What an option of a set's own takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Takes {
    Text,
    Number,
    TrueOrFalse,
    /// A list of texts.
    List,
    /// A map from names to texts.
    Map,
}

impl Takes {
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Text => json!({"type": "string"}),
            Self::Number => json!({"type": "number"}),
            Self::TrueOrFalse => json!({"type": "boolean"}),
            Self::List => json!({"type": "array", "items": {"type": "string"}}),
            Self::Map => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        }
    }
}
