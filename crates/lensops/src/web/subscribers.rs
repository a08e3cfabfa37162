//! Those who listen to the event stream: how many may, and to which tenants they listen.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Changes that a slow listener may lag behind; beyond that it is told to load all anew.
const BEHIND: usize = 256;

/// Streams at once: fewer than connections, so that a page always finds room.
const AT_ONCE: usize = 384;

/// Streams at once of one signed-in user.
const OF_ONE: usize = 32;

/// A lens of a tenant has a new check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) lens: String,
    pub(super) tenant: Uuid,
}

/// Those who listen, and what they are told.
pub(super) struct Subscribers {
    pub(super) changes: broadcast::Sender<Change>,
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
pub(super) struct Seat {
    seats: Arc<Mutex<Seats>>,
    user: String,
    pub(super) tenants: Vec<Uuid>,
}

impl Default for Subscribers {
    fn default() -> Self {
        Self {
            changes: broadcast::Sender::new(BEHIND),
            seats: Arc::default(),
        }
    }
}

impl Subscribers {
    /// A seat for a user of `tenants`; `None` where all are taken, or too many by this user. A `user`
    /// without a name is whoever reaches a dashboard without a sign-in.
    pub(super) fn sit(&self, user: &str, tenants: Vec<Uuid>) -> Option<Seat> {
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

    /// Whether anybody listens who may see `tenant`.
    pub(super) fn is_listened_to(&self, tenant: Uuid) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    #[test]
    fn a_seat_is_given_back_and_nobody_takes_all() {
        let subscribers = Subscribers::default();
        let own: Vec<_> = (0..40).filter_map(|_| subscribers.sit("somebody", vec![A])).collect();
        assert_eq!(own.len(), OF_ONE);
        let others: Vec<_> = (0..400).filter_map(|_| subscribers.sit("", vec![B])).collect();
        assert_eq!(others.len(), AT_ONCE - OF_ONE);
        assert!(subscribers.is_listened_to(A) && subscribers.is_listened_to(B));
        drop(own);
        assert!(!subscribers.is_listened_to(A) && subscribers.is_listened_to(B));
        assert!(subscribers.sit("somebody", vec![A]).is_some());
    }
}
