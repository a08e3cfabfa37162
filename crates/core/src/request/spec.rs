//! A request as a plan writes it, and the variables that its texts may hold.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::path::is_path;
use crate::exchange::Method;
use crate::ident::Ident;

/// A request as a plan writes it: one method with its path, and optionally headers, a query and
/// one kind of body.
///
/// Strings may hold variables: `$tenant`, `$entity`, `$signature` and captures; `$$` is a dollar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawRequest", into = "RawRequest")]
pub struct Request {
    /// The host that it goes to, by its name in `hosts`; `None` is the API.
    pub at: Option<Ident>,
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
    /// Parts of a form, files among them.
    Multipart(IndexMap<String, FormPart>),
    /// Text as it is.
    Text(String),
}

/// A part of a form: a field's text, or a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FormPart {
    /// A field.
    Field(String),
    /// A file.
    File(FormFile),
}

/// A file within a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormFile {
    /// Its name.
    pub file: String,
    /// What it holds, text; variables are filled in.
    pub content: String,
    /// Its content type; `text/plain` where it is left out.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
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

/// A request as files write it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawRequest {
    /// The path of a GET request. One method is given; a `$variable` in a path is one segment or a part of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) get: Option<String>,
    /// The path of a POST request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) post: Option<String>,
    /// The path of a PUT request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) put: Option<String>,
    /// The path of a PATCH request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) patch: Option<String>,
    /// The path of a DELETE request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delete: Option<String>,
    /// The path of a HEAD request, whose answer has no body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) head: Option<String>,
    /// The path of an OPTIONS request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) options: Option<String>,
    /// The host that it goes to, by its name in `hosts`; the API where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<Ident>,
    /// Query parameters, encoded when they are sent.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) query: IndexMap<String, String>,
    /// Headers besides `Host` and `Content-Length`; one of these names stands for lensops' own.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) headers: IndexMap<String, String>,
    /// A JSON body. A text that is one variable alone becomes its value, of any type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<Value>,
    /// A form body: `application/x-www-form-urlencoded`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) form: Option<IndexMap<String, String>>,
    /// A body of parts: `multipart/form-data`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) multipart: Option<IndexMap<String, FormPart>>,
    /// A body of any other kind; give its `Content-Type` in `headers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
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
            (Method::Head, raw.head),
            (Method::Options, raw.options),
        ];
        let mut given = given.into_iter().filter_map(|(method, path)| Some((method, path?)));
        let (Some((method, path)), None) = (given.next(), given.next()) else {
            return Err(
                "a request names exactly one of get, post, put, patch, delete, head, options with its path".to_owned(),
            );
        };
        if !is_path(&path) {
            return Err(format!(
                "request path {path:?} must start with / and hold no white space"
            ));
        }
        let body = match (raw.json, raw.form, raw.multipart, raw.body) {
            (None, None, None, None) => Body::Empty,
            (Some(json), None, None, None) => Body::Json(json),
            (None, Some(form), None, None) => Body::Form(form),
            (None, None, Some(parts), None) => Body::Multipart(parts),
            (None, None, None, Some(text)) => Body::Text(text),
            _ => return Err("a request has one body: json, form, multipart or body".to_owned()),
        };
        if matches!(method, Method::Get | Method::Head) && body != Body::Empty {
            return Err(format!("a {} request carries no body", method.as_str()));
        }
        if let Some(name) = raw.headers.keys().find(|name| !is_header_name(name)) {
            return Err(format!(
                "{name:?} is no header of a plan: Host and Content-Length are set by lensops, and a name holds no white space or colon"
            ));
        }
        Ok(Self {
            at: raw.at,
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
            at: request.at,
            query: request.query,
            headers: request.headers,
            ..Self::default()
        };
        match request.body {
            Body::Empty => {}
            Body::Json(value) => raw.json = Some(value),
            Body::Form(fields) => raw.form = Some(fields),
            Body::Multipart(parts) => raw.multipart = Some(parts),
            Body::Text(text) => raw.body = Some(text),
        }
        let path = Some(request.path);
        match request.method {
            Method::Get => raw.get = path,
            Method::Post => raw.post = path,
            Method::Put => raw.put = path,
            Method::Patch => raw.patch = path,
            Method::Delete => raw.delete = path,
            Method::Head => raw.head = path,
            Method::Options => raw.options = path,
        }
        raw
    }
}

/// Variables of a plan by name; `null` is declared but not known, and makes a case unjudged.
pub type Vars = IndexMap<Ident, Value>;
