//! The charts of the dashboard: from checks, from roll-ups, and with what is marked in them.

use jiff::{SignedDuration, Timestamp};
use lensops::commands::storage::retention::{retention, roll_up};
use lensops::store::{Archive, Board, Journal, Owner};
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, EventRecord, Level, Status};
use serde_json::json;

use crate::fixture::{NORTH, check, delivery, journal, postgres, start, tenants_entered};
use crate::front::{Front, plan, status, token};

fn thirty_hours_in() -> Timestamp {
    start() + SignedDuration::from_hours(30)
}

fn sampled(n: i64) -> CheckRecord {
    let us = |k: i64| u64::try_from(n * 1_500 + k * 37).unwrap();
    let samples: Vec<u64> = (1..=21).map(us).collect();
    let notes = RecordNotes::of_json(json!({"samples_us": samples}), &Redactor::default());
    CheckRecord { notes, ..check(n) }
}

/// The lines of latency of a lens's page, and its figures in words.
fn drawn(page: &str) -> Vec<&str> {
    let chart = page.split_once("aria-label=\"Latency over").unwrap().1;
    let chart = chart.split_once("</svg>").unwrap().0;
    let lines = chart.split("<path class=\"line").skip(1);
    lines.map(|line| line.split_once("/>").unwrap().0).collect()
}

async fn page(front: &Front, window: &str, user: Option<&str>) -> String {
    let page = front.get(&format!("/lens/faults?window={window}"), user).await;
    assert_eq!(status(&page), 200, "{page}");
    page
}

/// Checks, roll-ups with the checks of the last hours, and roll-ups whose checks are gone draw the same lines.
async fn draws_the_same<A: Archive>(front: &Front, user: Option<&str>, archive: &A) {
    for window in ["7d", "30d"] {
        let from_checks = page(front, window, user).await;
        assert_eq!(drawn(&from_checks).len(), 3, "{window}");
        assert!(from_checks.contains("120 checks; P50 last"), "{window}: {from_checks}");
    }
    let (week, month) = (page(front, "7d", user).await, page(front, "30d", user).await);
    roll_up(archive, thirty_hours_in()).await.unwrap();
    for (window, before) in [("7d", &week), ("30d", &month)] {
        assert_eq!(
            drawn(&page(front, window, user).await),
            drawn(before),
            "{window} rolled up"
        );
    }
    let keep = SignedDuration::from_hours(6);
    retention(archive, keep, thirty_hours_in(), false, true).await.unwrap();
    for (window, before) in [("7d", &week), ("30d", &month)] {
        let page = page(front, window, user).await;
        assert_eq!(drawn(&page), drawn(before), "{window} with most checks gone");
        assert!(page.contains("The latest 24 of 24 in this window"), "{window}: {page}");
    }
}

async fn record(journal: &Journal) {
    for n in 0..120 {
        journal.record(sampled(n)).await.unwrap();
    }
}

#[tokio::test]
async fn long_windows_are_the_same_from_checks_and_from_roll_ups_in_the_journal() {
    let (_folder, journal) = journal().await;
    record(&journal).await;
    let plans = vec![plan("faults", &[NORTH]).await];
    let board = Board::Embedded(journal.clone());
    let front = Front::start_at(board, journal.clone(), plans, thirty_hours_in).await;
    draws_the_same(&front, None, &journal).await;
}

#[tokio::test]
async fn long_windows_are_the_same_from_checks_and_from_roll_ups_in_postgres() {
    let database = tenants_entered().await;
    let (_folder, journal) = journal().await;
    record(&journal).await;
    let flushed = delivery(&journal, postgres(&database.url)).flush().await.unwrap();
    assert!(flushed.complete);
    let plans = vec![plan("faults", &[NORTH]).await];
    let board = Board::database(&database.secret()).unwrap();
    let front = Front::start_at(board, journal.clone(), plans, thirty_hours_in).await;
    let owner = Owner::connect(&database.secret()).await.unwrap();
    draws_the_same(&front, Some(&token(NORTH, |_| {})), &owner).await;
}

#[tokio::test]
async fn what_was_switched_muted_or_not_checked_is_marked_and_is_no_line() {
    let (_folder, journal) = journal().await;
    let redactor = Redactor::default();
    // Twenty-four hours up to now, with an hour of maintenance and two hours without a check.
    for n in (24..120).filter(|n| !(60..68).contains(n)) {
        let mut check = sampled(n);
        check.status = Status::Healthy;
        check.events.clear();
        if (40..44).contains(&n) {
            let notes = json!({"muted": {"why": "maintenance", "reason": "backups"}, "samples_us": [1000]});
            check.notes = RecordNotes::of_json(notes, &redactor);
        }
        if n == 90 {
            let detail = json!({"kind": "flag_toggled", "reason": "FAULT_LENS_V1_ENABLED went off"});
            check.events = vec![EventRecord {
                id: lensops_core::verdict::record::event_id(check.id, 0),
                level: Level::Warning,
                detail: redactor.json(detail),
            }];
        }
        journal.record(check).await.unwrap();
    }
    let plans = vec![plan("faults", &[NORTH]).await];
    let board = Board::Embedded(journal.clone());
    let front = Front::start_at(board, journal.clone(), plans, thirty_hours_in).await;
    let page = page(&front, "24h", None).await;
    for (class, count) in [("maintenance", 1), ("gap", 1), ("unhealthy", 0), ("degraded", 0)] {
        // Two charts, and the legend has one of each.
        let found = page.matches(&format!("class=\"band {class}\"")).count();
        assert_eq!(found, 2 * count + 1, "{class}");
    }
    assert_eq!(page.matches("FAULT_LENS_V1_ENABLED went off").count(), 3, "{page}");
    // Every line is broken once, by the two hours.
    for line in drawn(&page) {
        assert_eq!(line.matches('M').count(), 2, "{line}");
    }
    let overview = front.get("/", None).await;
    assert!(
        overview.contains("8 missed in 24 h") && overview.contains("48 healthy"),
        "{overview}"
    );
}
