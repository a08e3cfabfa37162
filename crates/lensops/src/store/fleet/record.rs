//! What a check leaves, and the end of its job: one transaction for all that ended together.

use std::collections::{BTreeMap, HashSet};

use graphile_worker::Job;
use graphile_worker::sql::complete_job::complete_job;
use jiff::Timestamp;
use lensops_core::alert::{Rule, State, Subject};
use lensops_core::duration::Every;
use lensops_core::history::schedule::Schedule;
use lensops_core::ident::LensId;
use lensops_core::verdict::record::CheckRecord;
use sqlx::PgConnection;
use uuid::Uuid;

use super::alerts;
use super::gate::Unnamed;
use super::handle::{Fleet, SCHEMA, failed, now, queue};
use super::jobs::{CheckJob, check};
use crate::store::postgres::{insert_new, sink_error, statement};
use crate::store::{Alerting, Entry, SinkError, StoreError};

/// Why a slot is missed that was due while the pair's check ran.
const OVERRUN: &str = "overrun";

/// A job that came to its end.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The job.
    pub job: Job,
    /// The queue's name for this worker.
    pub worker: String,
    /// The lens.
    pub lens: LensId,
    /// The tenant.
    pub tenant: Uuid,
    /// The interval.
    pub every: Every,
    /// The slot it was run for.
    pub due: Timestamp,
    /// The check; `None` where the slot has one already, or has none.
    pub check: Option<CheckRecord>,
    /// Slots without a check, and why.
    pub missed: Vec<(Timestamp, &'static str)>,
    /// Whether the pair is checked on.
    pub goes_on: bool,
}

impl Ended {
    fn schedule(&self) -> Schedule<'_> {
        Schedule::new(self.every, &self.lens, self.tenant)
    }
}

/// What became of a group of jobs.
#[derive(Debug, Default)]
pub struct Recorded {
    /// The checks that were not there before.
    pub new: HashSet<Uuid>,
    /// Slots that were due while their pair's check ran: lens and reason.
    pub missed: Vec<(LensId, &'static str)>,
    /// Where the rules of the checked pairs stand; those that saw nothing are left out.
    pub states: BTreeMap<Subject, BTreeMap<Rule, State>>,
    /// Lines to log.
    pub told: Vec<alerts::Told>,
}

/// Why a group was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The database does not answer, or refuses all of it.
    #[error("{0}")]
    Away(StoreError),
    /// It refuses a row of the group for good.
    #[error("{0}")]
    Row(String),
    /// It gave up this transaction for the sake of another.
    #[error("{0}")]
    Again(StoreError),
}

impl Fleet {
    /// Records a group. An id that is there is left as it is, and has no say in alerts; its job ends all the same.
    ///
    /// # Errors
    /// When nothing of it was recorded, and why.
    pub async fn record(&self, group: &[Ended], alerting: Option<&Alerting>) -> Result<Recorded, NotRecorded> {
        self.write_group(group, alerting).await.map_err(|error| {
            let code = error
                .as_database_error()
                .and_then(|said| said.code())
                .unwrap_or_default();
            match sink_error(&error) {
                _ if code.starts_with("40") => NotRecorded::Again(failed(&error)),
                SinkError::Row(why) => NotRecorded::Row(why),
                _ => NotRecorded::Away(failed(&error)),
            }
        })
    }

    async fn write_group(&self, group: &[Ended], alerting: Option<&Alerting>) -> Result<Recorded, sqlx::Error> {
        let mut transaction = self.gate.begin().await?;
        let connection: &mut PgConnection = &mut transaction;
        let checks: Vec<&CheckRecord> = group.iter().filter_map(|ended| ended.check.as_ref()).collect();
        let entries: Vec<Entry> = checks.iter().map(|check| Entry::of(check)).collect();
        let mut recorded = Recorded {
            new: insert_new(connection, &entries).await?,
            ..Recorded::default()
        };
        if let Some(alerting) = alerting {
            let new = checks.iter().filter(|check| recorded.new.contains(&check.id));
            let folded = alerts::take_checks(connection, alerting, new.copied()).await?;
            recorded.states = folded.states;
            recorded.told = folded.told;
            self.add_notices(connection, folded.receivers).await?;
        }
        let now = now(connection).await?;
        self.end_jobs(connection, group, now, &mut recorded).await?;
        transaction.commit().await?;
        Ok(recorded)
    }

    async fn end_jobs(
        &self,
        connection: &mut PgConnection,
        group: &[Ended],
        now: Timestamp,
        recorded: &mut Recorded,
    ) -> Result<(), sqlx::Error> {
        let mut missed: Vec<(&Ended, Timestamp, &str)> = Vec::new();
        let mut next = Vec::with_capacity(group.len());
        for ended in group {
            complete_job(Unnamed(connection), &ended.job, &ended.worker, SCHEMA)
                .await
                .map_err(queue)?;
            missed.extend(ended.missed.iter().map(|(due, why)| (ended, *due, *why)));
            if !ended.goes_on {
                continue;
            }
            let schedule = ended.schedule();
            for overrun in schedule.between(ended.due, now) {
                recorded.missed.push((ended.lens.clone(), OVERRUN));
                missed.push((ended, overrun, OVERRUN));
            }
            // Never an older one than is due: a worker that was held up must not set the pair back.
            let due = schedule.next(ended.due.max(now));
            let job = CheckJob {
                lens: ended.lens.clone(),
                tenant: ended.tenant,
                due_ms: due.as_millisecond(),
                every_ms: schedule.every_ms(),
            };
            next.push(check(&job, due));
        }
        put_missed(connection, &missed).await?;
        end_starts(connection, group).await?;
        // The queue locks keys in order; two of one pair would be one too many.
        next.sort_by(|one, other| one.spec.job_key().cmp(other.spec.job_key()));
        next.dedup_by(|one, other| one.spec.job_key() == other.spec.job_key());
        self.add(connection, &next).await
    }

    pub(super) async fn add(
        &self,
        connection: &mut PgConnection,
        jobs: &[graphile_worker::RawJobSpec],
    ) -> Result<(), sqlx::Error> {
        if jobs.is_empty() {
            return Ok(());
        }
        let mut utils = self.utils.clone().with_executor(Unnamed(connection));
        utils.add_raw_jobs(jobs).await.map(drop).map_err(queue)
    }
}

async fn put_missed(connection: &mut PgConnection, missed: &[(&Ended, Timestamp, &str)]) -> Result<(), sqlx::Error> {
    if missed.is_empty() {
        return Ok(());
    }
    statement::query(
        "INSERT INTO public.lensops_missed (id, yacht_id, lens_id, due_at, reason) \
         SELECT id, yacht_id, lens_id, due::timestamptz, reason \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS t (id, yacht_id, lens_id, due, reason) \
         WHERE NOT EXISTS (SELECT 1 FROM public.pms_health_checks c WHERE c.id = t.id) \
         ORDER BY id ON CONFLICT (id) DO NOTHING",
    )
    .bind(missed.iter().map(|(ended, due, _)| ended.schedule().slot_id(*due)).collect::<Vec<Uuid>>())
    .bind(missed.iter().map(|(ended, ..)| ended.tenant).collect::<Vec<Uuid>>())
    .bind(missed.iter().map(|(ended, ..)| ended.lens.as_str()).collect::<Vec<_>>())
    .bind(missed.iter().map(|(_, due, _)| due.to_string()).collect::<Vec<_>>())
    .bind(missed.iter().map(|(.., why)| *why).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// An end clears the count of starts without one.
async fn end_starts(connection: &mut PgConnection, group: &[Ended]) -> Result<(), sqlx::Error> {
    statement::query(
        "DELETE FROM public.lensops_starts WHERE (yacht_id, lens_id) IN \
         (SELECT * FROM unnest($1::uuid[], $2::text[]))",
    )
    .bind(group.iter().map(|ended| ended.tenant).collect::<Vec<Uuid>>())
    .bind(group.iter().map(|ended| ended.lens.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
