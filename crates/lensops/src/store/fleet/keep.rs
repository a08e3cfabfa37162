//! Keeping the jobs as the plans want them: one a pair, none for others; what cannot be run is parked.

use std::collections::HashSet;

use graphile_worker::Job;
use graphile_worker::sql::complete_job::complete_job;
use jiff::Timestamp;
use lensops_core::history::schedule::{Schedule, from_ms};
use lensops_core::ident::LensId;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::gate::Unnamed;
use super::handle::{Fleet, SCHEMA, failed, now, queue};
use super::jobs::{CheckJob, check};
use crate::store::StoreError;
use crate::store::postgres::statement;

/// Jobs that are added in one statement.
const CHUNK: usize = 1000;

/// A pair without a check for two intervals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The tenant.
    pub tenant: Uuid,
    /// The lens.
    pub lens: LensId,
    /// When its job was due.
    pub since: Timestamp,
    /// Whole intervals since then.
    pub intervals: i64,
}

impl Fleet {
    /// Makes the jobs those of `wanted`: a pair that has none gets one, for its next slot or for the one that is due and
    /// has no check; one that is not wanted loses it. Parked pairs get none. Says how many were added and removed;
    /// `None` where another machine is at it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn arrange(&self, wanted: &[Schedule<'_>]) -> Result<Option<(usize, u64)>, StoreError> {
        self.arrange_jobs(wanted).await.map_err(|error| failed(&error))
    }

    async fn arrange_jobs(&self, wanted: &[Schedule<'_>]) -> Result<Option<(usize, u64)>, sqlx::Error> {
        let mut transaction = self.gate.begin().await?;
        let connection: &mut PgConnection = &mut transaction;
        let mine: bool = statement::query_scalar("SELECT pg_try_advisory_xact_lock(hashtext('lensops_arrange'))")
            .fetch_one(&mut *connection)
            .await?;
        if !mine {
            return Ok(None);
        }
        self.wake_receivers(connection).await?;
        // What another job took the key of while its worker was dying.
        statement::query(
            "DELETE FROM lensops_jobs._private_jobs WHERE key IS NULL AND locked_at IS NULL AND attempts >= max_attempts",
        )
        .execute(&mut *connection)
        .await?;
        // The queue waits longer after every failure, up to hours. No slot waits for that.
        statement::query(
            "UPDATE lensops_jobs._private_jobs SET run_at = now(), attempts = 0 WHERE key IS NOT NULL \
             AND locked_at IS NULL AND attempts > 0 AND run_at > now() + interval '20 seconds'",
        )
        .execute(&mut *connection)
        .await?;
        let there: i64 = statement::query_scalar(
            "SELECT (SELECT count(*) FROM lensops_jobs._private_jobs WHERE key LIKE 'check/%') \
             + (SELECT count(*) FROM public.lensops_parked WHERE yacht_id IS NOT NULL)",
        )
        .fetch_one(&mut *connection)
        .await?;
        let done = if usize::try_from(there).is_ok_and(|there| there == wanted.len()) {
            // As many as there should be: the same ones, but for a change that the next look at a revision brings.
            (0, 0)
        } else {
            self.add_and_remove(connection, wanted).await?
        };
        transaction.commit().await?;
        Ok(Some(done))
    }

    /// As [`Fleet::arrange`], whatever the number of jobs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn arrange_anew(&self, wanted: &[Schedule<'_>]) -> Result<(usize, u64), StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            statement::query("SELECT pg_advisory_xact_lock(hashtext('lensops_arrange'))")
                .execute(&mut *transaction)
                .await?;
            let done = self.add_and_remove(&mut transaction, wanted).await?;
            transaction.commit().await?;
            Ok(done)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    async fn add_and_remove(
        &self,
        connection: &mut PgConnection,
        wanted: &[Schedule<'_>],
    ) -> Result<(usize, u64), sqlx::Error> {
        let keys: Vec<String> = wanted
            .iter()
            .map(|schedule| CheckJob::key(schedule.lens(), schedule.tenant()))
            .collect();
        // One that runs ends by itself, and is not followed by another.
        let removed = statement::query(
            "DELETE FROM lensops_jobs._private_jobs WHERE key LIKE 'check/%' AND locked_at IS NULL AND NOT (key = ANY($1))",
        )
        .bind(&keys)
        .execute(&mut *connection)
        .await?
        .rows_affected();
        let there: Vec<String> = statement::query_scalar(
            "SELECT key FROM lensops_jobs._private_jobs WHERE key LIKE 'check/%' UNION ALL SELECT key FROM public.lensops_parked",
        )
        .fetch_all(&mut *connection)
        .await?;
        let there: HashSet<String> = there.into_iter().collect();
        let missing: Vec<&Schedule<'_>> = wanted
            .iter()
            .zip(&keys)
            .filter(|(_, key)| !there.contains(*key))
            .map(|(schedule, _)| schedule)
            .collect();
        for chunk in missing.chunks(CHUNK) {
            self.add_missing(connection, chunk).await?;
        }
        Ok((missing.len(), removed))
    }

    async fn add_missing(&self, connection: &mut PgConnection, pairs: &[&Schedule<'_>]) -> Result<(), sqlx::Error> {
        let now = now(connection).await?;
        let current: Vec<Uuid> = pairs
            .iter()
            .map(|schedule| schedule.slot_id(schedule.latest(now)))
            .collect();
        let settled: Vec<Uuid> = statement::query_scalar(
            "SELECT id FROM public.pms_health_checks WHERE id = ANY($1) UNION SELECT id FROM public.lensops_missed WHERE id = ANY($1)",
        )
        .bind(&current)
        .fetch_all(&mut *connection)
        .await?;
        let settled: HashSet<Uuid> = settled.into_iter().collect();
        let job = |(schedule, slot): (&&Schedule<'_>, &Uuid)| {
            let undone = !settled.contains(slot);
            let due = if undone {
                schedule.latest(now)
            } else {
                schedule.next(now)
            };
            let job = CheckJob {
                lens: schedule.lens().clone(),
                tenant: schedule.tenant(),
                due_ms: due.as_millisecond(),
                every_ms: schedule.every_ms(),
            };
            let mut job = check(&job, due);
            // What was left undone comes after what is due on time.
            job.spec.set_priority(Some(i16::from(undone)));
            job
        };
        let jobs: Vec<_> = pairs.iter().zip(&current).map(job).collect();
        self.add(connection, &jobs).await
    }

    /// Parks a pair, or the job alone where it names none: no worker runs it any more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn park(
        &self,
        job: &Job,
        worker: &str,
        pair: Option<(&LensId, Uuid)>,
        reason: &str,
    ) -> Result<(), StoreError> {
        let key = match pair {
            Some((lens, tenant)) => CheckJob::key(lens, tenant),
            None => format!("job/{}", job.id()),
        };
        let work = async {
            let mut transaction = self.gate.begin().await?;
            statement::query(
                "INSERT INTO public.lensops_parked (key, yacht_id, lens_id, reason) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (key) DO NOTHING",
            )
            .bind(key)
            .bind(pair.map(|(_, tenant)| tenant))
            .bind(pair.map(|(lens, _)| lens.as_str()))
            .bind(reason)
            .execute(&mut *transaction)
            .await?;
            if let Some((lens, tenant)) = pair {
                statement::query("DELETE FROM public.lensops_starts WHERE yacht_id = $1 AND lens_id = $2")
                    .bind(tenant)
                    .bind(lens.as_str())
                    .execute(&mut *transaction)
                    .await?;
            }
            complete_job(Unnamed(&mut transaction), job, worker, SCHEMA)
                .await
                .map_err(queue)?;
            transaction.commit().await
        };
        work.await.map_err(|error| failed(&error))
    }

    /// Whether this login sees a job that it adds. Nothing is left of it.
    ///
    /// # Errors
    /// When the database does not answer, or does not let it add one.
    pub async fn sees_jobs(&self) -> Result<bool, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let mut job = super::jobs::notify("lensops doctor", Timestamp::MAX.min(from_ms(4_000_000_000_000)));
            job.identifier = "lensops_doctor".to_owned();
            self.add(&mut transaction, &[job]).await?;
            let seen: bool = statement::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM lensops_jobs._private_jobs WHERE key = 'notify/lensops doctor')",
            )
            .fetch_one(&mut *transaction)
            .await?;
            transaction.rollback().await?;
            Ok(seen)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// Ends a job that leads to nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drop_job(&self, job: &Job, worker: &str) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            complete_job(Unnamed(&mut transaction), job, worker, SCHEMA)
                .await
                .map_err(queue)?;
            transaction.commit().await
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// Takes parked pairs up again: all, or those of `key`. Says how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unpark(&self, key: Option<&str>) -> Result<u64, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let gone = statement::query("DELETE FROM public.lensops_parked WHERE $1::text IS NULL OR key = $1")
                .bind(key)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(gone.rows_affected())
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// The pairs without a check for two intervals, the longest first, at most a thousand.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn late(&self) -> Result<Vec<Late>, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let rows = statement::query(
                "SELECT payload ->> 'lens' AS lens, payload ->> 'tenant' AS tenant, \
                 (extract(epoch FROM run_at) * 1000)::bigint AS since_ms, \
                 (extract(epoch FROM clock_timestamp() - run_at) * 1000 / (payload ->> 'every_ms')::float8)::bigint AS intervals \
                 FROM lensops_jobs._private_jobs WHERE key LIKE 'check/%' AND (payload ->> 'every_ms')::float8 > 0 \
                 AND run_at < clock_timestamp() - 2 * (payload ->> 'every_ms')::float8 * interval '1 millisecond' \
                 ORDER BY run_at LIMIT 1000",
            )
            .fetch_all(&mut *transaction)
            .await?;
            transaction.commit().await?;
            let mut late = Vec::with_capacity(rows.len());
            for row in &rows {
                let (lens, tenant): (String, String) = (row.try_get("lens")?, row.try_get("tenant")?);
                if let (Ok(lens), Ok(tenant)) = (lens.parse(), tenant.parse()) {
                    late.push(Late {
                        tenant,
                        lens,
                        since: from_ms(row.try_get("since_ms")?),
                        intervals: row.try_get("intervals")?,
                    });
                }
            }
            Ok(late)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// Puts a job back for another machine, to be taken at `at`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn leave(&self, job: &CheckJob, at: Timestamp) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            self.add(&mut transaction, &[check(job, at)]).await?;
            transaction.commit().await
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }
}
