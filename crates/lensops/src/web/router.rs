//! The routes: which path and method lead to which page.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use super::app::App;
use super::{
    alerts, api, assets, check, compress, events, evidence, guard, lens, operator, overview, page, sign_in, silences,
    strip_cells,
};

/// The most bytes that a request's body may have.
const LARGEST_BODY: usize = 16 * 1024;

/// Every page of `app`, and what each request passes on its way to one.
pub(super) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(overview::overview))
        .route("/lens/{lens}", get(lens::lens))
        .route("/lens/{lens}/strip", get(strip_cells::strip))
        .route("/lens/{lens}/note", post(operator::note))
        .route("/checks/{id}/annul", post(operator::annul))
        .route("/checks/{id}", get(check::check))
        .route("/alerts", get(alerts::alerts))
        .route("/alerts/silence", post(silences::silence))
        .route("/alerts/unsilence", post(silences::unsilence))
        .route("/runs/{run}/{file}", get(evidence::file))
        .route("/session", post(sign_in::sign_in))
        .route("/session/end", post(sign_in::sign_out))
        .route("/events", get(events::events))
        .route("/assets/{name}", get(assets::asset))
        .route("/api/v1/lenses", get(api::lenses))
        .route("/api/v1/lenses/{lens}", get(api::lens))
        .route("/api/v1/checks", get(api::checks))
        .route("/api/v1/alerts", get(api::alerts))
        .route("/api/v1/openapi.json", get(api::document))
        .fallback(page::nothing_here)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(compress::sent))
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}
