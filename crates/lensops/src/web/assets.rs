//! Our own style and script, built into the program.

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

use super::page;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Assets;

/// A file of ours.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some(file) = Assets::get(&name) else {
        return page::not_found();
    };
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    ([(CONTENT_TYPE, kind)], file.data).into_response()
}
