//! The grammar of expectations.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::limit::Limit;
use super::pattern::Pattern;
use super::status_set::StatusSet;
use crate::request::fill::{PrepareError, expand_json, expand_text, names, names_in};
use crate::request::{JsonPath, Vars};

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
    pub at_least: IndexMap<JsonPath, Limit>,
    /// Places that must hold a number at most this large.
    pub at_most: IndexMap<JsonPath, Limit>,
    /// Places that must hold exactly this value.
    pub is: IndexMap<JsonPath, Value>,
    /// Places that must hold text, a number or a truth value that this expression matches.
    pub matches: IndexMap<JsonPath, Pattern>,
    /// Places that must hold nothing, or `null`.
    pub absent: Vec<JsonPath>,
    /// Places none of whose values may be this.
    pub lacks: IndexMap<JsonPath, Value>,
    /// How many values a path must select.
    pub count: IndexMap<JsonPath, Limit>,
    /// Headers that must hold exactly this value.
    pub headers: IndexMap<String, String>,
    /// Text that must stand in the body.
    pub contains: Option<String>,
    /// The most milliseconds the answer may take.
    pub within_ms: Option<u64>,
    /// Whether the body must be JSON, whatever it holds.
    pub json: bool,
    /// Why a plain 503 is the right answer. Without it a 5xx is a failure.
    pub because: Option<String>,
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
    at_least: IndexMap<JsonPath, Limit>,
    /// JSONPaths that must hold a number at most this large.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    at_most: IndexMap<JsonPath, Limit>,
    /// JSONPaths that must hold exactly this value, of the same type.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    is: IndexMap<JsonPath, Value>,
    /// JSONPaths whose text must match a regular expression, anywhere unless it is anchored. Its dollars
    /// are anchors: variables are not filled in.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    matches: IndexMap<JsonPath, Pattern>,
    /// JSONPaths that must select nothing, or `null` alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    absent: Vec<JsonPath>,
    /// JSONPaths none of whose values may be this: `{$..id: $id}`, where another tenant's row must not be seen. A number
    /// and its text are the same here, and a refusal without JSON holds nothing.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    lacks: IndexMap<JsonPath, Value>,
    /// How many values a JSONPath must select: `$.items[*]` selects the items.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    count: IndexMap<JsonPath, Limit>,
    /// Headers that must hold exactly this value; of several of one name the first counts.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    headers: IndexMap<String, String>,
    /// Text that must stand in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
    /// The most milliseconds the answer may take. Without it an answer has 15 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    within_ms: Option<u64>,
    /// Whether the body must be JSON, whatever it holds.
    #[serde(
        deserialize_with = "crate::yaml::own_boolean",
        skip_serializing_if = "std::ops::Not::not"
    )]
    json: bool,
    /// Why `status: 503` without an error code is the right answer here, for whoever reads the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<String>,
}

impl TryFrom<RawExpect> for Expect {
    type Error = String;
    fn try_from(raw: RawExpect) -> Result<Self, String> {
        // A 5xx is a failure, always; the one exception proves that a flag is off.
        let only_503 = raw.status.as_ref().is_some_and(|status| status.is_only(503));
        if let Some(status) = &raw.status {
            let told = raw.code.as_deref() == Some(FEATURE_DISABLED) || raw.because.is_some();
            if status.codes().iter().any(|code| *code >= 500) && !(only_503 && told) {
                return Err(
                    "a 5xx is always a failure; only `status: 503` may be expected, with `code: FEATURE_DISABLED`, or \
                     with `because: TEXT` that says why"
                        .to_owned(),
                );
            }
        }
        match raw.because.as_deref().map(str::trim) {
            Some("") => return Err("`because` is empty: say why a 503 is right".to_owned()),
            Some(_) if !only_503 => return Err("`because` goes with `status: 503` alone".to_owned()),
            _ => {}
        }
        let RawExpect {
            status,
            code,
            present,
            equal,
            at_least,
            at_most,
            is,
            matches,
            absent,
            lacks,
            count,
            headers,
            contains,
            within_ms,
            json,
            because,
        } = raw;
        Ok(Self {
            status,
            code,
            present,
            equal,
            at_least,
            at_most,
            is,
            matches,
            absent,
            lacks,
            count,
            headers,
            contains,
            within_ms,
            json,
            because,
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
            at_most,
            is,
            matches,
            absent,
            lacks,
            count,
            headers,
            contains,
            within_ms,
            json,
            because,
        } = expect;
        Self {
            status,
            code,
            present,
            equal,
            at_least,
            at_most,
            is,
            matches,
            absent,
            lacks,
            count,
            headers,
            contains,
            within_ms,
            json,
            because,
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
            || !self.at_most.is_empty()
            || !self.is.is_empty()
            || !self.matches.is_empty()
            || !self.absent.is_empty()
            || !self.count.is_empty()
    }

    /// The expectation with its variables filled in: values, numbers, headers and `contains`.
    ///
    /// # Errors
    /// An undefined or unknown variable, or one that stands for a number and holds none.
    pub fn filled(&self, vars: &Vars) -> Result<Self, PrepareError> {
        let limits = |limits: &IndexMap<JsonPath, Limit>| {
            let filled = limits
                .iter()
                .map(|(path, limit)| Ok((path.clone(), limit.filled(vars)?)));
            filled.collect::<Result<IndexMap<_, _>, PrepareError>>()
        };
        let mut filled = self.clone();
        for value in filled.is.values_mut().chain(filled.lacks.values_mut()) {
            *value = expand_json(value, vars)?;
        }
        for value in filled.headers.values_mut().chain(&mut filled.contains) {
            *value = expand_text(value, vars)?;
        }
        filled.at_least = limits(&self.at_least)?;
        filled.at_most = limits(&self.at_most)?;
        filled.count = limits(&self.count)?;
        Ok(filled)
    }

    /// What it is about, for people: `503 FEATURE_DISABLED`, `404`, `200 with $.enabled false`.
    #[must_use]
    pub fn tell(&self) -> String {
        let mut told = self
            .status
            .as_ref()
            .map_or_else(|| "2xx".to_owned(), ToString::to_string);
        if let Some(code) = &self.code {
            told = format!("{told} {code}");
        }
        for (index, (path, value)) in self.is.iter().enumerate() {
            let word = if index == 0 { "with" } else { "and" };
            told = format!("{told} {word} {path} {value}");
        }
        told
    }

    /// The variables that it names.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let values = self.is.values().chain(self.lacks.values());
        values.for_each(|value| names_in(value, &mut found));
        let limits = [&self.at_least, &self.at_most, &self.count];
        let limits = limits.into_iter().flat_map(IndexMap::values).filter_map(Limit::text);
        let texts = self.headers.values().chain(&self.contains).map(String::as_str);
        found.extend(limits.chain(texts).flat_map(names));
        found
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
        assert!(expect("status: 503\nbecause: the export is switched off here").is_ok());
        for bad in [
            "status: 500",
            "status: 503",
            "status: [200, 503]\ncode: FEATURE_DISABLED",
            "status: 503\ncode: OTHER",
            "status: 500\nbecause: no",
            "status: 503\nbecause: \" \"",
            "status: 404\nbecause: no",
            "because: no",
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
