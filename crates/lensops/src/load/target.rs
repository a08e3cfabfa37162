//! What a worker remembers of a target from request to request, and what that makes it keep whole.

use std::cell::{Cell, RefCell};

use lensops_core::exchange::{Exchange, FailureClass};
use lensops_core::redaction::BODY_LIMIT;

use super::job::LoadTarget;
use super::tally::MOST_UNASSERTED;

/// What is known of a target while it is loaded.
#[derive(Default)]
pub(super) struct TargetState {
    /// Statuses and failure classes of which a whole exchange was kept.
    pub(super) statuses: RefCell<Vec<u16>>,
    pub(super) failures: RefCell<Vec<FailureClass>>,
    pub(super) unasserted: Cell<usize>,
    /// How many requests it was sent.
    pub(super) count: Cell<u64>,
    /// Its turn in the weighted round.
    pub(super) turn: Cell<i64>,
    /// How many answers are kept whole at this moment though the plan does not ask for it.
    pub(super) keeping: Cell<u32>,
}

/// The most answers of a target that are kept whole at the same time for their transcripts alone:
/// against endless bodies a connection must not cost eight megabytes.
const MOST_KEPT_AT_ONCE: u32 = 2;

impl TargetState {
    /// Whether the whole of an answer with `status` is kept for its transcript.
    pub(super) fn keeps(&self, spec: &LoadTarget, status: u16) -> bool {
        let first = || !self.statuses.borrow().contains(&status);
        let unasserted = || !is_asserted(spec, status) && self.unasserted.get() < MOST_UNASSERTED;
        self.keeping.get() < MOST_KEPT_AT_ONCE && (first() || unasserted())
    }
}

/// Whether a transcript shows all of the answer; of larger ones the first tells enough.
pub(super) fn is_small(exchange: &Exchange) -> bool {
    let response = exchange.result.as_ref();
    response.is_ok_and(|response| response.body.len() <= BODY_LIMIT)
}

/// The quick check: whether the plan asserts `status`.
pub(super) fn is_asserted(spec: &LoadTarget, status: u16) -> bool {
    match &spec.expect.status {
        Some(set) => set.contains(status),
        None => (200..300).contains(&status),
    }
}
