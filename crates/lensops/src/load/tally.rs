//! What a worker counts of a target. Each second the workers hand in what they have and begin
//! anew, so that totals, time series and the live view come from one count, in flat memory.

use lensops_core::exchange::{Exchange, FailureClass};
use lensops_core::stats::histogram::Latencies;

/// The most unasserted answers of a target that are kept whole, beside the first of each kind.
pub(super) const MOST_UNASSERTED: usize = 20;

/// Counts of one target.
#[derive(Debug, Default)]
pub struct Figures {
    /// Requests that were due.
    pub planned: u64,
    /// Answers by status, in the order met.
    pub statuses: Vec<(u16, u64)>,
    /// Requests without an answer by class, in the order met.
    pub failures: Vec<(FailureClass, u64)>,
    /// Answers that the plan does not assert.
    pub unexpected: u64,
    /// Why the first of them was not.
    pub first_unexpected: Option<String>,
    /// Requests never sent, since every connection was busy until their time was up.
    pub unsent: u64,
    /// Requests that left late though a connection was free.
    pub late: u64,
    /// Requests that this machine had no socket for.
    pub own_faults: u64,
    /// Latencies of the answers by status class, 1xx first.
    pub classes: [Option<Box<Latencies>>; 5],
    /// Time-outs and unsent requests, with the time they waited.
    pub waited: Latencies,
    /// From write to last byte, where that is not the latency.
    pub service: Latencies,
    /// Requests that were sent again, since a kept connection had ended.
    pub reconnected: u64,
    /// Requests that were sent again with another credential, since the API refused the first.
    pub renewed: u64,
    /// What connecting took.
    pub connects: Latencies,
    /// Whole exchanges: the first of each status and failure class, and unasserted ones.
    pub kept: Vec<(String, Exchange)>,
}

impl Figures {
    /// Counts an answer.
    pub(super) fn answered(&mut self, status: u16, latency_us: u64) {
        match self.statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => self.statuses.push((status, 1)),
        }
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        self.classes[class].get_or_insert_default().record(latency_us);
    }

    /// Counts a request without an answer.
    pub(super) fn failed(&mut self, class: FailureClass, count: u64) {
        match self.failures.iter_mut().find(|(known, _)| *known == class) {
            Some((_, counted)) => *counted += count,
            None => self.failures.push((class, count)),
        }
    }

    /// Requests that came to an end, one way or the other.
    #[must_use]
    pub fn ended(&self) -> u64 {
        let answered: u64 = self.statuses.iter().map(|(_, count)| count).sum();
        answered + self.without_answer()
    }

    fn without_answer(&self) -> u64 {
        self.failures.iter().map(|(_, count)| count).sum::<u64>() + self.unsent + self.own_faults
    }

    /// Requests without the asserted answer.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.unexpected + self.without_answer()
    }

    /// All latencies together.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        let mut all = self.waited.clone();
        for class in self.classes.iter().flatten() {
            all.merge(class);
        }
        all
    }

    /// Adds what `other` counted.
    pub(super) fn merge(&mut self, other: Self) {
        self.planned += other.planned;
        for (status, count) in other.statuses {
            match self.statuses.iter_mut().find(|(known, _)| *known == status) {
                Some((_, counted)) => *counted += count,
                None => self.statuses.push((status, count)),
            }
        }
        for (class, count) in other.failures {
            self.failed(class, count);
        }
        self.unexpected += other.unexpected;
        self.unsent += other.unsent;
        self.late += other.late;
        self.own_faults += other.own_faults;
        self.reconnected += other.reconnected;
        self.renewed += other.renewed;
        self.first_unexpected = self.first_unexpected.take().or(other.first_unexpected);
        for (mine, theirs) in self.classes.iter_mut().zip(other.classes) {
            match (mine, theirs) {
                (Some(mine), Some(theirs)) => mine.merge(&theirs),
                (mine, theirs) => *mine = mine.take().or(theirs),
            }
        }
        self.waited.merge(&other.waited);
        self.service.merge(&other.service);
        self.connects.merge(&other.connects);
        for (label, exchange) in other.kept {
            self.keep(label, exchange);
        }
    }

    /// Keeps `exchange` where it is the first of its kind, or one of the first unasserted ones.
    fn keep(&mut self, label: String, exchange: Exchange) {
        let same = self.kept.iter().filter(|(known, _)| *known == label).count();
        let most = if label.starts_with(UNASSERTED) {
            MOST_UNASSERTED
        } else {
            1
        };
        if same < most {
            self.kept.push((label, exchange));
        }
    }
}

/// The label of kept answers that the plan does not assert.
pub(crate) const UNASSERTED: &str = "unasserted";
