//! The rate limit: how many requests each client may make, now and for long.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Requests a second that a client may make for long.
const RATE: f64 = 50.0;

/// Requests that a client may make at once.
const BURST: f64 = 200.0;

/// Clients that are remembered; beyond that all start afresh.
const REMEMBERED: usize = 10_000;

/// Who has a budget of requests: a user whose token is good, wherever he comes from (many may come by
/// one proxy), else an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Client {
    User(String),
    Address(IpAddr),
}

/// What each client has left.
#[derive(Default)]
pub(super) struct RateLimit(Mutex<HashMap<Client, (f64, Instant)>>);

impl RateLimit {
    /// Takes one request from what `client` has at `at`; `false` when nothing is left.
    pub(super) fn take(&self, client: Client, at: Instant) -> bool {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= REMEMBERED && !clients.contains_key(&client) {
            clients.clear();
        }
        let (left, last) = clients.entry(client).or_insert((BURST, at));
        *left = (*left + at.saturating_duration_since(*last).as_secs_f64() * RATE).min(BURST);
        *last = at;
        let may = *left >= 1.0;
        if may {
            *left -= 1.0;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_client_that_asks_too_much_waits_and_others_do_not() {
        let clients = RateLimit::default();
        let address = || Client::Address([127, 0, 0, 1].into());
        let user = || Client::User("somebody".to_owned());
        let at = Instant::now();
        assert_eq!((0..300).filter(|_| clients.take(address(), at)).count(), 200);
        assert!(clients.take(Client::Address([127, 0, 0, 2].into()), at));
        assert!(clients.take(user(), at));
        let later = at + Duration::from_secs(1);
        assert_eq!((0..300).filter(|_| clients.take(address(), later)).count(), 50);
    }
}
