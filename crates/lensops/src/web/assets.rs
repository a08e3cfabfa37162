//! Our own style and script, as a browser asks for them.

use axum::extract::{Path, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::asset_files::{Assets, version};
use super::page;

/// Which version is asked for; none by hand.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    v: String,
}

/// A file of ours.
pub(super) async fn asset(Path(name): Path<String>, Query(asked): Query<Asked>) -> Response {
    let Some(file) = Assets::get(&name) else {
        return page::not_found();
    };
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let keep: Option<[(HeaderName, HeaderValue); 1]> = (asked.v == version()).then(|| {
        let year = HeaderValue::from_static("public, max-age=31536000, immutable");
        [(CACHE_CONTROL, year)]
    });
    let kind = [(CONTENT_TYPE, kind)];
    match keep {
        Some(keep) => (kind, keep, file.data).into_response(),
        None => (kind, file.data).into_response(),
    }
}
