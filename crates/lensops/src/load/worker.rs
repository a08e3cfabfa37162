//! One thread with its share of the load: connections as tasks, a dispatcher for what is due, a
//! watchman for deadlines and a clerk who hands in the figures each second.
//!
//! Threads share nothing but the start, the end and the channel to the coordinator. A pool of
//! threads that steal work was rejected: moving a connection between processors costs more than an
//! uneven share does.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use lensops_core::plan::arrivals::Timetable;
use lensops_core::plan::load::Load;
use lensops_core::verdict::generator::LATE_US;
use tokio::sync::{Barrier, Notify, Semaphore, mpsc};
use tokio::time::Instant;

use super::connection::{Connection, Peer, Shared, Watch};
use super::pacer::{Pacer, thread_time};
use super::request::Asking;
use super::tally::Figures;
use super::{LoadTarget, micros};

/// Connections that a worker opens at the same time, so that no listener's queue runs over.
const OPENING: usize = 100;

/// How long a burst waits once its connections are open. Open they are when the server's system has
/// them; its program has yet to accept them, and that is no part of any answer.
const SETTLE: Duration = Duration::from_millis(100);

/// What a worker has counted in one second.
pub(super) struct Snapshot {
    pub(super) second: u32,
    pub(super) figures: Vec<Figures>,
    /// Processor time in percent of the load's time; only in the last of a worker.
    pub(super) busy_percent: Option<u32>,
}

/// What a worker is told.
#[derive(Clone)]
pub(super) struct Task {
    pub(super) targets: Arc<Vec<LoadTarget>>,
    pub(super) load: Load,
    pub(super) worker: u32,
    pub(super) workers: u32,
    pub(super) peer: Peer,
    pub(super) timeout: Duration,
    pub(super) reuse: bool,
    pub(super) warm_up: Duration,
    pub(super) seed: u64,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) start: Arc<Barrier>,
    pub(super) out: mpsc::UnboundedSender<Snapshot>,
}

impl Task {
    /// This worker's part of `total`, so that all parts add up to it.
    fn share(&self, total: u64) -> u64 {
        let (workers, worker) = (u64::from(self.workers), u64::from(self.worker));
        total / workers + u64::from(worker < total % workers)
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A request that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    target: usize,
    due: Instant,
    /// Whether it had to wait for a connection.
    waited: bool,
}

/// A connection's place: who wakes it, and what it is to do.
#[derive(Default)]
struct Slot {
    watch: Rc<Watch>,
    job: Cell<Option<Job>>,
}

struct Worker {
    task: Task,
    asking: Asking,
    slots: Vec<Slot>,
    idle: RefCell<Vec<usize>>,
    queue: RefCell<VecDeque<Job>>,
    /// Whether a closed load has begun, and whether an open one gives out no more.
    begun: Cell<bool>,
    closing: Cell<bool>,
    left: Cell<u64>,
    until: Cell<Option<Instant>>,
    unready: Cell<usize>,
    ready: Notify,
    opening: Semaphore,
}

/// Runs the share of `task` on this thread, to its end.
///
/// # Errors
/// When the system has nothing left for another event loop.
pub(super) fn run(task: Task) -> io::Result<()> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(work(task));
    Ok(())
}

async fn work(task: Task) {
    let connections = usize::try_from(task.share(u64::from(task.load.connections()))).unwrap_or(0);
    let left = match &task.load {
        Load::Closed(closed) => closed.count.map_or(u64::MAX, |count| task.share(count)),
        _ => u64::MAX,
    };
    let worker = Rc::new(Worker {
        asking: Asking::new(&task),
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
    });
    let shared = Rc::new(Shared::default());
    let tasks: Vec<_> = (0..connections)
        .map(|index| tokio::task::spawn_local(connection(Rc::clone(&worker), index, Rc::clone(&shared))))
        .collect();
    let watchman = tokio::task::spawn_local(watch(Rc::clone(&worker)));
    while worker.unready.get() > 0 {
        worker.ready.notified().await;
    }
    if matches!(worker.task.load, Load::Burst(_)) {
        tokio::time::sleep(SETTLE).await;
    }
    worker.task.start.wait().await;
    let (start, busy) = (Instant::now(), thread_time());
    worker.asking.begin(start);
    worker.until.set(worker.task.load.duration().map(|time| start + time));
    let clerk = tokio::task::spawn_local(hand_in(Rc::clone(&worker), start));
    dispatch(&worker, start).await;
    for task in tasks {
        // A connection's task that panicked has ended too; what it counted is kept.
        drop(task.await);
    }
    clerk.abort();
    watchman.abort();
    worker.asking.judge_held();
    let last = Snapshot {
        second: u32::try_from(start.elapsed().as_secs()).unwrap_or(u32::MAX),
        figures: worker.asking.take_figures(),
        busy_percent: busy_percent(busy, start.elapsed()),
    };
    // Nobody listens any more when the run was given up.
    drop(worker.task.out.send(last));
}

/// Processor time used since `before` in percent of `elapsed`; `None` for less than a second.
fn busy_percent(before: Option<Duration>, elapsed: Duration) -> Option<u32> {
    let used = thread_time()?.checked_sub(before?)?;
    let percent = (used.as_micros() * 100).checked_div(elapsed.as_micros())?;
    u32::try_from(percent).ok().filter(|_| elapsed.as_secs() >= 1)
}

/// Ends what has taken too long: requests under way, and those that found no connection.
async fn watch(worker: Rc<Worker>) {
    let step = (worker.task.timeout / 100).clamp(Duration::from_millis(5), Duration::from_millis(100));
    loop {
        tokio::time::sleep(step).await;
        let now = Instant::now();
        for slot in &worker.slots {
            slot.watch.look(now);
        }
        let overdue = |job: &Job| now.saturating_duration_since(job.due) >= worker.task.timeout;
        while let Some(job) = worker.queue.borrow_mut().pop_front_if(|job| overdue(job)) {
            worker.asking.unsent(job.target, job.due, now);
        }
    }
}

async fn hand_in(worker: Rc<Worker>, start: Instant) {
    for second in 0.. {
        tokio::time::sleep_until(start + Duration::from_secs(u64::from(second) + 1)).await;
        worker.asking.judge_held();
        let snapshot = Snapshot {
            second,
            figures: worker.asking.take_figures(),
            busy_percent: None,
        };
        if worker.task.out.send(snapshot).is_err() {
            return;
        }
    }
}

/// Gives out what is due, each at its time.
async fn dispatch(worker: &Worker, start: Instant) {
    let task = &worker.task;
    match &task.load {
        Load::Closed(_) => worker.begun.set(true),
        Load::Burst(_) => {
            for _ in 0..worker.slots.len() {
                worker.give(start, false);
            }
        }
        Load::Open(_) | Load::Stages(_) => {
            let pacer = Pacer::new();
            for offset in Timetable::new(&task.load, task.worker, task.workers, task.seed) {
                let due = start + offset;
                while !task.stopped() && Instant::now() < due {
                    // A wait is cut short now and then to see whether the run was stopped.
                    pacer.until(due.min(Instant::now() + Duration::from_millis(200))).await;
                }
                if task.stopped() {
                    worker.queue.borrow_mut().clear();
                    break;
                }
                worker.give(due, true);
                // Others get their turn however far behind the timetable this is.
                if Instant::now().saturating_duration_since(due) > Duration::from_millis(1) {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    worker.closing.set(true);
    for slot in &worker.slots {
        slot.watch.wake();
    }
}

impl Worker {
    /// Gives the next request to an idle connection, or has it wait for one.
    fn give(&self, due: Instant, may_wait: bool) {
        let mut job = Job {
            target: self.asking.pick(),
            due,
            waited: false,
        };
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(index) => {
                self.slots[index].job.set(Some(job));
                self.slots[index].watch.wake();
            }
            None => {
                job.waited = may_wait;
                self.queue.borrow_mut().push_back(job);
            }
        }
    }

    /// The next job of connection `index`; `None` when there will be no more.
    async fn next_job(&self, index: usize) -> Option<Job> {
        if let Some(job) = self.queue.borrow_mut().pop_front() {
            return Some(job);
        }
        self.idle.borrow_mut().push(index);
        let slot = &self.slots[index];
        poll_fn(|cx| {
            if let Some(job) = slot.job.take() {
                return Poll::Ready(Some(job));
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
    fn goes_on(&self, now: Instant) -> bool {
        let left = self.left.get();
        if left == 0 || self.task.stopped() || self.until.get().is_some_and(|until| now >= until) {
            return false;
        }
        self.left.set(left - 1);
        true
    }
}

async fn connection(worker: Rc<Worker>, index: usize, shared: Rc<Shared>) {
    let watch = Rc::clone(&worker.slots[index].watch);
    let mut connection = Connection::new(shared, watch, worker.task.timeout);
    {
        let _permit = worker.opening.acquire().await;
        let now = Instant::now();
        // One that fails is tried again with its first request, which then tells of it.
        drop(connection.open(&worker.task.peer, now, now + worker.task.timeout).await);
    }
    worker.unready.set(worker.unready.get() - 1);
    worker.ready.notify_one();
    if matches!(worker.task.load, Load::Closed(_)) {
        closed(&worker, index, &mut connection).await;
    } else {
        open(&worker, index, &mut connection).await;
    }
}

async fn closed(worker: &Worker, index: usize, connection: &mut Connection) {
    let slot = &worker.slots[index];
    poll_fn(|cx| {
        if worker.begun.get() {
            return Poll::Ready(());
        }
        slot.watch.register(cx);
        Poll::Pending
    })
    .await;
    let mut now = Instant::now();
    let mut pause = Duration::ZERO;
    while worker.goes_on(now) {
        let target = worker.asking.pick();
        let asked = worker.asking.ask(connection, target, None, now).await;
        now = asked.at;
        // A server that refuses is asked again, more and more slowly, not as fast as it can refuse.
        pause = if asked.answered {
            Duration::ZERO
        } else {
            (pause * 2).clamp(Duration::from_millis(1), Duration::from_millis(100))
        };
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
            now = Instant::now();
        }
    }
}

async fn open(worker: &Worker, index: usize, connection: &mut Connection) {
    let burst = matches!(worker.task.load, Load::Burst(_));
    while let Some(job) = worker.next_job(index).await {
        let now = Instant::now();
        let waited = now.saturating_duration_since(job.due);
        if !burst && waited >= worker.task.timeout {
            worker.asking.unsent(job.target, job.due, now);
            continue;
        }
        if !burst && !job.waited && micros(waited) > LATE_US {
            worker.asking.late(job.target, job.due);
        }
        worker
            .asking
            .ask(connection, job.target, (!burst).then_some(job.due), now)
            .await;
        if burst {
            // Whoever was answered early must not ask for another.
            return;
        }
    }
}
