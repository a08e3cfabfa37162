//! Slots that were due while no worker ran: recorded as missed when one starts.
//!
//! A worker that is killed leaves neither a check nor a missed slot for what it was about to do, and nobody else writes
//! one: the next start does. Without it such a slot is in no list, though the gate counts it as missed.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::check::Monitor;
use crate::store::{Journal, StoreError};

/// Why the slot has no check.
const REASON: &str = "down";

/// The most slots of a pair that are recorded, the newest: a start after a long time must not take long. The gate
/// counts older ones as missed all the same.
const MOST: usize = 256;

/// Slots looked up or recorded at once.
const AT_ONCE: usize = 64;

/// Records the slots of `pairs` that have neither a check nor a missed slot, from the last settled one to the one
/// before the current. A pair has missed nothing that was due before it was first checked.
pub(super) async fn record(journal: &Journal, pairs: &[(Arc<Monitor>, Uuid)], now: Timestamp) {
    let mut count = 0;
    for (monitor, tenant) in pairs {
        match record_pair(journal, monitor, *tenant, now).await {
            Ok(missed) => count += missed,
            Err(error) => {
                tracing::error!("❌ Slots that were missed while no worker ran could not be recorded: {error}");
                return;
            }
        }
    }
    if count > 0 {
        tracing::warn!("⚠️ No worker ran: {count} slots are missed ({REASON})");
    }
}

async fn record_pair(journal: &Journal, monitor: &Monitor, tenant: Uuid, now: Timestamp) -> Result<usize, StoreError> {
    let Some(first) = journal.known_since(tenant, monitor.lens()).await? else {
        return Ok(0);
    };
    let schedule = monitor.schedule(tenant);
    // What was due before the pair was first looked at was never missed.
    let known = schedule.latest(first);
    let current = schedule.latest(now);
    let every = SignedDuration::from_millis(schedule.every_ms());
    let mut missed = Vec::new();
    let mut slot = current;
    'back: while missed.len() < MOST {
        let slots: Vec<Timestamp> = (1..).map(|n| slot - every * n).take(AT_ONCE).collect();
        let ids: Vec<Uuid> = slots.iter().map(|slot| schedule.slot_id(*slot)).collect();
        let settled = journal.settled_of(&ids).await?;
        for (due, id) in slots.into_iter().zip(ids) {
            if due <= known || settled.contains(&id) {
                break 'back;
            }
            slot = due;
            missed.push(due);
        }
    }
    missed.reverse();
    for part in missed.chunks(AT_ONCE) {
        let recorded = part.iter().map(|due| journal.record_missed(&schedule, *due, REASON));
        join_all(recorded).await.into_iter().collect::<Result<Vec<()>, _>>()?;
    }
    Ok(missed.len())
}
