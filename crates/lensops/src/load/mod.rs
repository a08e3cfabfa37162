//! The stress engine: one load shape over one or several targets, sent as leanly as can be.
//!
//! Threads of their own (one a processor unless told otherwise) send prebuilt bytes over plain
//! HTTP/1.1 or TLS and hand in their figures each second; this module starts them, adds up what
//! they hand in, and stops them early where the caller says so. It opens, times and counts; what
//! the figures mean is for the judge in core.

mod connection;
mod http1;
mod pacer;
mod request;
mod tally;
mod target;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lensops_core::exchange::Base;
use lensops_core::plan::load::Load;
use lensops_core::plan::request_template::Prebuilt;
use lensops_core::plan::{Dialect, Expect};
use lensops_core::stats::histogram::Quantile;
use lensops_core::verdict::tally::Second;
use tokio::sync::{Barrier, mpsc};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

pub use tally::Figures;
pub(crate) use tally::UNASSERTED;

use connection::Peer;
use worker::{Snapshot, Task};

/// A request that is sent again and again.
#[derive(Debug, Clone)]
pub struct LoadTarget {
    /// The request.
    pub prebuilt: Prebuilt,
    /// Its share beside the other targets; at least 1.
    pub weight: u32,
    /// What every answer must be.
    pub expect: Expect,
    /// How the API spells what is expected.
    pub dialect: Dialect,
}

/// One load.
pub struct Job {
    /// Where to.
    pub base: Base,
    /// How TLS is spoken; not looked at for plain HTTP.
    pub tls: Result<TlsConnector, String>,
    /// What is sent.
    pub targets: Vec<LoadTarget>,
    /// How much of it when.
    pub load: Load,
    /// How long a request may take, connecting included.
    pub timeout: Duration,
    /// Whether a connection carries one request after the other.
    pub reuse: bool,
    /// How long nothing but failures counts.
    pub warm_up: Duration,
    /// How many threads send; never more than connections.
    pub threads: u32,
    /// Seed of everything random.
    pub seed: u64,
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Seconds since the start of the load.
    pub second: u32,
    /// The counts of each target.
    pub totals: Vec<Figures>,
    /// The course of each target, second by second.
    pub series: Vec<Vec<Second>>,
}

/// What a load came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Counts and course.
    pub progress: Progress,
    /// How long the measured part took.
    pub elapsed: Duration,
    /// Processor time of the busiest thread in percent; `None` for a load of less than a second.
    pub busy_percent: Option<u32>,
}

/// Whether a load goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends before its time; requests under way are waited for.
    Stop,
}

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

    let mut outcome = Outcome::default();
    outcome.progress.totals = (0..targets).map(|_| Figures::default()).collect();
    outcome.progress.series = vec![Vec::new(); targets];
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
            add(&mut outcome.progress, second, sums);
            if each(&outcome.progress) == Flow::Stop {
                stop.store(true, Ordering::Relaxed);
            }
        }
    }
    for (second, (_, sums)) in seconds {
        add(&mut outcome.progress, second, sums);
    }
    outcome.elapsed = match timed {
        Some(time) if !stop.load(Ordering::Relaxed) => time.saturating_sub(warm_up),
        _ => begun.elapsed().saturating_sub(warm_up),
    };
    if matches!(load, Load::Burst(_)) {
        outcome.progress.series = vec![Vec::new(); targets];
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
    let peer = peer(&job).await;
    let targets = Arc::new(job.targets);
    let mut threads = Vec::new();
    for worker in 0..workers {
        let task = Task {
            targets: Arc::clone(&targets),
            load: job.load.clone(),
            worker,
            workers,
            peer: peer.clone(),
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
            let ran = worker::run(task);
            if ran.is_err() {
                handle.block_on(start.wait());
            }
            ran
        })?);
    }
    Ok((snapshots, threads))
}

/// Looks the host up once: a name server under load is not what is measured.
async fn peer(job: &Job) -> Peer {
    let (host, port) = (job.base.host().to_owned(), job.base.port());
    let addresses = match tokio::net::lookup_host((host.as_str(), port)).await {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(format!("{host} could not be looked up: {error}")),
    };
    let tls = job.base.is_tls().then(|| {
        let connector = job.tls.clone()?;
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        Ok((connector, name))
    });
    Peer { addresses, tls }
}

/// Adds one second to the course and the totals.
fn add(progress: &mut Progress, second: u32, sums: Vec<Figures>) {
    progress.second = progress.second.max(second + 1);
    let totals = progress.totals.iter_mut().zip(&mut progress.series);
    for ((total, series), sum) in totals.zip(sums) {
        let latencies = sum.latencies();
        series.push(Second {
            at: second,
            ended: sum.ended(),
            errors: sum.errors(),
            p50_us: latencies.at(Quantile::P50),
            p95_us: latencies.at(Quantile::P95),
            max_us: latencies.max(),
        });
        total.merge(sum);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
