//! Ways to sign in besides the tenant's tokens, and an endpoint behind each that verifies it.
//!
//! `POST /oauth/token` and `POST /login/…` give credentials, `/who/KIND` answers 200 to who has one and 401 to
//! everybody else. What was given is forgotten when its time is over, or when a test says so.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::header::{HeaderValue, SET_COOKIE};
use hyper::{Method, StatusCode};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::reply::{Ask, Reply};

/// A key that verifies minted tokens.
#[derive(Clone, PartialEq, Eq)]
pub enum TokenKey {
    /// The secret of HS256.
    Secret(String),
    /// An RSA public key (PKCS #1, DER).
    Rsa(Vec<u8>),
    /// A P-256 public key (an uncompressed point).
    Ec(Vec<u8>),
}

/// Who may sign in, and how. Secrets are made up at start.
#[derive(Clone, PartialEq, Eq)]
pub struct Accounts {
    /// The value of `X-Api-Key`.
    pub key: String,
    /// The bearer token that does not change.
    pub bearer: String,
    /// The user of Basic and of logins.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// The client of the token endpoint.
    pub client: String,
    /// The client's secret.
    pub client_secret: String,
    /// How long what is given is good, in seconds.
    pub life_s: u64,
    /// Keys of minted tokens.
    pub keys: Vec<TokenKey>,
}

impl Accounts {
    /// Freshly made secrets; what is given is good for an hour.
    #[must_use]
    pub fn made_up() -> Self {
        let secret = || Uuid::new_v4().simple().to_string();
        Self {
            key: secret(),
            bearer: secret(),
            user: "probe@example.invalid".to_owned(),
            password: secret(),
            client: "probe".to_owned(),
            client_secret: secret(),
            life_s: 3_600,
            keys: Vec::new(),
        }
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts([redacted])")
    }
}

/// What was given to whom.
struct Session {
    kind: &'static str,
    csrf: String,
    until: Instant,
}

/// Credentials that were given and are still good.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everybody.
    pub(crate) fn clear(&self) {
        self.all().clear();
    }

    fn give(&self, kind: &'static str, life_s: u64) -> (String, String) {
        let (token, csrf) = (
            format!("{kind}-{}", Uuid::new_v4().simple()),
            Uuid::new_v4().simple().to_string(),
        );
        let until = Instant::now() + Duration::from_secs(life_s);
        let session = Session {
            kind,
            csrf: csrf.clone(),
            until,
        };
        self.all().insert(token.clone(), session);
        (token, csrf)
    }

    /// The CSRF token of a credential of that kind; `None` where it is not good.
    fn csrf(&self, kind: &str, token: &str) -> Option<String> {
        let all = self.all();
        let session = all
            .get(token)
            .filter(|session| session.kind == kind && Instant::now() < session.until);
        session.map(|session| session.csrf.clone())
    }
}

/// Answers below `/oauth/`, `/login/` and `/who/`; `None` for any other path.
pub(crate) fn answer(accounts: &Accounts, sessions: &Sessions, ask: &Ask<'_>) -> Option<Reply> {
    let (head, tail) = ask.path.get(1..)?.split_once('/')?;
    match (head, tail, ask.method) {
        ("oauth", "token", &Method::POST) => Some(token(accounts, sessions, ask)),
        ("login", kind, &Method::POST) => Some(login(accounts, sessions, kind, ask)),
        ("who", kind, _) => Some(who(accounts, sessions, kind, ask)),
        _ => None,
    }
}

fn error(status: StatusCode, code: &str) -> Reply {
    Reply::json(status, &json!({ "error": code }))
}

fn token(accounts: &Accounts, sessions: &Sessions, ask: &Ask<'_>) -> Reply {
    if !has_basic(ask, &accounts.client, &accounts.client_secret) {
        return error(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    if !ask
        .body
        .split(|byte| *byte == b'&')
        .any(|field| field == b"grant_type=client_credentials")
    {
        return error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let (token, _) = sessions.give("machine", accounts.life_s);
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": accounts.life_s});
    Reply::json(StatusCode::OK, &body)
}

fn login(accounts: &Accounts, sessions: &Sessions, kind: &str, ask: &Ask<'_>) -> Reply {
    let body: Value = serde_json::from_slice(ask.body).unwrap_or_default();
    if body["email"] != accounts.user.as_str() || body["password"] != accounts.password.as_str() {
        return error(StatusCode::UNAUTHORIZED, "invalid_credentials");
    }
    match kind {
        "token" => {
            let (token, _) = sessions.give("token", accounts.life_s);
            Reply::json(StatusCode::OK, &json!({"data": {"access_token": token}}))
        }
        "session" => {
            let (token, csrf) = sessions.give("session", accounts.life_s);
            let mut reply = Reply::json(StatusCode::OK, &json!({"signed_in": true}));
            for cookie in [
                format!("sid={token}; Path=/; HttpOnly; Max-Age={}", accounts.life_s),
                format!("csrftoken={csrf}; Path=/"),
            ] {
                reply
                    .headers
                    .extend(HeaderValue::try_from(cookie).ok().map(|cookie| (SET_COOKIE, cookie)));
            }
            reply
        }
        _ => error(StatusCode::NOT_FOUND, "no_such_login"),
    }
}

fn who(accounts: &Accounts, sessions: &Sessions, kind: &str, ask: &Ask<'_>) -> Reply {
    let is_known = match kind {
        "key" => ask.header("x-api-key") == Some(&accounts.key),
        "bearer" => ask.bearer() == Some(&accounts.bearer),
        "basic" => has_basic(ask, &accounts.user, &accounts.password),
        "machine" | "token" => ask.bearer().is_some_and(|token| sessions.csrf(kind, token).is_some()),
        "session" => {
            let csrf = cookie(ask, "sid").and_then(|sid| sessions.csrf("session", sid));
            let is_safe = ask.method == Method::GET || ask.method == Method::HEAD;
            match csrf {
                Some(csrf) if !is_safe && ask.header("x-csrftoken") != Some(&csrf) => {
                    return error(StatusCode::FORBIDDEN, "csrf");
                }
                csrf => csrf.is_some(),
            }
        }
        "minted" => ask.bearer().is_some_and(|token| is_minted(&accounts.keys, token)),
        _ => return error(StatusCode::NOT_FOUND, "no_such_kind"),
    };
    if is_known {
        Reply::json(StatusCode::OK, &json!({"kind": kind, "items": [1, 2]}))
    } else {
        error(StatusCode::UNAUTHORIZED, "unauthorized")
    }
}

fn cookie<'a>(ask: &'a Ask<'_>, name: &str) -> Option<&'a str> {
    let mut pairs = ask
        .header("cookie")?
        .split("; ")
        .filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Whether the request has `user` and `password` by the Basic scheme.
fn has_basic(ask: &Ask<'_>, user: &str, password: &str) -> bool {
    let expected = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
    ask.header("authorization") == Some(&expected)
}

/// RFC 4648 §4; written here, since this crate shares nothing with the tool it tests.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |number, at| {
            number << 8 | u32::from(chunk.get(at).copied().unwrap_or(0))
        });
        for at in 0..4_usize {
            let letter = usize::try_from(number >> (18 - 6 * at) & 63).unwrap_or(0);
            text.push(if at <= chunk.len() {
                char::from(LETTERS[letter])
            } else {
                '='
            });
        }
    }
    text
}

fn is_minted(keys: &[TokenKey], token: &str) -> bool {
    keys.iter().any(|key| {
        let (algorithm, key) = match key {
            TokenKey::Secret(secret) => (Algorithm::HS256, DecodingKey::from_secret(secret.as_bytes())),
            TokenKey::Rsa(der) => (Algorithm::RS256, DecodingKey::from_rsa_der(der)),
            TokenKey::Ec(der) => (Algorithm::ES256, DecodingKey::from_ec_der(der)),
        };
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&["probes"]);
        rules.set_required_spec_claims(&["exp", "aud", "sub"]);
        rules.leeway = 0;
        jsonwebtoken::decode::<Value>(token, &key, &rules).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
