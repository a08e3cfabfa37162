//! Capacity of the worker: 20 lenses × 5,000 tenants, each checked once a minute (15 minutes
//! compressed to 60 s), one sample a probe, against a stub in the same process that answers after a
//! millisecond. Checks are judged and recorded in a journal on disk.
//!
//! Prints how late checks started, checks a second of CPU, and the memory of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lensops::auth::Signing;
use lensops::commands::worker::check::Monitor;
use lensops::commands::worker::clock::SystemClock;
use lensops::commands::worker::{Change, Worker};
use lensops::store::{Journal, Store};
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Response, Route, Sender, Timings};
use lensops_core::plan::Vars;
use lensops_core::redaction::Redactor;
use lensops_core::secret::Secret;
use lensops_core::stats::histogram::{Quantile, ms};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const LENSES: usize = 20;
const TENANTS: u128 = 5_000;

/// The default of `worker.per_host`.
const PER_HOST: usize = lensops::commands::worker::PER_HOST;

/// A slot of each pair, and a while for what is still running.
const LASTS: Duration = Duration::from_secs(62);

const PLAN: &str = "
every: 60s
samples: 1
tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]
users: {hod: {id: 11c093fe-0652-50b4-bb47-559c1c185f8a, role: chief_engineer}}
vars: {entity: a1bcc3d4-8832-5f43-b4d0-d845c74c9637}
probes:
  - {name: Service health, request: {get: /v1/actions/health}, expect: {status: 200, json: true}}
  - {name: List endpoint, timed: true, as: hod, request: {get: /v1/actions/list?domain=x}, expect: {status: 200, at_least: {$.total_count: 1}}}
  - {name: Suggestions endpoint, timed: true, as: hod, request: {post: /v1/actions/suggestions, json: {domain: x}}, expect: {status: 200, json: true}}
  - {name: Read action, timed: true, as: hod, request: {post: /v1/actions/execute, json: {action: read, payload: {id: $entity}}}, expect: {status: [200, 404], json: true}}
";

struct Stub;

impl Sender for Stub {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let response = Response {
            version: "HTTP/1.1",
            status: 200,
            headers: Vec::new(),
            body: br#"{"status":"healthy","total_count":12}"#.to_vec(),
        };
        Exchange {
            request,
            sent_at: Timestamp::now(),
            result: Ok(response),
            timings: Timings {
                total_us: 1_000,
                ..Timings::default()
            },
            route: Route::default(),
        }
    }
}

fn monitor(number: usize) -> Result<Monitor, Box<dyn std::error::Error>> {
    Ok(Monitor {
        plan: lensops_core::yaml::read("plan.yml", &format!("monitor: lens_{number}{PLAN}"))?,
        plan_origin: lensops_core::plan::header::PlanOrigin::Generated,
        base: Base::parse("http://127.0.0.1:9")?,
        address: None,
        signing: Signing {
            jwt_secret: Some(Secret::new("a made-up signing secret of enough length")),
            issuer: "http://127.0.0.1:9".to_owned(),
            ..Signing::default()
        },
        environment: Vars::new(),
        provider: Err("none".to_owned()),
        maintenance: Vec::new(),
        redactor: Redactor::default(),
        virtual_clock: false,
    })
}

/// A figure of this process, as Linux tells it, in kB.
fn memory_kb(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse().ok())
        .unwrap_or(0)
}

/// Seconds of CPU that this process has used.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // utime and stime are the 14th and 15th fields, in hundredths of a second.
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let journal = Journal::open(&folder.path().join("journal.db")).await?;
    let monitors = (0..LENSES)
        .map(|number| monitor(number).map(Arc::new))
        .collect::<Result<Vec<_>, _>>()?;
    let (changes, changed) = tokio::sync::mpsc::channel(1);
    let mut worker = Worker::new(
        SystemClock,
        Stub,
        journal.clone(),
        Store::Sqlite(journal.clone()),
        monitors,
    );
    // Tenants that come later start at their next slot, with nothing to make up for.
    worker.tenants = Some(Vec::new());
    worker.per_host = PER_HOST;
    worker.changes = Some(changed);
    let (pulse, stop) = (worker.pulse.clone(), CancellationToken::new());
    let running = tokio::spawn(worker.run(stop.clone()));
    let tenants = (1..=TENANTS).map(|number| Uuid::from_u128(number << 64)).collect();
    changes.send(Change::Tenants(tenants)).await?;
    let (began, cpu) = (Instant::now(), cpu_seconds());
    tokio::time::sleep(LASTS).await;
    stop.cancel();
    running.await?;
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let (lateness, checks) = (pulse.lateness(), pulse.recorded());
    let late = |quantile| lateness.at(quantile).map_or_else(|| "none".to_owned(), ms);
    println!(
        "{} pairs, {checks} checks in {seconds:.1} s, {} slots missed",
        pulse.pairs(),
        pulse.missed()
    );
    println!(
        "start lateness: P50 {}, P99 {}, P99.9 {}, most {} (n={})",
        late(Quantile::P50),
        late(Quantile::P99),
        late(Quantile::P999),
        late(Quantile::MAX),
        lateness.len()
    );
    #[expect(clippy::cast_precision_loss, reason = "a count of some hundred thousand")]
    let per_core = checks as f64 / cpu;
    println!("CPU {cpu:.1} s: {per_core:.0} checks a second of CPU");
    println!(
        "resident {} MB, at most {} MB",
        memory_kb("VmRSS") / 1024,
        memory_kb("VmHWM") / 1024
    );
    journal.close().await;
    Ok(())
}
