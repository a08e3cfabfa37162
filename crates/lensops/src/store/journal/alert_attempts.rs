//! Attempts to send alert messages: recorded when they begin and when they end. Old messages are
//! deleted here too.

use jiff::Timestamp;
use lensops_core::redaction::Redacted;
use sqlx::SqliteConnection;

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::time_text;
use crate::store::StoreError;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The receiver has it.
    Delivered,
    /// It is to be tried again.
    Later {
        /// From then on.
        from: Timestamp,
        /// What came of it.
        said: Redacted,
        /// It may have arrived all the same.
        unsure: bool,
    },
    /// The receiver will never take it; what it said.
    Refused(Redacted),
}

/// A change of the messages and attempts.
enum AttemptWrite {
    /// An attempt begins.
    Begun(i64, Timestamp),
    /// It ended.
    Ended(i64, Ended),
    /// Drops messages told before a time that wait for nobody.
    Forget(Timestamp),
}

impl WriteJob for AttemptWrite {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            match self {
                Self::Begun(seq, at) => begin(writer, *seq, *at).await?,
                Self::Ended(seq, ended) => end(writer, *seq, ended).await?,
                Self::Forget(before) => forget(writer, *before).await?,
            }
            Ok(AfterCommit::default())
        })
    }
}

async fn begin(writer: &mut SqliteConnection, seq: i64, at: Timestamp) -> Result<(), sqlx::Error> {
    let begun = sqlx::query(
        "INSERT INTO lensops_alert_attempts (delivery, begun_at) \
         SELECT seq, $2 FROM lensops_alert_deliveries WHERE message = $1",
    )
    .bind(seq)
    .bind(time_text(at))
    .execute(writer)
    .await?;
    if begun.rows_affected() == 0 {
        return Err(sqlx::Error::RowNotFound);
    }
    Ok(())
}

async fn forget(writer: &mut SqliteConnection, before: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query(
        "DELETE FROM lensops_notifications WHERE told_at < $1 AND NOT EXISTS (SELECT 1 \
         FROM lensops_alert_deliveries d WHERE d.notification_id = lensops_notifications.id AND d.state = 'waiting')",
    )
    .bind(time_text(before))
    .execute(&mut *writer)
    .await?;
    sqlx::query(
        "DELETE FROM lensops_alert_messages WHERE made_at < $1 AND NOT EXISTS (SELECT 1 \
         FROM lensops_alert_deliveries d WHERE d.message = lensops_alert_messages.seq)",
    )
    .bind(time_text(before))
    .execute(writer)
    .await?;
    Ok(())
}

async fn end(writer: &mut SqliteConnection, seq: i64, ended: &Ended) -> Result<(), sqlx::Error> {
    let (state, not_before, said, unsure) = match ended {
        Ended::Delivered => ("delivered", None, "delivered", false),
        Ended::Later { from, said, unsure } => ("waiting", Some(time_text(*from)), said.as_str(), *unsure),
        Ended::Refused(said) => ("refused", None, said.as_str(), false),
    };
    sqlx::query("UPDATE lensops_alert_deliveries SET state = $2, not_before = $3 WHERE message = $1")
        .bind(seq)
        .bind(state)
        .bind(not_before)
        .execute(&mut *writer)
        .await?;
    // Only the latest attempt can have ended: earlier ones without an end were cut off.
    sqlx::query(
        "UPDATE lensops_alert_attempts SET said = $2, unsure = $3 WHERE id IN (SELECT max(a.id) \
         FROM lensops_alert_attempts a JOIN lensops_alert_deliveries d ON d.seq = a.delivery WHERE d.message = $1 GROUP BY a.delivery)",
    )
    .bind(seq)
    .bind(said)
    .bind(unsure)
    .execute(writer)
    .await?;
    Ok(())
}

impl Journal {
    /// Records that the message numbered `seq` is about to be sent.
    ///
    /// # Errors
    /// When the disk refuses; then it must not be sent.
    pub async fn alert_begun(&self, seq: i64, at: Timestamp) -> Result<(), StoreError> {
        self.write(AttemptWrite::Begun(seq, at)).await
    }

    /// Records how the attempt at the message numbered `seq` ended.
    ///
    /// # Errors
    /// When the disk refuses; then it is sent again, and says that it may be.
    pub async fn alert_ended(&self, seq: i64, ended: Ended) -> Result<(), StoreError> {
        self.write(AttemptWrite::Ended(seq, ended)).await
    }

    /// Forgets messages told before `before` that wait for nobody.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn forget_alerts(&self, before: Timestamp) -> Result<(), StoreError> {
        self.write(AttemptWrite::Forget(before)).await
    }
}
