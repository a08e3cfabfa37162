//! Gathers the notices that wait for a receiver into messages, in one transaction with what the receiver then knows.

use jiff::Timestamp;
use lensops_core::alert::{Incident, Notification, gather};
use lensops_core::redaction::Redactor;
use sqlx::{Row, SqliteConnection};

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::time_text;
use crate::store::StoreError;

/// Notices that are gathered at once.
const MOST: i64 = 20_000;

/// What waits for a receiver and is in no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// When the first of it was queued.
    pub since: Timestamp,
    /// When the last message was made; `None` before the first.
    pub last_message: Option<Timestamp>,
}

/// Gathers what waits for a receiver.
struct Gather {
    receiver: String,
    redactor: Redactor,
    at: Timestamp,
}

impl WriteJob for Gather {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            let queued = queued(writer, &self.receiver).await?;
            if queued.is_empty() {
                return Ok(AfterCommit::default());
            }
            let gathered = gather(queued, incidents(writer, &self.receiver).await?, self.at);
            self.drop_silent(writer, &gathered.silent).await?;
            for (numbers, told) in &gathered.messages {
                self.put_message(writer, numbers, told).await?;
            }
            self.put_incidents(writer, &gathered.incidents).await?;
            Ok(AfterCommit::default())
        })
    }
}

async fn queued(writer: &mut SqliteConnection, receiver: &str) -> Result<Vec<(i64, Notification)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT d.seq, n.body FROM lensops_alert_deliveries d JOIN lensops_notifications n ON n.id = d.notification_id \
         WHERE d.receiver = $1 AND d.state = 'waiting' AND d.message IS NULL ORDER BY d.seq LIMIT $2",
    )
    .bind(receiver)
    .bind(MOST)
    .fetch_all(writer)
    .await?;
    let mut queued = Vec::with_capacity(rows.len());
    for row in &rows {
        let seq: i64 = row.try_get("seq")?;
        match serde_json::from_str(row.try_get("body")?) {
            Ok(told) => queued.push((seq, told)),
            // It waits for a version that reads it, and holds up no other.
            Err(error) => tracing::debug!("Message {seq} cannot be read and is left out: {error}"),
        }
    }
    Ok(queued)
}

/// The incidents that `receiver` knows. One of a newer version is left out: what ends of it is then told by itself.
async fn incidents(writer: &mut SqliteConnection, receiver: &str) -> Result<Vec<Incident>, sqlx::Error> {
    let states: Vec<String> =
        sqlx::query_scalar("SELECT state FROM lensops_incidents WHERE receiver = $1 ORDER BY incident")
            .bind(receiver)
            .fetch_all(writer)
            .await?;
    let read = |state: &String| {
        serde_json::from_str(state)
            .inspect_err(|error| tracing::warn!("⚠️ An incident of {receiver} cannot be read and is left out: {error}"))
            .ok()
    };
    Ok(states.iter().filter_map(read).collect())
}

impl Gather {
    async fn drop_silent(&self, writer: &mut SqliteConnection, silent: &[i64]) -> Result<(), sqlx::Error> {
        let numbers = serde_json::json!(silent).to_string();
        sqlx::query(
            "UPDATE lensops_alert_deliveries SET state = 'delivered' WHERE seq IN (SELECT value FROM json_each($1))",
        )
        .bind(&numbers)
        .execute(&mut *writer)
        .await?;
        sqlx::query(
            "INSERT INTO lensops_alert_attempts (delivery, begun_at, said, unsure) \
             SELECT value, $2, 'not sent: over before it was told, or told with its incident', 0 FROM json_each($1)",
        )
        .bind(numbers)
        .bind(time_text(self.at))
        .execute(writer)
        .await?;
        Ok(())
    }

    async fn put_message(
        &self,
        writer: &mut SqliteConnection,
        numbers: &[i64],
        told: &Notification,
    ) -> Result<(), sqlx::Error> {
        let body = self.redactor.json(serde_json::json!(told));
        let made = sqlx::query("INSERT INTO lensops_alert_messages (receiver, made_at, body) VALUES ($1, $2, $3)")
            .bind(&self.receiver)
            .bind(time_text(self.at))
            .bind(body.as_str())
            .execute(&mut *writer)
            .await?;
        sqlx::query("UPDATE lensops_alert_deliveries SET message = $1 WHERE seq IN (SELECT value FROM json_each($2))")
            .bind(made.last_insert_rowid())
            .bind(serde_json::json!(numbers).to_string())
            .execute(writer)
            .await?;
        Ok(())
    }

    async fn put_incidents(&self, writer: &mut SqliteConnection, incidents: &[Incident]) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM lensops_incidents WHERE receiver = $1")
            .bind(&self.receiver)
            .execute(&mut *writer)
            .await?;
        for incident in incidents {
            sqlx::query("INSERT INTO lensops_incidents (receiver, incident, state) VALUES ($1, $2, $3)")
                .bind(&self.receiver)
                .bind(&incident.key)
                .bind(self.redactor.json(serde_json::json!(incident)).as_str())
                .execute(&mut *writer)
                .await?;
        }
        Ok(())
    }
}

impl Journal {
    /// What waits for `receiver` in no message; `None` where nothing does.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn alerts_queued(&self, receiver: &str) -> Result<Option<Queued>, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT n.told_at, n.body FROM lensops_alert_deliveries d JOIN lensops_notifications n \
             ON n.id = d.notification_id WHERE d.receiver = $1 AND d.state = 'waiting' AND d.message IS NULL \
             ORDER BY d.seq LIMIT 100",
        )
        .bind(receiver)
        .fetch_all(&self.reader)
        .await?;
        // One that only a newer version reads waits for that.
        let readable = |(_, body): &&(String, String)| serde_json::from_str::<Notification>(body).is_ok();
        let Some((first, _)) = rows.iter().find(readable) else {
            return Ok(None);
        };
        let last: Option<String> =
            sqlx::query_scalar("SELECT max(made_at) FROM lensops_alert_messages WHERE receiver = $1")
                .bind(receiver)
                .fetch_one(&self.reader)
                .await?;
        Ok(Some(Queued {
            since: first.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            last_message: last.and_then(|text| text.parse().ok()),
        }))
    }

    /// Gathers what waits for `receiver` into messages.
    ///
    /// # Errors
    /// When the disk refuses; then nothing is gathered.
    pub async fn gather_alerts(&self, receiver: &str, redactor: &Redactor, at: Timestamp) -> Result<(), StoreError> {
        let (receiver, redactor) = (receiver.to_owned(), redactor.clone());
        self.write(Gather { receiver, redactor, at }).await
    }
}
