//! The machines of a fleet, and how it stands as a whole.

use jiff::Timestamp;
use lensops_core::history::schedule::from_ms;
use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::handle::{Fleet, failed, now};
use crate::store::StoreError;
use crate::store::postgres::{bound, statement};

/// A machine that said nothing for so long has left.
const GONE_MS: i64 = 60_000;

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Machine {
    /// Its id, new with every start.
    pub id: String,
    /// The host's name.
    pub host: String,
    /// The process.
    pub pid: i32,
    /// The version of lensops.
    pub version: String,
    /// Whether it is of the fleet, or works alone on the same database.
    pub fleet: bool,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// The digest of its own plans.
    pub digest: String,
    /// The digest of the variables that its plans read.
    pub environment: String,
    /// The revision of the plans that it runs.
    pub revision: Option<i64>,
    /// Pairs that it checked within their last interval.
    pub pairs: i64,
    /// The latest start of a check since it said so before, in milliseconds behind its slot.
    pub late_ms: i64,
    /// How far its clock is ahead of the database's, in milliseconds.
    pub clock_ms: i64,
}

/// A job that no worker runs any more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParkedPair {
    /// The key of the job.
    pub key: String,
    /// The tenant, where it is a pair's.
    pub tenant: Option<Uuid>,
    /// The lens, where it is a pair's.
    pub lens: Option<String>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// How a fleet stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// The database's time.
    pub now: Timestamp,
    /// The plans in force: revision, by whom, digest; `None` where none were published.
    pub plans: Option<(i64, String, String)>,
    /// The workers that were heard of in the last minute.
    pub machines: Vec<Machine>,
    /// Pairs that have a job.
    pub pairs: i64,
    /// Pairs whose job is due and not begun, and the longest any of them waits, in milliseconds.
    pub waiting: i64,
    /// The longest that a due job waits, in milliseconds.
    pub longest_ms: i64,
    /// Pairs without a check for two intervals.
    pub late: i64,
    /// What was parked.
    pub parked: Vec<ParkedPair>,
}

impl Fleet {
    /// Enters what a worker says of itself, and returns the others that were heard of in the last minute.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn hello(&self, machine: &Machine) -> Result<Vec<Machine>, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            put(&mut transaction, machine).await?;
            let all = heard(&mut transaction).await?;
            transaction.commit().await?;
            Ok(all.into_iter().filter(|other| other.id != machine.id).collect())
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// A worker leaves.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bye(&self, id: &str) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            statement::query("DELETE FROM public.lensops_machines WHERE id = $1")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        work.await.map_err(|error| failed(&error))
    }

    /// How the fleet stands.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let standing = standing(&mut transaction).await?;
            transaction.commit().await?;
            Ok(standing)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }
}

async fn put(connection: &mut PgConnection, machine: &Machine) -> Result<(), sqlx::Error> {
    statement::query(
        "INSERT INTO public.lensops_machines (id, host, pid, version, fleet, started_at, seen_at, digest, environment, \
         revision, pairs, late_ms, clock_ms) \
         VALUES ($1, $2, $3, $4, $5, $6::timestamptz, clock_timestamp(), $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, digest = excluded.digest, \
         environment = excluded.environment, revision = excluded.revision, pairs = excluded.pairs, \
         late_ms = excluded.late_ms, clock_ms = excluded.clock_ms",
    )
    .bind(&machine.id)
    .bind(&machine.host)
    .bind(machine.pid)
    .bind(&machine.version)
    .bind(machine.fleet)
    .bind(bound(machine.started_at))
    .bind(&machine.digest)
    .bind(&machine.environment)
    .bind(machine.revision)
    .bind(machine.pairs)
    .bind(machine.late_ms)
    .bind(machine.clock_ms)
    .execute(&mut *connection)
    .await?;
    statement::query("DELETE FROM public.lensops_machines WHERE seen_at < clock_timestamp() - interval '1 hour'")
        .execute(connection)
        .await?;
    Ok(())
}

async fn heard(connection: &mut PgConnection) -> Result<Vec<Machine>, sqlx::Error> {
    let rows = statement::query(
        "SELECT *, (extract(epoch FROM started_at) * 1000)::bigint AS started_ms, \
         (extract(epoch FROM seen_at) * 1000)::bigint AS seen_ms FROM public.lensops_machines \
         WHERE seen_at > clock_timestamp() - $1 * interval '1 millisecond' ORDER BY host, started_at, id",
    )
    .bind(GONE_MS)
    .fetch_all(connection)
    .await?;
    rows.iter().map(machine).collect()
}

fn machine(row: &PgRow) -> Result<Machine, sqlx::Error> {
    Ok(Machine {
        id: row.try_get("id")?,
        host: row.try_get("host")?,
        pid: row.try_get("pid")?,
        version: row.try_get("version")?,
        fleet: row.try_get("fleet")?,
        started_at: from_ms(row.try_get("started_ms")?),
        seen_at: from_ms(row.try_get("seen_ms")?),
        digest: row.try_get("digest")?,
        environment: row.try_get("environment")?,
        revision: row.try_get("revision")?,
        pairs: row.try_get("pairs")?,
        late_ms: row.try_get("late_ms")?,
        clock_ms: row.try_get("clock_ms")?,
    })
}

async fn standing(connection: &mut PgConnection) -> Result<Standing, sqlx::Error> {
    let plans = statement::query_as(
        "SELECT revision, published_by, digest FROM public.lensops_plans ORDER BY revision DESC LIMIT 1",
    )
    .fetch_optional(&mut *connection)
    .await?;
    let (pairs, waiting, longest_ms, late) = statement::query_as(
        "SELECT count(*), \
         count(*) FILTER (WHERE run_at <= clock_timestamp() AND locked_at IS NULL), \
         coalesce((extract(epoch FROM clock_timestamp() - min(run_at) \
             FILTER (WHERE run_at <= clock_timestamp() AND locked_at IS NULL)) * 1000)::bigint, 0), \
         count(*) FILTER (WHERE run_at < clock_timestamp() \
             - 2 * coalesce((payload ->> 'every_ms')::float8, 900000) * interval '1 millisecond') \
         FROM lensops_jobs._private_jobs WHERE key LIKE 'check/%'",
    )
    .fetch_one(&mut *connection)
    .await?;
    let rows = statement::query(
        "SELECT key, yacht_id, lens_id, reason, (extract(epoch FROM parked_at) * 1000)::bigint AS since_ms \
         FROM public.lensops_parked ORDER BY parked_at, key LIMIT 1000",
    )
    .fetch_all(&mut *connection)
    .await?;
    let parked = |row: &PgRow| {
        Ok(ParkedPair {
            key: row.try_get("key")?,
            tenant: row.try_get("yacht_id")?,
            lens: row.try_get("lens_id")?,
            reason: row.try_get("reason")?,
            since: from_ms(row.try_get("since_ms")?),
        })
    };
    Ok(Standing {
        now: now(connection).await?,
        plans,
        machines: heard(connection).await?,
        pairs,
        waiting,
        longest_ms,
        late,
        parked: rows.iter().map(parked).collect::<Result<_, sqlx::Error>>()?,
    })
}
