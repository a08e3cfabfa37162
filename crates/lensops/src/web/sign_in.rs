//! The sign-in: the form that takes a token, its end, and the answer to who is not signed in.

use std::sync::Arc;

use axum::extract::{FromRequestParts, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Form, Json};
use lensops_core::crypto::token::{NotLetIn, verify};
use serde::Deserialize;
use serde_json::json;

use super::app::App;
use super::page;
use super::session::{COOKIE_NAME, Recognised, Who};

impl FromRequestParts<Arc<App>> for Who {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Response> {
        let told = match parts.extensions.get::<Recognised>().cloned() {
            Some(Recognised(Ok(who))) => return Ok(who),
            Some(Recognised(Err(told))) => told,
            None => "Nobody was recognised.".to_owned(),
        };
        let is_page = !parts.uri.path().starts_with("/api/") && parts.uri.path() != "/events";
        Err(if is_page {
            page::sign_in(&told)
        } else {
            (StatusCode::UNAUTHORIZED, Json(json!({ "error": told }))).into_response()
        })
    }
}

/// The form of a sign-in.
#[derive(Deserialize)]
pub(super) struct SignIn {
    token: String,
}

fn to_start(cookie: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("/"));
    match HeaderValue::from_str(cookie) {
        Ok(cookie) => {
            headers.insert(SET_COOKIE, cookie);
            response
        }
        Err(_) => page::sign_in(&NotLetIn::Malformed.to_string()),
    }
}

/// Takes a token into the cookie of a session.
pub(super) async fn sign_in(State(app): State<Arc<App>>, Form(form): Form<SignIn>) -> Response {
    let Some(secret) = &app.setup.jwt_secret else {
        return page::not_found();
    };
    let token = form.token.trim();
    match verify(secret, token, app.now()) {
        Ok(claims) => {
            let left = claims["exp"]
                .as_i64()
                .unwrap_or(0)
                .saturating_sub(app.now().as_second());
            to_start(&format!(
                "{COOKIE_NAME}={token}; HttpOnly; Secure; SameSite=Lax; Path=/; Max-Age={left}"
            ))
        }
        Err(why) => page::sign_in(&why.to_string()),
    }
}

/// A form that carries nothing but its key.
#[derive(Deserialize)]
pub(super) struct Bare {
    form_key: String,
}

/// Ends a session.
pub(super) async fn sign_out(who: Who, Form(form): Form<Bare>) -> Response {
    if !who.owns(&form.form_key) {
        return page::refused(StatusCode::FORBIDDEN, "This form has expired: load the page again.");
    }
    to_start(&format!(
        "{COOKIE_NAME}=; HttpOnly; Secure; SameSite=Lax; Path=/; Max-Age=0"
    ))
}
