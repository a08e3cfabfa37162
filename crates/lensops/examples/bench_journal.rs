//! Checks a second that the journal records, by how many are recorded at once.
//!
//! Each check has 21 samples in its notes and one event, and counts as recorded when it is on disk
//! (`synchronous=FULL`).

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use lensops::store::Journal;
use lensops_core::duration::Every;
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, EventRecord, Level, Status, event_id};
use serde_json::json;
use uuid::Uuid;

/// Checks of one run.
const CHECKS: usize = 5_000;

/// Runs of each width; the median is printed.
const RUNS: usize = 5;

fn record(lens: &LensId, number: i64) -> CheckRecord {
    let (tenant, redactor) = (Uuid::from_u128(1), Redactor::default());
    let due = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(number);
    let id = Schedule::new(Every::QUARTER_HOUR, lens, tenant).slot_id(due);
    let samples: Vec<u64> = (0..21).map(|n| 100_000 + n).collect();
    let detail = redactor.json(json!({"kind": "warning", "reason": "a line of usual length that says why"}));
    CheckRecord {
        id,
        yacht_id: tenant,
        lens_id: lens.clone(),
        status: Status::Healthy,
        p95_latency_ms: Some(100),
        error_rate_hundredths: Some(0),
        sample_size: 21,
        observed_at: due,
        notes: RecordNotes::of_json(
            json!({"samples_us": samples, "endpoints": {"List endpoint": {"n": 7, "p95_us": 100_007}}}),
            &redactor,
        ),
        events: vec![EventRecord {
            id: event_id(id, 0),
            level: Level::Warning,
            detail,
        }],
    }
}

async fn run(at_once: usize, checks: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let journal = Journal::open(&folder.path().join("journal.db")).await?;
    let lens: LensId = "faults".parse()?;
    let begun = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..at_once {
        let (journal, lens) = (journal.clone(), lens.clone());
        writers.spawn(async move {
            for number in (writer..checks).step_by(at_once) {
                journal
                    .record(record(&lens, i64::try_from(number).unwrap_or(0)))
                    .await?;
            }
            Ok::<(), lensops::store::StoreError>(())
        });
    }
    for written in writers.join_all().await {
        written?;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of a few thousand")]
    let rate = checks as f64 / begun.elapsed().as_secs_f64();
    journal.close().await;
    Ok(rate)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    for (at_once, checks) in [(1, 500), (32, CHECKS), (256, CHECKS)] {
        let mut rates = Vec::new();
        for _ in 0..RUNS {
            rates.push(run(at_once, checks).await?);
        }
        rates.sort_by(f64::total_cmp);
        let (low, median, high) = (rates[0], rates[RUNS / 2], rates[RUNS - 1]);
        println!("{at_once:>3} at once: {median:.0} checks/s (min {low:.0}, max {high:.0}, {RUNS} runs of {checks})");
    }
    Ok(())
}
