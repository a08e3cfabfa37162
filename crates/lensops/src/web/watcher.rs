//! The watcher: one task looks at the store for everybody who listens, and says which lens has a new check.
//!
//! It looks only while somebody listens, once a second, and only at tenants of those who listen.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use lensops_core::ident::LensId;
use uuid::Uuid;

use super::app::App;
use super::subscribers::{Change, Subscribers};
use crate::store::StoreError;

/// How often the store is looked at while somebody listens: with the time that a page takes, a new
/// check is seen within two seconds.
const LOOK: Duration = Duration::from_secs(1);

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
        let listened_to = pairs
            .iter()
            .filter(|(tenant, _)| app.subscribers.is_listened_to(*tenant));
        let (asked, app): (Vec<(Uuid, LensId)>, _) = (listened_to.cloned().collect(), app.clone());
        async move { app.setup.board.newest(&asked).await }
    };
    watch_with(&app.subscribers, look, || app.row_cache.outdate()).await;
}

/// Calls `look` once a second while somebody listens, and `outdate` before each change that it tells.
async fn watch_with<F>(subscribers: &Subscribers, mut look: impl FnMut() -> F, mut outdate: impl FnMut())
where
    F: Future<Output = Result<Newest, StoreError>>,
{
    let mut known: HashMap<(Uuid, String), Uuid> = HashMap::new();
    let mut pace = tokio::time::interval(LOOK);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        if subscribers.changes.receiver_count() == 0 {
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
            subscribers.changes.send(change).ok();
        }
        known = found;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::time::Instant;

    use super::*;

    const A: Uuid = Uuid::from_u128(1);

    /// Time is virtual here, so the second is exact: with a page that is read anew (a change outdates
    /// what was read before it is told) a check is seen within two.
    #[tokio::test(start_paused = true)]
    async fn a_new_check_is_told_within_a_second_whenever_it_comes() {
        let (subscribers, newest) = (Subscribers::default(), AtomicU64::new(0));
        let outdated = AtomicU64::new(0);
        let mut listener = subscribers.changes.subscribe();
        let look = || {
            let id = Uuid::from_u128(newest.load(Ordering::SeqCst).into());
            std::future::ready(Ok(vec![(A, "faults".to_owned(), id)]))
        };
        let watching = watch_with(&subscribers, look, || {
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
}
