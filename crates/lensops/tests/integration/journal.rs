//! The journal: what is recorded is on disk, once.

use std::path::Path;
use std::process::Stdio;

use jiff::{SignedDuration, Timestamp};
use lensops::store::{Alerting, History as _, Journal, StoreError};
use lensops_core::alert::{AlertsFile, Rule, RuleBook};
use lensops_core::duration::Every;
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, EventRecord, Level, Status, event_id};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use crate::harness::Project;

const TENANT: Uuid = Uuid::from_u128(0x53fb_df09);

fn record(lens: &LensId, due: Timestamp) -> CheckRecord {
    let (id, redactor) = (
        Schedule::new(Every::QUARTER_HOUR, lens, TENANT).slot_id(due),
        Redactor::default(),
    );
    let event = EventRecord {
        id: event_id(id, 0),
        level: Level::Warning,
        detail: redactor.json(json!({"kind": "warning"})),
    };
    CheckRecord {
        id,
        yacht_id: TENANT,
        lens_id: lens.clone(),
        status: Status::Degraded,
        p95_latency_ms: Some(867),
        error_rate_hundredths: Some(476),
        sample_size: 21,
        observed_at: due,
        notes: RecordNotes::of_json(json!({"samples_us": [1, 2]}), &redactor),
        events: vec![event],
    }
}

fn start() -> Timestamp {
    "2026-01-28T15:00:00Z".parse().unwrap()
}

#[tokio::test]
async fn a_check_recorded_twice_is_one_row_with_its_events_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/journal.db");
    let lens: LensId = "faults".parse().unwrap();
    let check = record(&lens, start());
    {
        let journal = Journal::open(&path).await.unwrap();
        journal.record(check.clone()).await.unwrap();
        journal
            .record(CheckRecord {
                status: Status::Healthy,
                ..check.clone()
            })
            .await
            .unwrap();
        journal.close().await;
        assert!(matches!(journal.record(check.clone()).await, Err(StoreError::Closed)));
    }
    let journal = Journal::open(&path).await.unwrap();
    let stored = journal
        .between(TENANT, &lens, start() - SignedDuration::from_secs(1), start())
        .await
        .unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(
        (stored[0].status, stored[0].p95_latency_ms, stored[0].error_rate_percent),
        (Status::Degraded, Some(867), Some(4.76))
    );
    assert_eq!(stored[0].notes.read().samples_us, [1, 2]);
    assert_eq!(
        journal.events(check.id).await.unwrap(),
        [("warning".to_owned(), json!({"kind": "warning"}))]
    );
    assert!(journal.holds(check.id).await.unwrap());
}

#[tokio::test]
async fn the_latest_check_of_each_lens_is_found_and_windows_are_half_open() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    let lenses: Vec<LensId> = ["faults", "parts"].iter().map(|id| id.parse().unwrap()).collect();
    for minutes in 0..3 {
        for lens in &lenses {
            journal
                .record(record(lens, start() + SignedDuration::from_mins(15 * minutes)))
                .await
                .unwrap();
        }
    }
    let pairs: Vec<_> = lenses.iter().map(|lens| (TENANT, lens.clone())).collect();
    let latest = journal.latest(&pairs).await.unwrap();
    assert_eq!(latest.len(), 2);
    assert!(
        latest
            .iter()
            .all(|check| check.observed_at == start() + SignedDuration::from_mins(30))
    );
    let window = journal
        .between(TENANT, &lenses[0], start(), start() + SignedDuration::from_mins(30))
        .await
        .unwrap();
    assert_eq!(window.len(), 2, "the start is outside, the end inside");
}

#[tokio::test]
async fn many_at_once_are_all_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    let lens: LensId = "faults".parse().unwrap();
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..1_000 {
        let (journal, check) = (journal.clone(), record(&lens, start() + SignedDuration::from_secs(n)));
        writes.spawn(async move { journal.record(check).await });
    }
    assert!(writes.join_all().await.into_iter().all(|result| result.is_ok()));
    let all = journal
        .between(
            TENANT,
            &lens,
            start() - SignedDuration::from_secs(1),
            start() + SignedDuration::from_hours(1),
        )
        .await
        .unwrap();
    assert_eq!(all.len(), 1_000);
}

#[tokio::test]
async fn a_journal_of_a_newer_version_or_no_journal_at_all_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(
        &text,
        "this is no database, but it is long enough to be read as one ".repeat(20),
    )
    .unwrap();
    assert!(matches!(Journal::open(&text).await, Err(StoreError::Open { .. })));
    let in_the_way = folder.path().join("text.db/journal.db");
    assert!(matches!(Journal::open(&in_the_way).await, Err(StoreError::Open { .. })));
}

/// The steps of the journal's schema, oldest first.
fn steps() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// A journal as an earlier build left it: so many steps taken, and this number written down.
async fn left_by(path: &Path, taken: &[String], number: usize) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    for step in taken {
        sqlx::raw_sql(sqlx::AssertSqlSafe(step.clone()))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    let number = format!("PRAGMA user_version = {number}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(number))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// The number that a journal carries, and all that stands in it.
async fn shape(path: &Path) -> (i64, Vec<(String, String)>) {
    let mut connection = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let number = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let objects = sqlx::query_as("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name");
    let objects = objects.fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    (number, objects)
}

#[tokio::test]
async fn w1_journals_of_every_version_open_and_become_one() {
    let (folder, steps) = (tempfile::tempdir().unwrap(), steps());
    let fresh = folder.path().join("fresh.db");
    Journal::open(&fresh).await.unwrap().close().await;
    let fresh = shape(&fresh).await;
    assert_eq!(fresh.0, i64::try_from(steps.len()).unwrap());
    // Each version as it wrote itself down; and the builds that took eight steps and wrote seven.
    let versions = (0..=steps.len()).map(|number| (number, number)).chain([(8, 7)]);
    for (taken, number) in versions {
        let path = folder.path().join(format!("{taken}-{number}.db"));
        left_by(&path, &steps[..taken], number).await;
        for time in ["first", "second"] {
            let opened = Journal::open(&path).await;
            let opened = opened.unwrap_or_else(|error| panic!("{taken} steps, number {number}, {time}: {error}"));
            opened.close().await;
            assert_eq!(shape(&path).await, fresh, "{taken} steps, number {number}, {time}");
        }
    }
    let newer = folder.path().join("newer.db");
    left_by(&newer, &steps, 99).await;
    assert!(matches!(
        Journal::open(&newer).await,
        Err(StoreError::Newer { found: 99, .. })
    ));
    assert_eq!(shape(&newer).await.0, 99, "a newer journal is left as it is");
}

#[test]
fn w1_ten_processes_may_open_one_new_journal_at_once() {
    let project = Project::empty();
    for round in 0..3 {
        drop(std::fs::remove_dir_all(project.path(".lensops")));
        let start = || {
            project
                .command("alerts list")
                .stderr(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        };
        let children: Vec<_> = (0..10).map(|_| start()).collect();
        for child in children {
            let ended = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(0), "round {round}: {said}");
        }
    }
}

#[tokio::test]
async fn w4_a_silence_that_nobody_can_read_keeps_no_check_from_being_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = Journal::open(&path).await.unwrap();
    journal.alert_with(Alerting {
        book: RuleBook::of(&AlertsFile::default(), &[]).unwrap(),
        redactor: Redactor::default(),
    });
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO lensops_silences (id, rule, yacht_id, lens_id, made_at, until, who, reason) VALUES \
         ('00000000-0000-4000-8000-000000000001', 'rule_of_tomorrow', '', '', '2026-01-28T14:00:00.000Z', \
         '2026-02-28T14:00:00.000Z', 'somebody', 'a newer version wrote it')",
    )
    .execute(&mut other)
    .await
    .unwrap();
    let lens: LensId = "faults".parse().unwrap();
    for (minutes, status) in [(0, Status::Unhealthy), (15, Status::Unhealthy), (30, Status::Healthy)] {
        let check = CheckRecord {
            status,
            ..record(&lens, start() + SignedDuration::from_mins(minutes))
        };
        journal.record(check.clone()).await.unwrap();
        assert!(journal.holds(check.id).await.unwrap(), "{status:?}");
    }
    assert!(journal.silences(start()).await.unwrap().is_empty());
}

#[tokio::test]
async fn w4_an_alert_or_a_message_of_a_newer_version_fails_no_page_and_holds_up_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = Journal::open(&path).await.unwrap();
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let state = json!({"window": 1, "times": 3, "since": null, "finding": null, "firing": null}).to_string();
    for (rule, severity, state) in [
        ("rule_of_tomorrow", "mild", state.as_str()),
        ("unhealthy", "critical", state.as_str()),
        ("server_error", "critical", "no state that this version reads"),
    ] {
        sqlx::query("INSERT INTO lensops_alerts VALUES ($1, $1, '', '', $2, 1, $3, '2026-01-28T14:00:00.000Z')")
            .bind(rule)
            .bind(severity)
            .bind(state)
            .execute(&mut other)
            .await
            .unwrap();
    }
    for (n, rule) in [(1, "rule_of_tomorrow"), (2, "unhealthy")] {
        let body = json!({"id": Uuid::from_u128(n), "notice": "firing", "rule": rule, "severity": "critical",
            "dedup_key": rule, "lens": "faults", "tenant": TENANT, "reason": "List: 500", "response": null,
            "runbook": null, "since": "2026-01-28T14:00:00Z", "times": 1, "at": "2026-01-28T14:00:00Z"});
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "INSERT INTO lensops_notifications VALUES ('{n}', '{rule}', '2026-01-28T14:00:00.000Z', '{body}'); \
             INSERT INTO lensops_alert_deliveries (notification_id, receiver) VALUES ('{n}', 'hook')"
        )))
        .execute(&mut other)
        .await
        .unwrap();
    }
    let alerts = journal.alerts().await.unwrap();
    let told: Vec<String> = alerts
        .iter()
        .map(|alert| format!("{} {}", alert.severity, alert.rule))
        .collect();
    assert_eq!(told, ["critical unhealthy", "mild rule_of_tomorrow"]);
    assert_eq!(
        (alerts[0].rule.known(), alerts[1].rule.known()),
        (Some(&Rule::Unhealthy), None)
    );
    let redactor = Redactor::default();
    journal.gather_alerts("hook", &redactor, start()).await.unwrap();
    let due = journal.alert_due("hook").await.unwrap().unwrap();
    assert_eq!(due.told.rule, Rule::Unhealthy);
    let trail = journal.alert_trail(10).await.unwrap();
    assert_eq!(trail.len(), 1, "{trail:?}");
}

#[tokio::test]
async fn w4_a_write_that_fails_refuses_itself_and_none_of_those_queued_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).await.unwrap();
    let lens: LensId = "faults".parse().unwrap();
    let records = (0..100).map(|n| {
        let (journal, check) = (journal.clone(), record(&lens, start() + SignedDuration::from_secs(n)));
        async move { journal.record(check).await }
    });
    // An attempt at a message that is not there is refused.
    let (written, refused) = tokio::join!(
        futures_util::future::join_all(records),
        journal.alert_begun(4711, start())
    );
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let failed: Vec<_> = written.iter().filter(|result| result.is_err()).collect();
    assert!(
        failed.is_empty(),
        "{} of 100 checks were refused: {:?}",
        failed.len(),
        failed[0]
    );
    // And the next one is as good as the first.
    journal
        .record(record(&lens, start() + SignedDuration::from_secs(100)))
        .await
        .unwrap();
    journal.close().await;
}

#[tokio::test]
async fn w3_a_journal_whose_file_is_removed_or_replaced_refuses_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("journal.db"), folder.path().join("aside.db"));
    let journal = Journal::open(&path).await.unwrap();
    let lens: LensId = "faults".parse().unwrap();
    let mut slots = (0..).map(|n| record(&lens, start() + SignedDuration::from_secs(n)));
    let mut next = || slots.next().unwrap();
    journal.record(next()).await.unwrap();
    assert_eq!(journal.refusing(), None);
    std::fs::rename(&path, &aside).unwrap();
    for what in ["removed", "replaced"] {
        // Told at once, not only by the next check.
        let why = journal.refusing().unwrap_or_else(|| panic!("{what}: nothing is told"));
        assert!(why.contains("journal.db was removed or replaced"), "{what}: {why}");
        let refused = journal.record(next()).await.unwrap_err().to_string();
        assert!(
            refused.contains("journal.db was removed or replaced"),
            "{what}: {refused}"
        );
        std::fs::write(&path, "another file").unwrap();
    }
    std::fs::rename(&aside, &path).unwrap();
    journal.record(next()).await.unwrap();
    assert_eq!(journal.refusing(), None);
}
