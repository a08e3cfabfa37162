//! A credential that is fetched: the request, and what its answer gives.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::definition::{Csrf, Gives};
use crate::crypto::sign::claims_of;
use crate::exchange::{Header, PreparedRequest, Response};
use crate::redaction::one_line;
use crate::request::{Credential, JsonPath};
use crate::secret::Secret;

/// How long before its end a credential is fetched anew; half of its life where that is shorter.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// A request that fetches a credential.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The request.
    pub request: PreparedRequest,
    /// Whether it goes to the API itself: then a failure of it is a failure of the API.
    pub is_own: bool,
    pub(super) reads: Reads,
}

/// What is read of the answer.
#[derive(Debug, Clone)]
pub(super) enum Reads {
    /// `access_token` and `expires_in` (RFC 6749 §5.1).
    AccessToken,
    /// What a sign-in gives.
    Login(Gives),
}

/// A credential that was fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// The credential.
    pub credential: Credential,
    /// From when on it is fetched anew; `None` where nothing says when it ends.
    pub good_until: Option<Timestamp>,
}

impl Fetch {
    /// The request for people: `POST https://id.example.com/token`.
    #[must_use]
    pub fn tell(&self) -> String {
        let path = self.request.target.split('?').next().unwrap_or_default();
        format!("{} {}{path}", self.request.method.as_str(), origin(&self.request))
    }

    /// What keeps credentials of two fetches apart. It holds secrets.
    #[must_use]
    pub fn key(&self) -> Secret {
        let headers: Vec<String> = self
            .request
            .headers
            .iter()
            .map(|header| format!("{}: {}", header.name, header.value.expose()))
            .collect();
        let body = self.request.body.as_deref().unwrap_or_default();
        Secret::new(format!(
            "{} {}\n{}\n\n{body}\n{:?}",
            self.request.base,
            self.request.target,
            headers.join("\n"),
            self.reads
        ))
    }

    /// The credential in `response`, which came at `now`.
    ///
    /// # Errors
    /// What is wrong with it, one line without a secret.
    pub fn take(&self, response: &Response, now: Timestamp) -> Result<Fetched, String> {
        let gives_cookies = matches!(&self.reads, Reads::Login(Gives::Cookies(_)));
        let is_good = match response.status {
            200..=299 => true,
            // A form's sign-in answers with the way to its first page.
            302 | 303 => gives_cookies && response.set_cookies().next().is_some(),
            _ => false,
        };
        if !is_good {
            return Err(format!("answered with {}", response.status));
        }
        match &self.reads {
            Reads::AccessToken => access_token(response, now),
            Reads::Login(Gives::Bearer(path)) => token_at(path, response, now),
            Reads::Login(Gives::Cookies(csrf)) => cookies(csrf.as_ref(), response, now),
        }
    }
}

fn origin(request: &PreparedRequest) -> String {
    let scheme = if request.base.is_tls() { "https" } else { "http" };
    format!("{scheme}://{}", request.base.authority())
}

fn access_token(response: &Response, now: Timestamp) -> Result<Fetched, String> {
    let body = response.json().ok_or("the answer is not JSON")?;
    let token = body
        .get("access_token")
        .and_then(Value::as_str)
        .filter(|token| !token.is_empty());
    let token = token.ok_or("the answer holds no access_token")?;
    let lifetime = body.get("expires_in").and_then(|value| match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    });
    let expires = lifetime.and_then(|seconds| now.checked_add(SignedDuration::from_secs(seconds)).ok());
    Ok(bearer(token, expires, now))
}

fn token_at(path: &JsonPath, response: &Response, now: Timestamp) -> Result<Fetched, String> {
    let body = response.json().ok_or("the answer is not JSON")?;
    match path.first(&body) {
        Some(Value::String(token)) if !token.is_empty() => Ok(bearer(token, None, now)),
        _ => Err(format!("the answer holds no text at {path}")),
    }
}

fn bearer(token: &str, expires: Option<Timestamp>, now: Timestamp) -> Fetched {
    let claims = claims_of(token);
    let exp = claims.as_ref().and_then(|claims| claims.get("exp")?.as_i64());
    let expires = expires.or(exp.and_then(|second| Timestamp::from_second(second).ok()));
    Fetched {
        credential: Credential {
            claims,
            ..Credential::bearer(&Secret::new(token))
        },
        good_until: expires.map(|expires| good_until(expires, now)),
    }
}

fn good_until(expires: Timestamp, now: Timestamp) -> Timestamp {
    let life = expires.duration_since(now);
    let margin = MARGIN.min(life / 2).max(SignedDuration::ZERO);
    expires.checked_sub(margin).unwrap_or(expires)
}

fn cookies(csrf: Option<&Csrf>, response: &Response, now: Timestamp) -> Result<Fetched, String> {
    let mut found: Vec<(String, Secret)> = Vec::new();
    let mut expires: Option<Timestamp> = None;
    for cookie in response.set_cookies() {
        let (Some((name, value)), end) = (cookie.pair(), cookie.expires(now)) else {
            continue;
        };
        found.retain(|(known, _)| known != name);
        if value.is_empty() || end.is_some_and(|end| end <= now) {
            // A cookie is taken away so.
            continue;
        }
        found.push((name.to_owned(), Secret::new(value)));
        expires = [expires, end].into_iter().flatten().min();
    }
    if found.is_empty() {
        return Err("the answer sets no cookie".to_owned());
    }
    let headers = csrf.map(|csrf| {
        let (_, value) = found
            .iter()
            .find(|(name, _)| *name == csrf.cookie)
            .ok_or_else(|| format!("the answer sets no cookie {}", one_line(&csrf.cookie)))?;
        Ok::<_, String>(Header {
            name: csrf.header.clone(),
            value: value.clone(),
        })
    });
    Ok(Fetched {
        credential: Credential {
            headers: headers.transpose()?.into_iter().collect(),
            secrets: found.iter().map(|(_, value)| value.clone()).collect(),
            cookies: found,
            claims: None,
        },
        good_until: expires.map(|expires| good_until(expires, now)),
    })
}
