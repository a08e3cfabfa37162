//! The grammar of expectations.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json_path::JsonPath;
use super::status_set::StatusSet;

/// The error code by which the API says that a flag is off.
pub const FEATURE_DISABLED: &str = "FEATURE_DISABLED";

/// What an answer must be. Every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawExpect", into = "RawExpect")]
pub struct Expect {
    /// Accepted statuses. Where nothing is said in an `expect`, any 2xx.
    pub status: Option<StatusSet>,
    /// The error code, symbolic: the dialect spells it.
    pub code: Option<String>,
    /// A named place of the dialect that must hold something.
    pub present: Option<String>,
    /// Two places that must hold the same value.
    pub equal: Option<(JsonPath, JsonPath)>,
    /// Places that must hold a number at least this large.
    pub at_least: IndexMap<JsonPath, f64>,
    /// Places that must hold exactly this value.
    pub is: IndexMap<JsonPath, Value>,
    /// Headers that must hold exactly this value.
    pub headers: IndexMap<String, String>,
    /// Text that must stand in the body.
    pub contains: Option<String>,
    /// The most milliseconds the answer may take.
    pub within_ms: Option<u64>,
    /// Whether the body must be JSON, whatever it holds.
    pub json: bool,
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RawExpect {
    /// Accepted statuses. Where nothing is said in an `expect`, any 2xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusSet>,
    /// The error code, as the plan calls it: the dialect says where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// A named place of the dialect, such as `entity`, that must hold something.
    #[serde(skip_serializing_if = "Option::is_none")]
    present: Option<String>,
    /// Two JSONPaths that must hold the same value.
    #[serde(skip_serializing_if = "Option::is_none")]
    equal: Option<(JsonPath, JsonPath)>,
    /// JSONPaths that must hold a number at least this large.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    at_least: IndexMap<JsonPath, f64>,
    /// JSONPaths that must hold exactly this value, of the same type.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    is: IndexMap<JsonPath, Value>,
    /// Headers that must hold exactly this value; of several of one name the first counts.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    headers: IndexMap<String, String>,
    /// Text that must stand in the body, as it is written here: variables are not filled in.
    #[serde(skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
    /// The most milliseconds the answer may take. Without it an answer has 15 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    within_ms: Option<u64>,
    /// Whether the body must be JSON, whatever it holds.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    json: bool,
}

impl TryFrom<RawExpect> for Expect {
    type Error = String;
    fn try_from(raw: RawExpect) -> Result<Self, String> {
        // A 5xx is a failure, always; the one exception proves that a flag is off.
        if let Some(status) = &raw.status {
            let proves_flag_off = status.is_only(503) && raw.code.as_deref() == Some(FEATURE_DISABLED);
            if status.codes().iter().any(|code| *code >= 500) && !proves_flag_off {
                return Err(
                    "a 5xx is always a failure; only `status: 503` with `code: FEATURE_DISABLED` may be expected"
                        .to_owned(),
                );
            }
        }
        let RawExpect {
            status,
            code,
            present,
            equal,
            at_least,
            is,
            headers,
            contains,
            within_ms,
            json,
        } = raw;
        Ok(Self {
            status,
            code,
            present,
            equal,
            at_least,
            is,
            headers,
            contains,
            within_ms,
            json,
        })
    }
}

impl From<Expect> for RawExpect {
    fn from(expect: Expect) -> Self {
        let Expect {
            status,
            code,
            present,
            equal,
            at_least,
            is,
            headers,
            contains,
            within_ms,
            json,
        } = expect;
        Self {
            status,
            code,
            present,
            equal,
            at_least,
            is,
            headers,
            contains,
            within_ms,
            json,
        }
    }
}

impl Expect {
    /// Whether any condition looks into the body as JSON.
    #[must_use]
    pub fn needs_json(&self) -> bool {
        self.json
            || self.code.is_some()
            || self.present.is_some()
            || self.equal.is_some()
            || !self.at_least.is_empty()
            || !self.is.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect(text: &str) -> Result<Expect, crate::yaml::YamlError> {
        crate::yaml::read("plan.yml", text)
    }

    #[test]
    fn a_5xx_cannot_be_expected_except_to_prove_a_flag_off() {
        assert!(expect("status: 503\ncode: FEATURE_DISABLED").is_ok());
        for bad in [
            "status: 500",
            "status: 503",
            "status: [200, 503]\ncode: FEATURE_DISABLED",
            "status: 503\ncode: OTHER",
        ] {
            assert!(expect(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_no_status_is_refused() {
        for bad in [
            "status: 99",
            "status: 600",
            "status: []",
            "status: ok",
            "status: -200",
            "statsu: 200",
            "equal: [$.a]",
            "at_least: {a: 1}",
        ] {
            assert!(expect(bad).is_err(), "{bad}");
        }
        assert_eq!(
            expect("status: [200, 404]").unwrap().status.unwrap().to_string(),
            "200 or 404"
        );
    }
}
