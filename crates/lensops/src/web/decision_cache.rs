//! What a week and a month of checks say of each lens, as it was read last for each user, and when it is to be
//! read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lensops_core::history::gate::Decision;
use lensops_core::history::uptime::Uptime;
use lensops_core::ident::LensId;
use uuid::Uuid;

/// How old decisions are when they are read again.
const FRESH: Duration = Duration::from_secs(60);

/// How old decisions are shown at most, where they cannot be read again.
const SHOWN: Duration = Duration::from_secs(300);

/// Users whose decisions are remembered.
const REMEMBERED: usize = 1_000;

/// What the longer windows say of a lens of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decided {
    /// What the gate says over a week.
    pub(super) decision: Decision,
    /// What was up of a week.
    pub(super) week: Uptime,
    /// What was up of 30 days.
    pub(super) month: Uptime,
}

/// What was decided on each lens of each tenant.
pub(super) type Decisions = Arc<HashMap<(Uuid, LensId), Decided>>;

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
        let decision = Decided {
            decision: Decision::Proceed,
            week: Uptime::default(),
            month: Uptime::default(),
        };
        let decided = Arc::new(HashMap::from([((Uuid::nil(), lens), decision)]));
        cache.put("a", Some(decided.clone()));
        assert_eq!(cache.of("a"), (Some(decided), false));
        assert_eq!(cache.of("b"), (None, true));
        // What could not be read is tried again.
        cache.put("b", None);
        assert_eq!(cache.of("b"), (None, true));
    }
}
