//! Variables of a plan that come from the environment.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ident::{EnvName, Ident};

/// A variable that comes from the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromEnv {
    /// The environment variable. Unset, the cases that need it are unjudged.
    pub from: EnvName,
    /// Whether its value is hidden wherever it comes up.
    #[serde(deserialize_with = "crate::yaml::own_boolean", default)]
    pub secret: bool,
}

/// Variables that come from the environment, by name.
pub type EnvVars = IndexMap<Ident, FromEnv>;
