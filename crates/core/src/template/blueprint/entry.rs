//! The entries below `services`: which are those of lensops, and what of them their owner may choose.

use serde_json::Value;

use super::refusal::{Refusal, refuse};
use crate::yaml;

/// Keys of an entry that lensops writes; any other key of it is the owner's and stays.
pub(super) const OWN_KEYS: [&str; 9] = [
    "type",
    "name",
    "runtime",
    "buildCommand",
    "startCommand",
    "dockerfilePath",
    "dockerCommand",
    "disk",
    "envVars",
];

/// Variables whose value the owner may set otherwise.
const FREE_VARIABLES: [&str; 1] = ["LOG_LEVEL"];

/// `text` as YAML; null where there is nothing in it.
pub(super) fn parse(what: &str, text: &str) -> Result<Value, Refusal> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    yaml::read(what, text).map_err(|error| Refusal(error.to_string()))
}

/// The entries below `services`; none where there is nothing.
pub(super) fn services(file: &Value) -> Result<Vec<Value>, Refusal> {
    match file.get("services") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => Ok(entries.clone()),
        Some(_) => refuse("its `services:` is no list"),
    }
}

pub(super) fn name_of(entry: &Value) -> Option<&str> {
    entry["name"].as_str()
}

/// Whether an entry runs a worker of lensops.
pub(super) fn is_ours(entry: &Value) -> bool {
    let runs = |key: &str| {
        let command = entry[key].as_str().unwrap_or_default();
        command.trim_start_matches("./bin/").starts_with("lensops worker")
    };
    entry["type"] == "worker" && (runs("dockerCommand") || runs("startCommand"))
}

/// Whether `there` does as well as `wanted`: what the owner may choose may differ.
pub(super) fn does_as_well(key: &str, there: &Value, wanted: &Value) -> bool {
    match (key, there, wanted) {
        ("disk", ..) => there["mountPath"] == wanted["mountPath"],
        ("envVars", Value::Array(there), Value::Array(wanted)) => wanted.iter().all(|wanted| {
            let same = |other: &&Value| other["key"] == wanted["key"];
            there
                .iter()
                .find(same)
                .is_some_and(|there| variable_does(there, wanted))
        }),
        _ => there == wanted,
    }
}

pub(super) fn variable_does(there: &Value, wanted: &Value) -> bool {
    let free = wanted["key"].as_str().is_some_and(|key| FREE_VARIABLES.contains(&key));
    // A secret may come from wherever the owner keeps it.
    free || wanted.get("value").is_none() || there.get("value") == wanted.get("value")
}
