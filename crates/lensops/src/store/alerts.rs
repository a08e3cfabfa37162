//! Alerts in the journal: the state of every rule, what was told, to whom, and every attempt at it.
//!
//! A check that is recorded is folded into the state of its rules by the writer, within the same
//! transaction, and so is what is told of it. A check whose id is there already is not folded again.
//! Nothing is sent here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lensops_core::alert::{Notice, Notification, Rule, RuleBook, Seen, State, Subject, fold, key, observe};
use lensops_core::evidence::{Redacted, Redactor};
use lensops_core::ident::LensId;
use lensops_core::record::CheckRecord;
use serde::Serialize;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::StoreError;
use super::journal::{Journal, decode_error, parsed, time_text};

/// The rules that the writer folds checks into, and what takes secrets out of what they tell.
#[derive(Debug, Clone)]
pub struct Alerting {
    /// The rules.
    pub book: RuleBook,
    /// Knows the secrets.
    pub redactor: Redactor,
}

/// A message that waits for a receiver.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// Its place in the order.
    pub seq: i64,
    /// The message.
    pub told: Notification,
    /// When it may be tried again; `None` at once.
    pub not_before: Option<Timestamp>,
    /// An attempt was cut off, or broke off after it was sent: it may have arrived.
    pub perhaps_again: bool,
}

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

/// A rule that saw something broken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// The rule.
    pub rule: String,
    /// How much it matters.
    pub severity: String,
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
    /// `waiting`, `delivered` or `refused`.
    pub state: String,
    /// Every attempt: when, and what the receiver said. An attempt without an end was cut off.
    pub attempts: Vec<(String, Option<String>)>,
}

/// Quiet about a rule, a lens, a tenant, or what all of them match.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Silence {
    /// Its id.
    pub id: Uuid,
    /// The rule; all where none is named.
    pub rule: Option<Rule>,
    /// The tenant; all where none is named.
    pub tenant: Option<Uuid>,
    /// The lens; all where none is named.
    pub lens: Option<LensId>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it lasts.
    pub until: Timestamp,
    /// Who made it.
    pub who: String,
    /// Why.
    pub reason: String,
}

impl Silence {
    fn matches(&self, rule: Rule, subject: &Subject) -> bool {
        self.rule.is_none_or(|own| own == rule)
            && (self.tenant.is_none() || self.tenant == subject.tenant())
            && (self.lens.is_none() || self.lens.as_ref() == subject.lens())
    }
}

pub(super) enum AlertWrite {
    /// What was seen besides checks.
    Seen(Vec<(Rule, Subject, Seen)>, Timestamp),
    /// An attempt begins.
    Begun(i64, Timestamp),
    /// It ended.
    Ended(i64, Ended),
    Silence(Box<Silence>),
    Unsilence(Uuid, Timestamp, String),
    /// Drops messages told before a time that wait for nobody.
    Forget(Timestamp),
}

/// Applies `write`; says whether something was told.
pub(super) async fn apply(
    writer: &mut SqliteConnection,
    alerting: Option<&Alerting>,
    write: &AlertWrite,
) -> Result<bool, sqlx::Error> {
    match write {
        AlertWrite::Seen(seen, at) => {
            let Some(alerting) = alerting else { return Ok(false) };
            let mut told = false;
            for (rule, subject, seen) in seen {
                let state = states(writer, subject).await?.remove(rule).unwrap_or_default();
                told |= step(writer, alerting, (*rule, subject), state, seen, Uuid::nil(), *at).await?;
            }
            return Ok(told);
        }
        AlertWrite::Begun(seq, at) => {
            sqlx::query("INSERT INTO lensops_alert_attempts (delivery, begun_at) VALUES ($1, $2)")
                .bind(seq)
                .bind(time_text(*at))
                .execute(writer)
                .await?;
        }
        AlertWrite::Ended(seq, ended) => end(writer, *seq, ended).await?,
        AlertWrite::Silence(silence) => put_silence(writer, silence).await?,
        AlertWrite::Unsilence(id, at, who) => {
            sqlx::query("UPDATE lensops_silences SET ended_at = $2, ended_by = $3 WHERE id = $1 AND ended_at IS NULL")
                .bind(id.to_string())
                .bind(time_text(*at))
                .bind(who)
                .execute(writer)
                .await?;
        }
        AlertWrite::Forget(before) => {
            sqlx::query(
                "DELETE FROM lensops_notifications WHERE told_at < $1 AND NOT EXISTS (SELECT 1 \
                 FROM lensops_alert_deliveries d WHERE d.notification_id = lensops_notifications.id AND d.state = 'waiting')",
            )
            .bind(time_text(*before))
            .execute(writer)
            .await?;
        }
    }
    Ok(false)
}

/// Folds a check that was recorded just now; says whether something was told.
pub(super) async fn take_check(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    check: &CheckRecord,
) -> Result<bool, sqlx::Error> {
    let subject = Subject::Lens(check.yacht_id, check.lens_id.clone());
    let mut states = states(writer, &subject).await?;
    let mut told = false;
    for (rule, seen) in observe(check) {
        let state = states.remove(&rule).unwrap_or_default();
        // Nearly every check: nothing was, and nothing is.
        if state.is_quiet() && !matches!(seen, Seen::Broken(_)) {
            continue;
        }
        told |= step(
            writer,
            alerting,
            (rule, &subject),
            state,
            &seen,
            check.id,
            check.observed_at,
        )
        .await?;
    }
    Ok(told)
}

async fn step(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    (rule, subject): (Rule, &Subject),
    before: State,
    seen: &Seen,
    cause: Uuid,
    at: Timestamp,
) -> Result<bool, sqlx::Error> {
    let plan = alerting.book.plan(rule);
    let silenced = silences(&mut *writer, at)
        .await?
        .iter()
        .any(|silence| silence.matches(rule, subject));
    let step = fold(rule, plan, before.clone(), seen, at, silenced);
    if step.state != before {
        put_state(writer, alerting, (rule, subject), &step.state, at).await?;
    }
    let Some(notice) = step.notice else { return Ok(false) };
    // What is resolved is told as it was.
    let of = if notice == Notice::Resolved {
        &before
    } else {
        &step.state
    };
    let told = Notification::of(rule, plan, subject, notice, of, cause, at);
    let body = alerting.redactor.json(&serde_json::json!(told));
    let inserted = sqlx::query(
        "INSERT INTO lensops_notifications (id, dedup_key, told_at, body) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
    )
    .bind(told.id.to_string())
    .bind(&told.dedup_key)
    .bind(time_text(at))
    .bind(body.as_str())
    .execute(&mut *writer)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(false);
    }
    for receiver in &plan.receivers {
        sqlx::query("INSERT INTO lensops_alert_deliveries (notification_id, receiver) VALUES ($1, $2)")
            .bind(told.id.to_string())
            .bind(receiver)
            .execute(&mut *writer)
            .await?;
    }
    tracing::warn!(key = told.dedup_key, "🔔 Alert {}", body_summary(alerting, &told));
    Ok(true)
}

fn body_summary(alerting: &Alerting, told: &Notification) -> Redacted {
    alerting.redactor.text(&told.summary())
}

fn columns(subject: &Subject) -> (String, &str) {
    match subject {
        Subject::Lens(tenant, lens) => (tenant.to_string(), lens.as_str()),
        Subject::Store => (String::new(), ""),
    }
}

async fn states(writer: &mut SqliteConnection, subject: &Subject) -> Result<BTreeMap<Rule, State>, sqlx::Error> {
    let (tenant, lens) = columns(subject);
    let rows = sqlx::query("SELECT rule, state FROM lensops_alerts WHERE yacht_id = $1 AND lens_id = $2")
        .bind(tenant)
        .bind(lens)
        .fetch_all(writer)
        .await?;
    let mut states = BTreeMap::new();
    for row in &rows {
        let (rule, state): (&str, &str) = (row.try_get("rule")?, row.try_get("state")?);
        // A state that cannot be read must not keep checks from being recorded: it starts afresh.
        match (rule.parse::<Rule>(), serde_json::from_str(state)) {
            (Ok(rule), Ok(state)) => drop(states.insert(rule, state)),
            _ => tracing::error!("❌ The state of alert {rule} of {lens} cannot be read; it starts afresh"),
        }
    }
    Ok(states)
}

async fn put_state(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    (rule, subject): (Rule, &Subject),
    state: &State,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    let key = key(rule, subject);
    if state.is_quiet() {
        sqlx::query("DELETE FROM lensops_alerts WHERE dedup_key = $1")
            .bind(key)
            .execute(writer)
            .await?;
        return Ok(());
    }
    let (tenant, lens) = columns(subject);
    sqlx::query(
        "INSERT INTO lensops_alerts (dedup_key, rule, yacht_id, lens_id, severity, firing, state, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (dedup_key) DO UPDATE SET \
         severity = excluded.severity, firing = excluded.firing, state = excluded.state, updated_at = excluded.updated_at",
    )
    .bind(key)
    .bind(rule.as_str())
    .bind(tenant)
    .bind(lens)
    .bind(alerting.book.plan(rule).urgency.as_str())
    .bind(state.firing.is_some())
    .bind(alerting.redactor.json(&serde_json::json!(state)).as_str())
    .bind(time_text(at))
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
    sqlx::query("UPDATE lensops_alert_deliveries SET state = $2, not_before = $3 WHERE seq = $1")
        .bind(seq)
        .bind(state)
        .bind(not_before)
        .execute(&mut *writer)
        .await?;
    // Only the latest attempt can have ended: earlier ones without an end were cut off.
    sqlx::query(
        "UPDATE lensops_alert_attempts SET said = $2, unsure = $3 WHERE id = (SELECT max(id) FROM lensops_alert_attempts WHERE delivery = $1)",
    )
    .bind(seq)
    .bind(said)
    .bind(unsure)
    .execute(writer)
    .await?;
    Ok(())
}

async fn put_silence(writer: &mut SqliteConnection, silence: &Silence) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO lensops_silences (id, rule, yacht_id, lens_id, made_at, until, who, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(silence.id.to_string())
    .bind(silence.rule.map_or("", Rule::as_str))
    .bind(silence.tenant.map_or_else(String::new, |tenant| tenant.to_string()))
    .bind(silence.lens.as_ref().map_or("", LensId::as_str))
    .bind(time_text(silence.made_at))
    .bind(time_text(silence.until))
    .bind(&silence.who)
    .bind(&silence.reason)
    .execute(writer)
    .await?;
    Ok(())
}

/// The silences that last beyond `at`. One that was made after a check began holds for it too.
async fn silences<'a>(reader: impl sqlx::SqliteExecutor<'a>, at: Timestamp) -> Result<Vec<Silence>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM lensops_silences WHERE ended_at IS NULL AND until > $1 ORDER BY made_at, id")
        .bind(time_text(at))
        .fetch_all(reader)
        .await?;
    let some = |row: &sqlx::sqlite::SqliteRow, column: &str| -> Result<Option<String>, sqlx::Error> {
        Ok(Some(row.try_get::<String, _>(column)?).filter(|text| !text.is_empty()))
    };
    let bad = |column: &'static str| move |error: &dyn std::fmt::Display| decode_error(column, error);
    rows.iter()
        .map(|row| {
            let (rule, tenant, lens) = (some(row, "rule")?, some(row, "yacht_id")?, some(row, "lens_id")?);
            Ok(Silence {
                id: parsed(row, "id")?,
                rule: rule
                    .map(|text| text.parse())
                    .transpose()
                    .map_err(|error: String| bad("rule")(&error))?,
                tenant: tenant
                    .map(|text| text.parse())
                    .transpose()
                    .map_err(|error: uuid::Error| bad("yacht_id")(&error))?,
                lens: lens
                    .map(|text| text.parse::<LensId>())
                    .transpose()
                    .map_err(|error| bad("lens_id")(&error))?,
                made_at: parsed(row, "made_at")?,
                until: parsed(row, "until")?,
                who: row.try_get("who")?,
                reason: row.try_get("reason")?,
            })
        })
        .collect()
}

impl Journal {
    /// Takes in what was seen besides checks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn alert_seen(&self, seen: Vec<(Rule, Subject, Seen)>, at: Timestamp) -> Result<(), StoreError> {
        self.write_alert(AlertWrite::Seen(seen, at)).await
    }

    /// The next message for `receiver`, if one waits.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn alert_due(&self, receiver: &str) -> Result<Option<Due>, StoreError> {
        let row = sqlx::query(
            "SELECT d.seq, d.not_before, n.body, EXISTS (SELECT 1 FROM lensops_alert_attempts a \
             WHERE a.delivery = d.seq AND a.unsure = 1) AS unsure FROM lensops_alert_deliveries d \
             JOIN lensops_notifications n ON n.id = d.notification_id \
             WHERE d.receiver = $1 AND d.state = 'waiting' ORDER BY d.seq LIMIT 1",
        )
        .bind(receiver)
        .fetch_optional(&self.reader)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let not_before: Option<&str> = row.try_get("not_before")?;
        Ok(Some(Due {
            seq: row.try_get("seq")?,
            told: body(&row)?,
            not_before: not_before.and_then(|text| text.parse().ok()),
            perhaps_again: row.try_get("unsure")?,
        }))
    }

    /// Records that the message numbered `seq` is about to be sent.
    ///
    /// # Errors
    /// When the disk refuses; then it must not be sent.
    pub async fn alert_begun(&self, seq: i64, at: Timestamp) -> Result<(), StoreError> {
        self.write_alert(AlertWrite::Begun(seq, at)).await
    }

    /// Records how the attempt at the message numbered `seq` ended.
    ///
    /// # Errors
    /// When the disk refuses; then it is sent again, and says that it may be.
    pub async fn alert_ended(&self, seq: i64, ended: Ended) -> Result<(), StoreError> {
        self.write_alert(AlertWrite::Ended(seq, ended)).await
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
                rule: row.try_get("rule")?,
                severity: row.try_get("severity")?,
                tenant: tenant.parse().ok(),
                lens: lens.parse().ok(),
                firing: row.try_get("firing")?,
                state: state.map_err(|error| decode_error("state", error))?,
            })
        };
        Ok(rows.iter().map(alert).collect::<Result<_, _>>()?)
    }

    /// The latest `limit` messages, newest first, one entry a receiver.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn alert_trail(&self, limit: u32) -> Result<Vec<Trail>, StoreError> {
        let rows = sqlx::query(
            "SELECT d.seq, d.receiver, d.state, n.body FROM lensops_alert_deliveries d \
             JOIN lensops_notifications n ON n.id = d.notification_id ORDER BY d.seq DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.reader)
        .await?;
        let mut trail = Vec::with_capacity(rows.len());
        for row in &rows {
            let attempts =
                sqlx::query_as("SELECT begun_at, said FROM lensops_alert_attempts WHERE delivery = $1 ORDER BY id")
                    .bind(row.try_get::<i64, _>("seq")?)
                    .fetch_all(&self.reader)
                    .await?;
            trail.push(Trail {
                told: body(row)?,
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

    /// The silences in force at `at`.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn silences(&self, at: Timestamp) -> Result<Vec<Silence>, StoreError> {
        Ok(silences(&self.reader, at).await?)
    }

    /// Records a silence.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn silence(&self, silence: Silence) -> Result<(), StoreError> {
        self.write_alert(AlertWrite::Silence(Box::new(silence))).await
    }

    /// Ends the silence `id`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn unsilence(&self, id: Uuid, at: Timestamp, who: &str) -> Result<(), StoreError> {
        self.write_alert(AlertWrite::Unsilence(id, at, who.to_owned())).await
    }

    /// Forgets messages told before `before` that wait for nobody.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn forget_alerts(&self, before: Timestamp) -> Result<(), StoreError> {
        self.write_alert(AlertWrite::Forget(before)).await
    }
}

fn body(row: &sqlx::sqlite::SqliteRow) -> Result<Notification, sqlx::Error> {
    serde_json::from_str(row.try_get("body")?).map_err(|error| decode_error("body", error))
}
