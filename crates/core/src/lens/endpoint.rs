//! An endpoint of an HTTP API: its request, who may send it, what it makes and what takes that back.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exchange::Method;
use crate::expect::{Capture, Expect};
use crate::ident::Ident;
use crate::request::{FormPart, RawRequest, Request};

/// Who may send a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Allow {
    /// Everybody, also without credentials.
    Anyone(Anyone),
    /// Users of these roles.
    Roles(Vec<Ident>),
}

/// The word for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Anyone {
    /// Everybody, also without credentials.
    Anyone,
}

impl Allow {
    /// Everybody.
    pub const ANYONE: Self = Self::Anyone(Anyone::Anyone);

    /// The roles; empty where anyone may.
    #[must_use]
    pub fn roles(&self) -> &[Ident] {
        match self {
            Self::Anyone(_) => &[],
            Self::Roles(roles) => roles,
        }
    }

    /// Whether a user of `role` may.
    #[must_use]
    pub fn lets_in(&self, role: &Ident) -> bool {
        matches!(self, Self::Anyone(_)) || self.roles().contains(role)
    }
}

/// How many requests are sent at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// So many requests at once.
    pub burst: u32,
}

/// One endpoint of an HTTP API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawEndpoint", into = "RawEndpoint")]
pub struct Endpoint {
    /// Its name in reports.
    pub name: Ident,
    /// Its request.
    pub request: Request,
    /// Who may send it.
    pub allow: Allow,
    /// What a good answer is; `None`: a 2xx, for a GET or a creation in JSON without an error in it.
    pub expect: Option<Expect>,
    /// What it creates: variables taken from the answer.
    pub creates: IndexMap<Ident, Capture>,
    /// The request that takes back what it does.
    pub undo: Option<Request>,
    /// How it is loaded in a stress run.
    pub stress: Option<Burst>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawEndpoint {
    /// Its name in reports.
    name: Ident,
    /// The path of a GET request. One method is given; `$id` is what an endpoint `creates`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    get: Option<String>,
    /// The path of a POST request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    post: Option<String>,
    /// The path of a PUT request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    put: Option<String>,
    /// The path of a PATCH request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    /// The path of a DELETE request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delete: Option<String>,
    /// The path of a HEAD request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// The path of an OPTIONS request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<String>,
    /// The host that it goes to, by its name in `hosts`; the API where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Ident>,
    /// Query parameters, encoded when they are sent.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    query: IndexMap<String, String>,
    /// Headers besides `Host` and `Content-Length`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    headers: IndexMap<String, String>,
    /// A JSON body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    /// A form body: `application/x-www-form-urlencoded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    form: Option<IndexMap<String, String>>,
    /// A body of parts: `multipart/form-data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    multipart: Option<IndexMap<String, FormPart>>,
    /// A body of any other kind; give its `Content-Type` in `headers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The roles whose users may send it, or `anyone`.
    allow: Allow,
    /// What a good answer is. Without it: a 2xx; of a GET and of what creates something JSON without `error` or `errors`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<Expect>,
    /// What it creates: variables that later endpoints name, and where the answer holds them. It needs `undo`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    creates: IndexMap<Ident, Capture>,
    /// The request that takes back what it does, sent as the first user that `allow` lets in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    undo: Option<Request>,
    /// How it is loaded in a stress run. Where no endpoint says so, every GET without an open variable is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stress: Option<Burst>,
}

impl TryFrom<RawEndpoint> for Endpoint {
    type Error = String;
    fn try_from(raw: RawEndpoint) -> Result<Self, String> {
        let request = Request::try_from(RawRequest {
            get: raw.get,
            post: raw.post,
            put: raw.put,
            patch: raw.patch,
            delete: raw.delete,
            head: raw.head,
            options: raw.options,
            at: raw.at,
            query: raw.query,
            headers: raw.headers,
            json: raw.json,
            form: raw.form,
            multipart: raw.multipart,
            body: raw.body,
        });
        let name = raw.name;
        let request = request.map_err(|why| format!("endpoint {name}: {why}"))?;
        if !raw.creates.is_empty() && raw.undo.is_none() {
            return Err(format!(
                "endpoint {name} creates something: say what takes it back, such as `undo: {{delete: /orders/$id}}`"
            ));
        }
        if raw.stress.is_some() && changes(request.method) {
            return Err(format!(
                "endpoint {name} changes something: only a GET, HEAD or OPTIONS takes `stress`"
            ));
        }
        Ok(Self {
            name,
            request,
            allow: raw.allow,
            expect: raw.expect,
            creates: raw.creates,
            undo: raw.undo,
            stress: raw.stress,
        })
    }
}

impl From<Endpoint> for RawEndpoint {
    fn from(endpoint: Endpoint) -> Self {
        let request = RawRequest::from(endpoint.request);
        Self {
            name: endpoint.name,
            get: request.get,
            post: request.post,
            put: request.put,
            patch: request.patch,
            delete: request.delete,
            head: request.head,
            options: request.options,
            at: request.at,
            query: request.query,
            headers: request.headers,
            json: request.json,
            form: request.form,
            multipart: request.multipart,
            body: request.body,
            allow: endpoint.allow,
            expect: endpoint.expect,
            creates: endpoint.creates,
            undo: endpoint.undo,
            stress: endpoint.stress,
        }
    }
}

fn changes(method: Method) -> bool {
    !matches!(method, Method::Get | Method::Head | Method::Options)
}

impl Endpoint {
    /// Whether it changes something, by its method.
    #[must_use]
    pub fn changes(&self) -> bool {
        changes(self.request.method)
    }
}
