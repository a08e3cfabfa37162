//! The grammar of expectations.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// The error code by which the API says that a flag is off.
pub const FEATURE_DISABLED: &str = "FEATURE_DISABLED";

/// A JSONPath (RFC 9535), parsed when the plan is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JsonPath {
    text: String,
    parsed: serde_json_path::JsonPath,
}

impl JsonPath {
    /// The first value that the path selects.
    #[must_use]
    pub fn first<'a>(&self, body: &'a Value) -> Option<&'a Value> {
        self.parsed.query(body).first()
    }
}

impl TryFrom<String> for JsonPath {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let parsed = serde_json_path::JsonPath::parse(&text)
            .map_err(|error| format!("{text:?} is no JSONPath: {}", error.message()))?;
        Ok(Self { text, parsed })
    }
}

impl From<JsonPath> for String {
    fn from(path: JsonPath) -> String {
        path.text
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::hash::Hash for JsonPath {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Eq for JsonPath {}

crate::text_form::text_form!(
    JsonPath,
    "JSONPath",
    "^\\$",
    "a JSONPath of RFC 9535, such as $.total_count"
);

/// The statuses an expectation accepts: one code or a list, never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(Vec<u16>);

impl StatusSet {
    /// Whether `status` is accepted.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.contains(&status)
    }

    /// The codes, in the plan's order.
    #[must_use]
    pub fn codes(&self) -> &[u16] {
        &self.0
    }

    /// Whether one code alone is accepted, and it is this one.
    #[must_use]
    pub fn is_only(&self, status: u16) -> bool {
        self.0 == [status]
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<_> = self.0.iter().map(u16::to_string).collect();
        f.write_str(&codes.join(" or "))
    }
}

impl Serialize for StatusSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_u16(*one),
            many => many.serialize(serializer),
        }
    }
}

impl JsonSchema for StatusSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusSet".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let code = serde_json::json!({"type": "integer", "minimum": 100, "maximum": 599});
        schemars::json_schema!({
            "description": "A status code such as 200, or a list such as [200, 404]",
            "anyOf": [code, {"type": "array", "items": code, "minItems": 1}]
        })
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Codes;
        impl<'de> Visitor<'de> for Codes {
            type Value = StatusSet;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status code such as 200, or a list such as [200, 404]")
            }
            fn visit_u64<E: serde::de::Error>(self, code: u64) -> Result<StatusSet, E> {
                match u16::try_from(code) {
                    Ok(code) if (100..=599).contains(&code) => Ok(StatusSet(vec![code])),
                    _ => Err(E::custom(format!("{code} is no HTTP status"))),
                }
            }
            fn visit_i64<E: serde::de::Error>(self, code: i64) -> Result<StatusSet, E> {
                self.visit_u64(u64::try_from(code).unwrap_or(0))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<StatusSet, A::Error> {
                use serde::de::Error as _;
                let mut codes = Vec::new();
                while let Some(code) = seq.next_element::<u64>()? {
                    codes.extend(Codes.visit_u64::<A::Error>(code)?.0);
                }
                if codes.is_empty() {
                    return Err(A::Error::custom("an empty list of statuses accepts nothing"));
                }
                Ok(StatusSet(codes))
            }
        }
        deserializer.deserialize_any(Codes)
    }
}

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

/// A line shown for an answer: text with JSONPaths in braces, `{$.total_count} actions`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Show {
    text: String,
    parts: Vec<Part>,
}

crate::text_form::text_form!(
    Show,
    "line",
    "",
    "text with JSONPaths in braces: {$.total_count} actions"
);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Path(JsonPath),
}

impl Show {
    /// The line for `body`; `None` when a place it speaks of is not there.
    #[must_use]
    pub fn render(&self, body: &Value) -> Option<String> {
        let mut line = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Path(path) => match path.first(body)? {
                    Value::String(text) => line.extend(text.chars().filter(|c| !c.is_control()).take(120)),
                    Value::Null => return None,
                    value => line.push_str(&value.to_string()),
                },
            }
        }
        Some(line)
    }
}

impl TryFrom<String> for Show {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.as_str();
        while let Some(open) = rest.find("{$") {
            let close = rest[open..]
                .find('}')
                .ok_or_else(|| format!("{text:?} opens a place that it does not close"))?
                + open;
            parts.push(Part::Text(rest[..open].to_owned()));
            parts.push(Part::Path(JsonPath::try_from(rest[open + 1..close].to_owned())?));
            rest = &rest[close + 1..];
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self { text, parts })
    }
}

impl From<Show> for String {
    fn from(show: Show) -> String {
        show.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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

    #[test]
    fn a_shown_line_is_absent_when_its_place_is() {
        let show = Show::try_from("{$.status} ({$.n} handlers)".to_owned()).unwrap();
        assert_eq!(
            show.render(&json!({"status": "healthy", "n": 4})).unwrap(),
            "healthy (4 handlers)"
        );
        assert_eq!(show.render(&json!({"status": "healthy"})), None);
    }
}
