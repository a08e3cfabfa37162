//! A request as a plan writes it, and the variables that its texts may hold.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::Method;
use crate::ident::Ident;

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

/// Whether a file may set a header of that name.
pub(crate) fn is_header_name(name: &str) -> bool {
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
