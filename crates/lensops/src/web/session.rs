//! Who asks: nobody in particular on the journal, the user of a token on PostgreSQL.
//!
//! A token comes in `Authorization: Bearer` or in a cookie that script cannot read. It is not kept
//! here: it is the session, and ends when it expires. A form carries a key made from the session, so
//! that no other site can send one.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use jiff::Timestamp;
use lensops_core::crypto::digest::sha256_hex;
use lensops_core::crypto::hmac::sign;
use lensops_core::crypto::token::verify;
use serde_json::{Value, json};

use super::app::App;

/// The cookie's name.
pub(super) const COOKIE_NAME: &str = "lensops_session";

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Who {
    /// The claims that the database is asked with.
    pub(super) claims: Value,
    /// For people; `None` where there is no sign-in.
    pub(super) name: Option<String>,
    /// Whether silences, notes and annulments may be made.
    pub(super) operator: bool,
    /// The same for the same claims: what is remembered for one is never shown to another.
    pub(super) key: String,
    /// What forms carry.
    pub(super) form_key: String,
    /// Until when; `None` without a sign-in.
    pub(super) until: Option<Timestamp>,
}

impl Who {
    fn anybody(form_key: &str) -> Self {
        Self {
            claims: json!({}),
            name: None,
            operator: true,
            key: String::new(),
            form_key: sign(form_key, 0, ""),
            until: None,
        }
    }

    fn of(claims: Value, form_key: &str) -> Self {
        // Everything that decides what is seen, and whose it is.
        let key = sha256_hex(
            json!([claims["sub"], claims["app_metadata"], claims["exp"]])
                .to_string()
                .as_bytes(),
        );
        let name = ["email", "sub"].into_iter().find_map(|claim| claims[claim].as_str());
        Self {
            name: Some(name.unwrap_or("signed in").to_owned()),
            operator: claims["app_metadata"]["lensops_role"] == "operator",
            form_key: sign(form_key, 0, &key),
            until: claims["exp"].as_i64().and_then(|exp| Timestamp::from_second(exp).ok()),
            key,
            claims,
        }
    }

    /// Whether a form was made for this session.
    pub(super) fn owns(&self, form_key: &str) -> bool {
        // Hashes are compared, so that the time it takes tells nothing of the key.
        sha256_hex(self.form_key.as_bytes()) == sha256_hex(form_key.as_bytes())
    }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if let Some(bearer) = bearer {
        return Some(bearer.strip_prefix("Bearer ").unwrap_or_default().trim());
    }
    let cookies = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    let mut pairs = cookies
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

/// Who a request is from, or why nobody knows; set once for a request, before all else.
#[derive(Clone)]
pub(super) struct Recognised(pub(super) Result<Who, String>);

/// Who asks with `headers`.
pub(super) fn recognise(app: &App, headers: &HeaderMap) -> Result<Who, String> {
    let form_key = &app.setup.form_key;
    let Some(secret) = &app.setup.jwt_secret else {
        return Ok(Who::anybody(form_key));
    };
    match token(headers).map(|token| verify(secret, token, app.now())) {
        Some(Ok(claims)) => Ok(Who::of(claims, form_key)),
        Some(Err(why)) => Err(why.to_string()),
        None => Err("Sign in with a token of this project.".to_owned()),
    }
}
