//! What the tasks of one thread share: its part of the load, its connections' places, and the
//! requests that are due.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use lensops_core::plan::load_shape::Load;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::deadline::Watch;
use super::send::Requester;
use super::task::Task;

/// Connections that a worker opens at the same time, so that no listener's queue runs over.
const OPENING: usize = 100;

/// A request that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct DueRequest {
    pub(super) target: usize,
    pub(super) due: Instant,
    /// Whether it had to wait for a connection.
    pub(super) waited: bool,
}

/// A connection's place: who wakes it, and what it is to do.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) watch: Rc<Watch>,
    pub(super) request: Cell<Option<DueRequest>>,
}

/// One worker of a load.
pub(super) struct Worker {
    pub(super) task: Task,
    pub(super) requester: Requester,
    pub(super) slots: Vec<Slot>,
    idle: RefCell<Vec<usize>>,
    pub(super) queue: RefCell<VecDeque<DueRequest>>,
    /// Whether a closed load has begun, and whether an open one gives out no more.
    pub(super) begun: Cell<bool>,
    pub(super) closing: Cell<bool>,
    left: Cell<u64>,
    pub(super) until: Cell<Option<Instant>>,
    pub(super) unready: Cell<usize>,
    pub(super) ready: Notify,
    pub(super) opening: Semaphore,
}

impl Worker {
    /// A worker whose connections are yet to be opened.
    pub(super) fn new(task: Task) -> Self {
        let connections = usize::try_from(task.share(u64::from(task.load.connections()))).unwrap_or(0);
        let left = match &task.load {
            Load::Closed(closed) => closed.count.map_or(u64::MAX, |count| task.share(count)),
            _ => u64::MAX,
        };
        Self {
            requester: Requester::new(&task),
            slots: (0..connections).map(|_| Slot::default()).collect(),
            idle: RefCell::default(),
            queue: RefCell::default(),
            begun: Cell::new(false),
            closing: Cell::new(false),
            left: Cell::new(left),
            until: Cell::new(None),
            unready: Cell::new(connections),
            ready: Notify::new(),
            opening: Semaphore::new(OPENING),
            task,
        }
    }

    /// Gives the next request to an idle connection, or has it wait for one.
    pub(super) fn give(&self, due: Instant, may_wait: bool) {
        let mut request = DueRequest {
            target: self.requester.pick(),
            due,
            waited: false,
        };
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(index) => {
                self.slots[index].request.set(Some(request));
                self.slots[index].watch.wake();
            }
            None => {
                request.waited = may_wait;
                self.queue.borrow_mut().push_back(request);
            }
        }
    }

    /// The next request of connection `index`; `None` when there will be no more.
    pub(super) async fn next_request(&self, index: usize) -> Option<DueRequest> {
        if let Some(request) = self.queue.borrow_mut().pop_front() {
            return Some(request);
        }
        self.idle.borrow_mut().push(index);
        let slot = &self.slots[index];
        poll_fn(|cx| {
            if let Some(request) = slot.request.take() {
                return Poll::Ready(Some(request));
            }
            if self.closing.get() {
                return Poll::Ready(None);
            }
            slot.watch.register(cx);
            Poll::Pending
        })
        .await
    }

    /// Whether a closed load sends another request at `now`.
    pub(super) fn goes_on(&self, now: Instant) -> bool {
        let left = self.left.get();
        if left == 0 || self.task.stopped() || self.until.get().is_some_and(|until| now >= until) {
            return false;
        }
        self.left.set(left - 1);
        true
    }
}
