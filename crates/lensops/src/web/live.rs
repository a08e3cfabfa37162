//! The event stream: one watcher looks at the store for everybody and says which lens has a new
//! check; what it is, the browser asks for as itself.
//!
//! The watcher looks only while somebody listens, once a second at most. The stream carries a lens and
//! a tenant, and only of tenants that its user may see.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use lensops_core::ident::LensId;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use super::App;
use super::page::refused;
use super::scope::{self, within};
use super::session::Who;

/// How often the store is looked at while somebody listens.
const LOOK: Duration = Duration::from_secs(1);

/// Changes that a slow listener may lag behind; beyond that it is told to load all anew.
const BEHIND: usize = 256;

/// The longest that a stream lasts. The browser asks for another.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// A lens of a tenant has a new check.
#[derive(Debug, Clone, Serialize)]
struct Change {
    lens: String,
    tenant: Uuid,
}

/// Those who listen.
pub(crate) struct Live(broadcast::Sender<Change>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::Sender::new(BEHIND))
    }
}

/// Looks at the store for all who listen. Never returns.
pub(super) async fn watch(app: Arc<App>) {
    let pairs: Vec<(Uuid, LensId)> = app
        .setup
        .plans
        .iter()
        .flat_map(|plan| plan.tenants.iter().map(|tenant| (*tenant, plan.monitor.clone())))
        .collect();
    let mut known: HashMap<(Uuid, String), String> = HashMap::new();
    let mut pace = tokio::time::interval(LOOK);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        if app.live.0.receiver_count() == 0 {
            // Who comes next loads a whole page first.
            known.clear();
            continue;
        }
        // A store that is down is shown by the pages themselves.
        let Ok(newest) = app.setup.board.newest(&pairs).await else {
            continue;
        };
        let found: HashMap<_, _> = newest
            .into_iter()
            .map(|(tenant, lens, id)| ((tenant, lens), id))
            .collect();
        // A first look tells everything: a check may have come after a page was loaded and before it.
        let changed = found.iter().filter(|(pair, id)| known.get(*pair) != Some(*id));
        for ((tenant, lens), _) in changed {
            let change = Change {
                lens: lens.clone(),
                tenant: *tenant,
            };
            // Nobody may be listening by now.
            app.live.0.send(change).ok();
        }
        known = found;
    }
}

struct Listening {
    changes: broadcast::Receiver<Change>,
    tenants: Vec<Uuid>,
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
                Ok(Ok(change)) if listening.tenants.contains(&change.tenant) => Event::default()
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

/// The event stream of a user: `ready` once it listens, then `check` for every new check.
pub(super) async fn events(State(app): State<Arc<App>>, who: Who) -> Response {
    let changes = app.live.0.subscribe();
    let pairs = match within(scope::visible(&app, &who)).await {
        Ok(pairs) => pairs,
        Err(why) => return refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    };
    let left = who.until.map_or(LONGEST, |until| {
        Duration::try_from(until.duration_since(app.now()))
            .unwrap_or_default()
            .min(LONGEST)
    });
    let listening = Listening {
        changes,
        tenants: pairs.into_iter().map(|(_, tenant)| tenant).collect(),
        until: Instant::now() + left,
        greeted: false,
    };
    Sse::new(stream(listening))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(20)))
        .into_response()
}
