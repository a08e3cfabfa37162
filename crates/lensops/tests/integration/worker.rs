//! The worker: slots, no drift, no overlap, an orderly stop.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use lensops::auth::Signing;
use lensops::commands::worker::check::Monitor;
use lensops::commands::worker::clock::Clock;
use lensops::commands::worker::{Change, Pulse, Worker};
use lensops::store::{History as _, Journal, Store, StoredCheck};
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Response, Route, Sender, Timings};
use lensops_core::plan::Vars;
use lensops_core::plan::header::PlanOrigin;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::redaction::Redactor;
use lensops_sandbox::{Dialect, Faults};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{Project, sandbox, terminate};

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
            route: Route::default(),
        }
    }
}

const PLAN: &str = "monitor: faults\nevery: 15m\nsamples: 1\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\nprobes:\n  - {name: List, request: {get: /list}, expect: {status: 200}}\n";

pub(crate) fn monitor() -> Monitor {
    let plan: MonitorPlan = lensops_core::yaml::read("plan.yml", PLAN).unwrap();
    Monitor {
        plan,
        plan_origin: PlanOrigin::Generated,
        base: Base::parse("http://127.0.0.1:9").unwrap(),
        address: None,
        signing: Signing::default(),
        environment: Vars::new(),
        provider: Err("none".to_owned()),
        maintenance: Vec::new(),
        redactor: Redactor::default(),
        virtual_clock: false,
    }
}

/// What a worker left.
struct Left {
    stored: Vec<StoredCheck>,
    missed: Vec<(Timestamp, String)>,
    monitor: Arc<Monitor>,
}

impl Left {
    fn reasons(&self) -> Vec<&str> {
        self.missed.iter().map(|(_, reason)| reason.as_str()).collect()
    }

    fn observed(&self) -> Vec<Timestamp> {
        self.stored.iter().map(|check| check.observed_at).collect()
    }

    /// Whether check `at` has the id of the slot it was observed in.
    fn has_its_slot(&self, at: usize) -> bool {
        let (tenant, check) = (self.monitor.plan.tenants[0], &self.stored[at]);
        let schedule = self.monitor.schedule(tenant);
        check.id == schedule.slot_id(schedule.latest(check.observed_at))
    }
}

/// Runs a worker for `checks` checks, of which some take longer, or less than no time: the clock
/// is set back meanwhile.
async fn left(checks: usize, takes: &[(usize, SignedDuration)]) -> Left {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    left_in(&journal, StepClock::at("2026-01-28T15:00:00Z"), checks, takes).await
}

/// The same, over a journal that may hold checks already, from the time of `clock` on.
async fn left_in(journal: &Journal, clock: StepClock, checks: usize, takes: &[(usize, SignedDuration)]) -> Left {
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
    let store = Store::Sqlite(journal.clone());
    let mut worker = Worker::new(clock.clone(), api, journal.clone(), store, vec![monitor.clone()]);
    worker.pulse = clock.1.clone();
    worker.run(stop).await;
    let (from, until) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    let stored = journal.between(tenant, &lens, from, until).await.unwrap();
    let missed = journal.missed(tenant, &lens).await.unwrap();
    Left {
        stored,
        missed,
        monitor,
    }
}

/// The same, where every check has the id of its slot.
async fn run(checks: usize, takes: &[(usize, SignedDuration)]) -> (Vec<Timestamp>, Vec<(Timestamp, String)>) {
    let left = left(checks, takes).await;
    assert!(
        (0..left.stored.len()).all(|at| left.has_its_slot(at)),
        "a check has the id of its slot"
    );
    (left.observed(), left.missed)
}

#[tokio::test]
async fn a_second_start_misses_what_was_due_while_no_worker_ran_and_nothing_from_before_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    let first = left_in(&journal, StepClock::at("2026-01-28T15:00:00Z"), 1, &[]).await;
    assert_eq!((first.stored.len(), first.missed.len()), (1, 0));

    let again = left_in(&journal, StepClock::at("2026-01-28T15:00:20Z"), 1, &[]).await;
    assert_eq!(again.missed, [], "the pair was known for twenty seconds");

    let hour = left_in(&journal, StepClock::at("2026-01-28T16:30:00Z"), 1, &[]).await;
    let schedule = hour.monitor.schedule(hour.monitor.plan.tenants[0]);
    let (last, now) = (again.observed()[1], "2026-01-28T16:30:00Z".parse().unwrap());
    let mut due: Vec<Timestamp> = schedule.between(last, now).collect();
    due.pop();
    assert!((3..=6).contains(&due.len()), "{due:?}");
    assert_eq!(hour.missed.iter().map(|(due, _)| *due).collect::<Vec<_>>(), due);
    assert!(
        hour.reasons().iter().all(|reason| *reason == "down"),
        "{:?}",
        hour.missed
    );
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

/// A clock whose sleeper oversleeps once, as on a machine that was suspended.
#[derive(Clone)]
struct Oversleeper(StepClock, Arc<AtomicUsize>);

impl Clock for Oversleeper {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep_until(&self, at: Timestamp) {
        self.0.sleep_until(at).await;
        if self.1.fetch_add(1, Ordering::SeqCst) == 120 {
            self.0.advance(SignedDuration::from_mins(61));
        }
    }
}

/// Answers at once, and keeps count of how many it answers at the same time.
struct Counting {
    now: AtomicUsize,
    most: Arc<AtomicUsize>,
    answered: AtomicUsize,
    stop_after: usize,
    stop: CancellationToken,
    /// The request at which it panics.
    panics_at: Option<usize>,
}

impl Counting {
    fn new(stop_after: usize, stop: &CancellationToken) -> Self {
        Self {
            now: AtomicUsize::new(0),
            most: Arc::default(),
            answered: AtomicUsize::new(0),
            stop_after,
            stop: stop.clone(),
            panics_at: None,
        }
    }
}

impl Sender for Counting {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        let count = self.answered.fetch_add(1, Ordering::SeqCst);
        assert_ne!(Some(count), self.panics_at, "a defect, on purpose");
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..500 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        if count + 1 >= self.stop_after {
            self.stop.cancel();
        }
        let response = Response {
            version: "HTTP/1.1",
            status: 200,
            headers: Vec::new(),
            body: b"{}".to_vec(),
        };
        Exchange {
            request,
            sent_at: Timestamp::UNIX_EPOCH,
            result: Ok(response),
            timings: Timings::default(),
            route: Route::default(),
        }
    }
}

/// Every slot of a pair from its first check to its last is a check or is missed, never both.
async fn every_slot_is_settled_once(journal: &Journal, monitor: &Monitor, tenant: Uuid) -> (usize, usize) {
    let lens = monitor.lens();
    let all = journal
        .between(tenant, lens, Timestamp::UNIX_EPOCH, Timestamp::MAX)
        .await
        .unwrap();
    let checks: std::collections::BTreeSet<Uuid> = all.iter().map(|check| check.id).collect();
    let missed = journal.missed(tenant, lens).await.unwrap();
    let missed_slots: std::collections::BTreeSet<Timestamp> = missed.iter().map(|(due, _)| *due).collect();
    let schedule = monitor.schedule(tenant);
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        panic!("no check at all of {tenant}");
    };
    let from = schedule.latest(first.observed_at) - SignedDuration::from_millis(1);
    let mut slots = 0;
    for due in schedule.between(from, last.observed_at) {
        let (checked, skipped) = (checks.contains(&schedule.slot_id(due)), missed_slots.contains(&due));
        assert_ne!(
            checked, skipped,
            "slot {due} of {tenant}: checked {checked}, missed {skipped}; {missed:?}"
        );
        slots += 1;
    }
    (slots, missed.len())
}

#[tokio::test]
async fn a_machine_that_was_suspended_says_so_once_and_every_slot_is_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    let (clock, stop) = (StepClock::at("2026-01-28T15:00:00Z"), CancellationToken::new());
    let monitor = Arc::new(monitor());
    let tenants: Vec<Uuid> = (1..=5_u128).map(Uuid::from_u128).collect();
    let mut worker = Worker::new(
        Oversleeper(clock.clone(), Arc::default()),
        Counting::new(60, &stop),
        journal.clone(),
        Store::Sqlite(journal.clone()),
        vec![monitor.clone()],
    );
    worker.pulse = clock.1.clone();
    worker.tenants = Some(tenants.clone());
    worker.run(stop).await;
    let mut missed = 0;
    for tenant in tenants {
        let (slots, of_it) = every_slot_is_settled_once(&journal, &monitor, tenant).await;
        assert!(slots >= 8, "{slots}");
        let reasons = journal.missed(tenant, monitor.lens()).await.unwrap();
        assert!(reasons.iter().all(|(_, reason)| reason == "asleep"), "{reasons:?}");
        missed += of_it;
    }
    // 61 minutes are four slots of each pair, of which the last is run.
    assert!((15..=20).contains(&missed), "{missed}");
}

#[tokio::test]
async fn a_clock_set_back_by_an_hour_stops_nothing_and_counts_no_slot_twice() {
    let left = left(12, &[(4, SignedDuration::from_hours(-1))]).await;
    assert_eq!((left.stored.len(), left.missed.len()), (12, 0), "{:?}", left.missed);
    // In order of time: the slots of the repeated hour hold two checks, one of which is an extra one.
    let extra = (0..12).filter(|at| !left.has_its_slot(*at)).count();
    assert!((3..=5).contains(&extra), "{extra} extra checks: {:?}", left.observed());
    let ids: std::collections::BTreeSet<Uuid> = left.stored.iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), 12);
}

#[tokio::test]
async fn a_clock_set_forward_by_an_hour_misses_its_slots_with_their_reason() {
    let left = left(8, &[(3, SignedDuration::from_hours(1))]).await;
    assert_eq!(left.stored.len(), 8);
    // The check that ran meanwhile seems to have taken the hour.
    assert_eq!(left.reasons(), ["overrun"; 4]);
}

#[tokio::test]
async fn so_many_checks_run_at_once_against_a_host_and_no_more() {
    for per_host in [1, 8] {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
        let (clock, stop) = (StepClock::at("2026-01-28T15:00:00Z"), CancellationToken::new());
        let (api, monitor) = (Counting::new(120, &stop), Arc::new(monitor()));
        let most = api.most.clone();
        let store = Store::Sqlite(journal.clone());
        let mut worker = Worker::new(clock.clone(), api, journal.clone(), store, vec![monitor.clone()]);
        worker.pulse = clock.1.clone();
        worker.per_host = per_host;
        worker.tenants = Some((1..=40_u128).map(Uuid::from_u128).collect());
        worker.run(stop).await;
        let most = most.load(Ordering::SeqCst);
        assert!(most <= per_host, "{most} at once, {per_host} were allowed");
        // What a start finds undone leaves half of the room to what is due on time.
        assert!(most >= per_host.min(2), "{most} at once of {per_host}");
    }
}

#[tokio::test]
async fn a_check_that_breaks_off_by_a_defect_costs_one_slot_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    let (clock, stop) = (StepClock::at("2026-01-28T15:00:00Z"), CancellationToken::new());
    let (mut api, monitor) = (Counting::new(6, &stop), Arc::new(monitor()));
    api.panics_at = Some(2);
    let store = Store::Sqlite(journal.clone());
    let mut worker = Worker::new(clock.clone(), api, journal.clone(), store, vec![monitor.clone()]);
    worker.pulse = clock.1.clone();
    worker.run(stop).await;
    let tenant = monitor.plan.tenants[0];
    let missed = journal.missed(tenant, monitor.lens()).await.unwrap();
    assert_eq!(
        missed.iter().map(|(_, reason)| reason.as_str()).collect::<Vec<_>>(),
        ["defect"]
    );
    assert_eq!(every_slot_is_settled_once(&journal, &monitor, tenant).await, (6, 1));
}

#[tokio::test]
async fn tenants_that_come_and_go_while_it_runs_are_taken_up_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    let (clock, stop) = (StepClock::at("2026-01-28T15:00:00Z"), CancellationToken::new());
    let (api, monitor) = (Counting::new(40, &stop), Arc::new(monitor()));
    let (changes, changed) = tokio::sync::mpsc::channel(4);
    let store = Store::Sqlite(journal.clone());
    let mut worker = Worker::new(clock.clone(), api, journal.clone(), store, vec![monitor.clone()]);
    worker.pulse = clock.1.clone();
    let ids: Vec<Uuid> = (1..=3_u128).map(Uuid::from_u128).collect();
    worker.tenants = Some(ids[..2].to_vec());
    worker.changes = Some(changed);
    let pulse = worker.pulse.clone();
    let telling = async {
        while pulse.recorded() < 8 {
            tokio::task::yield_now().await;
        }
        changes.send(Change::Tenants(ids[1..].to_vec())).await.unwrap();
    };
    let ((), _) = tokio::join!(telling, worker.run(stop));
    let mut counts = Vec::new();
    for tenant in &ids {
        counts.push(every_slot_is_settled_once(&journal, &monitor, *tenant).await.0);
    }
    assert!(
        counts[0] < counts[1] && counts[2] < counts[1] && counts[2] > 4,
        "{counts:?}"
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
