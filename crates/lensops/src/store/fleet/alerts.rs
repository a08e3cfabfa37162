//! Where the rules stand, for all machines: folded where checks are kept, in the transaction that keeps them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use lensops_core::alert::{Notice, Notification, Rule, Seen, State, Subject, fold, key, observe};
use lensops_core::ident::LensId;
use lensops_core::redaction::Redacted;
use lensops_core::verdict::record::CheckRecord;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::handle::{Fleet, failed, now};
use super::{jobs, silences};
use crate::store::postgres::{bound, statement};
use crate::store::{Alerting, Silence, StoreError};

/// How long what is to be told waits for more of the same.
const GATHER: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// The reason in the end of an alert whose pair left.
const LEFT: &str = "no longer monitored";

/// The states of one subject.
pub(super) type States = BTreeMap<Rule, State>;

/// A line to log once the transaction is committed.
#[derive(Debug)]
pub struct Told {
    /// Whether something is over.
    pub over: bool,
    /// The key of the alert.
    pub key: String,
    /// One line.
    pub summary: Redacted,
}

/// What a group of observations came to.
#[derive(Default)]
pub(super) struct Folded {
    pub(super) states: BTreeMap<Subject, States>,
    pub(super) told: Vec<Told>,
    /// Receivers that have something to be told.
    pub(super) receivers: BTreeSet<String>,
}

/// An observation of a rule on a subject.
pub(super) struct Observed {
    pub(super) rule: Rule,
    pub(super) subject: Subject,
    pub(super) seen: Seen,
    pub(super) cause: Uuid,
    pub(super) at: Timestamp,
}

/// Folds checks that are new.
pub(super) async fn take_checks<'a>(
    connection: &mut PgConnection,
    alerting: &Alerting,
    new: impl Iterator<Item = &'a CheckRecord>,
) -> Result<Folded, sqlx::Error> {
    let mut observed = Vec::new();
    for check in new {
        let subject = Subject::Lens(check.yacht_id, check.lens_id.clone());
        observed.extend(observe(check).into_iter().map(|(rule, seen)| Observed {
            rule,
            subject: subject.clone(),
            seen,
            cause: check.id,
            at: check.observed_at,
        }));
    }
    take(connection, alerting, observed).await
}

/// Folds observations.
pub(super) async fn take(
    connection: &mut PgConnection,
    alerting: &Alerting,
    observed: Vec<Observed>,
) -> Result<Folded, sqlx::Error> {
    let mut folded = Folded::default();
    let subjects: BTreeSet<&Subject> = observed.iter().map(|observed| &observed.subject).collect();
    let mut states = read(connection, &subjects).await?;
    // Nearly every group: nothing was, and nothing is.
    let speaks = |observed: &Observed| {
        let quiet = states
            .get(&observed.subject)
            .and_then(|states| states.get(&observed.rule))
            .is_none_or(State::is_quiet);
        !quiet || matches!(observed.seen, Seen::Broken(_))
    };
    let observed: Vec<Observed> = observed.into_iter().filter(speaks).collect();
    if observed.is_empty() {
        folded.states = states;
        return Ok(folded);
    }
    let earliest = observed.iter().map(|observed| observed.at).min().unwrap_or_default();
    let silences = silences::lasting(connection, earliest).await?;
    let mut changed: BTreeMap<(Rule, Subject), (State, Timestamp)> = BTreeMap::new();
    for Observed {
        rule,
        subject,
        seen,
        cause,
        at,
    } in observed
    {
        let plan = alerting.book.plan(rule);
        let of = states.entry(subject.clone()).or_default();
        let before = of.get(&rule).cloned().unwrap_or_default();
        let silenced = silences
            .iter()
            .any(|silence: &Silence| silence.until > at && silence.matches(rule, &subject));
        let step = fold(rule, plan, before.clone(), &seen, at, silenced);
        if let Some(notice) = step.notice {
            // What is resolved is told as it was.
            let shown = if notice == Notice::Resolved {
                &before
            } else {
                &step.state
            };
            let told = Notification::of(rule, plan, &subject, notice, shown, cause, at);
            put_notice(connection, alerting, told, &plan.receivers, &mut folded).await?;
        }
        if step.state != before {
            changed.insert((rule, subject.clone()), (step.state.clone(), at));
        }
        of.insert(rule, step.state);
    }
    for ((rule, subject), (state, at)) in &changed {
        put(connection, alerting, (*rule, subject), state, *at).await?;
    }
    for states in states.values_mut() {
        states.retain(|_, state| !state.is_quiet());
    }
    folded.states = states;
    Ok(folded)
}

async fn read(
    connection: &mut PgConnection,
    subjects: &BTreeSet<&Subject>,
) -> Result<BTreeMap<Subject, States>, sqlx::Error> {
    let mut states: BTreeMap<Subject, States> = subjects
        .iter()
        .map(|subject| ((*subject).clone(), States::new()))
        .collect();
    let keys: Vec<String> = subjects
        .iter()
        .flat_map(|subject| Rule::ALL.into_iter().map(|rule| key(rule, subject)))
        .collect();
    let rows = statement::query(
        "SELECT dedup_key, rule, yacht_id, lens_id, state FROM public.lensops_alerts WHERE dedup_key = ANY($1) \
         ORDER BY dedup_key FOR UPDATE",
    )
    .bind(keys)
    .fetch_all(connection)
    .await?;
    for row in &rows {
        let (rule, state): (&str, &str) = (row.try_get("rule")?, row.try_get("state")?);
        // A state that cannot be read must not keep checks from being recorded: it starts afresh.
        match (rule.parse::<Rule>(), serde_json::from_str(state)) {
            (Ok(rule), Ok(state)) => drop(states.entry(subject(row)?).or_default().insert(rule, state)),
            _ => tracing::error!("❌ The state of alert {rule} cannot be read; it starts afresh"),
        }
    }
    Ok(states)
}

pub(super) fn subject(row: &sqlx::postgres::PgRow) -> Result<Subject, sqlx::Error> {
    let (tenant, lens): (Option<Uuid>, &str) = (row.try_get("yacht_id")?, row.try_get("lens_id")?);
    Ok(match (tenant, lens.parse::<LensId>()) {
        (Some(tenant), Ok(lens)) => Subject::Lens(tenant, lens),
        _ => Subject::Store,
    })
}

async fn put(
    connection: &mut PgConnection,
    alerting: &Alerting,
    (rule, subject): (Rule, &Subject),
    state: &State,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    let key = key(rule, subject);
    if state.is_quiet() {
        statement::query("DELETE FROM public.lensops_alerts WHERE dedup_key = $1")
            .bind(key)
            .execute(connection)
            .await?;
        return Ok(());
    }
    statement::query(
        "INSERT INTO public.lensops_alerts (dedup_key, rule, yacht_id, lens_id, severity, firing, state, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::timestamptz) ON CONFLICT (dedup_key) DO UPDATE SET \
         severity = excluded.severity, firing = excluded.firing, state = excluded.state, updated_at = excluded.updated_at",
    )
    .bind(key)
    .bind(rule.as_str())
    .bind(subject.tenant())
    .bind(subject.lens().map_or("", LensId::as_str))
    .bind(state.urgency(alerting.book.plan(rule)).as_str())
    .bind(state.firing.is_some())
    .bind(alerting.redactor.json(serde_json::json!(state)).as_str())
    .bind(bound(at))
    .execute(connection)
    .await?;
    Ok(())
}

async fn put_notice(
    connection: &mut PgConnection,
    alerting: &Alerting,
    told: Notification,
    receivers: &[String],
    folded: &mut Folded,
) -> Result<(), sqlx::Error> {
    let inserted = statement::query(
        "INSERT INTO public.lensops_notifications (id, dedup_key, told_at, body) VALUES ($1, $2, $3::timestamptz, $4) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(told.id)
    .bind(&told.dedup_key)
    .bind(bound(told.at))
    .bind(alerting.redactor.json(serde_json::json!(told)).as_str())
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 0 {
        return Ok(());
    }
    statement::query(
        "INSERT INTO public.lensops_alert_deliveries (notification_id, receiver) SELECT $1, unnest($2::text[])",
    )
    .bind(told.id)
    .bind(receivers)
    .execute(connection)
    .await?;
    folded.receivers.extend(receivers.iter().cloned());
    folded.told.push(Told {
        over: told.notice == Notice::Resolved,
        summary: alerting.redactor.text(&told.summary()),
        key: told.dedup_key,
    });
    Ok(())
}

impl Fleet {
    /// Jobs that tell `receivers`, soon.
    pub(super) async fn add_notices(
        &self,
        connection: &mut PgConnection,
        receivers: BTreeSet<String>,
    ) -> Result<(), sqlx::Error> {
        if receivers.is_empty() {
            return Ok(());
        }
        let at = now(connection).await? + GATHER;
        let jobs: Vec<_> = receivers.iter().map(|receiver| jobs::notify(receiver, at)).collect();
        self.add(connection, &jobs).await
    }

    /// Takes in what was seen besides checks, at `at`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn seen(
        &self,
        alerting: &Alerting,
        seen: Vec<(Rule, Subject, Seen)>,
        at: Timestamp,
    ) -> Result<Vec<Told>, StoreError> {
        let observed = seen
            .into_iter()
            .map(|(rule, subject, seen)| Observed {
                rule,
                subject,
                seen,
                cause: Uuid::nil(),
                at,
            })
            .collect();
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let folded = take(&mut transaction, alerting, observed).await?;
            self.add_notices(&mut transaction, folded.receivers).await?;
            transaction.commit().await?;
            Ok(folded.told)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// Takes over where rules stood on a machine that was cut off: an alert that fires there and not here fires here
    /// from now on, told as it was there; any other state is left to the checks that follow.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn adopt(
        &self,
        alerting: &Alerting,
        states: &[(Rule, Subject, State)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let subjects: BTreeSet<&Subject> = states.iter().map(|(_, subject, _)| subject).collect();
            let here = read(&mut transaction, &subjects).await?;
            for (rule, subject, state) in states {
                let known = here.get(subject).and_then(|states| states.get(rule));
                let fires = |state: &State| state.firing.is_some();
                if fires(state) && !known.is_some_and(fires) {
                    put(&mut transaction, alerting, (*rule, subject), state, at).await?;
                }
            }
            transaction.commit().await
        };
        work.await.map_err(|error| failed(&error))
    }

    /// Ends the alerts of pairs that are not in `stay`: they are no longer monitored.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn alerts_left(
        &self,
        alerting: &Alerting,
        stay: &HashSet<(Uuid, &str)>,
        at: Timestamp,
    ) -> Result<Vec<Told>, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let rows = statement::query(
                "SELECT rule, yacht_id, lens_id, state FROM public.lensops_alerts WHERE lens_id <> '' \
                 ORDER BY dedup_key FOR UPDATE",
            )
            .fetch_all(&mut *transaction)
            .await?;
            let mut folded = Folded::default();
            for row in &rows {
                let (rule, state): (&str, &str) = (row.try_get("rule")?, row.try_get("state")?);
                let (Subject::Lens(tenant, lens), Ok(rule), Ok(state)) = (
                    subject(row)?,
                    rule.parse::<Rule>(),
                    serde_json::from_str::<State>(state),
                ) else {
                    continue;
                };
                if stay.contains(&(tenant, lens.as_str())) {
                    continue;
                }
                let (subject, plan) = (Subject::Lens(tenant, lens), alerting.book.plan(rule));
                put(&mut transaction, alerting, (rule, &subject), &State::default(), at).await?;
                if state.firing.as_ref().and_then(|firing| firing.told).is_some() {
                    let mut told = Notification::of(rule, plan, &subject, Notice::Resolved, &state, Uuid::nil(), at);
                    LEFT.clone_into(&mut told.reason);
                    put_notice(&mut transaction, alerting, told, &plan.receivers, &mut folded).await?;
                }
            }
            self.add_notices(&mut transaction, folded.receivers).await?;
            transaction.commit().await?;
            Ok(folded.told)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// Forgets what was missed and told before `before`, so far as it waits for nobody.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget(&self, before: Timestamp) -> Result<(), StoreError> {
        const OLD: [&str; 3] = [
            "DELETE FROM public.lensops_missed WHERE due_at < $1::timestamptz",
            "DELETE FROM public.lensops_notifications n WHERE told_at < $1::timestamptz AND NOT EXISTS (SELECT 1 \
             FROM public.lensops_alert_deliveries d WHERE d.notification_id = n.id AND d.message IS NULL)",
            "DELETE FROM public.lensops_alert_messages WHERE made_at < $1::timestamptz AND state <> 'waiting'",
        ];
        let work = async {
            let mut transaction = self.gate.begin().await?;
            for delete in OLD {
                statement::query(delete)
                    .bind(bound(before))
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await
        };
        work.await.map_err(|error| failed(&error))
    }
}
