//! The worker in production: tenants by query, configuration read again, faults of every kind at once.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Stdio};

use lensops::commands::worker::tenants::TenantWatch;
use lensops::http::Client;
use lensops::store::{Journal, REGISTRY, TenantSource};
use lensops_core::duration::Every;
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::redaction::Redactor;
use lensops_sandbox::{Dialect, Faults, Sandbox};
use serde_json::{Value, json};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use uuid::Uuid;

use crate::bridge;
use crate::fixture::{NORTH, SOUTH, journal, over_postgres_rest, tenants_entered};
use crate::harness::{FAULTS, Project, sandbox};
use crate::pg::Database;

/// A worker process with its lines.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    said: Vec<String>,
}

impl Running {
    fn start(project: &Project) -> Self {
        let mut child = project.command("worker").stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Reads on until a line holds `text`.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        for line in self.lines.by_ref().take(2_000) {
            let line = line.unwrap();
            println!("{line}");
            self.said.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("{text:?} was never said: {:#?}", self.said);
    }

    /// Reads on until so many checks are over.
    fn checks(&mut self, count: usize) {
        for _ in 0..count {
            self.until("OVERALL");
        }
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn stop(mut self) -> Vec<String> {
        self.signal("-TERM");
        for line in self.lines.by_ref() {
            self.said.push(line.unwrap());
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{:#?}", self.said);
        self.said
    }
}

/// A project whose lens is checked every second.
fn every_second(stand_in: &Sandbox) -> Project {
    let mut project = Project::empty();
    project.point_at(stand_in);
    project.run(&format!("{FAULTS} --interval 1s")).expect(0);
    project
}

async fn watch(source: TenantSource<Client>, journal: &Journal) -> TenantWatch<Client> {
    TenantWatch::new(source, journal.clone(), Redactor::default()).await
}

#[tokio::test]
async fn tenants_are_read_from_the_registry_and_nonsense_keeps_the_last_good_ones() {
    let (database, (_folder, journal)) = (tenants_entered().await, journal().await);
    let registry = TenantSource::Postgres(database.secret(), REGISTRY.to_owned());
    let mut registry = watch(registry, &journal).await;
    assert!(registry.known().is_empty() && registry.look().await);
    assert_eq!(registry.known(), [SOUTH, NORTH]);
    assert!(!registry.look().await, "nothing new");
    for nonsense in [
        "SELECT 'no id at all'",
        "SELECT id, id FROM yacht_registry",
        "SELECT id FROM yacht_registry WHERE false",
        "SELECT NULL::uuid",
        "SELECT id FROM no_such_table",
        "SELECT 1; DROP TABLE yacht_registry",
        "WITH gone AS (DELETE FROM yacht_registry RETURNING id) SELECT id FROM gone",
        "SELECT",
    ] {
        let source = TenantSource::Postgres(database.secret(), nonsense.to_owned());
        let mut asked = watch(source, &journal).await;
        assert!(!asked.look().await, "{nonsense}");
        assert_eq!(asked.known(), [SOUTH, NORTH], "{nonsense}: known over a restart too");
    }
    assert_eq!(database.number("SELECT count(*) FROM yacht_registry").await, 2);
    let text = TenantSource::Postgres(database.secret(), format!("SELECT '{NORTH}' AS tenant;"));
    let mut text = watch(text, &journal).await;
    assert!(text.look().await);
    assert_eq!(text.known(), [NORTH]);
}

#[tokio::test]
async fn tenants_are_read_over_rest_where_the_key_may_see_them() {
    let (database, (_folder, journal)) = (tenants_entered().await, journal().await);
    let source = || async { TenantSource::Rest(over_postgres_rest(&database, bridge::SERVICE_KEY).await) };
    let mut asked = watch(source().await, &journal).await;
    assert!(
        !asked.look().await,
        "the registry that lensops makes is nobody's to read"
    );
    database.run("GRANT SELECT ON yacht_registry TO service_role").await;
    let mut asked = watch(source().await, &journal).await;
    assert!(asked.look().await);
    assert_eq!(asked.known(), [SOUTH, NORTH]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_entered_is_checked_and_a_query_that_breaks_is_said_once() {
    let (stand_in, database) = (sandbox(Dialect::Documented).await, Database::migrated().await);
    database
        .run(&format!("INSERT INTO yacht_registry (id) VALUES ('{NORTH}')"))
        .await;
    let mut project = every_second(&stand_in);
    project.env.insert("DATABASE_URL".to_owned(), database.url.clone());
    project.write("lensops.yml", "worker: {tenants: registry}\n");
    let mut worker = Running::start(&project);
    worker.until("Tenants: 1 in all, 1 added, 0 removed");
    worker.checks(1);
    database
        .run(&format!("INSERT INTO yacht_registry (id) VALUES ('{SOUTH}')"))
        .await;
    worker.until("Tenants: 2 in all, 1 added, 0 removed");
    worker.until(&format!("Starting health check for lens=faults yacht={SOUTH}"));
    database.run("ALTER TABLE yacht_registry RENAME TO moved").await;
    let line = worker.until("❌ The tenants cannot be read: ");
    assert!(
        line.contains("\"public.yacht_registry\" does not exist; going on with the 2 last known"),
        "{line}"
    );
    worker.checks(6);
    database.run("ALTER TABLE moved RENAME TO yacht_registry").await;
    worker.until("✅ The tenants can be read again");
    let said = worker.stop();
    assert_eq!(
        said.iter()
            .filter(|line| line.contains("The tenants cannot be read"))
            .count(),
        1,
        "{said:#?}"
    );
    let status: Value = serde_json::from_str(&project.run("status --json").expect(0).out).unwrap();
    assert_eq!(
        status.as_array().unwrap().len(),
        2,
        "status knows the tenants that the worker knows"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_keeps_the_old_one_and_a_good_one_is_taken_up() {
    let stand_in = sandbox(Dialect::Documented).await;
    let project = every_second(&stand_in);
    let plan = "tools/ops/monitors/faults_health_worker.yml";
    let good = project.read(plan);
    let mut worker = Running::start(&project);
    worker.checks(1);
    for (file, broken) in [
        (plan, "monitor: [\n"),
        (plan, "monitor: faults\nevery: soon\n"),
        ("lensops.yml", "worker: {per_host: 0}\n"),
    ] {
        project.write(file, broken);
        worker.signal("-HUP");
        let line = worker.until("the one that was in force stays in force");
        assert!(line.contains("❌ Reload: the configuration was not taken up"), "{line}");
        assert!(line.contains(file) || line.contains("lensops.yml"), "{line}");
        worker.checks(2);
        project.write(plan, &good);
    }
    // Every mistake is told, each on a line.
    project.write("lensops.yml", "store: paper\nruntime: java\n");
    worker.signal("-HUP");
    assert!(worker.until("lensops.yml:1:").contains("paper"));
    assert!(worker.until("lensops.yml:2:").ends_with("stays in force"));
    project.write(
        "lensops.yml",
        "maintenance: [{reason: moving, from: 2020-01-01T00:00:00Z, until: 2100-01-01T00:00:00Z}]\n",
    );
    worker.signal("-HUP");
    worker.until("Reload: lensops.yml changed");
    worker.until("(maintenance: moving)");
    let lens = project.read("lenses/faults.yml");
    project.write(
        "lenses/faults.yml",
        &format!("{lens}paused: {{reason: too slow, since: 2026-01-01T00:00:00Z}}\n"),
    );
    project.run("generate").expect(0);
    worker.signal("-HUP");
    worker.until("Reload: lens faults changed");
    worker.until("(paused: too slow)");
    worker.signal("-HUP");
    worker.until("Reload: nothing changed");
    worker.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_checked_marked_and_left_out_of_status_and_gate() {
    let stand_in = sandbox(Dialect::Documented).await;
    let project = Project::with_faults(&stand_in);
    let lens = project.read("lenses/faults.yml");
    let windows = "maintenance:\n  - {reason: moving, from: 2020-01-01T00:00:00Z, until: 2100-01-01T00:00:00Z}\n";
    project.write("lenses/faults.yml", &format!("{lens}{windows}"));
    project.run("generate").expect(0);
    stand_in.set_faults(serde_json::from_value::<Faults>(json!({"refuse_connections": true})).unwrap());
    let checked: Value = serde_json::from_str(&project.run("check faults --json").expect(1).out).unwrap();
    assert_eq!(
        checked[0]["notes"]["muted"],
        json!({"why": "maintenance", "reason": "moving"})
    );
    let status: Value = serde_json::from_str(&project.run("status --json").expect(0).out).unwrap();
    assert_eq!(status[0]["standing"], "maintenance");
    let gate: Value = serde_json::from_str(&project.run("gate faults --json").expect(3).out).unwrap();
    assert_eq!(
        (&gate["tenants"][0]["maintenance"], &gate["tenants"][0]["unhealthy"]),
        (&json!(1), &json!(0))
    );
    for bad in [
        "maintenance: [{reason: x, every: 'sunday 2-4'}]",
        "maintenance: [{every: 'sun 02:00-04:00'}]",
        "maintenance: [{reason: x}]",
    ] {
        project.write("lenses/faults.yml", &format!("{lens}{bad}\n"));
        let ran = project.run("generate").expect(2);
        assert!(ran.err.contains("lenses/faults.yml"), "{bad}: {}", ran.err);
    }
}

/// Every due slot between the first and the last check of a pair is a check or missed, never both.
async fn settled(project: &Project, tenant: Uuid) -> (usize, BTreeMap<String, usize>) {
    let journal = Journal::open(&project.path(".lensops/journal.db")).await.unwrap();
    let lens: LensId = "faults".parse().unwrap();
    let schedule = Schedule::new("1s".parse::<Every>().unwrap(), &lens, tenant);
    let settled = journal.settled_since(jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let page = journal.page(None, 1_000_000, false).await.unwrap();
    let mine: Vec<_> = page
        .iter()
        .map(|(check, _)| check)
        .filter(|check| check.yacht_id == tenant)
        .collect();
    let missed = journal.missed(tenant, &lens).await.unwrap();
    let (first, last) = (mine.first().unwrap(), mine.last().unwrap());
    let from = schedule.latest(first.observed_at) - jiff::SignedDuration::from_millis(1);
    let mut slots = 0;
    for due in schedule.between(from, last.observed_at) {
        let id = schedule.slot_id(due);
        let (checks, skipped) = (
            mine.iter().filter(|check| check.id == id).count(),
            missed.iter().filter(|(at, _)| *at == due).count(),
        );
        assert!(
            settled.contains(&id) && checks + skipped == 1,
            "{due}: {checks} checks, {skipped} times missed"
        );
        slots += 1;
    }
    let mut reasons = BTreeMap::new();
    for (_, reason) in missed {
        *reasons.entry(reason).or_insert(0) += 1;
    }
    (slots, reasons)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_befalls_api_and_provider_each_slot_is_recorded_once_or_missed_with_its_reason() {
    let stand_in = sandbox(Dialect::Documented).await;
    let mut project = every_second(&stand_in);
    project.switch_at(&stand_in);
    let mut worker = Running::start(&project);
    worker.until("CANARY HEALTHY");
    let rule = |act: Value| json!({"rules": [{"path": "/v1/actions", "act": act}]});
    for (faults, said) in [
        (json!({"refuse_connections": true}), "CANARY UNHEALTHY"),
        (
            json!({"rules": [{"path": "/v1/actions/list", "probability": 0.5, "act": {"status": {"code": 500}}}]}),
            "CANARY UNHEALTHY",
        ),
        // A check ends within its interval, and says what it had no time for.
        (
            rule(json!({"latency": {"constant_ms": 150}})),
            "the check's time was up",
        ),
        (rule(json!("non_json")), "CANARY UNHEALTHY"),
        (rule(json!("reset")), "CANARY UNHEALTHY"),
        (
            json!({"provider_garbage": true}),
            "❔ Feature flags: not judged: the provider's answer is no JSON",
        ),
    ] {
        stand_in.set_faults(serde_json::from_value::<Faults>(faults).unwrap());
        worker.until(said);
        worker.checks(1);
        stand_in.set_faults(Faults::default());
        worker.until("CANARY HEALTHY");
    }
    // A journal that another process holds makes a check outlive its interval.
    let journal = SqliteConnectOptions::new().filename(project.path(".lensops/journal.db"));
    let mut held = journal.connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut held).await.unwrap();
    worker.until("Failed to write health check to DB");
    sqlx::query("ROLLBACK").execute(&mut held).await.unwrap();
    worker.until("Missed the slot of");
    let said = worker.stop();
    let (slots, reasons) = settled(&project, NORTH).await;
    assert!(slots >= 12, "{slots}");
    assert!(
        reasons
            .keys()
            .all(|reason| matches!(reason.as_str(), "overrun" | "shutdown" | "asleep")),
        "{reasons:?}"
    );
    assert!(reasons.contains_key("overrun"), "{reasons:?}");
    let warned = said
        .iter()
        .filter(|line| line.contains("⚠️ Feature flags cannot be read"))
        .count();
    // One line an outage: the whole server, then the provider alone.
    assert_eq!(warned, 2, "{said:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_are_read_once_for_all_lenses_and_tenants_of_an_interval() {
    let stand_in = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&stand_in);
    project.switch_at(&stand_in);
    let lens = project.read("lenses/faults.yml");
    for copy in ["parts", "certificates"] {
        let text = lens
            .replace("lens: faults", &format!("lens: {copy}"))
            .replace("every: 15m", "every: 24h");
        project.write(&format!("lenses/{copy}.yml"), &text);
    }
    project.write("lenses/faults.yml", &lens.replace("every: 15m", "every: 24h"));
    project.run("generate").expect(0);
    let mut worker = Running::start(&project);
    worker.checks(3);
    worker.stop();
    let pages = stand_in.requests();
    let pages = pages
        .iter()
        .filter(|seen| seen.target.starts_with("/v1/services/"))
        .count();
    // Three flags, each read once for all lenses; twice if the day ended meanwhile.
    assert!(pages == 3 || pages == 6, "{pages}");
}
