//! Runs the queue, and starts it again.

use std::sync::Arc;
use std::time::Duration;

use graphile_worker::recovery::WorkerRecoveryConfig;
use graphile_worker::{LocalQueueConfig, Worker, WorkerOptions, WorkerShutdownConfig};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::alone;
use super::check_job::{Check, Given};
use super::link::{Link, until_away, until_up};
use super::notify_job::Notify;
use super::shared::{RETRY, Shared};
use crate::commands::worker::GRACE;
use crate::store::fleet::SCHEMA;

/// Checks of this machine that run at once, whatever their host.
const CONCURRENCY: usize = 256;

/// Jobs that are fetched at once. All of them wait for the sweep when the machine dies.
const BATCH: usize = 128;

/// How often due jobs are looked for. Nobody listens: behind a pooler a notification would reach another client.
const POLL: Duration = Duration::from_millis(400);

const HEARTBEAT: Duration = Duration::from_secs(5);
const STALE: Duration = Duration::from_secs(15);

async fn open(shared: &Arc<Shared>) -> Result<Worker, String> {
    let recovery = WorkerRecoveryConfig::default()
        .heartbeat_interval(HEARTBEAT)
        .sweep_interval(HEARTBEAT)
        .sweep_threshold(STALE)
        .recovery_delay(Duration::ZERO);
    let shutdown = WorkerShutdownConfig::default()
        // SIGTERM is this process's own affair.
        .listen_os_shutdown_signals(false)
        .grace_period(GRACE)
        .interrupted_job_retry_delay(Duration::ZERO);
    let options = WorkerOptions::default()
        .database(shared.fleet.database())
        .schema(SCHEMA)
        .concurrency(CONCURRENCY)
        .poll_interval(POLL)
        .use_notification_delivery(false)
        .local_queue(LocalQueueConfig::default().with_size(BATCH))
        .complete_job_batch_delay(Duration::from_millis(20))
        .worker_recovery(recovery)
        .worker_shutdown(shutdown)
        .add_extension(Given(shared.clone()))
        .define_job::<Check>()
        .define_job::<Notify>();
    options.init().await.map_err(|error| error.to_string())
}

/// Runs the queue until `stop` is cancelled, and this machine alone while the database is away.
pub(super) async fn supervise(shared: Arc<Shared>, mut link: watch::Receiver<Link>, stop: CancellationToken) {
    while until_up(&mut link, &stop).await {
        turn(&shared, &mut link, &stop).await;
        // The queue may end before the watch knows that the database is away: then nobody checks but this machine.
        let away = match &*link.borrow_and_update() {
            Link::Away(since, _) => Some(*since),
            Link::Up => None,
        };
        if let Some(since) = away.filter(|_| !stop.is_cancelled()) {
            alone::go_on(&shared, since, &mut link, &stop).await;
        }
    }
}

/// Runs the queue until it ends; one that ended by a failure is left alone for a while.
async fn turn(shared: &Arc<Shared>, link: &mut watch::Receiver<Link>, stop: &CancellationToken) {
    alone::hand_over(shared).await;
    let ended = match open(shared).await {
        Ok(worker) => run(shared, &worker, link, stop).await,
        Err(why) => Err(why),
    };
    if let (Err(why), false) = (ended, stop.is_cancelled()) {
        let why = shared.redactor.text(&why);
        tracing::warn!("⚠️ The queue of jobs ended: {why}; it starts again");
        shared.suspect.notify_one();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(RETRY) => {}
        }
    }
}

/// Runs `worker` until the database is away or `stop` is cancelled. What runs then has the grace of a worker that stops.
async fn run(
    shared: &Arc<Shared>,
    worker: &Worker,
    link: &mut watch::Receiver<Link>,
    stop: &CancellationToken,
) -> Result<(), String> {
    let running = worker.run();
    tokio::pin!(running);
    let mut watching = link.clone();
    let since = tokio::select! {
        ended = &mut running => return ended.map_err(|error| error.to_string()),
        () = stop.cancelled() => None,
        since = until_away(&mut watching) => Some(since),
    };
    worker.request_shutdown();
    let Some(since) = since else {
        tracing::info!("Stopping: running checks have {} s", GRACE.as_secs());
        return running.await.map_err(|error| error.to_string());
    };
    // What is under way ends in the journal; what is due meanwhile is not waited for.
    let (ended, ()) = tokio::join!(running, alone::go_on(shared, since, link, stop));
    if let Err(error) = ended {
        tracing::debug!("The queue ended without the database: {error}");
    }
    Ok(())
}
