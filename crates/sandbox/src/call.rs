//! The body of a request to the action router: its fields, and the answer when it names an entity
//! that is not found.

use hyper::StatusCode;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::envelope::{BodyError, Refusal};
use crate::registry::kind_of;

/// The body of a request to execute.
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) context: Map<String, Value>,
    pub(crate) payload: Map<String, Value>,
}

impl Call {
    pub(crate) fn read(body: &[u8]) -> Result<Self, BodyError> {
        let mut fields = object(body)?;
        let action = match fields.remove("action") {
            Some(Value::String(action)) => action,
            None => return Err(BodyError::new("missing", "action", "Field required")),
            Some(_) => {
                let message = "Input should be a valid string";
                return Err(BodyError::new("string_type", "action", message));
            }
        };
        Ok(Self {
            action,
            context: optional_object(&mut fields, "context")?,
            payload: optional_object(&mut fields, "payload")?,
        })
    }

    /// A field of payload or context; null and the empty string count as absent.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        [&self.payload, &self.context]
            .into_iter()
            .filter_map(|fields| fields.get(name))
            .find(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// A field that is a UUID.
    pub(crate) fn id(&self, name: &str) -> Option<Uuid> {
        Uuid::parse_str(self.field(name)?.as_str()?).ok()
    }

    /// The tenant the request is about: the context's, else the payload's.
    pub(crate) fn tenant(&self) -> Option<&Value> {
        [&self.context, &self.payload]
            .into_iter()
            .find_map(|fields| fields.get("yacht_id").filter(|value| !value.is_null()))
    }
}

/// 404 for an entity that is not there, or not this tenant's: the two look the same on purpose.
pub(crate) fn not_found(field: &str) -> Refusal {
    let kind = kind_of(field);
    Refusal::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("No such {kind}"))
}

/// The body as a JSON object.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, BodyError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(BodyError::new("dict_type", "", "Input should be a valid dictionary")),
        Err(_) => Err(BodyError::new("json_invalid", "", "JSON decode error")),
    }
}

/// A field that is an object, absent or null; the latter two are empty ones.
pub(crate) fn optional_object(
    fields: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Map<String, Value>, BodyError> {
    match fields.remove(name) {
        Some(Value::Object(inner)) => Ok(inner),
        None | Some(Value::Null) => Ok(Map::new()),
        Some(_) => Err(BodyError::new("dict_type", name, "Input should be a valid dictionary")),
    }
}
