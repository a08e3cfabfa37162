//! How a flag service is asked over HTTP: requests, places and conditions, as data that anybody can read and copy.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::place::Place;
use super::state::FlagState;
use crate::ident::Ident;
use crate::plan::Expect;
use crate::request::{JsonPath, Request};

/// A flag service: how a flag is read, and how it is switched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlagService {
    /// What people call it.
    pub service: String,
    /// Where its requests are described.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<String>,
    /// What `flags` of `lensops.yml` gives, by the name of its variable. `url` is the address that requests go to.
    pub values: IndexMap<Ident, ServiceValue>,
    /// What is switched, for records; variables are filled in.
    pub records: String,
    /// Headers of every request; variables are filled in.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, String>,
    /// How a flag is read. `$flag` is its name.
    pub read: ReadFlag,
    /// How it is switched; left out where it can only be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetFlag>,
}

/// A value that `flags` of `lensops.yml` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceValue {
    /// What it is, for people.
    pub about: String,
    /// Whether it is a secret: `{env: NAME}` alone.
    #[serde(
        deserialize_with = "crate::yaml::own_boolean",
        skip_serializing_if = "std::ops::Not::not"
    )]
    pub secret: bool,
    /// What it is where it is left out; one without this has to be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
}

/// How a flag is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadFlag {
    /// The request.
    pub request: Request,
    /// Where in the answer the flag stands. Nothing there, or a 404: the flag is not there.
    #[serde(default)]
    pub within: Place,
    /// Where in the answer the address of the next page stands, on the same host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<JsonPath>,
    /// What it says: the first rule whose conditions hold of what stands `within`.
    pub states: Vec<Rule>,
    /// Places of it that `set` needs, by variable.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub keep: IndexMap<Ident, JsonPath>,
}

/// What a flag says where conditions hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it says.
    pub is: FlagState,
    /// The conditions; none always hold.
    #[serde(default)]
    pub when: Expect,
}

/// How a flag is switched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetFlag {
    /// The request that switches it on.
    pub on: Request,
    /// The request that switches it off.
    pub off: Request,
    /// What follows.
    #[serde(default)]
    pub then: Follows,
}

/// What follows once a flag is switched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    /// The service that asks for it hears of it by itself.
    #[default]
    Live,
    /// The service starts anew, and reads it then.
    Deploying,
    /// Somebody has to start the service anew.
    ByHand,
}
