//! The queues of the hosts: which pairs are due at each, and how many checks run there.
//!
//! What a start found undone comes after what is due on time, and never takes all the room of a host.

use std::collections::VecDeque;

/// A pair by its number in the timetable, and the slot it is due for.
type Due = (u32, i64);

#[derive(Default)]
struct Host {
    name: String,
    running: usize,
    on_time: VecDeque<Due>,
    /// What a start found undone.
    late: VecDeque<Due>,
}

/// The hosts with their queues. A host is known by its number.
#[derive(Default)]
pub(super) struct HostQueues {
    hosts: Vec<Host>,
}

impl HostQueues {
    /// The number of the host called `name`; one that is not known yet gets an empty queue.
    pub(super) fn of(&mut self, name: String) -> usize {
        let known = self.hosts.iter().position(|host| host.name == name);
        known.unwrap_or_else(|| {
            self.hosts.push(Host {
                name,
                ..Host::default()
            });
            self.hosts.len() - 1
        })
    }

    /// Queues a pair that is due on time.
    pub(super) fn push(&mut self, host: usize, pair: u32, due_ms: i64) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.on_time.push_back((pair, due_ms));
        }
    }

    /// Queues a pair whose slot a start found undone.
    pub(super) fn push_late(&mut self, host: usize, pair: u32, due_ms: i64) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.late.push_back((pair, due_ms));
        }
    }

    /// Removes a pair from the queues of its host.
    pub(super) fn remove(&mut self, host: usize, pair: u32) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.on_time.retain(|(queued, _)| *queued != pair);
            host.late.retain(|(queued, _)| *queued != pair);
        }
    }

    /// The next pair at a host that has room, `per_host` at once, and whether a start found it undone.
    /// Its check takes one of the places of the host until `leave`.
    pub(super) fn take(&mut self, per_host: usize) -> Option<(bool, Due)> {
        let spare = (per_host / 2).max(1);
        self.hosts.iter_mut().find_map(|host| {
            let (late, found) = match host.on_time.front() {
                Some(_) if host.running < per_host => (false, host.on_time.pop_front()),
                None if host.running < spare => (true, host.late.pop_front()),
                _ => (false, None),
            };
            let found = found?;
            host.running += 1;
            Some((late, found))
        })
    }

    /// A check leaves its place at the host to the next one.
    pub(super) fn leave(&mut self, host: usize) {
        if let Some(host) = self.hosts.get_mut(host) {
            host.running = host.running.saturating_sub(1);
        }
    }

    /// Pairs that wait for room.
    pub(super) fn queued(&self) -> usize {
        self.hosts.iter().map(|host| host.on_time.len() + host.late.len()).sum()
    }
}
