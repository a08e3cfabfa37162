//! A number that a place of an answer is held against: written in the plan, or filled from a variable.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use crate::request::Vars;
use crate::request::fill::{PrepareError, expand};

/// A number, or text with `$variables` that is filled to one before the request is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Limit {
    /// A number as it is written.
    Number(Number),
    /// A variable whose value is a number: `$least`.
    Variable(String),
}

impl Limit {
    /// The number; `None` for a variable that was not filled in.
    #[must_use]
    pub fn number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Variable(_) => None,
        }
    }

    /// The limit with its variable filled in.
    pub(super) fn filled(&self, vars: &Vars) -> Result<Self, PrepareError> {
        let Self::Variable(text) = self else {
            return Ok(self.clone());
        };
        match expand(text, vars)? {
            Value::Number(number) => Ok(Self::Number(number)),
            // What comes from the environment is text.
            Value::String(value) => match serde_json::from_str(&value) {
                Ok(Value::Number(number)) => Ok(Self::Number(number)),
                _ => Err(PrepareError::NoNumber(text.clone())),
            },
            _ => Err(PrepareError::NoNumber(text.clone())),
        }
    }

    /// The text that variables are filled into.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Number(_) => None,
            Self::Variable(text) => Some(text),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Variable(text) => f.write_str(text),
        }
    }
}

impl TryFrom<Value> for Limit {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Number(number) => Ok(Self::Number(number)),
            Value::String(text) if text.starts_with('$') => Ok(Self::Variable(text)),
            other => Err(format!("{other} is not a number and not a $variable")),
        }
    }
}

impl From<Limit> for Value {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::Number(number) => Self::Number(number),
            Limit::Variable(text) => Self::String(text),
        }
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a number, or a $variable that holds one",
            "anyOf": [{"type": "number"}, {"type": "string", "pattern": "^\\$"}],
        })
    }
}
