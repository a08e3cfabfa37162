//! Alerts in the journal: the state of every rule, and the messages that follow from its changes.
//!
//! The writer folds a recorded check into the state of its rules within the same transaction, and adds
//! the messages that follow. A check whose id is there already is not folded again. Nothing is sent here.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;
use lensops_core::alert::{Notice, Notification, Rule, Seen, State, Subject, fold, key, observe};
use lensops_core::verdict::record::CheckRecord;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::alert_rules::{Alerting, Rules};
use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::time_text;
use super::silences::silences;
use crate::store::StoreError;

/// Folds what was seen besides checks into the rules.
struct TakeSeen {
    rules: Rules,
    seen: Vec<(Rule, Subject, Seen)>,
    at: Timestamp,
}

impl WriteJob for TakeSeen {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            let alerting = self.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
            match alerting {
                Some(alerting) => take_seen(writer, &alerting, &self.seen, self.at).await,
                None => Ok(AfterCommit::default()),
            }
        })
    }
}

async fn take_seen(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    seen: &[(Rule, Subject, Seen)],
    at: Timestamp,
) -> Result<AfterCommit, sqlx::Error> {
    let mut after = AfterCommit::default();
    for (rule, subject, seen) in seen {
        let state = states(writer, subject).await?.remove(rule).unwrap_or_default();
        after = after.and(step(writer, alerting, (*rule, subject), state, seen, Uuid::nil(), at).await?);
    }
    Ok(after)
}

/// Folds a check that was recorded just now.
pub(super) async fn take_check(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    check: &CheckRecord,
) -> Result<AfterCommit, sqlx::Error> {
    let subject = Subject::Lens(check.yacht_id, check.lens_id.clone());
    let mut states = states(writer, &subject).await?;
    let mut after = AfterCommit::default();
    for (rule, seen) in observe(check) {
        let state = states.remove(&rule).unwrap_or_default();
        // Nearly every check: nothing was, and nothing is.
        if state.is_quiet() && (!seen.is_news() || !alerting.book.plan(rule).enabled) {
            continue;
        }
        let told = step(
            writer,
            alerting,
            (rule, &subject),
            state,
            &seen,
            check.id,
            check.observed_at,
        )
        .await?;
        after = after.and(told);
    }
    Ok(after)
}

async fn step(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    (rule, subject): (Rule, &Subject),
    before: State,
    seen: &Seen,
    cause: Uuid,
    at: Timestamp,
) -> Result<AfterCommit, sqlx::Error> {
    let plan = alerting.book.plan(rule);
    let silenced = silences(&mut *writer, at)
        .await?
        .iter()
        .any(|silence| silence.matches(rule, subject));
    let step = fold(rule, plan, before.clone(), seen, at, silenced);
    if step.state != before {
        put_state(writer, alerting, (rule, subject), &step.state, at).await?;
    }
    let Some(notice) = step.notice else {
        return Ok(AfterCommit::default());
    };
    // What is resolved is told as it was.
    let of = if notice == Notice::Resolved {
        &before
    } else {
        &step.state
    };
    let told = Notification::of(rule, plan, subject, notice, of, cause, at);
    put_notification(writer, alerting, told, &plan.receivers).await
}

/// Queues `told` for `receivers`, once.
pub(super) async fn put_notification(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    told: Notification,
    receivers: &[String],
) -> Result<AfterCommit, sqlx::Error> {
    let notice = told.notice;
    let body = alerting.redactor.json(serde_json::json!(told));
    let inserted = sqlx::query(
        "INSERT INTO lensops_notifications (id, dedup_key, told_at, body) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
    )
    .bind(told.id.to_string())
    .bind(&told.dedup_key)
    .bind(time_text(told.at))
    .bind(body.as_str())
    .execute(&mut *writer)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(AfterCommit::default());
    }
    for receiver in receivers {
        sqlx::query("INSERT INTO lensops_alert_deliveries (notification_id, receiver) VALUES ($1, $2)")
            .bind(told.id.to_string())
            .bind(receiver)
            .execute(&mut *writer)
            .await?;
    }
    let (summary, key) = (alerting.redactor.text(&told.summary()), told.dedup_key);
    Ok(AfterCommit {
        alerted: true,
        log: vec![Box::new(move || match notice {
            Notice::Resolved => tracing::info!(key, "🔔 Alert {summary}"),
            _ => tracing::warn!(key, "🔔 Alert {summary}"),
        })],
        ..AfterCommit::default()
    })
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

/// Forgets where a rule stands on a subject.
pub(super) async fn delete_state(
    writer: &mut SqliteConnection,
    rule: Rule,
    subject: &Subject,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM lensops_alerts WHERE dedup_key = $1")
        .bind(key(rule, subject))
        .execute(writer)
        .await?;
    Ok(())
}

pub(super) async fn put_state(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    (rule, subject): (Rule, &Subject),
    state: &State,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    if state.is_quiet() {
        return delete_state(writer, rule, subject).await;
    }
    let key = key(rule, subject);
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
    .bind(state.urgency(alerting.book.plan(rule)).as_str())
    .bind(state.firing.is_some())
    .bind(alerting.redactor.json(serde_json::json!(state)).as_str())
    .bind(time_text(at))
    .execute(writer)
    .await?;
    Ok(())
}

impl Journal {
    /// Takes in what was seen besides checks.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn alert_seen(&self, seen: Vec<(Rule, Subject, Seen)>, at: Timestamp) -> Result<(), StoreError> {
        let rules = self.alerting.clone();
        self.write(TakeSeen { rules, seen, at }).await
    }
}
