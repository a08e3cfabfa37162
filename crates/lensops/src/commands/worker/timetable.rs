//! Which pair of lens and tenant is due when, and what may run now. No clock, no requests.
//!
//! A pair that waits costs some dozens of bytes and no task, so that a hundred thousand of them fit in
//! memory. A pair that is due enters the queue of its host, and leaves it when the host has room.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::history::schedule::{Schedule, from_ms};
use lensops_core::ident::LensId;
use uuid::Uuid;

use super::check::Monitor;
use super::host_queues::HostQueues;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its next slot is not due yet.
    Waiting,
    /// Due, in the queue of its host.
    Queued,
    Running,
    /// Running, and not wanted any more.
    Leaving,
}

struct Pair {
    monitor: Arc<Monitor>,
    tenant: Uuid,
    /// The first slot that is not settled.
    due_ms: i64,
    /// The newest slot that was run or missed.
    settled_ms: i64,
    host: usize,
    /// Whether its check takes one of the places of its host.
    at_host: bool,
    state: State,
}

impl Pair {
    fn schedule(&self) -> Schedule<'_> {
        self.monitor.schedule(self.tenant)
    }
}

/// A slot to be run.
pub(crate) struct Work {
    pub(crate) pair: u32,
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) tenant: Uuid,
    /// The first slot that is not settled.
    pub(crate) first: Timestamp,
    /// The slot that was the latest when the pair was found due; earlier ones were slept through.
    pub(crate) due: Timestamp,
    /// The clock went back: the slot was settled once already.
    pub(crate) again: bool,
    /// Undone since before the start.
    pub(crate) late: bool,
}

/// What was slept through.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slept {
    pub(crate) pairs: u64,
    pub(crate) slots: u64,
}

/// The pairs with their next slots.
#[derive(Default)]
pub(crate) struct Timetable {
    pairs: Vec<Option<Pair>>,
    free: Vec<u32>,
    due: BinaryHeap<Reverse<(i64, u32)>>,
    hosts: HostQueues,
}

impl Timetable {
    /// Makes `wanted` the pairs. One that is there already keeps what it has settled; of a new one
    /// the current slot is run where `settled` is given and does not hold it, else the next one.
    pub(crate) fn arrange(
        &mut self,
        wanted: impl Iterator<Item = (Arc<Monitor>, Uuid)>,
        now: Timestamp,
        settled: Option<&HashSet<Uuid>>,
    ) {
        let mut there: HashMap<(LensId, Uuid), u32> = HashMap::new();
        for (at, pair) in (0_u32..).zip(&self.pairs) {
            if let Some(pair) = pair {
                there.insert((pair.monitor.lens().clone(), pair.tenant), at);
            }
        }
        for (monitor, tenant) in wanted {
            match there.remove(&(monitor.lens().clone(), tenant)) {
                Some(at) => self.keep(at, monitor, now),
                None => self.add(monitor, tenant, now, settled),
            }
        }
        for at in there.into_values() {
            self.drop_pair(at);
        }
    }

    fn keep(&mut self, at: u32, monitor: Arc<Monitor>, now: Timestamp) {
        let tenant = self
            .pairs
            .get(at as usize)
            .and_then(Option::as_ref)
            .map(|pair| pair.tenant);
        let host = self.hosts.of(tenant.map_or_else(
            || monitor.base.authority(),
            |tenant| monitor.base_of(tenant).authority(),
        ));
        let Some(pair) = self.pairs.get_mut(at as usize).and_then(Option::as_mut) else {
            return;
        };
        let moved = pair.monitor.plan.every != monitor.plan.every;
        pair.monitor = monitor;
        match pair.state {
            // The host's count is of what runs there: it is changed when the check ends.
            State::Running => return,
            State::Leaving => {
                pair.state = State::Running;
                return;
            }
            State::Waiting => pair.host = host,
            State::Queued => return,
        }
        if moved {
            pair.due_ms = pair.schedule().next(now).as_millisecond();
            self.due.push(Reverse((pair.due_ms, at)));
        }
    }

    fn add(&mut self, monitor: Arc<Monitor>, tenant: Uuid, now: Timestamp, settled: Option<&HashSet<Uuid>>) {
        let schedule = monitor.schedule(tenant);
        let current = schedule.latest(now);
        let undone = settled.is_some_and(|settled| !settled.contains(&schedule.slot_id(current)));
        let host = self.hosts.of(monitor.base_of(tenant).authority());
        let due_ms = if undone { current } else { schedule.next(now) }.as_millisecond();
        let pair = Pair {
            monitor,
            tenant,
            due_ms,
            settled_ms: i64::MIN,
            host,
            at_host: false,
            state: if undone { State::Queued } else { State::Waiting },
        };
        let at = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            u32::try_from(self.pairs.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(place) = self.pairs.get_mut(at as usize) {
            *place = Some(pair);
        }
        if undone {
            self.hosts.push_late(host, at, due_ms);
        } else {
            self.due.push(Reverse((due_ms, at)));
        }
    }

    fn drop_pair(&mut self, at: u32) {
        let Some(place) = self.pairs.get_mut(at as usize) else {
            return;
        };
        match place {
            Some(pair) if matches!(pair.state, State::Running | State::Leaving) => pair.state = State::Leaving,
            _ => {
                if let Some(pair) = place.take() {
                    self.hosts.remove(pair.host, at);
                }
                self.free.push(at);
            }
        }
    }

    fn waiting(&mut self, due_ms: i64, at: u32) -> Option<&mut Pair> {
        let pair = self.pairs.get_mut(at as usize)?.as_mut()?;
        // An entry of the heap is left behind where a pair was moved.
        (pair.state == State::Waiting && pair.due_ms == due_ms).then_some(pair)
    }

    /// Queues what is due at `now`, and says what was slept through.
    pub(crate) fn promote(&mut self, now: Timestamp) -> Slept {
        let (now_ms, mut slept) = (now.as_millisecond(), Slept::default());
        while let Some(Reverse((due_ms, at))) = self.due.peek().copied() {
            if due_ms > now_ms {
                break;
            }
            self.due.pop();
            let Some(pair) = self.waiting(due_ms, at) else {
                continue;
            };
            let schedule = pair.schedule();
            let latest_ms = schedule.latest(now).as_millisecond().max(due_ms);
            if latest_ms > due_ms {
                slept.pairs += 1;
                slept.slots += (latest_ms - due_ms).unsigned_abs() / schedule.every_ms().unsigned_abs();
            }
            pair.state = State::Queued;
            let host = pair.host;
            self.hosts.push(host, at, latest_ms);
        }
        slept
    }

    /// The next slot to run where a host has room for it: `per_host` at once.
    pub(crate) fn take(&mut self, per_host: usize) -> Option<Work> {
        let (late, (at, due_ms)) = self.hosts.take(per_host)?;
        let pair = self.pairs.get_mut(at as usize)?.as_mut()?;
        pair.state = State::Running;
        pair.at_host = true;
        Some(Work {
            pair: at,
            monitor: pair.monitor.clone(),
            tenant: pair.tenant,
            first: from_ms(pair.due_ms),
            due: from_ms(due_ms),
            again: due_ms <= pair.settled_ms,
            late,
        })
    }

    /// The check of `at` asks its host nothing more: what the disk takes is not the host's affair.
    pub(crate) fn leave_host(&mut self, at: u32) {
        let Some(pair) = self
            .pairs
            .get_mut(at as usize)
            .and_then(Option::as_mut)
            .filter(|pair| pair.at_host)
        else {
            return;
        };
        pair.at_host = false;
        self.hosts.leave(pair.host);
    }

    /// The check of `at` is over at `now`; it settled all slots up to `settled`. Whether its pair had left meanwhile.
    pub(crate) fn finish(&mut self, at: u32, settled: Timestamp, now: Timestamp) -> bool {
        let Some(place) = self.pairs.get_mut(at as usize) else {
            return false;
        };
        let Some(pair) = place else { return false };
        if pair.at_host {
            self.hosts.leave(pair.host);
        }
        pair.at_host = false;
        if pair.state == State::Leaving {
            *place = None;
            self.free.push(at);
            return true;
        }
        pair.settled_ms = pair.settled_ms.max(settled.as_millisecond());
        let schedule = pair.schedule();
        let next = schedule.next(settled.max(now));
        // The clock may have gone back while the check ran: nobody waits longer than an interval.
        let next = if next.as_millisecond() - now.as_millisecond() > schedule.every_ms() {
            schedule.next(now)
        } else {
            next
        };
        pair.due_ms = next.as_millisecond();
        pair.state = State::Waiting;
        pair.host = self.hosts.of(pair.monitor.base_of(pair.tenant).authority());
        self.due.push(Reverse((pair.due_ms, at)));
        false
    }

    /// The clock went back to `now`: whoever would wait longer than an interval goes on at once.
    pub(crate) fn rewind(&mut self, now: Timestamp) {
        for (at, pair) in (0_u32..).zip(&mut self.pairs) {
            let Some(pair) = pair.as_mut().filter(|pair| pair.state == State::Waiting) else {
                continue;
            };
            let next_ms = pair.schedule().next(now).as_millisecond();
            if next_ms < pair.due_ms {
                pair.due_ms = next_ms;
                self.due.push(Reverse((next_ms, at)));
            }
        }
    }

    /// When the next pair is due; `None` where none waits.
    pub(crate) fn next_due(&mut self) -> Option<Timestamp> {
        while let Some(Reverse((due_ms, at))) = self.due.peek().copied() {
            if self.waiting(due_ms, at).is_some() {
                return Some(from_ms(due_ms));
            }
            self.due.pop();
        }
        None
    }

    /// Pairs, and those that wait for room.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.pairs.len() - self.free.len(), self.hosts.queued())
    }
}
