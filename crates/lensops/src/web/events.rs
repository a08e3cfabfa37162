//! The event stream: it says which lens has a new check; what it is, the browser asks for as itself.
//!
//! The stream carries a lens and a tenant, and only of tenants that its user may see.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use super::app::App;
use super::page::refused;
use super::scope::{visible, within};
use super::session::Who;
use super::subscribers::{Change, Seat};
use crate::store::StoreError;

/// The longest that a stream lasts. The browser asks for another.
const LONGEST: Duration = Duration::from_secs(15 * 60);

struct Listening {
    changes: broadcast::Receiver<Change>,
    seat: Seat,
    until: Instant,
    greeted: bool,
}

fn stream(listening: Listening) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold(listening, |mut listening| async move {
        if !listening.greeted {
            listening.greeted = true;
            return Some((Ok(Event::default().event("ready").data("{}")), listening));
        }
        loop {
            let event = match tokio::time::timeout_at(listening.until, listening.changes.recv()).await {
                Ok(Ok(change)) if listening.seat.tenants.contains(&change.tenant) => Event::default()
                    .event("check")
                    .data(serde_json::json!(change).to_string()),
                Ok(Ok(_)) => continue,
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => Event::default().event("check").data("{}"),
                Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => return None,
            };
            return Some((Ok(event), listening));
        }
    })
}

async fn tenants(app: &App, who: &Who) -> Result<Vec<Uuid>, StoreError> {
    let mut reading = app.setup.board.read(&who.claims).await?;
    let pairs = visible(app, &mut reading).await?;
    reading.done().await?;
    let mut tenants: Vec<Uuid> = pairs.into_iter().map(|(_, tenant)| tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    Ok(tenants)
}

/// The event stream of a user: `ready` once it listens, then `check` for every new check.
pub(super) async fn events(State(app): State<Arc<App>>, who: Who) -> Response {
    let changes = app.subscribers.changes.subscribe();
    let tenants = match within(tenants(&app, &who)).await {
        Ok(tenants) => tenants,
        Err(why) => return refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    };
    let Some(seat) = app.subscribers.sit(&who.key, tenants) else {
        let mut response = refused(StatusCode::SERVICE_UNAVAILABLE, "too many event streams are open");
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("30"));
        return response;
    };
    let left = who.until.map_or(LONGEST, |until| {
        Duration::try_from(until.duration_since(app.now()))
            .unwrap_or_default()
            .min(LONGEST)
    });
    let listening = Listening {
        changes,
        seat,
        until: Instant::now() + left,
        greeted: false,
    };
    Sse::new(stream(listening))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(20)))
        .into_response()
}
