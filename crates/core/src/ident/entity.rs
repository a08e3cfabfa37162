//! Ids of the API's own things: users, tenants, rows.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::names::{NameError, parse_uuid};
use crate::text_form::Parsers;

const TITLE: &str = "id";
const RULE: &str = "use 1 to 128 characters, without control characters and without a space at either end";

/// The id of a user, a tenant or a row, as the API spells it: 1 to 128 characters. A UUID takes its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct EntityId(String);

/// An id as a file writes it; a number is the text of its digits.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Number(u64),
}

impl EntityId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as a UUID; `None` where it is another text.
    #[must_use]
    pub fn uuid(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.0).ok()
    }
}

/// Whether `text` was meant as a UUID: hexadecimal digits in five groups, or 32 of them.
fn is_like_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let hex = text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    lengths == [8, 4, 4, 4, 12] || (hex && (lengths.len() == 5 || text.len() == 32))
}

impl FromStr for EntityId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if is_like_uuid(text) {
            return parse_uuid(text).map(Self::from);
        }
        let count = text.chars().count();
        if !(1..=128).contains(&count) || text.contains(char::is_control) || text.trim() != text {
            return Err(NameError::new(TITLE, text, RULE).to_string());
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<Written> for EntityId {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Text(text) => text.parse(),
            Written::Number(number) => Ok(Self(number.to_string())),
        }
    }
}

impl From<Uuid> for EntityId {
    fn from(id: Uuid) -> Self {
        Self(id.to_string())
    }
}

impl From<EntityId> for String {
    fn from(id: EntityId) -> Self {
        id.0
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl JsonSchema for EntityId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "EntityId".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Parsers::leave(generator, TITLE, |text| text.parse::<Self>().map(drop));
        json_schema!({"type": ["string", "integer"], "title": TITLE, "description": RULE})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_an_id_and_a_uuid_is_canonical() {
        for (given, stored) in [
            ("acme", Some("acme")),
            ("Acme GmbH & Co. KG", Some("Acme GmbH & Co. KG")),
            ("42", Some("42")),
            (
                "53FBDF09-B709-509D-AAD0-3A6F50239A5D",
                Some("53fbdf09-b709-509d-aad0-3a6f50239a5d"),
            ),
            (
                "53fbdf09b709509daad03a6f50239a5d",
                Some("53fbdf09-b709-509d-aad0-3a6f50239a5d"),
            ),
            // A slip within a UUID is no name.
            ("53fbdf09-b709-509d-aad0-3a6f50239a5x", None),
            ("53fbdf09-b709-509d-aad0-3a6f50239a5", None),
            ("", None),
            (" acme", None),
            ("a\nb", None),
        ] {
            let id = given.parse::<EntityId>();
            assert_eq!(id.as_ref().ok().map(EntityId::as_str), stored, "{given:?}: {id:?}");
        }
        assert!("é".repeat(128).parse::<EntityId>().is_ok());
        assert!("é".repeat(129).parse::<EntityId>().is_err());
    }

    #[test]
    fn a_number_is_the_text_of_its_digits() {
        let ids: Vec<EntityId> = crate::yaml::read("x", "[42, '007', acme]").unwrap();
        assert_eq!(
            ids.iter().map(EntityId::as_str).collect::<Vec<_>>(),
            ["42", "007", "acme"]
        );
    }
}
