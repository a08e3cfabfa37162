//! A worker that is killed at random points while its API flaps and its receiver fails: every alert is
//! told once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use lensops::config::Settings;
use lensops::store::Journal;
use lensops_core::alert::Notification;
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, EventRecord, Level};
use lensops_sandbox::{Dialect, Faults};
use serde_json::json;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use uuid::Uuid;

use crate::alerts::expected;
use crate::harness::{FAULTS, Project, sandbox};
use crate::listening::worker_until;
use crate::receiver::{Answer, Receiver};

/// How often the worker is killed; `LENSOPS_KILLS` says otherwise.
const KILLS: usize = 20;

/// The checks of the journal in the order of their slots.
async fn checks(journal: &Journal) -> Vec<CheckRecord> {
    let redactor = Redactor::default();
    let page = journal.page(None, 1_000_000, false).await.unwrap();
    let record = |(check, events): (lensops::store::StoredCheck, Vec<(String, serde_json::Value)>)| CheckRecord {
        id: check.id,
        yacht_id: check.yacht_id,
        lens_id: check.lens_id,
        status: check.status,
        p95_latency_ms: check.p95_latency_ms,
        error_rate_hundredths: check.error_rate_percent.map(|_| 0),
        sample_size: check.sample_size,
        observed_at: check.observed_at,
        notes: RecordNotes::of_json(check.notes.into_stored(), &redactor),
        events: events
            .iter()
            .map(|(_, detail)| EventRecord {
                id: Uuid::nil(),
                level: Level::Info,
                detail: redactor.json(detail.clone()),
            })
            .collect(),
    };
    page.into_iter().map(record).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_worker_killed_at_random_points_tells_every_alert_once() {
    let stand_in = sandbox(Dialect::Documented).await;
    let receiver = Receiver::start().await;
    let mut project = Project::empty();
    project.point_at(&stand_in);
    project.run(&format!("{FAULTS} --interval 1s")).expect(0);
    // What a check leads to can be told from the journal; that there was none cannot.
    project.write(
        "lensops.yml",
        "alerts: {rules: {no_check: {enabled: false}, unhealthy: {for: 2, of: 2}, server_error: {for: 1}}}\n",
    );
    project.env.extend(receiver.env());
    let kills = std::env::var("LENSOPS_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let seed = std::env::var("LENSOPS_SEED").map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    let mut random = fastrand::Rng::with_seed(seed);
    let broken = json!({"rules": [{"path": "/v1/actions/list", "act": {"status": {"code": 500}}}]});
    for kill in 0..kills {
        let faults = if kill % 2 == 0 { broken.clone() } else { json!({}) };
        stand_in.set_faults(serde_json::from_value::<Faults>(faults).unwrap());
        let bad = [Answer::Status(500), Answer::TakeAndBreak, Answer::Busy(1), Answer::Html];
        for _ in 0..4 {
            let answer = if random.bool() {
                random.choice(&bad).cloned()
            } else {
                None
            };
            receiver.answers([answer.unwrap_or(Answer::Take)]);
        }
        let mut command = project.command("worker");
        let mut child = command
            .env("LOG_LEVEL", "DEBUG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A number of lines is a point in the work that a clock would not hit as well.
        let mut left = random.u32(4..60);
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            if line.is_err() {
                break;
            }
            left = left.saturating_sub(1);
            if left == 0 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
    }
    // An outage that lasts until it is told: something arrives, whatever the kills cut off.
    receiver.clear();
    stand_in.set_faults(serde_json::from_value::<Faults>(broken).unwrap());
    for _ in 0..50 {
        worker_until(&project, "worker", |line| line.contains("OVERALL"), 2);
        if !receiver.taken().is_empty() {
            break;
        }
    }
    stand_in.set_faults(Faults::default());
    // The last start has receivers that take everything; what waits arrives.
    receiver.clear();
    let journal = Journal::open(&project.path(".lensops/journal.db")).await.unwrap();
    let mut lines = Vec::new();
    for _ in 0..100 {
        lines.extend(worker_until(&project, "worker", |line| line.contains("OVERALL"), 2));
        if journal.alert_backlog().await.unwrap().is_empty() {
            break;
        }
    }
    let settings = Settings::load(project.root(), project.env.clone()).unwrap();
    let checks = checks(&journal).await;
    let expected = expected(&settings, &checks);
    let trail = journal.alert_trail(1_000_000).await.unwrap();
    let taken = receiver.taken();
    let told: BTreeSet<Uuid> = trail.iter().map(|trail| trail.told.id).collect();
    assert_eq!(
        told, expected,
        "what is in the journal is what its checks lead to (seed {seed})"
    );
    assert!(
        trail
            .iter()
            .all(|trail| ["delivered", "left out"].contains(&trail.state.as_str())),
        "something still waits (seed {seed})"
    );
    let mut copies: BTreeMap<Uuid, usize> = BTreeMap::new();
    for id in taken.iter().filter_map(|taken| taken.id.as_ref()) {
        *copies.entry(id.parse().unwrap()).or_default() += 1;
    }
    let arrived: BTreeSet<Uuid> = copies.keys().copied().collect();
    let again: usize = copies.values().map(|count| count - 1).sum();
    println!(
        "seed {seed}: {kills} kills, {} checks, {} alerts and ends of alerts, {} arrived once at a receiver that knows \
         keys, {again} of them sent again and put aside by their key",
        checks.len(),
        expected.len(),
        arrived.len()
    );
    // Notices are gathered: what arrives is the messages, and each notice is in one or was over before it was told.
    let mut database = SqliteConnectOptions::new()
        .filename(project.path(".lensops/journal.db"))
        .connect()
        .await
        .unwrap();
    let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM lensops_alert_messages WHERE receiver = 'webhook'")
        .fetch_all(&mut database)
        .await
        .unwrap();
    let messages: BTreeSet<Uuid> = bodies
        .iter()
        .map(|body| serde_json::from_str::<Notification>(body).unwrap().id)
        .collect();
    assert_eq!(messages.len(), bodies.len(), "no message was made twice (seed {seed})");
    assert_eq!(arrived, messages, "each arrived (seed {seed})");
    assert_eq!(receiver.refused(), Vec::<String>::new(), "seed {seed}");
    // Slack has no key: what came twice says that it may have.
    let mut slack: BTreeMap<String, usize> = BTreeMap::new();
    for message in taken.iter().filter(|taken| taken.kind == "slack") {
        let text = message.body.to_string();
        if !text.contains("may have been sent before") {
            *slack.entry(text).or_default() += 1;
        }
    }
    assert!(
        slack.values().all(|count| *count == 1),
        "sent to Slack as new more than once (seed {seed})"
    );
    assert!(
        expected.len() >= kills / 4 && !messages.is_empty(),
        "too little happened to prove anything (seed {seed})"
    );
}
