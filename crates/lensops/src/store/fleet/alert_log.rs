//! Reads what fires for the fleet, and what was told.

use lensops_core::alert::Notification;
use lensops_core::named::Named;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::handle::{Fleet, failed};
use crate::store::postgres::statement;
use crate::store::{Alert, StoreError, Trail};

impl Fleet {
    /// Rules that saw something broken, the most severe first, firing ones before others.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let rows = self
            .rows(
                "SELECT * FROM public.lensops_alerts ORDER BY firing DESC, CASE severity WHEN 'critical' THEN 0 \
                 WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END, lens_id, yacht_id, rule LIMIT 10000",
                0,
            )
            .await?;
        rows.iter()
            .filter_map(|row| alert(row).transpose())
            .collect::<Result<_, _>>()
            .map_err(|error| failed(&error))
    }

    /// Messages that wait, and that were refused for good, by receiver.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn alert_backlog(&self) -> Result<Vec<(String, i64, i64)>, StoreError> {
        let rows = self
            .rows(
                "SELECT receiver, sum(waiting)::bigint AS waiting, sum(refused)::bigint AS refused FROM (\
                   SELECT receiver, 1 AS waiting, 0 AS refused FROM public.lensops_alert_deliveries WHERE message IS NULL \
                   UNION ALL SELECT receiver, (state = 'waiting')::int, (state = 'refused')::int \
                   FROM public.lensops_alert_messages WHERE state <> 'delivered') AS open GROUP BY receiver ORDER BY receiver",
                0,
            )
            .await?;
        let backlog = |row: &PgRow| {
            Ok((
                row.try_get("receiver")?,
                row.try_get("waiting")?,
                row.try_get("refused")?,
            ))
        };
        rows.iter()
            .map(backlog)
            .collect::<Result<_, _>>()
            .map_err(|error: sqlx::Error| failed(&error))
    }

    /// The latest `limit` messages, newest first, one entry a receiver.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn alert_trail(&self, limit: u32) -> Result<Vec<Trail>, StoreError> {
        let rows = self
            .rows(
                "SELECT receiver, state, body, attempts, said, made_at::text AS made_at \
                 FROM public.lensops_alert_messages ORDER BY seq DESC LIMIT $1",
                i64::from(limit),
            )
            .await?;
        rows.iter()
            .filter_map(|row| trail(row).transpose())
            .collect::<Result<_, _>>()
            .map_err(|error| failed(&error))
    }

    async fn rows(&self, sql: &'static str, limit: i64) -> Result<Vec<PgRow>, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let query = statement::query(sql);
            let query = if sql.contains("$1") { query.bind(limit) } else { query };
            let rows = query.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(rows)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }
}

/// What another version wrote is left out.
fn alert(row: &PgRow) -> Result<Option<Alert>, sqlx::Error> {
    let (lens, state): (&str, &str) = (row.try_get("lens_id")?, row.try_get("state")?);
    let Ok(state) = serde_json::from_str(state) else {
        return Ok(None);
    };
    Ok(Some(Alert {
        rule: Named::of(row.try_get("rule")?),
        severity: Named::of(row.try_get("severity")?),
        tenant: row.try_get::<Option<Uuid>, _>("yacht_id")?,
        lens: lens.parse().ok(),
        firing: row.try_get("firing")?,
        state,
    }))
}

fn trail(row: &PgRow) -> Result<Option<Trail>, sqlx::Error> {
    let Ok(told) = serde_json::from_str::<Notification>(row.try_get("body")?) else {
        return Ok(None);
    };
    let (attempts, said): (i32, Option<String>) = (row.try_get("attempts")?, row.try_get("said")?);
    let made: String = row.try_get("made_at")?;
    let state: String = row.try_get("state")?;
    let said = said.or_else(|| Some(state.clone()).filter(|state| state == "delivered"));
    Ok(Some(Trail {
        told,
        receiver: row.try_get("receiver")?,
        attempts: (attempts > 0).then_some((made, said)).into_iter().collect(),
        state,
    }))
}
