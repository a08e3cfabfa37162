//! What a step takes from its answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::dialect::Dialect;
use super::pattern::Pattern;
use super::place::Place;
use crate::exchange::Response;

/// What is captured: what stands at a place, or the part of it that an expression matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Capture {
    /// What stands there.
    Whole(Place),
    /// A part of the text that stands there.
    Part(Part),
}

/// A part of the text at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Where the text stands.
    pub from: Place,
    /// What is taken of it: the first group in parentheses, else all that matches.
    pub matches: Pattern,
}

impl Capture {
    /// Where it stands.
    #[must_use]
    pub fn place(&self) -> &Place {
        match self {
            Self::Whole(place) => place,
            Self::Part(part) => &part.from,
        }
    }

    /// The value in `response`; `None` where there is none.
    #[must_use]
    pub fn find(&self, dialect: &Dialect, response: &Response) -> Option<Value> {
        let found = self.place().find(dialect, response)?;
        let Self::Part(part) = self else {
            return Some(found);
        };
        let text = match &found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        part.matches.part(&text).map(|part| Value::String(part.to_owned()))
    }

    /// For people.
    #[must_use]
    pub fn tell(&self) -> String {
        match self {
            Self::Whole(place) => place.to_string(),
            Self::Part(part) => format!("{} that matches {}", part.from, part.matches),
        }
    }
}
