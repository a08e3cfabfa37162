//! What each connection does with its turn: the closed loop sends the next request once the last one
//! is answered, the open loop sends what is due.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lensops_core::plan::load_shape::Load;
use lensops_core::verdict::load_generator::LATE_US;
use tokio::time::Instant;

use super::connection::{Connection, Shared};
use super::worker::Worker;
use crate::connect::micros;

/// The task of connection `index`: opens it, then sends until there is no more to send.
pub(super) async fn connection(worker: Rc<Worker>, index: usize, shared: Rc<Shared>) {
    let watch = Rc::clone(&worker.slots[index].watch);
    let mut connection = Connection::new(shared, watch, worker.task.timeout);
    {
        let _permit = worker.opening.acquire().await;
        let now = Instant::now();
        // One that fails is tried again with its first request, which then tells of it.
        drop(connection.open(&worker.task.way, now, now + worker.task.timeout).await);
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
        let target = worker.requester.pick();
        let asked = worker.requester.ask(connection, target, None, now).await;
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
    while let Some(request) = worker.next_request(index).await {
        let now = Instant::now();
        let waited = now.saturating_duration_since(request.due);
        if !burst && waited >= worker.task.timeout {
            worker.requester.judge().unsent(request.target, request.due, now);
            continue;
        }
        if !burst && !request.waited && micros(waited) > LATE_US {
            worker.requester.judge().late(request.target, request.due);
        }
        worker
            .requester
            .ask(connection, request.target, (!burst).then_some(request.due), now)
            .await;
        if burst {
            // Whoever was answered early must not ask for another.
            return;
        }
    }
}
