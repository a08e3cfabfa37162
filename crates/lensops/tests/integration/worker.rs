//! The worker: slots, no drift, no overlap, an orderly stop.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use lensops::run::check::Monitor;
use lensops::run::clock::Clock;
use lensops::run::worker::{Pulse, Worker};
use lensops::store::{History as _, Journal, Store};
use lensops_core::evidence::Redactor;
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Response, Sender, Timings};
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::schedule::slot_id;
use lensops_sandbox::{Dialect, Faults};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::harness::{Project, sandbox};

/// A clock that is where a sleeper wants it as soon as no check runs: only checks take time.
#[derive(Clone)]
struct StepClock(Arc<Mutex<Timestamp>>, Arc<Pulse>);

impl StepClock {
    fn at(text: &str) -> Self {
        Self(Arc::new(Mutex::new(text.parse().unwrap())), Arc::default())
    }

    fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock().unwrap();
        *now += by;
    }
}

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, at: Timestamp) {
        while self.1.running() > 0 {
            tokio::task::yield_now().await;
        }
        let mut now = self.0.lock().unwrap();
        *now = (*now).max(at);
    }
}

/// Answers every request; each takes as long as the test says, on the test's clock.
struct SlowApi {
    clock: StepClock,
    takes: BTreeMap<usize, SignedDuration>,
    answered: Arc<AtomicUsize>,
    stop_after: usize,
    stop: CancellationToken,
    running: Arc<AtomicUsize>,
}

impl Sender for SlowApi {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        assert_eq!(
            self.running.fetch_add(1, Ordering::SeqCst),
            0,
            "two checks of one pair ran at once"
        );
        tokio::task::yield_now().await;
        let count = self.answered.fetch_add(1, Ordering::SeqCst);
        self.clock
            .advance(self.takes.get(&count).copied().unwrap_or(SignedDuration::from_secs(2)));
        if count + 1 == self.stop_after {
            self.stop.cancel();
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        let response = Response {
            version: "HTTP/1.1",
            status: 200,
            headers: Vec::new(),
            body: b"{}".to_vec(),
        };
        Exchange {
            request,
            sent_at: self.clock.now(),
            result: Ok(response),
            timings: Timings::default(),
        }
    }
}

const PLAN: &str = "monitor: faults\nevery: 15m\nsamples: 1\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\nprobes:\n  - {name: List, request: {get: /list}, expect: {status: 200}}\n";

pub(crate) fn monitor() -> Monitor {
    let plan: MonitorPlan = lensops_core::yaml::read("plan.yml", PLAN).unwrap();
    Monitor {
        plan,
        plan_origin: "generated",
        base: Base::parse("http://127.0.0.1:9").unwrap(),
        jwt_secret: None,
        issuer: String::new(),
        provider: Err("none".to_owned()),
        maintenance: Vec::new(),
        redactor: Redactor::default(),
        virtual_clock: false,
    }
}

/// Runs a worker for `checks` checks, of which some take longer, and returns when each was
/// observed and what was missed.
async fn run(checks: usize, takes: &[(usize, SignedDuration)]) -> (Vec<Timestamp>, Vec<(Timestamp, String)>) {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    let clock = StepClock::at("2026-01-28T15:00:00Z");
    let stop = CancellationToken::new();
    let api = SlowApi {
        clock: clock.clone(),
        takes: takes.iter().copied().collect(),
        answered: Arc::default(),
        stop_after: checks,
        stop: stop.clone(),
        running: Arc::default(),
    };
    let monitor = Arc::new(monitor());
    let (tenant, lens) = (monitor.plan.tenants[0], monitor.lens().clone());
    let from = clock.now() - SignedDuration::from_hours(1);
    let store = Store::Sqlite(journal.clone());
    let mut worker = Worker::new(clock.clone(), api, journal.clone(), store, vec![monitor.clone()]);
    worker.pulse = clock.1.clone();
    worker.run(stop).await;
    let stored = journal.between(tenant, &lens, from, clock.now()).await.unwrap();
    let schedule = monitor.schedule(tenant);
    for check in &stored {
        assert_eq!(
            check.id,
            slot_id(tenant, &lens, schedule.latest(check.observed_at)),
            "a check has the id of its slot"
        );
    }
    (
        stored.iter().map(|check| check.observed_at).collect(),
        journal.missed(tenant, &lens).await.unwrap(),
    )
}

/// Defect 10, its second half: the interval drifted by the length of the check.
#[tokio::test]
async fn defect_10_the_timetable_does_not_drift() {
    let (observed, missed) = run(20, &[]).await;
    assert_eq!((observed.len(), missed.len()), (20, 0));
    // The first is the slot that is due at the start; from then on every quarter hour, to the millisecond.
    for pair in observed[1..].windows(2) {
        assert_eq!(pair[1].duration_since(pair[0]), SignedDuration::from_mins(15));
    }
}

#[tokio::test]
async fn a_check_that_outlives_its_interval_is_not_run_twice_and_its_slots_are_missed() {
    let (observed, missed) = run(5, &[(2, SignedDuration::from_mins(40))]).await;
    assert_eq!(observed.len(), 5);
    assert_eq!(
        missed.iter().map(|(_, reason)| reason.as_str()).collect::<Vec<_>>(),
        ["overrun", "overrun"]
    );
    assert_eq!(
        observed[3].duration_since(observed[2]),
        SignedDuration::from_mins(45),
        "back on the timetable"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_logs_a_check_as_specified_and_records_it() {
    let sandbox = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&sandbox);
    let mut child = project.command("worker faults").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    for line in lines.by_ref() {
        seen.push(line.unwrap());
        if seen.last().unwrap().contains("Sleeping for") {
            break;
        }
    }
    terminate(&child);
    seen.extend(lines.map(Result::unwrap));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let messages: Vec<&str> = seen.iter().map(|line| line.split_once("] ").unwrap().1).collect();
    let starts = [
        "WARNING: ⚠️ Alerts are kept and told to nobody: no receiver is set",
        "WARNING: ⚠️ Feature flags are not judged: RENDER_API_KEY and RENDER_SERVICE_ID are not set",
        "INFO: Starting health check for lens=faults yacht=53fbdf09-b709-509d-aad0-3a6f50239a5d",
        "INFO: ✅ Service health: healthy (4/4 handlers)",
        "INFO: ❔ Feature flags: not judged",
        "INFO: ✅ List endpoint: 200 OK (12 actions, ",
        "INFO: ✅ Suggestions endpoint: 200 OK (12 actions, ",
        "INFO: ✅ Read action: 200 OK (",
        "INFO: ✅ Wrote health check to DB: id=",
        "INFO: ✅ OVERALL: CANARY HEALTHY",
        "INFO: Sleeping for ",
        "INFO: Stopping: running checks have 10 s",
        "INFO: Stopped",
    ];
    assert_eq!(messages.len(), starts.len(), "{messages:#?}");
    for (message, start) in messages.iter().zip(starts) {
        assert!(message.starts_with(start), "{message} / {start}");
    }
    assert!(project.run("status").expect(0).out.contains("✅ Healthy"));
    // A worker that starts again within the slot does not run it again.
    let mut child = project.command("worker faults").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Feature flags")));
    terminate(&child);
    assert!(!lines.any(|line| line.unwrap().contains("Starting health check")));
    child.wait().unwrap();
}

/// Defect 10, its first half: there was no handling of SIGTERM.
#[tokio::test(flavor = "multi_thread")]
async fn defect_10_a_stop_lets_a_running_check_finish_and_cuts_off_one_that_hangs() {
    for (stall_ms, finishes) in [(1_500, true), (14_000, false)] {
        let sandbox = sandbox(Dialect::Documented).await;
        let project = Project::with_faults(&sandbox);
        let rule = json!({"rules": [{"path": "/v1/actions/list", "times": 1, "act": {"stall_ms": stall_ms}}]});
        sandbox.set_faults(serde_json::from_value::<Faults>(rule).unwrap());
        let mut child = project.command("worker faults").stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("Starting health check")));
        terminate(&child);
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let has = |text: &str| rest.iter().any(|line| line.contains(text));
        assert_eq!(has("OVERALL: CANARY HEALTHY"), finishes, "{rest:#?}");
        assert_eq!(has("Missed the slot of") && has(": shutdown"), !finishes, "{rest:#?}");
        assert!(!has("UNHEALTHY"), "{rest:#?}");
    }
}

fn terminate(child: &std::process::Child) {
    let status = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}
