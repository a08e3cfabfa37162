//! A fleet of real workers over a real PostgreSQL: killed, cut off, joined, poisoned.
//!
//! The storm runs small here; `scripts/fleet` runs it in full, by the same code.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lensops_core::history::schedule::{Schedule, from_ms};
use lensops_core::ident::LensId;
use sqlx::Row as _;
use uuid::Uuid;

use crate::fixture::{Proxy, Spoil};
use crate::fleet_server::{Api, Postgres};
use crate::harness::{Project, terminate};
use crate::pg::Database;
use crate::pooler::Pooler;
use crate::receiver::Receiver;

/// A number that the full storm sets otherwise.
fn setting(name: &str, small: u64) -> u64 {
    std::env::var(name).map_or(small, |text| text.parse().unwrap())
}

fn lens(number: u64) -> LensId {
    format!("lens_{number}").parse().unwrap()
}

fn tenant(number: u64) -> Uuid {
    Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0000 + u128::from(number))
}

/// A machine: a folder with the plans, and the environment to run them.
fn machine(
    api: &Api,
    url: &str,
    (lenses, tenants, every_s): (u64, u64, u64),
    env: &BTreeMap<String, String>,
) -> Project {
    let mut project = Project::empty();
    project.write("lensops.yml", "schedule: fleet\n");
    let all: Vec<String> = (0..tenants).map(|number| tenant(number).to_string()).collect();
    for number in 0..lenses {
        project.write(
            &format!("tools/ops/monitors/lens_{number}_health_worker.yml"),
            &format!(
                "monitor: lens_{number}\nevery: {every_s}s\nsamples: 7\ntenants: [{}]\n\
                 probes: [{{name: Read, request: {{get: /}}, expect: {{status: 200}}}}]\n",
                all.join(", ")
            ),
        );
    }
    project.env.insert("API_BASE_URL".to_owned(), api.url.clone());
    project.env.insert("DATABASE_URL".to_owned(), url.to_owned());
    project.env.extend(env.clone());
    project
}

/// A worker that runs, with all it said.
struct Worker {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Worker {
    fn start(project: &Project) -> Self {
        let mut command = project.command("worker");
        if let Ok(program) = std::env::var("FLEET_PROGRAM") {
            command = std::process::Command::new(program);
            command
                .arg("worker")
                .env_clear()
                .envs(&project.env)
                .current_dir(project.root());
        }
        Self::of(command)
    }

    fn of(mut command: std::process::Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), said.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self { child, said }
    }

    /// Lines that hold `text`.
    fn says(&self, text: &str) -> Vec<String> {
        let said = self.said.lock().unwrap();
        said.iter().filter(|line| line.contains(text)).cloned().collect()
    }

    /// Waits for a line that holds `text`.
    async fn until(&self, text: &str) {
        let began = Instant::now();
        while self.says(text).is_empty() {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "never said {text:?}: {:#?}",
                self.said.lock().unwrap()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn stop(mut self) -> Vec<String> {
        terminate(&self.child);
        let code = self.child.wait().unwrap().code();
        let said = self.said.lock().unwrap().clone();
        assert_eq!(code, Some(0), "{said:#?}");
        said
    }
}

impl Drop for Worker {
    /// A test that failed leaves none behind.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a storm came to.
#[derive(Debug, Default)]
struct Counts {
    slots: usize,
    checks: usize,
    missed: BTreeMap<String, usize>,
    holes: Vec<String>,
    doubled: i64,
    /// The longest from a slot to its check, in seconds.
    latest_s: f64,
}

/// Every slot of every pair from its first to `end`: checked, missed with a reason, or neither.
async fn count(server: &Postgres, (lenses, tenants, every_s): (u64, u64, u64), end: Timestamp) -> Counts {
    let mut connection = server.connect().await;
    let sql = "SELECT id, (extract(epoch FROM observed_at) * 1000)::bigint, lens_id, yacht_id FROM pms_health_checks \
        UNION ALL SELECT id, (extract(epoch FROM due_at) * 1000)::bigint, lens_id, yacht_id FROM lensops_missed";
    let mut firsts: HashMap<(String, Uuid), i64> = HashMap::new();
    for row in sqlx::query(sql).fetch_all(&mut connection).await.unwrap() {
        let due = i64::try_from(row.get::<Uuid, _>(0).as_u128() >> 80).unwrap();
        let first = firsts.entry((row.get(2), row.get(3))).or_insert(due);
        *first = due.min(*first);
    }
    let rows = sqlx::query("SELECT id, (extract(epoch FROM observed_at) * 1000)::bigint FROM pms_health_checks")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let checks: HashMap<Uuid, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let rows = sqlx::query("SELECT id, reason FROM lensops_missed")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let missed: HashMap<Uuid, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut counts = Counts {
        doubled: server
            .number("SELECT count(*) - count(DISTINCT (yacht_id, lens_id, left(id::text, 13))) FROM pms_health_checks")
            .await,
        ..Counts::default()
    };
    for lens_number in 0..lenses {
        let lens = lens(lens_number);
        for tenant_number in 0..tenants {
            let schedule = Schedule::new(format!("{every_s}s").parse().unwrap(), &lens, tenant(tenant_number));
            let first = firsts.get(&(lens.to_string(), tenant(tenant_number))).copied();
            let Some(first) = first else {
                counts.holes.push(format!("{lens} {tenant_number} was never checked"));
                continue;
            };
            for slot in schedule.between(from_ms(first - 1), end) {
                let id = schedule.slot_id(slot);
                counts.slots += 1;
                if let Some(observed) = checks.get(&id) {
                    counts.checks += 1;
                    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
                    let late = (observed - slot.as_millisecond()) as f64 / 1000.0;
                    // The first one of a pair was due before there was a fleet.
                    if slot.as_millisecond() > first {
                        counts.latest_s = counts.latest_s.max(late);
                    }
                } else if let Some(reason) = missed.get(&id) {
                    *counts.missed.entry(reason.clone()).or_default() += 1;
                } else {
                    counts.holes.push(format!("{lens} {tenant_number} {slot}"));
                }
            }
        }
    }
    counts
}

/// Three workers; one is killed every so often and started again, the database stops and comes back, and the API is down
/// for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_that_is_killed_and_cut_off_records_every_slot_once() {
    let shape = (
        setting("FLEET_LENSES", 2),
        setting("FLEET_TENANTS", 8),
        setting("FLEET_EVERY_S", 3),
    );
    let seconds = setting("FLEET_SECONDS", 14);
    let (kill_every, away) = (setting("FLEET_KILL_EVERY_S", 5), setting("FLEET_AWAY_S", 3));
    let stops: Vec<u64> = match setting("FLEET_STOPS", 1) {
        1 => vec![seconds / 2],
        stops => (1..=stops).map(|stop| seconds * stop / (stops + 1)).collect(),
    };
    let seed = setting("FLEET_SEED", fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut server, api, receiver) = (
        Postgres::start_at("127.0.0.1"),
        Api::start_at("127.0.0.1").await,
        Receiver::start().await,
    );
    let machines: Vec<Project> = (0..3)
        .map(|_| machine(&api, &server.url, shape, &receiver.env()))
        .collect();
    machines[0].run("migrate").expect(0);
    let mut workers: Vec<Worker> = machines.iter().map(Worker::start).collect();
    let (began, mut killed, mut second) = (Instant::now(), 0, 0);
    let mut gone_until = None;
    while second < seconds {
        second += 1;
        tokio::time::sleep_until((began + Duration::from_secs(second)).into()).await;
        if stops.contains(&second) {
            server.order("stop");
            gone_until = Some(second + away);
        }
        if gone_until == Some(second) {
            server.order("start");
            gone_until = None;
        }
        api.set_down(second > seconds / 4 && second < seconds / 4 + seconds / 6 + 3);
        if second % kill_every == 0 && second + kill_every < seconds {
            let at = random.usize(..workers.len());
            workers[at].child.kill().unwrap();
            workers[at].child.wait().unwrap();
            killed += 1;
            workers[at] = Worker::start(&machines[at]);
        }
    }
    if gone_until.is_some() {
        server.order("start");
    }
    // Whoever died or was cut off is made up for: nothing waits for longer than the sweep.
    let settle = setting("FLEET_SETTLE_S", 0);
    tokio::time::sleep(Duration::from_secs(settle)).await;
    let end = Timestamp::now() - jiff::SignedDuration::from_secs(i64::try_from(shape.2 + 1).unwrap());
    let said: Vec<Vec<String>> = workers.into_iter().map(Worker::stop).collect();
    for machine in &machines {
        machine.run("outbox flush").expect(0);
    }
    // What is still locked by one that was killed is taken over by the next.
    let last = Worker::start(&machines[0]);
    let open = "SELECT count(*) FROM lensops_jobs._private_jobs WHERE locked_at IS NOT NULL OR run_at < now() - interval '2 s'";
    let waited = Instant::now();
    tokio::time::sleep(Duration::from_secs(2)).await;
    while server.number(open).await > 0 && waited.elapsed() < Duration::from_secs(40) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    // A receiver is told at most every 30 s; in full that is waited for, else a job must be there for it.
    let untold = "SELECT (SELECT count(*) FROM lensops_alert_deliveries WHERE message IS NULL) \
        + (SELECT count(*) FROM lensops_alert_messages WHERE state = 'waiting')";
    let untold = match setting("FLEET_TELL_S", 0) {
        0 => {
            "SELECT count(*) FROM (SELECT receiver FROM lensops_alert_deliveries WHERE message IS NULL \
              UNION SELECT receiver FROM lensops_alert_messages WHERE state = 'waiting') AS w \
              WHERE NOT EXISTS (SELECT 1 FROM lensops_jobs._private_jobs WHERE key = 'notify/' || receiver)"
        }
        tell => {
            let waited = Instant::now();
            while server.number(untold).await > 0 && waited.elapsed() < Duration::from_secs(tell) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            untold
        }
    };
    last.stop();
    let counts = count(&server, shape, end).await;
    let missed: usize = counts.missed.values().sum();
    let told = receiver.taken();
    let mut ids: HashMap<(&str, String), usize> = HashMap::new();
    for message in told
        .iter()
        .filter_map(|message| Some((message.kind, message.id.clone()?)))
    {
        *ids.entry(message).or_default() += 1;
    }
    let again = ids.values().filter(|times| **times > 1).count();
    let unsent = server.number(untold).await;
    let parked = server.number("SELECT count(*) FROM lensops_parked").await;
    println!(
        "seed {seed}: {killed} kills, {} stops of {away} s; {} slots: {} checked, {missed} missed {:?}, {} neither, {} doubled; \
         latest check {:.1} s after its slot; {} messages told, {again} of them twice, {unsent} unsent; {parked} parked",
        stops.len(),
        counts.slots,
        counts.checks,
        counts.missed,
        counts.holes.len(),
        counts.doubled,
        counts.latest_s,
        told.len()
    );
    let lines = || {
        said.iter()
            .flatten()
            .filter(|line| line.contains("❌") && !line.contains("CANARY"))
            .take(60)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        counts.holes,
        Vec::<String>::new(),
        "slots with neither (seed {seed}) {:#?}",
        lines()
    );
    assert_eq!((counts.doubled, parked), (0, 0), "(seed {seed})");
    assert_eq!(unsent, 0, "notices that nobody was told (seed {seed})");
    assert!(
        counts.checks > 20 && !told.is_empty(),
        "too little happened to prove anything (seed {seed}) {:#?}",
        lines()
    );
    let text = said.concat().join("\n");
    assert!(!text.contains("made-up-test-password"), "a secret in the log");
}

/// A machine of its own project on `server`, with the plans of a lens for two tenants.
async fn single(server: &Postgres, api: &Api) -> Project {
    let project = machine(api, &server.url, (1, 2, 1), &BTreeMap::new());
    project.run("migrate").expect(0);
    project
}

/// Nonsense in the table of jobs, jobs of an older version, and a table that was emptied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_table_that_was_spoilt_is_parked_or_rebuilt_and_told() {
    let (server, api) = (Postgres::start_at("127.0.0.1"), Api::start_at("127.0.0.1").await);
    let project = single(&server, &api).await;
    let worker = Worker::start(&project);
    worker.until("Wrote health check to DB").await;
    server
        .run(
            "SELECT lensops_jobs.add_job('lensops_check', '{\"lens\": \"No Lens\", \"tenant\": 5}'::json); \
             SELECT lensops_jobs.add_job('lensops_check', '[]'::json); \
             SELECT lensops_jobs.add_job('lensops_check', '{\"lens\": \"lens_9\", \
                 \"tenant\": \"85fe1119-b04c-41ac-80f1-829d23322598\", \"due_ms\": 5}'::json); \
             SELECT lensops_jobs.add_job('lensops_of_another_version', '{}'::json); \
             SELECT lensops_jobs.add_job('lensops_notify', 'null'::json)",
        )
        .await;
    let parked = "SELECT count(*) FROM lensops_parked WHERE reason LIKE 'the job names no pair%'";
    let began = Instant::now();
    while server.number(parked).await < 2 {
        assert!(began.elapsed() < Duration::from_secs(20), "nonsense was not parked");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.run("DELETE FROM lensops_jobs._private_jobs").await;
    worker.until("Jobs of the fleet were missing").await;
    let checks = server.number("SELECT count(*) FROM pms_health_checks").await;
    let began = Instant::now();
    while server.number("SELECT count(*) FROM pms_health_checks").await < checks + 2 {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody checks any more");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let status = project.run("fleet status").expect(4);
    assert!(
        status.out.contains("is parked since") && status.out.contains("2 pairs of revision 1"),
        "{}",
        status.out
    );
    project.run("fleet unpark").expect(0);
    worker.stop();
    let status = project.run("fleet status").expect(4);
    assert!(status.out.contains("no machine of the fleet"), "{}", status.out);
}

/// A pair whose check ends the process: it began three times and never ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_that_ends_its_workers_is_parked_and_told_and_comes_back_when_asked() {
    let (server, api) = (Postgres::start_at("127.0.0.1"), Api::start_at("127.0.0.1").await);
    let project = single(&server, &api).await;
    // As three workers leave it that died of this pair.
    server
        .run(&format!(
            "INSERT INTO lensops_starts VALUES ('{}', 'lens_0', 3, 'one that died', now())",
            tenant(0)
        ))
        .await;
    let worker = Worker::start(&project);
    worker.until("Parked: its check began 3 times and never ended").await;
    worker.until("Wrote health check to DB").await;
    let of = |tenant: Uuid| format!("SELECT count(*) FROM pms_health_checks WHERE yacht_id = '{tenant}'");
    assert_eq!(server.number(&of(tenant(0))).await, 0);
    let status = project.run("fleet status --json").expect(4);
    assert!(
        status.out.contains("lensops fleet unpark check/lens_0/"),
        "{}",
        status.out
    );
    let alerts = project.run("alerts list").expect(1);
    assert!(
        alerts.out.contains("no_check") && alerts.out.contains("parked: its check began 3 times"),
        "{}",
        alerts.out
    );
    project
        .run(&format!("fleet unpark check/lens_0/{}", tenant(0)))
        .expect(0);
    let began = Instant::now();
    while server.number(&of(tenant(0))).await == 0 {
        assert!(began.elapsed() < Duration::from_secs(40), "the pair did not come back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.stop();
    project.run("fleet unpark check/lens_0/nobody").expect(2);
}

/// Plans of one folder are run by all; another folder is told, and replaces them when it is asked to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn machines_with_other_files_say_so_and_run_the_published_plans() {
    let (server, api) = (Postgres::start_at("127.0.0.1"), Api::start_at("127.0.0.1").await);
    let one = single(&server, &api).await;
    let other = machine(&api, &server.url, (2, 1, 1), &BTreeMap::new());
    let first = Worker::start(&one);
    first.until("Wrote health check to DB").await;
    let second = Worker::start(&other);
    second
        .until("The files of this machine differ from the published plans")
        .await;
    second.until("Wrote health check to DB").await;
    assert_eq!(
        server
            .number("SELECT count(*) FROM pms_health_checks WHERE lens_id = 'lens_1'")
            .await,
        0
    );
    let status = one.run("fleet status").expect(4);
    assert!(status.out.contains("differ from the published plans"), "{}", status.out);
    other.run("fleet publish").expect(0);
    first.until("Plans of revision 2: 2 lenses, 2 pairs; ").await;
    let began = Instant::now();
    while server
        .number("SELECT count(*) FROM pms_health_checks WHERE lens_id = 'lens_1'")
        .await
        == 0
    {
        assert!(began.elapsed() < Duration::from_secs(20), "the new lens is not checked");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // What left the plans leaves the jobs.
    let gone = format!(
        "SELECT count(*) FROM lensops_jobs._private_jobs WHERE key LIKE '%{}'",
        tenant(1)
    );
    assert_eq!(server.number(&gone).await, 0);
    first.stop();
    second.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_worker_on_one_journal_is_refused_and_one_on_one_database_is_told() {
    let (server, api) = (Postgres::start_at("127.0.0.1"), Api::start_at("127.0.0.1").await);
    let one = single(&server, &api).await;
    one.write("lensops.yml", "schedule: alone\n");
    let other = machine(&api, &server.url, (1, 2, 1), &BTreeMap::new());
    other.write("lensops.yml", "schedule: alone\n");
    let first = Worker::start(&one);
    first.until("OVERALL").await;
    let refused = one.run("worker").expect(3);
    assert!(
        refused.err.contains("another worker runs on the journal") && refused.err.contains("--fleet"),
        "{}",
        refused.err
    );
    let second = Worker::start(&other);
    second.until("Another worker runs on this database").await;
    second.until("OVERALL").await;
    first.stop();
    second.stop();
    let doubled = "SELECT count(*) - count(DISTINCT (yacht_id, lens_id, left(id::text, 13))) FROM pms_health_checks";
    assert_eq!(server.number(doubled).await, 0);
    // A store that knows no fleet.
    one.write("lensops.yml", "schedule: fleet\nstore: sqlite\n");
    let refused = one.run("worker").expect(2);
    assert!(
        refused.err.contains("--fleet needs a PostgreSQL store"),
        "{}",
        refused.err
    );
}

/// One of two machines is cut off from the database while the API fails: it goes on, reports the outage with the key that
/// all machines use, and what it saw arrives once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_is_cut_off_goes_on_and_what_it_saw_arrives_once() {
    let (server, api, receiver) = (
        Postgres::start_at("127.0.0.1"),
        Api::start_at("127.0.0.1").await,
        Receiver::start().await,
    );
    let address = server
        .url
        .split_once('@')
        .unwrap()
        .1
        .split_once('/')
        .unwrap()
        .0
        .to_owned();
    let way = Proxy::to(&address, Spoil::Pass).await;
    let by_way = server.url.replace(&address, &format!("127.0.0.1:{}", way.port));
    let shape = (1, 12, 2);
    let near = machine(&api, &server.url, shape, &receiver.env());
    let far = machine(&api, &by_way, shape, &receiver.env());
    near.run("migrate").expect(0);
    let (one, other) = (Worker::start(&near), Worker::start(&far));
    one.until("OVERALL").await;
    other.until("OVERALL").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    way.set(Spoil::Gone);
    other.until("Cut off from the database").await;
    let before = other.says("OVERALL").len();
    api.set_down(true);
    other.until("🔔 Alert").await;
    assert!(other.says("OVERALL").len() > before, "it went on with nothing");
    api.set_down(false);
    way.set(Spoil::Pass);
    other.until("The database answers again").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let end = Timestamp::now() - jiff::SignedDuration::from_secs(3);
    let said = [one.stop(), other.stop()];
    near.run("outbox flush").expect(0);
    far.run("outbox flush").expect(0);
    let counts = count(&server, shape, end).await;
    println!("{counts:?}");
    assert_eq!((counts.holes, counts.doubled), (Vec::new(), 0), "{:#?}", said[1]);
    let keys: BTreeSet<String> = receiver
        .taken()
        .iter()
        .filter_map(|taken| Some(taken.body.get("dedup_key")?.as_str()?.to_owned()))
        .collect();
    assert!(keys.iter().all(|key| key.starts_with("lensops/")), "{keys:?}");
    assert!(!keys.is_empty(), "nobody was told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_works_behind_a_pooler_in_transaction_mode() {
    let (database, api) = (Database::migrated().await, Api::start_at("127.0.0.1").await);
    let mut project = machine(&api, &database.url, (1, 4, 1), &BTreeMap::new());
    project.run("migrate").expect(0);
    let pooler = Pooler::before(&database).await;
    project.env.insert("DATABASE_URL".to_owned(), pooler.url.clone());
    let worker = Worker::start(&project);
    let began = Instant::now();
    while database.number("SELECT count(*) FROM pms_health_checks").await < 12 {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{:#?}",
            worker.said.lock().unwrap()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    project.run("fleet status").expect(0);
    let said = worker.stop();
    let wrong: Vec<&String> = said
        .iter()
        .filter(|line| line.contains("❌") || line.contains("The queue"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// 100,000 pairs at 15 minutes, compressed to 3, on three processes: how late their checks start.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "minutes of load: `scripts/fleet load`"]
async fn a_hundred_thousand_pairs_start_within_a_second() {
    let shape = (
        setting("FLEET_LENSES", 20),
        setting("FLEET_TENANTS", 5000),
        setting("FLEET_EVERY_S", 180),
    );
    let (server, api) = (Postgres::start_at("127.0.0.1"), Api::start_at("127.0.0.1").await);
    let env = BTreeMap::from([("LOG_LEVEL".to_owned(), "WARNING".to_owned())]);
    let machines: Vec<Project> = (0..3).map(|_| machine(&api, &server.url, shape, &env)).collect();
    machines[0].run("migrate").expect(0);
    let workers: Vec<Worker> = machines.iter().map(Worker::start).collect();
    let waits = Duration::from_secs(setting("FLEET_WARM_S", 200));
    tokio::time::sleep(waits).await;
    let from = Timestamp::now();
    tokio::time::sleep(Duration::from_secs(setting("FLEET_SECONDS", 180))).await;
    let late = "(extract(epoch FROM observed_at) * 1000)::bigint - ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint";
    let of = |what: &str| {
        format!(
            "SELECT coalesce(({what})::bigint, 0) FROM (SELECT {late} AS late FROM pms_health_checks WHERE observed_at > '{from}') AS started"
        )
    };
    let checks = server.number(&of("count(*)")).await;
    let share = |share: &str| of(&format!("percentile_disc({share}) WITHIN GROUP (ORDER BY late)"));
    let (p50, p99, worst) = (
        server.number(&share("0.5")).await,
        server.number(&share("0.99")).await,
        server.number(&of("max(late)")).await,
    );
    let missed = server
        .number(&format!("SELECT count(*) FROM lensops_missed WHERE due_at > '{from}'"))
        .await;
    println!(
        "{} pairs every {} s: {checks} checks, {missed} missed; started late by P50 {p50} ms, P99 {p99} ms, at most {worst} ms",
        shape.0 * shape.1,
        shape.2
    );
    for worker in workers {
        let said = worker.stop();
        said.iter().rev().take(5).for_each(|line| println!("{line}"));
    }
    assert!(p99 <= 1000, "P99 {p99} ms");
}
