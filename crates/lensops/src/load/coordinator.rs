//! Starts the workers, adds up what they hand in, and stops them early where the caller says so.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lensops_core::exchange::Proxied;
use lensops_core::plan::load_shape::Load;
use tokio::sync::{Barrier, mpsc};
use tokio::time::Instant;

use super::broken::Broken;
use super::job::{Job, LoadTarget};
use super::progress::{Flow, Outcome, Progress};
use super::tally::Figures;
use super::task::{Snapshot, Task};
use super::thread;
use crate::connect::Way;

/// How many processors there are to send from.
#[must_use]
pub fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1))
}

/// Runs `job` to its end. `each` is told how things stand once a second and may stop it.
///
/// # Errors
/// When a thread cannot be started.
pub async fn run(job: Job, mut each: impl FnMut(&Progress) -> Flow) -> io::Result<Outcome> {
    let targets = job.targets.len();
    let workers = job.threads.clamp(1, job.load.connections().max(1));
    let (timed, warm_up, load) = (job.load.duration(), job.warm_up, job.load.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let start = Arc::new(Barrier::new(usize::try_from(workers).unwrap_or(1) + 1));
    let (mut snapshots, threads) = begin(job, workers, &stop, &start).await?;
    start.wait().await;
    let begun = Instant::now();

    let mut outcome = Outcome {
        progress: Progress::of(targets),
        ..Outcome::default()
    };
    let mut seconds: BTreeMap<u32, (u32, Vec<Figures>)> = BTreeMap::new();
    while let Some(Snapshot {
        second,
        figures,
        busy_percent,
    }) = snapshots.recv().await
    {
        outcome.busy_percent = outcome.busy_percent.max(busy_percent);
        let (handed_in, sums) = seconds
            .entry(second)
            .or_insert_with(|| (0, (0..targets).map(|_| Figures::default()).collect()));
        *handed_in += 1;
        for (sum, figures) in sums.iter_mut().zip(figures) {
            sum.merge(figures);
        }
        if *handed_in >= workers
            && let Some((_, sums)) = seconds.remove(&second)
        {
            outcome.progress.add(second, sums);
            if each(&outcome.progress) == Flow::Stop {
                stop.store(true, Ordering::Relaxed);
            }
        }
    }
    for (second, (_, sums)) in seconds {
        outcome.progress.add(second, sums);
    }
    outcome.elapsed = match timed {
        Some(time) if !stop.load(Ordering::Relaxed) => time.saturating_sub(warm_up),
        _ => begun.elapsed().saturating_sub(warm_up),
    };
    if matches!(load, Load::Burst(_)) {
        outcome.progress.clear_series();
    }
    // Every sender is gone, so every thread is at its end.
    for thread in threads {
        thread
            .join()
            .map_err(|_| io::Error::other("a load thread panicked"))??;
    }
    Ok(outcome)
}

type Threads = Vec<std::thread::JoinHandle<io::Result<()>>>;

async fn begin(
    job: Job,
    workers: u32,
    stop: &Arc<AtomicBool>,
    start: &Arc<Barrier>,
) -> io::Result<(mpsc::UnboundedReceiver<Snapshot>, Threads)> {
    let (out, snapshots) = mpsc::unbounded_channel();
    let way = job.connector.way(&job.base, Instant::now() + job.timeout).await;
    // What is wrong with it is told by each connection.
    let way = way.map_err(|error| Broken::unconnected(&error, job.timeout));
    let targets = Arc::new(written_for(job.targets, way.as_ref().ok().and_then(Way::proxied))?);
    let mut threads = Vec::new();
    for worker in 0..workers {
        let task = Task {
            targets: Arc::clone(&targets),
            load: job.load.clone(),
            worker,
            workers,
            way: way.clone(),
            timeout: job.timeout,
            reuse: job.reuse,
            // A burst is over before it is warm.
            warm_up: job.load.duration().map_or(Duration::ZERO, |_| job.warm_up),
            seed: job.seed,
            stop: Arc::clone(stop),
            start: Arc::clone(start),
            out: out.clone(),
        };
        let builder = std::thread::Builder::new().name(format!("load-{worker}"));
        let (start, handle) = (Arc::clone(start), tokio::runtime::Handle::current());
        threads.push(builder.spawn(move || {
            // The others wait for this one, whether it can send or not.
            let ran = thread::run(task);
            if ran.is_err() {
                handle.block_on(start.wait());
            }
            ran
        })?);
    }
    Ok((snapshots, threads))
}

/// The targets as a proxy that forwards requests must have them, where there is one.
fn written_for(targets: Vec<LoadTarget>, proxied: Option<Proxied>) -> io::Result<Vec<LoadTarget>> {
    let Some(proxied) = proxied else {
        return Ok(targets);
    };
    let written = targets.into_iter().map(|target| {
        let prebuilt = target.prebuilt.proxied(&proxied).map_err(io::Error::other)?;
        let renewal = target.renewal.map(|renewal| renewal.proxied(&proxied));
        Ok(LoadTarget {
            prebuilt,
            renewal,
            ..target
        })
    });
    written.collect()
}
