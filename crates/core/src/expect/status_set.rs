//! The statuses that an expectation accepts.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
