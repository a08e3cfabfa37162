//! The event stream: one watcher looks at the store for everybody and says which lens has a new
//! check; what it is, the browser asks for as itself.
//!
//! The watcher looks only while somebody listens, once a second, and only at tenants of those who
//! listen. The stream carries a lens and a tenant, and only of tenants that its user may see.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
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
use crate::store::StoreError;

/// How often the store is looked at while somebody listens: with the time that a page takes, a new
/// check is seen within two seconds.
const LOOK: Duration = Duration::from_secs(1);

/// Changes that a slow listener may lag behind; beyond that it is told to load all anew.
const BEHIND: usize = 256;

/// The longest that a stream lasts. The browser asks for another.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Streams at once: fewer than connections, so that a page always finds room.
const AT_ONCE: usize = 384;

/// Streams at once of one signed-in user.
const OF_ONE: usize = 32;

/// A lens of a tenant has a new check.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Change {
    lens: String,
    tenant: Uuid,
}

/// Those who listen.
pub(crate) struct Live {
    changes: broadcast::Sender<Change>,
    seats: Arc<Mutex<Seats>>,
}

/// How many listen, of each user and to each tenant.
#[derive(Default)]
struct Seats {
    taken: usize,
    users: HashMap<String, usize>,
    tenants: BTreeMap<Uuid, usize>,
}

/// A listener's seat, given back when its stream ends, however that is.
struct Seat {
    seats: Arc<Mutex<Seats>>,
    user: String,
    tenants: Vec<Uuid>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            changes: broadcast::Sender::new(BEHIND),
            seats: Arc::default(),
        }
    }
}

impl Live {
    /// A seat for a user of `tenants`; `None` where all are taken, or too many by this user. A `user`
    /// without a name is whoever reaches a dashboard without a sign-in.
    fn sit(&self, user: &str, tenants: Vec<Uuid>) -> Option<Seat> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let own = seats.users.get(user).copied().unwrap_or(0);
        if seats.taken >= AT_ONCE || (!user.is_empty() && own >= OF_ONE) {
            return None;
        }
        seats.taken += 1;
        *seats.users.entry(user.to_owned()).or_default() += 1;
        for tenant in &tenants {
            *seats.tenants.entry(*tenant).or_default() += 1;
        }
        Some(Seat {
            seats: self.seats.clone(),
            user: user.to_owned(),
            tenants,
        })
    }

    fn is_listened_to(&self, tenant: Uuid) -> bool {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.tenants.contains_key(&tenant)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        fn leave(left: Option<&mut usize>) -> bool {
            left.is_some_and(|count| {
                *count = count.saturating_sub(1);
                *count == 0
            })
        }
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.taken = seats.taken.saturating_sub(1);
        if leave(seats.users.get_mut(&self.user)) {
            seats.users.remove(&self.user);
        }
        for tenant in &self.tenants {
            if leave(seats.tenants.get_mut(tenant)) {
                seats.tenants.remove(tenant);
            }
        }
    }
}

/// Tenant, lens and the id of its newest check.
type Newest = Vec<(Uuid, String, Uuid)>;

/// Looks at the store for all who listen. Never returns.
pub(super) async fn watch(app: Arc<App>) {
    let pairs: Vec<(Uuid, LensId)> = app
        .plans
        .iter()
        .flat_map(|plan| plan.tenants.iter().map(|tenant| (*tenant, plan.monitor.clone())))
        .collect();
    let look = || {
        let listened_to = pairs.iter().filter(|(tenant, _)| app.live.is_listened_to(*tenant));
        let (asked, app): (Vec<(Uuid, LensId)>, _) = (listened_to.cloned().collect(), app.clone());
        async move { app.setup.board.newest(&asked).await }
    };
    watch_with(&app.live, look, || app.known.outdate()).await;
}

/// Calls `look` once a second while somebody listens, and `outdate` before each change that it tells.
async fn watch_with<F>(live: &Live, mut look: impl FnMut() -> F, mut outdate: impl FnMut())
where
    F: Future<Output = Result<Newest, StoreError>>,
{
    let mut known: HashMap<(Uuid, String), Uuid> = HashMap::new();
    let mut pace = tokio::time::interval(LOOK);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        if live.changes.receiver_count() == 0 {
            // Who comes next loads a whole page first.
            known.clear();
            continue;
        }
        // A store that is down is shown by the pages themselves.
        let Ok(newest) = look().await else {
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
            outdate();
            // Nobody may be listening by now.
            live.changes.send(change).ok();
        }
        known = found;
    }
}

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
    let pairs = scope::visible(app, &mut reading).await?;
    reading.done().await?;
    let mut tenants: Vec<Uuid> = pairs.into_iter().map(|(_, tenant)| tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    Ok(tenants)
}

/// The event stream of a user: `ready` once it listens, then `check` for every new check.
pub(super) async fn events(State(app): State<Arc<App>>, who: Who) -> Response {
    let changes = app.live.changes.subscribe();
    let tenants = match within(tenants(&app, &who)).await {
        Ok(tenants) => tenants,
        Err(why) => return refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    };
    let Some(seat) = app.live.sit(&who.key, tenants) else {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    /// Time is virtual here, so the second is exact: with a page that is read anew (a change outdates
    /// what was read before it is told) a check is seen within two.
    #[tokio::test(start_paused = true)]
    async fn a_new_check_is_told_within_a_second_whenever_it_comes() {
        let (live, newest) = (Live::default(), AtomicU64::new(0));
        let outdated = AtomicU64::new(0);
        let mut listener = live.changes.subscribe();
        let look = || {
            let id = Uuid::from_u128(newest.load(Ordering::SeqCst).into());
            std::future::ready(Ok(vec![(A, "faults".to_owned(), id)]))
        };
        let watching = watch_with(&live, look, || {
            outdated.fetch_add(1, Ordering::SeqCst);
        });
        let recording = async {
            // The first look tells all.
            listener.recv().await.unwrap();
            for (check, after_ms) in [(1, 1), (2, 400), (3, 999), (4, 1000), (5, 3333)] {
                tokio::time::sleep(Duration::from_millis(after_ms)).await;
                newest.store(check, Ordering::SeqCst);
                let (recorded, before) = (Instant::now(), outdated.load(Ordering::SeqCst));
                let told = listener.recv().await.unwrap();
                assert_eq!((told.lens.as_str(), told.tenant), ("faults", A));
                assert!(recorded.elapsed() <= LOOK, "check {check}: {:?}", recorded.elapsed());
                assert_eq!(outdated.load(Ordering::SeqCst), before + 1, "check {check}");
            }
        };
        tokio::select! {
            () = watching => {}
            () = recording => {}
        }
        assert_eq!(outdated.load(Ordering::SeqCst), 6);
    }

    #[test]
    fn a_seat_is_given_back_and_nobody_takes_all() {
        let live = Live::default();
        let own: Vec<_> = (0..40).filter_map(|_| live.sit("somebody", vec![A])).collect();
        assert_eq!(own.len(), OF_ONE);
        let others: Vec<_> = (0..400).filter_map(|_| live.sit("", vec![B])).collect();
        assert_eq!(others.len(), AT_ONCE - OF_ONE);
        assert!(live.is_listened_to(A) && live.is_listened_to(B));
        drop(own);
        assert!(!live.is_listened_to(A) && live.is_listened_to(B));
        assert!(live.sit("somebody", vec![A]).is_some());
    }
}
