//! The three dialects: how a refusal and a success are spelt, and what their differences are.
//!
//! Handlers speak of refusals; only this module knows how a dialect writes them down.

use std::fmt;
use std::str::FromStr;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::reply::Reply;

/// The API as documented, or as one of its two deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `{"detail":{…}}`, signature judged before the role, 503 when a flag is off, nested success.
    Documented,
    /// The error object at top level, role judged first, flags never 503, flat success.
    DeployedA,
    /// As A, with `{"error":{…},"status_code","path"}`.
    DeployedB,
}

/// A name that is none of the dialects.
#[derive(Debug, thiserror::Error)]
#[error("unknown dialect {0:?}; expected documented, deployed_a or deployed_b")]
pub struct UnknownDialect(String);

impl Dialect {
    /// Whether the signature of a signed action is judged before the caller's role.
    pub(crate) fn signature_first(self) -> bool {
        self == Self::Documented
    }

    /// Whether a flag that is off is told at all.
    pub(crate) fn tells_flags(self) -> bool {
        self == Self::Documented
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documented => "documented",
            Self::DeployedA => "deployed_a",
            Self::DeployedB => "deployed_b",
        })
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Documented, Self::DeployedA, Self::DeployedB]
            .into_iter()
            .find(|dialect| dialect.to_string() == name)
            .ok_or_else(|| UnknownDialect(name.to_owned()))
    }
}

/// A refusal, before a dialect spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    field: Option<String>,
    required_roles: Option<Vec<String>>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            field: None,
            required_roles: None,
        }
    }

    /// 400 with a code.
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 403 with a code.
    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(crate) fn on_field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    pub(crate) fn requiring(mut self, roles: &[String]) -> Self {
        self.required_roles = Some(roles.to_vec());
        self
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The refusal as `dialect` writes it, on a request for `path`.
    pub(crate) fn reply(self, dialect: Dialect, path: &str) -> Reply {
        let status = self.status;
        let mut detail = Map::new();
        detail.insert("status".into(), "error".into());
        detail.insert("error_code".into(), self.code.into());
        detail.insert("message".into(), self.message.into());
        if let Some(field) = self.field {
            detail.insert("field".into(), field.into());
        }
        if let Some(roles) = self.required_roles {
            detail.insert("required_roles".into(), roles.into());
        }
        let body = match dialect {
            Dialect::Documented => json!({ "detail": detail }),
            Dialect::DeployedA => Value::Object(detail),
            Dialect::DeployedB => in_error(detail.into(), status, path),
        };
        Reply::json(status, &body)
    }
}

/// A refusal by the framework, which knows no codes: unknown route, wrong method.
pub(crate) fn plain(status: StatusCode, dialect: Dialect, path: &str) -> Reply {
    let text = status.canonical_reason().unwrap_or("Error");
    let body = match dialect {
        Dialect::Documented => json!({ "detail": text }),
        Dialect::DeployedA => in_error(text.into(), status, path),
        Dialect::DeployedB => in_error(
            json!({
                "status": "error",
                "error_code": format!("HTTP_{}", status.as_u16()),
                "message": text,
            }),
            status,
            path,
        ),
    };
    Reply::json(status, &body)
}

fn in_error(error: Value, status: StatusCode, path: &str) -> Value {
    json!({ "error": error, "status_code": status.as_u16(), "path": path })
}

/// One complaint of the body model.
pub(crate) struct BodyError {
    kind: &'static str,
    at: &'static str,
    message: &'static str,
}

impl BodyError {
    pub(crate) fn new(kind: &'static str, at: &'static str, message: &'static str) -> Self {
        Self { kind, at, message }
    }

    /// 422, in every dialect spelt by the framework itself.
    pub(crate) fn reply(&self) -> Reply {
        let mut place = vec!["body"];
        place.extend((!self.at.is_empty()).then_some(self.at));
        let complaint = json!({ "type": self.kind, "loc": place, "msg": self.message });
        Reply::json(StatusCode::UNPROCESSABLE_ENTITY, &json!({ "detail": [complaint] }))
    }
}

/// A success: `fields` flat beside the rest, or nested under `result`.
pub(crate) fn success(
    dialect: Dialect,
    action: &str,
    execution_id: &str,
    message: &str,
    fields: Map<String, Value>,
) -> Reply {
    let mut body = Map::new();
    body.insert("status".into(), "success".into());
    if dialect == Dialect::Documented {
        body.insert("action".into(), action.into());
        body.insert("execution_id".into(), execution_id.into());
        body.insert("result".into(), fields.into());
    } else {
        body.extend(fields);
        body.insert("message".into(), message.into());
        body.insert("execution_id".into(), execution_id.into());
        body.insert("action".into(), action.into());
    }
    Reply::json(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(reply: &Reply) -> Value {
        serde_json::from_slice(&reply.body).expect("replies are JSON")
    }

    #[test]
    fn names_of_dialects_read_back() {
        for dialect in [Dialect::Documented, Dialect::DeployedA, Dialect::DeployedB] {
            let name = dialect.to_string();
            assert_eq!(name.parse::<Dialect>().expect("parses"), dialect);
            assert_eq!(serde_json::to_value(dialect).expect("serialises"), name);
        }
        assert!("Documented".parse::<Dialect>().is_err());
    }

    #[test]
    fn each_dialect_spells_a_refusal_its_own_way() {
        let refusal = Refusal::bad("VALIDATION_FAILED", "no number").on_field("hours");
        let detail = json!({
            "status": "error", "error_code": "VALIDATION_FAILED",
            "message": "no number", "field": "hours",
        });
        for (dialect, expected) in [
            (Dialect::Documented, json!({ "detail": detail })),
            (Dialect::DeployedA, detail.clone()),
            (
                Dialect::DeployedB,
                json!({ "error": detail, "status_code": 400, "path": "/x" }),
            ),
        ] {
            let reply = refusal.clone().reply(dialect, "/x");
            assert_eq!(reply.status, StatusCode::BAD_REQUEST);
            assert_eq!(body(&reply), expected, "{dialect}");
        }
    }

    #[test]
    fn a_plain_string_becomes_an_error_with_its_path() {
        let a = plain(StatusCode::NOT_FOUND, Dialect::DeployedA, "/x");
        assert_eq!(
            body(&a),
            json!({ "error": "Not Found", "status_code": 404, "path": "/x" })
        );
        let documented = plain(StatusCode::NOT_FOUND, Dialect::Documented, "/x");
        assert_eq!(body(&documented), json!({ "detail": "Not Found" }));
        let b = plain(StatusCode::NOT_FOUND, Dialect::DeployedB, "/x");
        assert!(body(&b)["error"].is_object(), "B always has an object");
    }

    #[test]
    fn a_success_is_nested_as_documented_and_flat_as_deployed() {
        let mut fields = Map::new();
        fields.insert("work_order_id".into(), "w".into());
        for (dialect, at) in [
            (Dialect::Documented, "/result/work_order_id"),
            (Dialect::DeployedA, "/work_order_id"),
            (Dialect::DeployedB, "/work_order_id"),
        ] {
            let reply = success(dialect, "a", "e", "done", fields.clone());
            assert_eq!(body(&reply).pointer(at), Some(&json!("w")), "{dialect}");
        }
    }
}
