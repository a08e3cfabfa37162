//! A request prepared but not sent. `Debug` never shows a header that carries a secret.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::base::Base;
use crate::secret::Secret;

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the methods of RFC 9110")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
    Options,
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }

    /// Whether sending it twice does what sending it once does (RFC 9110 §9.2.2).
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        matches!(self, Self::Get | Self::Put | Self::Delete | Self::Head | Self::Options)
    }
}

/// A header of a prepared request.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value, which may be a secret.
    pub value: Secret,
}

/// A request ready to be sent.
#[derive(Clone, PartialEq)]
pub struct PreparedRequest {
    /// Where to.
    pub base: Base,
    /// The method.
    pub method: Method,
    /// Path and query as on the wire.
    pub target: String,
    /// Headers besides `Host` and `Content-Length`, in order.
    pub headers: Vec<Header>,
    /// The body, if any.
    pub body: Option<String>,
    /// The claims of the bearer token, to be shown beside the redacted token.
    pub claims: Option<Value>,
    /// Values that must never be written: token, signature hash.
    pub secrets: Vec<Secret>,
}

impl fmt::Debug for PreparedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method.as_str(), self.base, self.target)
    }
}

impl PreparedRequest {
    /// A request without headers or body.
    #[must_use]
    pub fn new(base: Base, method: Method, path: &str) -> Self {
        let target = base.target(path);
        Self {
            base,
            method,
            target,
            headers: Vec::new(),
            body: None,
            claims: None,
            secrets: Vec::new(),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push(Header {
            name: name.to_owned(),
            value: Secret::new(value),
        });
        self
    }

    /// Adds a bearer token, which becomes a secret of the request.
    #[must_use]
    pub fn bearer(mut self, token: &Secret) -> Self {
        self.secrets.push(token.clone());
        self.header("Authorization", format!("Bearer {}", token.expose()))
    }

    /// Sets a JSON body and its content type.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self.header("Content-Type", "application/json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_token() {
        let request =
            PreparedRequest::new(Base::parse("http://h").unwrap(), Method::Get, "/x").bearer(&Secret::new("tok-en"));
        assert!(!format!("{request:?} {:?}", request.secrets).contains("tok-en"));
    }
}
