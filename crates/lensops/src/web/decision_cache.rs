//! The gate's decisions that were read last for each user, and when they are to be read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lensops_core::history::gate::Decision;
use lensops_core::ident::LensId;
use uuid::Uuid;

/// How old decisions are when they are read again.
const FRESH: Duration = Duration::from_secs(60);

/// How old decisions are shown at most, where they cannot be read again.
const SHOWN: Duration = Duration::from_secs(300);

/// Users whose decisions are remembered.
const REMEMBERED: usize = 1_000;

/// The decision on each lens of each tenant.
pub(super) type Decisions = Arc<HashMap<(Uuid, LensId), Decision>>;

#[derive(Clone, Default)]
struct OfUser {
    decided: Option<(Instant, Decisions)>,
    is_read: bool,
}

/// What was decided last, by user: shown to nobody else.
#[derive(Default)]
pub(super) struct DecisionCache(Mutex<HashMap<String, OfUser>>);

impl DecisionCache {
    /// What is shown to the user `key`, and whether it is now for the caller to read it again.
    pub(super) fn of(&self, key: &str) -> (Option<Decisions>, bool) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= REMEMBERED && !users.contains_key(key) {
            users.clear();
        }
        let user = users.entry(key.to_owned()).or_default();
        let shown = user.decided.as_ref().filter(|(at, _)| at.elapsed() < SHOWN);
        let is_fresh = shown.is_some_and(|(at, _)| at.elapsed() < FRESH);
        let is_due = !is_fresh && !user.is_read;
        user.is_read |= is_due;
        (shown.map(|(_, decisions)| decisions.clone()), is_due)
    }

    /// Keeps what was read for the user `key`; `None` when it could not be read.
    pub(super) fn put(&self, key: &str, decisions: Option<Decisions>) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let user = users.entry(key.to_owned()).or_default();
        user.is_read = false;
        if let Some(decisions) = decisions {
            user.decided = Some((Instant::now(), decisions));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_by_one_at_a_time_and_shown_to_their_user_alone() {
        let cache = DecisionCache::default();
        assert_eq!(cache.of("a"), (None, true));
        assert_eq!(cache.of("a"), (None, false), "somebody reads them");
        let lens: LensId = "faults".parse().unwrap_or_else(|error| panic!("{error}"));
        let decided = Arc::new(HashMap::from([((Uuid::nil(), lens), Decision::Proceed)]));
        cache.put("a", Some(decided.clone()));
        assert_eq!(cache.of("a"), (Some(decided), false));
        assert_eq!(cache.of("b"), (None, true));
        // What could not be read is tried again.
        cache.put("b", None);
        assert_eq!(cache.of("b"), (None, true));
    }
}
