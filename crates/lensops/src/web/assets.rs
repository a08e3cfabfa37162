//! Our own style and script, built into the program.

use std::sync::LazyLock;

use axum::extract::{Path, Query};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use lensops_core::crypto::digest::sha256_hex;
use rust_embed::RustEmbed;
use serde::Deserialize;

use super::page;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// Names what the files hold: pages ask for them by it, so that a browser keeps them until they change.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Assets::iter().collect();
    names.sort_unstable();
    let hashes = names
        .iter()
        .filter_map(|name| Assets::get(name))
        .map(|file| sha256_hex(&file.data));
    let all = sha256_hex(hashes.collect::<String>().as_bytes());
    all.get(..12).unwrap_or_default().to_owned()
});

/// What pages put behind the names of files.
pub(super) fn version() -> &'static str {
    &VERSION
}

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
