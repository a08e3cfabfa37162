//! Who and what alerts are about, as it changes: pairs that are monitored no longer, and receivers that are new.

use std::collections::{BTreeMap, HashSet};
use std::sync::PoisonError;

use jiff::Timestamp;
use lensops_core::alert::{Notice, Notification, Rule, State, Subject};
use lensops_core::ident::LensId;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::alert_rules::{Alerting, Rules};
use super::alerts::{delete_state, put_notification, put_state};
use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::silences::silences;
use crate::store::StoreError;

/// The reason in the end of an alert whose pair left.
const LEFT: &str = "no longer monitored";

/// A change of what alerts are about.
enum Change {
    /// Only these pairs are monitored; of these lenses, or of all there are.
    Left(HashSet<(Uuid, LensId)>, Option<HashSet<LensId>>),
    /// Receivers may have been added.
    Receivers,
    /// Where rules stood for a fleet that this machine is cut off from.
    Adopted(Vec<(Rule, Subject, State)>),
    /// Where rules of pairs stand is kept elsewhere now.
    HandedOver,
}

struct ScopeWrite {
    rules: Rules,
    change: Change,
    at: Timestamp,
}

impl WriteJob for ScopeWrite {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            let alerting = self.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
            let Some(alerting) = alerting else {
                return Ok(AfterCommit::default());
            };
            match &self.change {
                Change::Left(stay, of) => end_left(writer, &alerting, stay, of.as_ref(), self.at).await,
                Change::Receivers => tell_new(writer, &alerting, self.at).await,
                Change::Adopted(states) => {
                    for (rule, subject, state) in states {
                        put_state(writer, &alerting, (*rule, subject), state, self.at).await?;
                    }
                    Ok(AfterCommit::default())
                }
                Change::HandedOver => {
                    sqlx::query("DELETE FROM lensops_alerts WHERE lens_id <> ''")
                        .execute(writer)
                        .await?;
                    Ok(AfterCommit::default())
                }
            }
        })
    }
}

/// Rules of pairs with their state. What another version wrote is left as it is.
async fn alerts_of_pairs<'a>(
    writer: impl sqlx::SqliteExecutor<'a>,
) -> Result<Vec<(Rule, Uuid, LensId, State)>, sqlx::Error> {
    let rows = sqlx::query("SELECT rule, yacht_id, lens_id, state FROM lensops_alerts WHERE lens_id <> ''")
        .fetch_all(writer)
        .await?;
    let mut alerts = Vec::with_capacity(rows.len());
    for row in &rows {
        let text = |column: &str| row.try_get::<&str, _>(column);
        let (rule, tenant, lens) = (
            text("rule")?.parse(),
            text("yacht_id")?.parse(),
            text("lens_id")?.parse(),
        );
        if let (Ok(rule), Ok(tenant), Ok(lens), Ok(state)) = (rule, tenant, lens, serde_json::from_str(text("state")?))
        {
            alerts.push((rule, tenant, lens, state));
        }
    }
    Ok(alerts)
}

async fn end_left(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    stay: &HashSet<(Uuid, LensId)>,
    of: Option<&HashSet<LensId>>,
    at: Timestamp,
) -> Result<AfterCommit, sqlx::Error> {
    let mut after = AfterCommit::default();
    for (rule, tenant, lens, state) in alerts_of_pairs(&mut *writer).await? {
        if stay.contains(&(tenant, lens.clone())) || of.is_some_and(|of| !of.contains(&lens)) {
            continue;
        }
        let subject = Subject::Lens(tenant, lens);
        delete_state(writer, rule, &subject).await?;
        if state.firing.as_ref().and_then(|firing| firing.told).is_none() {
            continue;
        }
        let plan = alerting.book.plan(rule);
        let mut told = Notification::of(rule, plan, &subject, Notice::Resolved, &state, Uuid::nil(), at);
        LEFT.clone_into(&mut told.reason);
        after = after.and(put_notification(writer, alerting, told, &plan.receivers).await?);
    }
    Ok(after)
}

/// Tells what fires to receivers that were told nothing of it.
async fn tell_new(
    writer: &mut SqliteConnection,
    alerting: &Alerting,
    at: Timestamp,
) -> Result<AfterCommit, sqlx::Error> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT n.dedup_key, d.receiver, max(n.told_at) FROM lensops_notifications n \
         JOIN lensops_alert_deliveries d ON d.notification_id = n.id \
         WHERE n.dedup_key IN (SELECT dedup_key FROM lensops_alerts WHERE firing = 1) GROUP BY 1, 2",
    )
    .fetch_all(&mut *writer)
    .await?;
    let told_at: BTreeMap<(&str, &str), Timestamp> = rows
        .iter()
        .filter_map(|(key, receiver, at)| Some(((key.as_str(), receiver.as_str()), at.parse().ok()?)))
        .collect();
    let silences = silences(&mut *writer, at).await?;
    let mut after = AfterCommit::default();
    for (rule, tenant, lens, state) in alerts_of_pairs(&mut *writer).await? {
        let (plan, subject) = (alerting.book.plan(rule), Subject::Lens(tenant, lens));
        let fires = state.firing.as_ref().is_some_and(|firing| firing.told.is_some());
        if !fires || silences.iter().any(|silence| silence.matches(rule, &subject)) {
            continue;
        }
        let told = Notification::of(rule, plan, &subject, Notice::Firing, &state, Uuid::nil(), at);
        let knows = |receiver: &String| {
            let last = told_at.get(&(told.dedup_key.as_str(), receiver.as_str()));
            // Times are kept to the millisecond.
            let since = state.since.map_or(i64::MIN, Timestamp::as_millisecond);
            last.is_some_and(|last| last.as_millisecond() >= since)
        };
        let new: Vec<String> = plan.receivers.iter().filter(|name| !knows(name)).cloned().collect();
        if !new.is_empty() {
            after = after.and(put_notification(writer, alerting, told, &new).await?);
        }
    }
    Ok(after)
}

impl Journal {
    /// Ends the alerts of every pair that is not in `stay`, of `lenses` or of all: they are no longer monitored.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn alerts_left(
        &self,
        stay: HashSet<(Uuid, LensId)>,
        lenses: Option<HashSet<LensId>>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (rules, change) = (self.alerting.clone(), Change::Left(stay, lenses));
        self.write(ScopeWrite { rules, change, at }).await
    }

    /// Tells what fires to receivers that were told nothing of it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn alert_new_receivers(&self, at: Timestamp) -> Result<(), StoreError> {
        let (rules, change) = (self.alerting.clone(), Change::Receivers);
        self.write(ScopeWrite { rules, change, at }).await
    }

    /// Where the rules of pairs stand.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn alerts_of_pairs(&self) -> Result<Vec<(Rule, Subject, State)>, StoreError> {
        let alerts = alerts_of_pairs(&self.reader).await?;
        let of = |(rule, tenant, lens, state)| (rule, Subject::Lens(tenant, lens), state);
        Ok(alerts.into_iter().map(of).collect())
    }

    /// Goes on from where the rules stood for a fleet.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn adopt_alerts(&self, states: Vec<(Rule, Subject, State)>, at: Timestamp) -> Result<(), StoreError> {
        let (rules, change) = (self.alerting.clone(), Change::Adopted(states));
        self.write(ScopeWrite { rules, change, at }).await
    }

    /// Forgets where the rules of pairs stand: a fleet knows it now.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn forget_alerts_of_pairs(&self) -> Result<(), StoreError> {
        let (rules, change) = (self.alerting.clone(), Change::HandedOver);
        let at = Timestamp::UNIX_EPOCH;
        self.write(ScopeWrite { rules, change, at }).await
    }
}
