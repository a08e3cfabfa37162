//! Lenses that were rolled back or restored by command, in the journal.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::lens::mute::Paused;
use lensops_core::lens::rollback::{Progress, Rollback, Switch};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::{decode_error, parsed, time_text};
use crate::store::StoreError;

/// How long what is in force may be answered from the cache: another process may roll back meanwhile.
const CACHE_FOR: Duration = Duration::from_secs(2);

/// Records a rollback or restore, or how far it has come.
struct PutRollback {
    entry: Rollback,
}

impl WriteJob for PutRollback {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        let entry = &self.entry;
        Box::pin(async move {
            sqlx::query(
                "INSERT INTO lensops_rollbacks (id, lens_id, kind, step, target, flag, found, who, reason, gate, begun_at, ended_at, outcome) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
                 ON CONFLICT (id) DO UPDATE SET step = excluded.step, gate = excluded.gate, ended_at = excluded.ended_at, \
                 outcome = excluded.outcome",
            )
            .bind(entry.id.to_string())
            .bind(entry.lens.as_str())
            .bind(entry.kind.as_str())
            .bind(entry.step.as_str())
            .bind(&entry.target)
            .bind(&entry.flag)
            .bind(entry.found.as_deref())
            .bind(&entry.who)
            .bind(&entry.reason)
            .bind(&entry.gate)
            .bind(time_text(entry.begun_at))
            .bind(entry.ended_at.map(time_text))
            .bind(entry.outcome.as_deref())
            .execute(writer)
            .await?;
            Ok(AfterCommit::default())
        })
    }
}

fn rollback(row: &SqliteRow) -> Result<Rollback, sqlx::Error> {
    let kind: &str = row.try_get("kind")?;
    let step: &str = row.try_get("step")?;
    let ended_at: Option<&str> = row.try_get("ended_at")?;
    Ok(Rollback {
        id: parsed(row, "id")?,
        lens: parsed(row, "lens_id")?,
        kind: match kind {
            "rollback" => Switch::Rollback,
            _ => Switch::Restore,
        },
        step: Progress::parse(step).ok_or_else(|| decode_error("step", step))?,
        target: row.try_get("target")?,
        flag: row.try_get("flag")?,
        found: row.try_get("found")?,
        who: row.try_get("who")?,
        reason: row.try_get("reason")?,
        gate: row.try_get("gate")?,
        begun_at: parsed(row, "begun_at")?,
        ended_at: ended_at.and_then(|text| text.parse().ok()),
        outcome: row.try_get("outcome")?,
    })
}

impl Journal {
    /// Records `entry`, or how far it has come.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn put_rollback(&self, entry: Rollback) -> Result<(), StoreError> {
        self.write(PutRollback { entry }).await?;
        *self.rollback_cache.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }

    /// The latest rollback or restore of each lens that was not abandoned, by lens.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn rollbacks(&self) -> Result<Vec<Rollback>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM lensops_rollbacks WHERE seq IN (\
             SELECT max(seq) FROM lensops_rollbacks WHERE step <> 'abandoned' GROUP BY lens_id) ORDER BY lens_id",
        )
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.iter().map(rollback).collect::<Result<_, _>>()?)
    }

    /// Every rollback and restore of `lens` that was decided after `from` and not abandoned, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn rollbacks_of(&self, lens: &LensId, from: Timestamp) -> Result<Vec<Rollback>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM lensops_rollbacks WHERE lens_id = $1 AND begun_at > $2 AND step <> 'abandoned' \
             ORDER BY begun_at, seq",
        )
        .bind(lens.as_str())
        .bind(time_text(from))
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.iter().map(rollback).collect::<Result<_, _>>()?)
    }

    /// The lenses that are rolled back by command, from the moment that was decided; as of some
    /// seconds ago at most.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn rolled_back(&self) -> Result<Arc<HashMap<LensId, Paused>>, StoreError> {
        let cached = self
            .rollback_cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((_, found)) = cached.filter(|(at, _)| at.elapsed() < CACHE_FOR) {
            return Ok(found);
        }
        let found = self.rollbacks().await?.into_iter();
        let found = found.filter(|entry| entry.kind == Switch::Rollback).map(|entry| {
            let reason = format!("rolled back by {}: {}", entry.who, entry.reason);
            let since = Some(entry.begun_at);
            (entry.lens, Paused { reason, since })
        });
        let found = Arc::new(found.collect::<HashMap<_, _>>());
        *self.rollback_cache.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}
