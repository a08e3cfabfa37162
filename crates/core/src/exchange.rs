//! One HTTP request, prepared but not sent, and what came of it.
//!
//! A request is built here and sent at the rim, so that every URL, header and body is tested
//! without a socket. `Debug` never shows a header that carries a secret.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

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
        }
    }
}

/// Where the API lives: scheme, host and port, and a path that all requests share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(Url);

/// A base URL that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not an API address: {why} (such as https://api.example.com)")]
pub struct BaseError {
    given: String,
    why: String,
}

impl Base {
    /// Reads an `http` or `https` address without user, password, query or fragment.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, BaseError> {
        let refuse = |why: &str| BaseError {
            given: without_secrets(text),
            why: why.to_owned(),
        };
        let url = Url::parse(text.trim_end_matches('/')).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(refuse("it needs http:// or https:// and a host"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("credentials do not belong into an address"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must not carry a query or fragment"));
        }
        Ok(Self(url))
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host, without brackets around an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The port, that of the scheme where none is given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(80)
    }

    /// Host and port as the `Host` header carries them.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The request target of `path` (with its query) below this base.
    #[must_use]
    pub fn target(&self, path: &str) -> String {
        format!("{}{path}", self.0.path().trim_end_matches('/'))
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// An address without what may be a secret in it: user, password and query.
fn without_secrets(text: &str) -> String {
    let text = match text.find(['?', '#']) {
        Some(at) => &format!("{}…", &text[..=at]),
        None => text,
    };
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://[redacted]{}", &text[..scheme], &text[at..])
        }
        _ => text.to_owned(),
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

/// How a request failed, or what kind of failure a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// No connection, or it broke.
    Connectivity,
    /// No complete answer in time.
    Timeout,
    /// TLS could not be agreed on.
    Tls,
    /// An answer that is cut short, too large, or not what it says it is.
    BadBody,
    /// An unasserted 4xx.
    #[serde(rename = "client_4xx")]
    Client4xx,
    /// A 5xx.
    #[serde(rename = "server_5xx")]
    Server5xx,
}

impl FailureClass {
    /// As in reports: `client_4xx`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connectivity => "connectivity",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::BadBody => "bad_body",
            Self::Client4xx => "client_4xx",
            Self::Server5xx => "server_5xx",
        }
    }

    /// The class of a status; `None` below 400.
    #[must_use]
    pub fn of_status(status: u16) -> Option<Self> {
        match status {
            500..=599 => Some(Self::Server5xx),
            400..=499 => Some(Self::Client4xx),
            _ => None,
        }
    }
}

/// A request that got no usable answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which kind.
    pub class: FailureClass,
    /// What the system said, one line.
    pub detail: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// `HTTP/1.1`.
    pub version: &'static str,
    /// The status code.
    pub status: u16,
    /// Headers in order; values that are no UTF-8 are shown with replacement characters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as JSON; `None` when it is not.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// How long the phases of an exchange took, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Timings {
    /// Name lookup and TCP connect; `None` on a reused connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u64>,
    /// TLS handshake; `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_us: Option<u64>,
    /// From the start of writing to the head of the answer; `None` when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_us: Option<u64>,
    /// From the start of writing to the last byte, or to the failure. Connecting is not in it.
    pub total_us: u64,
}

/// One request with what came of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What was sent.
    pub request: Arc<PreparedRequest>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The answer, or why there is none.
    pub result: Result<Response, Failure>,
    /// How long it took.
    pub timings: Timings,
}

impl Exchange {
    /// The status, if there was an answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.result.as_ref().ok().map(|response| response.status)
    }

    /// The latency this exchange adds to a percentile, in microseconds. `None` when nothing was
    /// answered; a time-out counts with the time it waited, so that a stalled server cannot hide.
    #[must_use]
    pub fn latency_us(&self) -> Option<u64> {
        match &self.result {
            Ok(_) => Some(self.timings.total_us),
            Err(failure) if failure.class == FailureClass::Timeout => Some(self.timings.total_us),
            Err(_) => None,
        }
    }
}

/// The seam between those who need a request sent and the one who can send it.
pub trait Sender: Send + Sync {
    /// Sends one request. A failure is a value of the exchange, never an error.
    fn send(&self, request: Arc<PreparedRequest>) -> impl Future<Output = Exchange> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_its_path_and_its_port() {
        let base = Base::parse("http://127.0.0.1:8080/api/").unwrap();
        assert_eq!(
            base.target("/v1/actions/list?domain=x"),
            "/api/v1/actions/list?domain=x"
        );
        assert_eq!(
            (base.host(), base.port(), base.authority().as_str()),
            ("127.0.0.1", 8080, "127.0.0.1:8080")
        );
        assert_eq!(Base::parse("https://api.example.com").unwrap().port(), 443);
        assert_eq!(Base::parse("http://[::1]:9/").unwrap().host(), "::1");
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_showing_its_password() {
        for bad in [
            "",
            "api.example.com",
            "ftp://x",
            "http://",
            "http://u:hunter22@h",
            "http://h?x=hunter22",
            "http://u:hunter22@h?x=1@",
            "None/rest/v1",
        ] {
            let error = Base::parse(bad).unwrap_err().to_string();
            assert!(!error.contains("hunter22"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let request =
            PreparedRequest::new(Base::parse("http://h").unwrap(), Method::Get, "/x").bearer(&Secret::new("tok-en"));
        assert!(!format!("{request:?} {:?}", request.secrets).contains("tok-en"));
    }
}
