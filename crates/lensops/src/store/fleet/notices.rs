//! What waits for the receivers of the fleet: gathered into messages, and every attempt written down before it is made.

use jiff::{SignedDuration, Timestamp};
use lensops_core::alert::{Incident, Notification, gather};
use lensops_core::history::schedule::from_ms;
use lensops_core::redaction::{Redacted, Redactor};
use sqlx::{PgConnection, Row as _};

use super::handle::{Fleet, failed, now};
use super::jobs;
use crate::store::postgres::{bound, statement};
use crate::store::{Due, Ended, StoreError};

/// Notices that are gathered at once.
const MOST: i64 = 20_000;

/// The least from one message to the next.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// What is next for a receiver.
#[derive(Debug)]
pub enum NoticeStep {
    /// Nothing waits.
    Idle,
    /// This message is to be sent; its attempt is written down.
    Send(Box<Due>),
    /// Nothing is to be sent before then; a job looks again.
    Until(Timestamp),
}

impl Fleet {
    /// What is next for `receiver`. A message that waits comes first; else what waits is gathered, once the pause is over
    /// or `at_once`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_notice(
        &self,
        receiver: &str,
        redactor: &Redactor,
        at_once: bool,
    ) -> Result<NoticeStep, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let now = now(&mut transaction).await?;
            let mut step = due(&mut transaction, receiver, now).await?;
            if matches!(step, NoticeStep::Idle) {
                step = self
                    .gathered(&mut transaction, receiver, redactor, (now, at_once))
                    .await?;
            }
            if let NoticeStep::Until(at) = &step {
                self.add(&mut transaction, &[jobs::notify(receiver, *at)]).await?;
            }
            transaction.commit().await?;
            Ok(step)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    async fn gathered(
        &self,
        connection: &mut PgConnection,
        receiver: &str,
        redactor: &Redactor,
        (now, at_once): (Timestamp, bool),
    ) -> Result<NoticeStep, sqlx::Error> {
        let queued = queued(connection, receiver).await?;
        if queued.is_empty() {
            return Ok(NoticeStep::Idle);
        }
        let last: Option<i64> = statement::query_scalar(
            "SELECT (extract(epoch FROM max(made_at)) * 1000)::bigint FROM public.lensops_alert_messages WHERE receiver = $1",
        )
        .bind(receiver)
        .fetch_one(&mut *connection)
        .await?;
        let rested = last.map_or(now, |last| from_ms(last).min(now) + PAUSE);
        if rested > now && !at_once {
            return Ok(NoticeStep::Until(rested));
        }
        let gathered = gather(queued, incidents(connection, receiver).await?, now);
        mark(connection, &gathered.silent, 0).await?;
        for (numbers, told) in &gathered.messages {
            let body = redactor.json(serde_json::json!(told));
            let seq: i64 = statement::query_scalar(
                "INSERT INTO public.lensops_alert_messages (receiver, made_at, body) VALUES ($1, $2::timestamptz, $3) RETURNING seq",
            )
            .bind(receiver)
            .bind(bound(now))
            .bind(body.as_str())
            .fetch_one(&mut *connection)
            .await?;
            mark(connection, numbers, seq).await?;
        }
        put_incidents(connection, receiver, &gathered.incidents, redactor).await?;
        due(connection, receiver, now).await
    }

    /// How the attempt at message `seq` of `receiver` ended.
    ///
    /// # Errors
    /// When the database does not answer: then it is sent again, marked as perhaps known.
    pub async fn notice_ended(&self, receiver: &str, seq: i64, ended: &Ended) -> Result<(), StoreError> {
        let said = |said: &Redacted| said.as_str().to_owned();
        let (state, from, said, unsure) = match ended {
            Ended::Delivered => ("delivered", None, None, false),
            Ended::Later {
                from,
                said: text,
                unsure,
            } => ("waiting", Some(*from), Some(said(text)), *unsure),
            Ended::Refused(text) => ("refused", None, Some(said(text)), false),
        };
        let work = async {
            let mut transaction = self.gate.begin().await?;
            statement::query(
                "UPDATE public.lensops_alert_messages SET state = $2, not_before = $3::timestamptz, said = $4, unsure = $5 \
                 WHERE seq = $1",
            )
            .bind(seq)
            .bind(state)
            .bind(from.map(bound))
            .bind(said)
            .bind(unsure)
            .execute(&mut *transaction)
            .await?;
            if let Some(from) = from {
                self.add(&mut transaction, &[jobs::notify(receiver, from)]).await?;
            }
            transaction.commit().await
        };
        work.await.map_err(|error| failed(&error))
    }

    /// A job that looks at `at` what waits for `receiver`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn notify_at(&self, receiver: &str, at: Timestamp) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            self.add(&mut transaction, &[jobs::notify(receiver, at)]).await?;
            transaction.commit().await
        };
        work.await.map_err(|error| failed(&error))
    }

    /// Receivers that messages wait for, as far as no job is theirs: a table of jobs that was emptied must not keep them.
    pub(super) async fn wake_receivers(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let names: Vec<String> = statement::query_scalar(
            "SELECT receiver FROM (SELECT receiver FROM public.lensops_alert_deliveries WHERE message IS NULL \
             UNION SELECT receiver FROM public.lensops_alert_messages WHERE state = 'waiting') AS waiting \
             WHERE NOT EXISTS (SELECT 1 FROM lensops_jobs._private_jobs j WHERE j.key = 'notify/' || receiver)",
        )
        .fetch_all(&mut *connection)
        .await?;
        let now = now(connection).await?;
        let jobs: Vec<_> = names.iter().map(|name| jobs::notify(name, now)).collect();
        self.add(connection, &jobs).await
    }
}

/// The next message for `receiver`, with its attempt begun.
async fn due(connection: &mut PgConnection, receiver: &str, now: Timestamp) -> Result<NoticeStep, sqlx::Error> {
    let rows = statement::query(
        "SELECT seq, body, unsure, (extract(epoch FROM not_before) * 1000)::bigint AS not_before_ms \
         FROM public.lensops_alert_messages WHERE receiver = $1 AND state = 'waiting' ORDER BY seq LIMIT 20",
    )
    .bind(receiver)
    .fetch_all(&mut *connection)
    .await?;
    for row in &rows {
        let seq: i64 = row.try_get("seq")?;
        // It waits for a version that reads it, and holds up no other.
        let Ok(told) = serde_json::from_str::<Notification>(row.try_get("body")?) else {
            tracing::warn!("⚠️ Message {seq} cannot be read and is left out");
            continue;
        };
        let not_before = row.try_get::<Option<i64>, _>("not_before_ms")?.map(from_ms);
        if let Some(until) = not_before.filter(|until| *until > now) {
            return Ok(NoticeStep::Until(until));
        }
        let perhaps_again = row.try_get("unsure")?;
        statement::query(
            "UPDATE public.lensops_alert_messages SET attempts = attempts + 1, unsure = true WHERE seq = $1",
        )
        .bind(seq)
        .execute(&mut *connection)
        .await?;
        return Ok(NoticeStep::Send(Box::new(Due {
            seq,
            told,
            not_before,
            perhaps_again,
        })));
    }
    Ok(NoticeStep::Idle)
}

async fn queued(connection: &mut PgConnection, receiver: &str) -> Result<Vec<(i64, Notification)>, sqlx::Error> {
    let rows = statement::query(
        "SELECT d.seq, n.body FROM public.lensops_alert_deliveries d \
         JOIN public.lensops_notifications n ON n.id = d.notification_id \
         WHERE d.receiver = $1 AND d.message IS NULL ORDER BY d.seq LIMIT $2 FOR UPDATE OF d",
    )
    .bind(receiver)
    .bind(MOST)
    .fetch_all(connection)
    .await?;
    let mut queued = Vec::with_capacity(rows.len());
    for row in &rows {
        match serde_json::from_str(row.try_get("body")?) {
            Ok(told) => queued.push((row.try_get("seq")?, told)),
            Err(error) => tracing::debug!("A notice cannot be read and is left out: {error}"),
        }
    }
    Ok(queued)
}

async fn incidents(connection: &mut PgConnection, receiver: &str) -> Result<Vec<Incident>, sqlx::Error> {
    let states: Vec<String> =
        statement::query_scalar("SELECT state FROM public.lensops_incidents WHERE receiver = $1 ORDER BY incident")
            .bind(receiver)
            .fetch_all(connection)
            .await?;
    Ok(states
        .iter()
        .filter_map(|state| serde_json::from_str(state).ok())
        .collect())
}

async fn mark(connection: &mut PgConnection, numbers: &[i64], message: i64) -> Result<(), sqlx::Error> {
    statement::query("UPDATE public.lensops_alert_deliveries SET message = $2 WHERE seq = ANY($1)")
        .bind(numbers)
        .bind(message)
        .execute(connection)
        .await?;
    Ok(())
}

async fn put_incidents(
    connection: &mut PgConnection,
    receiver: &str,
    incidents: &[Incident],
    redactor: &Redactor,
) -> Result<(), sqlx::Error> {
    statement::query("DELETE FROM public.lensops_incidents WHERE receiver = $1")
        .bind(receiver)
        .execute(&mut *connection)
        .await?;
    for incident in incidents {
        statement::query("INSERT INTO public.lensops_incidents (receiver, incident, state) VALUES ($1, $2, $3)")
            .bind(receiver)
            .bind(&incident.key)
            .bind(redactor.json(serde_json::json!(incident)).as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
