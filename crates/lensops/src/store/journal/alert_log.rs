//! Reads alerts from the journal: active ones, messages that wait for a receiver, and every attempt.

use jiff::Timestamp;
use lensops_core::alert::{Notification, Rule, State, Urgency};
use lensops_core::ident::LensId;
use lensops_core::named::Named;
use serde::Serialize;
use sqlx::Row;
use uuid::Uuid;

use super::handle::Journal;
use super::row::decode_error;
use crate::store::StoreError;

/// A message that waits for a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Its number: messages are sent in that order.
    pub seq: i64,
    /// The message.
    pub told: Notification,
    /// When it may be tried again; `None` at once.
    pub not_before: Option<Timestamp>,
    /// An attempt was cut off, or broke off after it was sent: it may have arrived.
    pub perhaps_again: bool,
}

/// A rule that saw something broken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// The rule.
    pub rule: Named<Rule>,
    /// How much it matters.
    pub severity: Named<Urgency>,
    /// The tenant; none for the store.
    pub tenant: Option<Uuid>,
    /// The lens; none for the store.
    pub lens: Option<LensId>,
    /// Whether it fires, or only may soon.
    pub firing: bool,
    /// Where it stands.
    pub state: State,
}

/// A message with what became of it at one receiver.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trail {
    /// The message.
    pub told: Notification,
    /// The receiver.
    pub receiver: String,
    /// `waiting`, `delivered`, `refused`, or `left out`: over before it was told, or told with its incident.
    pub state: String,
    /// Every attempt: when, and what the receiver said. An attempt without an end was cut off.
    pub attempts: Vec<(String, Option<String>)>,
}

impl Journal {
    /// The next message for `receiver`, if one was gathered and waits.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn alert_due(&self, receiver: &str) -> Result<Option<Due>, StoreError> {
        let mut after = i64::MIN;
        loop {
            let row = sqlx::query(
                "SELECT m.seq, m.body, min(d.not_before) AS not_before, max(EXISTS (SELECT 1 FROM lensops_alert_attempts a \
                 WHERE a.delivery = d.seq AND a.unsure = 1)) AS unsure FROM lensops_alert_deliveries d \
                 JOIN lensops_alert_messages m ON m.seq = d.message \
                 WHERE d.receiver = $1 AND d.state = 'waiting' AND m.seq > $2 GROUP BY m.seq ORDER BY m.seq LIMIT 1",
            )
            .bind(receiver)
            .bind(after)
            .fetch_optional(&self.reader)
            .await?;
            let Some(row) = row else { return Ok(None) };
            let seq = row.try_get("seq")?;
            let Some(told) = readable("Message", &seq, body(&row)) else {
                // It waits for a version that reads it, and holds up no other.
                after = seq;
                continue;
            };
            let not_before: Option<&str> = row.try_get("not_before")?;
            return Ok(Some(Due {
                seq,
                told,
                not_before: not_before.and_then(|text| text.parse().ok()),
                perhaps_again: row.try_get("unsure")?,
            }));
        }
    }

    /// Rules that saw something broken, the most severe first, firing ones before others.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM lensops_alerts ORDER BY firing DESC, CASE severity WHEN 'critical' THEN 0 \
             WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END, lens_id, yacht_id, rule",
        )
        .fetch_all(&self.reader)
        .await?;
        let alert = |row: &sqlx::sqlite::SqliteRow| -> Result<Alert, sqlx::Error> {
            let (tenant, lens): (&str, &str) = (row.try_get("yacht_id")?, row.try_get("lens_id")?);
            let state = serde_json::from_str(row.try_get("state")?);
            Ok(Alert {
                rule: Named::of(row.try_get("rule")?),
                severity: Named::of(row.try_get("severity")?),
                tenant: tenant.parse().ok(),
                lens: lens.parse().ok(),
                firing: row.try_get("firing")?,
                state: state.map_err(|error| decode_error("state", error))?,
            })
        };
        let named = |row: &sqlx::sqlite::SqliteRow| row.try_get::<String, _>("rule").unwrap_or_default();
        let alerts = rows
            .iter()
            .filter_map(|row| readable("Alert of rule", &named(row), alert(row)));
        Ok(alerts.collect())
    }

    /// The latest `limit` messages, newest first, one entry a receiver.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn alert_trail(&self, limit: u32) -> Result<Vec<Trail>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.seq, d.receiver, CASE WHEN d.state = 'delivered' AND d.message IS NULL AND EXISTS \
             (SELECT 1 FROM lensops_alert_attempts a WHERE a.delivery = d.seq AND a.said LIKE 'not sent: %') \
             THEN 'left out' ELSE d.state END AS state, n.body FROM lensops_alert_deliveries d \
             JOIN lensops_notifications n ON n.id = d.notification_id ORDER BY d.seq DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let mut trail = Vec::with_capacity(rows.len());
        for row in &rows {
            let seq: i64 = row.try_get("seq")?;
            let Some(told) = readable("Message", &seq, body(row)) else {
                continue;
            };
            let attempts =
                sqlx::query_as("SELECT begun_at, said FROM lensops_alert_attempts WHERE delivery = $1 ORDER BY id")
                    .bind(seq)
                    .fetch_all(&self.reader)
                    .await?;
            trail.push(Trail {
                told,
                receiver: row.try_get("receiver")?,
                state: row.try_get("state")?,
                attempts,
            });
        }
        Ok(trail)
    }

    /// Messages that wait, and that were refused for good, by receiver.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn alert_backlog(&self) -> Result<Vec<(String, i64, i64)>, StoreError> {
        Ok(sqlx::query_as(
            "SELECT receiver, count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'refused') \
             FROM lensops_alert_deliveries WHERE state <> 'delivered' GROUP BY receiver ORDER BY receiver",
        )
        .fetch_all(&self.reader)
        .await?)
    }
}

/// What could be read. Another version may have written what this one does not know: it is named and
/// left out, and fails neither a page nor the messages behind it.
fn readable<T>(what: &str, which: &dyn std::fmt::Display, read: Result<T, sqlx::Error>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!("⚠️ {what} {which} cannot be read and is left out: {error}"))
        .ok()
}

fn body(row: &sqlx::sqlite::SqliteRow) -> Result<Notification, sqlx::Error> {
    serde_json::from_str(row.try_get("body")?).map_err(|error| decode_error("body", error))
}
