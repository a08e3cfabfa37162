//! Roll-ups and retention, on every store that is written by its owner.

use jiff::{SignedDuration, Timestamp};
use lensops::commands::storage::retention::{Retained, retention, roll_up};
use lensops::store::{Archive, Owner};
use lensops_core::history::rollup::Span;
use lensops_core::redaction::Redactor;
use lensops_core::stats::histogram::{Latencies, Quantile};
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::CheckRecord;
use serde_json::json;

use crate::fixture::{Fixture, Kind, NORTH, check, delivery, journal, kept, postgres, start, tenants_entered};

/// Quarter-hourly checks; each slower than the one before it.
fn samples(n: i64) -> Vec<u64> {
    (1..=21)
        .map(|k| u64::try_from(n * n).unwrap() * 1_000 + k * 37)
        .collect()
}

/// The check that was made while the lens was paused: it counts for nothing.
const PAUSED: i64 = 50;

fn sampled(n: i64) -> CheckRecord {
    let mut notes = json!({"samples_us": samples(n)});
    if n == PAUSED {
        notes["muted"] = json!({"why": "paused", "reason": "rolled back"});
    }
    let notes = RecordNotes::of_json(notes, &Redactor::default());
    CheckRecord { notes, ..check(n) }
}

/// Thirty hours of checks are rolled up, one arrives late, and the old ones are dropped.
async fn rolls_up<A: Archive>(archive: &A, late: impl AsyncFnOnce()) {
    let now = start() + SignedDuration::from_hours(30);
    let rolled = roll_up(archive, now).await.unwrap();
    // 15:00 of one day to 21:00 of the next; the hour that `now` is in has not ended.
    assert_eq!(
        rolled,
        Retained {
            hours: 30,
            days: 2,
            dropped: 0
        }
    );
    assert_eq!(
        roll_up(archive, now).await.unwrap(),
        Retained::default(),
        "nothing is stale twice"
    );
    let lens = "faults".parse().unwrap();
    for span in [Span::Hour, Span::Day] {
        let from = Span::Day.start_of(start());
        let window = archive.rollups(NORTH, &lens, span, from, now).await.unwrap();
        let mut all = Latencies::new();
        window.iter().for_each(|rollup| all.merge(&rollup.latencies));
        let union: Latencies = (0..119).filter(|n| *n != PAUSED).flat_map(samples).collect();
        assert_eq!(
            (all.len(), window.iter().map(|rollup| rollup.samples).sum::<i64>()),
            (118 * 21, 118 * 21)
        );
        for quantile in [Quantile::P50, Quantile::P95, Quantile::P99] {
            assert_eq!(all.at(quantile), union.at(quantile), "{span:?} {quantile:?}");
        }
        assert_eq!(
            window.iter().fold((0, 0), |(checks, muted), rollup| (
                checks + rollup.checks(),
                muted + rollup.muted
            )),
            (118, 1),
            "{span:?}"
        );
    }
    late().await;
    assert_eq!(
        roll_up(archive, now).await.unwrap(),
        Retained {
            hours: 1,
            days: 1,
            dropped: 0
        }
    );
    let keep = SignedDuration::from_hours(6);
    retention(archive, keep, now, true, false).await.unwrap();
    assert_eq!(
        archive.count_before(Timestamp::MAX.min(now)).await.unwrap(),
        120,
        "a dry run drops nothing"
    );
    retention(archive, keep, now, false, true).await.unwrap();
    assert_eq!(archive.count_before(now).await.unwrap(), 24);
    assert_eq!(
        roll_up(archive, now).await.unwrap(),
        Retained::default(),
        "dropped checks leave their roll-ups"
    );
    let hours = archive.rollups(NORTH, &lens, Span::Hour, start(), now).await.unwrap();
    assert_eq!(
        (hours.len(), hours.iter().map(|rollup| rollup.checks()).sum::<i64>()),
        (30, 119)
    );
}

/// All of the thirty hours but one check.
fn early() -> impl Iterator<Item = CheckRecord> {
    (0..119).map(sampled)
}

#[tokio::test]
async fn a_window_over_rollups_is_the_union_of_its_samples_in_the_journal() {
    let fixture = Fixture::new(Kind::Sqlite).await;
    fixture.record(early()).await;
    rolls_up(&fixture.journal, async || fixture.record([sampled(119)]).await).await;
}

#[tokio::test]
async fn a_window_over_rollups_is_the_union_of_its_samples_in_postgres() {
    let database = tenants_entered().await;
    let (_folder, journal) = journal().await;
    let deliver = async |checks: Vec<CheckRecord>| {
        for check in checks {
            journal.record(check).await.unwrap();
        }
        assert!(
            delivery(&journal, postgres(&database.url))
                .flush()
                .await
                .unwrap()
                .complete
        );
    };
    deliver(early().collect()).await;
    let owner = Owner::connect(&database.secret()).await.unwrap();
    rolls_up(&owner, async || deliver(vec![sampled(119)]).await).await;
    assert_eq!(
        kept(&database).await.values().sum::<usize>(),
        24 * 2,
        "events go with their check"
    );
}
