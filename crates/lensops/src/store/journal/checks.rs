//! Checks, their events and missed slots in the journal.
//!
//! A check and its events are in one transaction, with the alert changes that follow. An id that is
//! there already is left as it is, so that a check recorded twice is one row and is folded once.

use std::collections::HashSet;
use std::sync::PoisonError;

use jiff::Timestamp;
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::verdict::record::CheckRecord;
use serde_json::Value;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::alert_rules::Rules;
use super::alerts;
use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::{decode_error, json, parsed, stored, time_text};
use super::traces;
use crate::store::{Exported, History, StoreError, StoredCheck, Trace, with_annulled};

/// Records a check and folds it into the alerts of `rules`.
struct RecordCheck {
    check: CheckRecord,
    rules: Rules,
}

impl WriteJob for RecordCheck {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            let new = write_check(writer, &self.check).await?;
            let alerting = self.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
            let after = match alerting {
                Some(alerting) if new => alerts::take_check(writer, &alerting, &self.check).await?,
                _ => AfterCommit::default(),
            };
            Ok(AfterCommit {
                recorded: true,
                ..after
            })
        })
    }
}

/// Records that a slot has no check.
struct RecordMissed {
    id: Uuid,
    tenant: Uuid,
    lens: LensId,
    due: Timestamp,
    reason: String,
}

impl WriteJob for RecordMissed {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            sqlx::query(
                "INSERT INTO lensops_missed (id, yacht_id, lens_id, due_at, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
            )
            .bind(self.id.to_string())
            .bind(self.tenant.to_string())
            .bind(self.lens.as_str())
            .bind(time_text(self.due))
            .bind(&self.reason)
            .execute(writer)
            .await?;
            Ok(AfterCommit::default())
        })
    }
}

impl Journal {
    /// Records `check` with its events. When this returns, it is on disk.
    ///
    /// # Errors
    /// When the disk refuses; then nothing of it is recorded.
    pub async fn record(&self, check: CheckRecord) -> Result<(), StoreError> {
        let rules = self.alerting.clone();
        self.write(RecordCheck { check, rules }).await
    }

    /// Records that the slot of `schedule` that was due at `due` has no check, and why.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn record_missed(&self, schedule: &Schedule<'_>, due: Timestamp, reason: &str) -> Result<(), StoreError> {
        self.write(RecordMissed {
            id: schedule.slot_id(due),
            tenant: schedule.tenant(),
            lens: schedule.lens().clone(),
            due,
            reason: reason.to_owned(),
        })
        .await
    }

    /// Whether check `id` is recorded.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn holds(&self, id: Uuid) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM pms_health_checks WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        Ok(found.is_some())
    }

    /// The slots of one lens of one tenant that were missed, with the reason, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn missed(&self, tenant: Uuid, lens: &LensId) -> Result<Vec<(Timestamp, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT due_at, reason FROM lensops_missed WHERE yacht_id = $1 AND lens_id = $2 ORDER BY due_at",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| Ok((parsed(row, "due_at")?, row.try_get("reason")?)))
            .collect()
    }

    /// The events of check `id`, in order: level and detail.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn events(&self, id: Uuid) -> Result<Vec<(String, Value)>, StoreError> {
        let rows =
            sqlx::query("SELECT level, detail_json FROM pms_health_events WHERE check_id = $1 ORDER BY created_at, id")
                .bind(id.to_string())
                .fetch_all(&self.reader)
                .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("level")?, json(row, "detail_json")?)))
            .collect()
    }

    /// Up to `limit` checks with ids after `after`, by id; with `undelivered` only those that wait
    /// or are parked. For exports, which go through them page by page.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn page(&self, after: Option<Uuid>, limit: u32, undelivered: bool) -> Result<Vec<Exported>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM pms_health_checks WHERE id > $1 \
             AND (NOT $3 OR id IN (SELECT check_id FROM lensops_outbox)) ORDER BY id LIMIT $2",
        )
        .bind(after.map_or_else(String::new, |id| id.to_string()))
        .bind(limit)
        .bind(undelivered)
        .fetch_all(&self.reader)
        .await?;
        let mut page = Vec::with_capacity(rows.len());
        for row in &rows {
            let check = stored(row)?;
            let events = self.events(check.id).await?;
            page.push((check, events));
        }
        Ok(page)
    }

    /// The ids of slots observed or missed from `from` on: what a start need not run again.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn settled_since(&self, from: Timestamp) -> Result<HashSet<Uuid>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM pms_health_checks WHERE observed_at >= $1 \
             UNION ALL SELECT id FROM lensops_missed WHERE due_at >= $1",
        )
        .bind(time_text(from))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| Ok(parsed(row, "id")?)).collect()
    }
}

impl Journal {
    /// When the first check of a lens of a tenant was recorded, or its first missed slot was due; `None` where
    /// there is neither.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn known_since(&self, tenant: Uuid, lens: &LensId) -> Result<Option<Timestamp>, StoreError> {
        let first: [Option<String>; 2] = sqlx::query_as::<_, (Option<String>, Option<String>)>(
            "SELECT (SELECT min(observed_at) FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2), \
             (SELECT min(due_at) FROM lensops_missed WHERE yacht_id = $1 AND lens_id = $2)",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .fetch_one(&self.reader)
        .await?
        .into();
        // Both are written in one form that sorts as text.
        let Some(first) = first.into_iter().flatten().min() else {
            return Ok(None);
        };
        Ok(Some(first.parse().map_err(|error| decode_error("observed_at", error))?))
    }

    /// Which of `slots` have a check or were recorded as missed.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn settled_of(&self, slots: &[Uuid]) -> Result<HashSet<Uuid>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM pms_health_checks WHERE id IN (SELECT value FROM json_each($1)) \
             UNION ALL SELECT id FROM lensops_missed WHERE id IN (SELECT value FROM json_each($1))",
        )
        .bind(serde_json::json!(slots).to_string())
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(|row| Ok(parsed(row, "id")?)).collect()
    }
}

impl History for Journal {
    async fn shows(&self, tenant: Uuid, lens: &LensId, trace: Trace<'_>) -> Result<bool, StoreError> {
        traces::shows(&self.reader, tenant, lens, trace).await
    }

    async fn latest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<StoredCheck>, StoreError> {
        let mut latest = Vec::with_capacity(pairs.len());
        for (tenant, lens) in pairs {
            let row = sqlx::query(
                "SELECT * FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
                 ORDER BY observed_at DESC, id DESC LIMIT 1",
            )
            .bind(tenant.to_string())
            .bind(lens.as_str())
            .fetch_optional(&self.reader)
            .await?;
            latest.extend(row.as_ref().map(stored).transpose()?);
        }
        Ok(latest)
    }

    async fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<StoredCheck>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
             AND observed_at > $3 AND observed_at <= $4 ORDER BY observed_at, id",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .bind(time_text(from))
        .bind(time_text(until))
        .fetch_all(&self.reader)
        .await?;
        let checks = rows.iter().map(stored).collect::<Result<_, _>>()?;
        Ok(with_annulled(checks))
    }
}

/// Writes `check`; says whether it is new.
pub(crate) async fn write_check(writer: &mut SqliteConnection, check: &CheckRecord) -> Result<bool, sqlx::Error> {
    let observed_at = time_text(check.observed_at);
    let inserted = sqlx::query(
        "INSERT INTO pms_health_checks (id, yacht_id, lens_id, status, p95_latency_ms, error_rate_percent, sample_size, observed_at, notes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
    )
    .bind(check.id.to_string())
    .bind(check.yacht_id.to_string())
    .bind(check.lens_id.as_str())
    .bind(check.status.as_str())
    .bind(check.p95_latency_ms)
    .bind(check.error_rate_percent())
    .bind(check.sample_size)
    .bind(&observed_at)
    .bind(check.notes.text().as_str())
    .execute(&mut *writer)
    .await?;
    for event in &check.events {
        sqlx::query(
            "INSERT INTO pms_health_events (id, check_id, level, detail_json, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
        )
        .bind(event.id.to_string())
        .bind(check.id.to_string())
        .bind(event.level.as_str())
        .bind(event.detail.as_str())
        .bind(&observed_at)
        .execute(&mut *writer)
        .await?;
    }
    Ok(inserted.rows_affected() > 0)
}
