//! A template becomes an answer; refusals become one page with one line.

use askama::Template;
use axum::Json;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use lensops_core::history::status::Standing;
use serde_json::json;

use super::asset_files::version;
use super::session::Who;

/// What every page has around it.
pub(super) struct Frame {
    /// Its title.
    pub(super) title: String,
    /// Which entry of the navigation it is: `overview`, `alerts` or none.
    pub(super) here: &'static str,
    /// Who looks, where there is a sign-in.
    pub(super) user: Option<String>,
    /// The key of forms.
    pub(super) form_key: String,
    /// What is wrong with what is shown.
    pub(super) trouble: Option<String>,
    /// Which version of our files it asks for.
    pub(super) version: &'static str,
    /// How what the page shows stands: which icon the tab has.
    pub(super) state: &'static str,
    /// What stands before the title in the tab; empty where all is well, or nothing is shown.
    pub(super) alarm: String,
    /// Whether a part of it is being read, and is there in a moment.
    pub(super) unread: bool,
    /// Whether it changes by itself.
    pub(super) live: bool,
}

impl Frame {
    /// The frame of a page for `who`.
    pub(super) fn new(title: impl Into<String>, here: &'static str, who: &Who) -> Self {
        Self {
            title: title.into(),
            here,
            user: who.name.clone(),
            form_key: who.form_key.clone(),
            trouble: None,
            version: version(),
            state: "plain",
            alarm: String::new(),
            unread: false,
            live: true,
        }
    }

    /// Lets the tab say how what is shown stands: the worst of `standings`, and how many stand so.
    pub(super) fn stands(&mut self, standings: impl Iterator<Item = Standing> + Clone) {
        let Some(worst) = standings.clone().min() else { return };
        let count = standings.filter(|standing| *standing == worst).count();
        let (state, mark) = match worst {
            Standing::Unhealthy => ("unhealthy", "\u{2717}"),
            Standing::Unknown | Standing::CannotJudge => ("unknown", "?"),
            Standing::Degraded => ("degraded", "\u{26a0}"),
            Standing::Maintenance | Standing::Paused | Standing::Healthy => ("healthy", ""),
        };
        self.state = state;
        if !mark.is_empty() {
            self.alarm = format!("{mark} {count} {}", worst.tell().1.to_lowercase());
        }
    }

    /// The frame of a page that shows nothing of anybody's.
    fn bare(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            here: "",
            user: None,
            form_key: String::new(),
            trouble: None,
            version: version(),
            state: "plain",
            alarm: String::new(),
            unread: false,
            live: false,
        }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'a> {
    frame: Frame,
    told: &'a str,
    sign_in: bool,
}

/// The page of `template`.
pub(super) fn show(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        // Templates are checked when this is compiled; what is left is memory.
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be made\n").into_response(),
    }
}

/// A page that says `told` and nothing else.
pub(super) fn refused(status: StatusCode, told: &str) -> Response {
    let message = Message {
        frame: Frame::bare(status.canonical_reason().unwrap_or("Refused")),
        told,
        sign_in: false,
    };
    (status, show(&message)).into_response()
}

/// The page where one signs in, with why.
pub(super) fn sign_in(told: &str) -> Response {
    let message = Message {
        frame: Frame::bare("Sign in"),
        told,
        sign_in: true,
    };
    (StatusCode::UNAUTHORIZED, show(&message)).into_response()
}

/// The page of what is not there, or not there for who asks: one answer for both.
pub(super) fn not_found() -> Response {
    refused(StatusCode::NOT_FOUND, "There is nothing here.")
}

/// The answer to a path that is none: JSON below the read API, a page elsewhere.
pub(super) async fn nothing_here(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        let told = json!({"error": "there is nothing here: /api/v1/openapi.json says what there is"});
        return (StatusCode::NOT_FOUND, Json(told)).into_response();
    }
    not_found()
}
