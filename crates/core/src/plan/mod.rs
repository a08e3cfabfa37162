//! Plans: generated, reviewed YAML files that the binary executes.
//!
//! The three kinds share their grammar: a `request`, an `expect`, the users and tenants they run
//! for. Parsing refuses what can never be right, so that a plan that loads can run.

pub mod acceptance;
pub mod arrivals;
pub mod expect;
pub mod header;
pub mod load;
pub mod monitor;
pub mod prepare;
pub mod request_template;
pub mod sql;
pub mod stress;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use expect::{Expect, JsonPath, Show, StatusSet};

use crate::exchange::Method;
use crate::ident::{Ident, nearest};
use crate::lens::User;

/// Where an answer of this API keeps what expectations speak of, and how it spells error codes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// Named places, each a list of JSONPaths of which the first that is there counts.
    /// `code` is where an error code stands.
    #[serde(default)]
    pub paths: IndexMap<Ident, Vec<JsonPath>>,
    /// Symbolic error codes and their spelling; a code not named here is spelled as it is.
    #[serde(default)]
    pub codes: IndexMap<String, String>,
}

impl Dialect {
    /// How this dialect spells `symbol`.
    #[must_use]
    pub fn spell<'a>(&'a self, symbol: &'a str) -> &'a str {
        self.codes.get(symbol).map_or(symbol, String::as_str)
    }

    /// The value at the named place of `body`: the first listed path that is there.
    #[must_use]
    pub fn find<'a>(&self, name: &str, body: &'a Value) -> Option<&'a Value> {
        let (_, paths) = self.paths.iter().find(|(key, _)| key.as_str() == name)?;
        paths
            .iter()
            .find_map(|path| path.first(body))
            .filter(|value| !value.is_null())
    }

    /// The error code of `body`, if it has one.
    #[must_use]
    pub fn code(&self, body: &Value) -> Option<String> {
        self.find("code", body).and_then(Value::as_str).map(str::to_owned)
    }
}

/// A request as a plan writes it: one method with its path, and optionally headers, a query and
/// one kind of body.
///
/// Strings may hold variables: `$tenant`, `$entity`, `$signature` and captures; `$$` is a dollar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawRequest", into = "RawRequest")]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query below the API's base.
    pub path: String,
    /// Further query parameters, percent-encoded behind the path.
    pub query: IndexMap<String, String>,
    /// Further headers.
    pub headers: IndexMap<String, String>,
    /// The body.
    pub body: Body,
}

/// The body of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// JSON.
    Json(Value),
    /// Form fields, percent-encoded.
    Form(IndexMap<String, String>),
    /// Text as it is.
    Text(String),
}

impl Request {
    /// The JSON body, if the request has one.
    #[must_use]
    pub fn json(&self) -> Option<&Value> {
        match &self.body {
            Body::Json(value) => Some(value),
            _ => None,
        }
    }

    /// The JSON body, to be changed.
    pub fn json_mut(&mut self) -> Option<&mut Value> {
        match &mut self.body {
            Body::Json(value) => Some(value),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RawRequest {
    /// The path of a GET request. One method is given; a `$variable` in a path is one segment or a part of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    get: Option<String>,
    /// The path of a POST request.
    #[serde(skip_serializing_if = "Option::is_none")]
    post: Option<String>,
    /// The path of a PUT request.
    #[serde(skip_serializing_if = "Option::is_none")]
    put: Option<String>,
    /// The path of a PATCH request.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    /// The path of a DELETE request.
    #[serde(skip_serializing_if = "Option::is_none")]
    delete: Option<String>,
    /// Query parameters, encoded when they are sent.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    query: IndexMap<String, String>,
    /// Headers besides `Host` and `Content-Length`; one of these names stands for lensops' own.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    headers: IndexMap<String, String>,
    /// A JSON body. A text that is one variable alone becomes its value, of any type.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    /// A form body: `application/x-www-form-urlencoded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<IndexMap<String, String>>,
    /// A body of any other kind; give its `Content-Type` in `headers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

impl TryFrom<RawRequest> for Request {
    type Error = String;
    fn try_from(raw: RawRequest) -> Result<Self, String> {
        let given = [
            (Method::Get, raw.get),
            (Method::Post, raw.post),
            (Method::Put, raw.put),
            (Method::Patch, raw.patch),
            (Method::Delete, raw.delete),
        ];
        let mut given = given.into_iter().filter_map(|(method, path)| Some((method, path?)));
        let (Some((method, path)), None) = (given.next(), given.next()) else {
            return Err("a request names exactly one of get, post, put, patch, delete with its path".to_owned());
        };
        if !path.starts_with('/') || path.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(format!(
                "request path {path:?} must start with / and hold no white space"
            ));
        }
        let body = match (raw.json, raw.form, raw.body) {
            (None, None, None) => Body::Empty,
            (Some(json), None, None) => Body::Json(json),
            (None, Some(form), None) => Body::Form(form),
            (None, None, Some(text)) => Body::Text(text),
            _ => return Err("a request has one body: json, form or body".to_owned()),
        };
        if method == Method::Get && body != Body::Empty {
            return Err("a GET request carries no body".to_owned());
        }
        if let Some(name) = raw.headers.keys().find(|name| !is_header_name(name)) {
            return Err(format!(
                "{name:?} is no header of a plan: Host and Content-Length are set by lensops, and a name holds no white space or colon"
            ));
        }
        Ok(Self {
            method,
            path,
            query: raw.query,
            headers: raw.headers,
            body,
        })
    }
}

fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        && !["host", "content-length", "transfer-encoding", "connection"].contains(&name.to_ascii_lowercase().as_str())
}

impl From<Request> for RawRequest {
    fn from(request: Request) -> Self {
        let mut raw = Self {
            query: request.query,
            headers: request.headers,
            ..Self::default()
        };
        match request.body {
            Body::Empty => {}
            Body::Json(value) => raw.json = Some(value),
            Body::Form(fields) => raw.form = Some(fields),
            Body::Text(text) => raw.body = Some(text),
        }
        let path = Some(request.path);
        match request.method {
            Method::Get => raw.get = path,
            Method::Post => raw.post = path,
            Method::Put => raw.put = path,
            Method::Patch => raw.patch = path,
            Method::Delete => raw.delete = path,
        }
        raw
    }
}

/// Variables of a plan by name; `null` is declared but not known, and makes a case unjudged.
pub type Vars = IndexMap<Ident, Value>;

/// Why a plan that parses cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A list that must not be empty is.
    #[error("the plan has no {0}: there is nothing to run")]
    Empty(&'static str),
    /// Two items share a name.
    #[error("two {what} are named {name:?}")]
    Twice {
        /// What kind of item.
        what: &'static str,
        /// Their name.
        name: String,
    },
    /// A name that points nowhere.
    #[error("{place} names {what} {name:?}, which the plan does not define{}", hint(.name, .known))]
    Unknown {
        /// Where the name stands.
        place: String,
        /// What it should be.
        what: &'static str,
        /// The name.
        name: String,
        /// What is defined.
        known: Vec<String>,
    },
    /// Something that cannot be as it is.
    #[error("{place}: {why}")]
    Invalid {
        /// Where.
        place: String,
        /// Why, and the way out.
        why: String,
    },
}

fn hint(name: &str, known: &[String]) -> String {
    let all: Vec<&str> = known.iter().map(String::as_str).collect();
    match nearest(name, &all) {
        Some(candidate) => format!(" (did you mean {candidate:?}?)"),
        None if known.is_empty() => String::new(),
        None => format!(" (it defines {})", known.join(", ")),
    }
}

fn check_user(place: &str, name: Option<&Ident>, users: &IndexMap<Ident, User>) -> Result<(), PlanError> {
    match name {
        Some(name) if !users.contains_key(name) => Err(PlanError::Unknown {
            place: place.to_owned(),
            what: "user",
            name: name.to_string(),
            known: users.keys().map(ToString::to_string).collect(),
        }),
        _ => Ok(()),
    }
}

fn check_unique<'a>(what: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), PlanError> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(&name) {
            return Err(PlanError::Twice {
                what,
                name: name.to_owned(),
            });
        }
        seen.push(name);
    }
    Ok(())
}

fn check_tenants(tenants: &[Uuid]) -> Result<(), PlanError> {
    if tenants.is_empty() {
        Err(PlanError::Empty("tenants"))
    } else {
        Ok(())
    }
}
