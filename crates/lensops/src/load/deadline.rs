//! The deadline of what a connection does, and whom to wake at it.
//!
//! No timer is set per request. The worker looks over all watches some hundred times a time-out: a
//! timer a request would cost more than the parsing of its answer.

use std::cell::{Cell, RefCell};
use std::task::{Context, Waker};

use tokio::time::Instant;

/// The deadline of what a connection does, seen by the worker's watchman.
#[derive(Default)]
pub(super) struct Watch {
    deadline: Cell<Option<Instant>>,
    over: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Watch {
    /// Sets the deadline of the next request.
    pub(super) fn arm(&self, deadline: Instant) {
        self.over.set(false);
        self.deadline.set(Some(deadline));
    }

    /// The request is over: nothing is due.
    pub(super) fn disarm(&self) {
        self.deadline.set(None);
    }

    /// Whether the time was up before the request was.
    pub(super) fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Wakes the connection where its time is up.
    pub(super) fn look(&self, now: Instant) {
        if self.deadline.get().is_some_and(|deadline| deadline <= now) {
            self.deadline.set(None);
            self.over.set(true);
            self.wake();
        }
    }

    /// Wakes whoever waits on this connection.
    pub(super) fn wake(&self) {
        let waker = self.waker.borrow().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Remembers whom to wake.
    pub(super) fn register(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}
