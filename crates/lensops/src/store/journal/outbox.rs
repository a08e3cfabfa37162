//! The outbox: checks of the journal that no store has taken yet.
//!
//! An entry is made in the transaction that records its check, and is deleted once a store has taken
//! check and events. Entries are numbered in the order of recording, which is the order of delivery. An
//! entry that a store refuses for good is parked with the reason: it stays, blocks nothing, and can be
//! put back. Batches are made here only, from rows that were redacted when they were recorded.

use std::collections::HashMap;

use jiff::Timestamp;
use lensops_core::redaction::Redacted;
use serde::Serialize;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::parsed;
use crate::store::StoreError;
use crate::store::sink::{Entry, EntryEvent};

/// A check that a store refused for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// The check.
    pub id: Uuid,
    /// The tenant.
    pub yacht_id: Uuid,
    /// The lens.
    pub lens: String,
    /// What the store said.
    pub reason: String,
}

/// Where a check is on its way to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// The store has it.
    Delivered,
    /// The store has not taken it yet.
    Waiting,
    /// The store refused it for good.
    Parked,
}

/// How the outbox stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutboxState {
    /// Checks in the journal, delivered ones included.
    pub checks: i64,
    /// Checks that wait for delivery.
    pub waiting: i64,
    /// When the oldest of them was observed.
    pub oldest: Option<Timestamp>,
    /// Checks that a store refused for good.
    pub parked: i64,
    /// Bytes of the journal in use.
    pub bytes: u64,
}

enum OutboxWrite {
    Delivered(Vec<i64>),
    Park(i64, Redacted),
    Unpark,
    /// Drops up to so many delivered checks, oldest first.
    DropDelivered(i64),
}

impl WriteJob for OutboxWrite {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            apply(writer, self).await?;
            Ok(AfterCommit::default())
        })
    }
}

async fn apply(writer: &mut SqliteConnection, write: &OutboxWrite) -> Result<(), sqlx::Error> {
    match write {
        OutboxWrite::Delivered(seqs) => {
            for seq in seqs {
                sqlx::query("DELETE FROM lensops_outbox WHERE seq = $1")
                    .bind(seq)
                    .execute(&mut *writer)
                    .await?;
            }
        }
        OutboxWrite::Park(seq, reason) => {
            sqlx::query("UPDATE lensops_outbox SET refused = $2 WHERE seq = $1")
                .bind(seq)
                .bind(reason.as_str())
                .execute(writer)
                .await?;
        }
        OutboxWrite::Unpark => {
            sqlx::query("UPDATE lensops_outbox SET refused = NULL WHERE refused IS NOT NULL")
                .execute(writer)
                .await?;
        }
        OutboxWrite::DropDelivered(count) => {
            sqlx::query(
                "DELETE FROM pms_health_checks WHERE id IN (SELECT c.id FROM pms_health_checks c \
                 WHERE NOT EXISTS (SELECT 1 FROM lensops_outbox o WHERE o.check_id = c.id) \
                 ORDER BY c.observed_at LIMIT $1)",
            )
            .bind(count)
            .execute(writer)
            .await?;
        }
    }
    Ok(())
}

impl Journal {
    /// The next `limit` checks to deliver, in the order of recording.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn waiting(&self, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(
            "SELECT o.seq, c.* FROM lensops_outbox o JOIN pms_health_checks c ON c.id = o.check_id \
             WHERE o.refused IS NULL ORDER BY o.seq LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in &rows {
            entries.push(Entry {
                seq: row.try_get("seq")?,
                id: parsed(row, "id")?,
                yacht_id: parsed(row, "yacht_id")?,
                lens_id: row.try_get("lens_id")?,
                status: row.try_get("status")?,
                p95_latency_ms: row.try_get("p95_latency_ms")?,
                error_rate_percent: row.try_get("error_rate_percent")?,
                sample_size: row.try_get("sample_size")?,
                observed_at: row.try_get("observed_at")?,
                notes: row.try_get("notes")?,
                events: Vec::new(),
            });
        }
        self.attach_events(&mut entries).await?;
        Ok(entries)
    }

    async fn attach_events(&self, entries: &mut [Entry]) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Ok(());
        };
        let rows = sqlx::query(
            "SELECT e.* FROM lensops_outbox o JOIN pms_health_events e ON e.check_id = o.check_id \
             WHERE o.refused IS NULL AND o.seq BETWEEN $1 AND $2 ORDER BY o.seq, e.id",
        )
        .bind(first.seq)
        .bind(last.seq)
        .fetch_all(&self.reader)
        .await?;
        let places: HashMap<Uuid, usize> = entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
        for row in &rows {
            let check: Uuid = parsed(row, "check_id")?;
            // An entry that was parked or delivered between the two reads has no place.
            if let Some(entry) = places.get(&check).and_then(|at| entries.get_mut(*at)) {
                entry.events.push(EntryEvent {
                    id: parsed(row, "id")?,
                    level: row.try_get("level")?,
                    detail: row.try_get("detail_json")?,
                    created_at: row.try_get("created_at")?,
                });
            }
        }
        Ok(())
    }

    /// Closes the entries numbered `seqs`: a store has check and events of each.
    ///
    /// # Errors
    /// When the disk refuses; then they are delivered again, which is harmless.
    pub async fn delivered(&self, seqs: Vec<i64>) -> Result<(), StoreError> {
        self.write(OutboxWrite::Delivered(seqs)).await
    }

    /// Parks the entry numbered `seq`, which a store refused for good.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn park(&self, seq: i64, reason: Redacted) -> Result<(), StoreError> {
        self.write(OutboxWrite::Park(seq, reason)).await
    }

    /// Puts every parked entry back among the waiting ones.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn unpark(&self) -> Result<(), StoreError> {
        self.write(OutboxWrite::Unpark).await
    }

    /// Where the check `id` of this journal is on its way.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn delivery_of(&self, id: Uuid) -> Result<DeliveryState, StoreError> {
        let refused: Option<Option<String>> =
            sqlx::query_scalar("SELECT refused FROM lensops_outbox WHERE check_id = $1")
                .bind(id.to_string())
                .fetch_optional(&self.reader)
                .await?;
        Ok(match refused {
            None => DeliveryState::Delivered,
            Some(None) => DeliveryState::Waiting,
            Some(Some(_)) => DeliveryState::Parked,
        })
    }

    /// How the outbox stands.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn outbox(&self) -> Result<OutboxState, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM pms_health_checks) AS checks, \
             count(*) FILTER (WHERE o.refused IS NULL) AS waiting, \
             count(*) FILTER (WHERE o.refused IS NOT NULL) AS parked, \
             min(c.observed_at) FILTER (WHERE o.refused IS NULL) AS oldest \
             FROM lensops_outbox o JOIN pms_health_checks c ON c.id = o.check_id",
        )
        .fetch_one(&self.reader)
        .await?;
        let oldest: Option<&str> = row.try_get("oldest")?;
        Ok(OutboxState {
            checks: row.try_get("checks")?,
            waiting: row.try_get("waiting")?,
            oldest: oldest.and_then(|text| text.parse().ok()),
            parked: row.try_get("parked")?,
            bytes: self.bytes().await?,
        })
    }

    /// The first `limit` parked checks with the reasons, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let rows = sqlx::query(
            "SELECT c.id, c.yacht_id, c.lens_id, o.refused FROM lensops_outbox o \
             JOIN pms_health_checks c ON c.id = o.check_id WHERE o.refused IS NOT NULL ORDER BY o.seq LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Parked {
                    id: parsed(row, "id")?,
                    yacht_id: parsed(row, "yacht_id")?,
                    lens: row.try_get("lens_id")?,
                    reason: row.try_get("refused")?,
                })
            })
            .collect()
    }

    /// Drops up to `count` delivered checks with their events, oldest first. What was not delivered
    /// is never dropped.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn drop_delivered(&self, count: i64) -> Result<(), StoreError> {
        self.write(OutboxWrite::DropDelivered(count)).await
    }
}
