//! What proves who sends a request: headers and cookies, and the secrets in them.

use std::fmt;

use serde_json::Value;

use crate::crypto::token::Token;
use crate::exchange::{Header, PreparedRequest};
use crate::secret::Secret;

/// What a request carries to prove who sends it. `Debug` shows none of it.
#[derive(Clone, Default, PartialEq)]
pub struct Credential {
    /// Headers in order.
    pub headers: Vec<Header>,
    /// Cookies by name, which share one `Cookie` header.
    pub cookies: Vec<(String, Secret)>,
    /// Every value that must never be written.
    pub secrets: Vec<Secret>,
    /// The claims of its token, to be shown beside the redacted token.
    pub claims: Option<Value>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|header| header.name.as_str()).collect();
        write!(f, "Credential({names:?}, {} cookies)", self.cookies.len())
    }
}

impl Credential {
    /// One header; `secrets` are the secrets in it.
    #[must_use]
    pub fn header(name: &str, value: impl Into<String>, secrets: Vec<Secret>) -> Self {
        Self {
            headers: vec![Header {
                name: name.to_owned(),
                value: Secret::new(value),
            }],
            secrets,
            ..Self::default()
        }
    }

    /// A bearer token.
    #[must_use]
    pub fn bearer(token: &Secret) -> Self {
        Self::header(
            "Authorization",
            format!("Bearer {}", token.expose()),
            vec![token.clone()],
        )
    }

    /// `request` with it: its headers behind those that the request has already.
    pub(super) fn sign(&self, mut request: PreparedRequest) -> PreparedRequest {
        request.headers.extend(self.headers.iter().cloned());
        request.secrets.extend(self.secrets.iter().cloned());
        request.claims.clone_from(&self.claims);
        if !self.cookies.is_empty() {
            request = request.header("Cookie", cookie_header(&self.cookies));
        }
        request
    }
}

impl From<&Token> for Credential {
    fn from(token: &Token) -> Self {
        Self {
            claims: Some(token.claims.clone()),
            ..Self::bearer(&token.compact)
        }
    }
}

/// Cookies as one header carries them.
#[must_use]
pub fn cookie_header(cookies: &[(String, Secret)]) -> String {
    let pair = |(name, value): &(String, Secret)| format!("{name}={}", value.expose());
    cookies.iter().map(pair).collect::<Vec<_>>().join("; ")
}
