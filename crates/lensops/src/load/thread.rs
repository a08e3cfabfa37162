//! One thread with its share of the load: connections as tasks, a dispatcher for what is due, a
//! watchman for deadlines and a clerk who hands in the figures each second.
//!
//! Threads share nothing but the start, the end and the channel to the coordinator. A pool of
//! threads that steal work was rejected: moving a connection between processors costs more than an
//! uneven share does.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use lensops_core::plan::arrivals::Timetable;
use lensops_core::plan::load_shape::Load;
use tokio::time::Instant;

use super::connection::Shared;
use super::loops;
use super::pacer::{Pacer, thread_time};
use super::task::{Snapshot, Task};
use super::worker::{DueRequest, Worker};

/// How long a burst waits once its connections are open. Open they are when the server's system has
/// them; its program has yet to accept them, and that is no part of any answer.
const SETTLE: Duration = Duration::from_millis(100);

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
    let worker = Rc::new(Worker::new(task));
    let connections = worker.slots.len();
    let shared = Rc::new(Shared::default());
    let tasks: Vec<_> = (0..connections)
        .map(|index| tokio::task::spawn_local(loops::connection(Rc::clone(&worker), index, Rc::clone(&shared))))
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
    worker.requester.judge().begin(start);
    worker.until.set(worker.task.load.duration().map(|time| start + time));
    let clerk = tokio::task::spawn_local(hand_in(Rc::clone(&worker), start));
    dispatch(&worker, start).await;
    for task in tasks {
        // A connection's task that panicked has ended too; what it counted is kept.
        drop(task.await);
    }
    clerk.abort();
    watchman.abort();
    worker.requester.judge().judge_held();
    let last = Snapshot {
        second: u32::try_from(start.elapsed().as_secs()).unwrap_or(u32::MAX),
        figures: worker.requester.judge().take_figures(),
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
        let overdue = |request: &DueRequest| now.saturating_duration_since(request.due) >= worker.task.timeout;
        while let Some(request) = worker.queue.borrow_mut().pop_front_if(|request| overdue(request)) {
            worker.requester.judge().unsent(request.target, request.due, now);
        }
    }
}

async fn hand_in(worker: Rc<Worker>, start: Instant) {
    for second in 0.. {
        tokio::time::sleep_until(start + Duration::from_secs(u64::from(second) + 1)).await;
        worker.requester.judge().judge_held();
        let snapshot = Snapshot {
            second,
            figures: worker.requester.judge().take_figures(),
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
