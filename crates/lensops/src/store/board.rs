//! What the dashboard reads: the journal as it is, or PostgreSQL as the user who asks.
//!
//! On PostgreSQL every question is a transaction as `authenticated` with the user's claims; which
//! rows there are is the database's to say, and no question names a tenant to keep others out. A
//! few connections serve everybody, so that a page which is asked for often takes none from the worker.

use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::Secret;
use lensops_core::ident::LensId;
use lensops_core::mute::{Muted, MutedWhy};
use lensops_core::record::Status;
use lensops_core::schedule::from_ms;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::journal::{self, Journal, decode_error, parsed, time_text};
use super::{Exported, History, Postgres, StoreError, StoredCheck, begin_as, postgres};

/// Connections for all users together.
const CONNECTIONS: u32 = 4;

/// How long a question waits for a connection.
const WAIT: Duration = Duration::from_secs(2);

/// The kinds of events that are marked in charts.
const MARKED: [&str; 2] = ["flag_toggled", "transition"];

/// Where the dashboard reads.
#[derive(Clone)]
pub enum Board {
    /// The journal of this machine; whoever reaches it sees all.
    Embedded(Journal),
    /// PostgreSQL, as the user who asks.
    Database(PgPool, Postgres),
}

/// A check without its notes, but for what a chart or the gate needs of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Brief {
    /// Its id.
    pub id: Uuid,
    /// The status.
    pub status: Status,
    /// Pooled P95 in milliseconds.
    pub p95_latency_ms: Option<i64>,
    /// Failed samples in percent.
    pub error_rate_percent: Option<f64>,
    /// Samples taken.
    pub sample_size: i64,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// Whether and why it counts for nothing.
    pub muted: Option<MutedWhy>,
    /// Latencies of its samples in microseconds; empty where they were not asked for.
    pub samples_us: Vec<u64>,
}

/// Something that happened at a time, as a chart marks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What, one line.
    pub what: String,
}

/// Which checks a page of the read API holds.
#[derive(Debug, Clone, Default)]
pub struct CheckQuery {
    /// Of this lens alone.
    pub lens: Option<LensId>,
    /// Of this tenant alone.
    pub tenant: Option<Uuid>,
    /// With ids below this one.
    pub before: Option<Uuid>,
    /// So many at most.
    pub limit: u32,
}

fn elsewhere(error: sqlx::Error) -> StoreError {
    match error {
        // What a server says may quote a row; the code is enough for who may not see it.
        sqlx::Error::Database(said) => StoreError::Elsewhere(format!("code {}", said.code().unwrap_or_default())),
        sqlx::Error::PoolTimedOut => StoreError::Elsewhere("no connection within 2 s".to_owned()),
        _ => StoreError::Elsewhere("the connection failed".to_owned()),
    }
}

impl Board {
    /// PostgreSQL at `url`. It is connected to when it is first needed.
    ///
    /// # Errors
    /// When `url` is no address of a PostgreSQL database.
    pub fn database(url: &Secret) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(WAIT)
            .connect_lazy_with(postgres::options(url)?);
        Ok(Self::Database(pool, Postgres::new(url)?))
    }

    /// The tenant that the database takes the user of `claims` for; `None` on the journal, which
    /// knows no users, and for a user without one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tenant(&self, claims: &Value) -> Result<Option<Uuid>, StoreError> {
        let Self::Database(pool, _) = self else { return Ok(None) };
        let mut connection = pool.acquire().await.map_err(elsewhere)?;
        let mut transaction = begin_as(&mut connection, claims).await.map_err(elsewhere)?;
        let tenant = sqlx::query_scalar("SELECT public.get_user_yacht_id()")
            .fetch_one(&mut *transaction)
            .await
            .map_err(elsewhere)?;
        transaction.commit().await.map_err(elsewhere)?;
        Ok(tenant)
    }

    async fn ask(&self, pool: &PgPool, claims: &Value, question: &Question<'_>) -> Result<Vec<PgRow>, StoreError> {
        let mut connection = pool.acquire().await.map_err(elsewhere)?;
        let mut transaction = begin_as(&mut connection, claims).await.map_err(elsewhere)?;
        let rows = question.rows(&mut transaction).await.map_err(elsewhere)?;
        transaction.commit().await.map_err(elsewhere)?;
        Ok(rows)
    }

    /// The latest check of each of `pairs`, in no order; none where there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn latest(&self, claims: &Value, pairs: &[(Uuid, LensId)]) -> Result<Vec<StoredCheck>, StoreError> {
        match self {
            Self::Embedded(journal) => journal.latest(pairs).await,
            Self::Database(pool, _) => {
                let rows = self.ask(pool, claims, &Question::Latest(pairs)).await?;
                Ok(rows
                    .iter()
                    .map(postgres::stored)
                    .collect::<Result<_, _>>()
                    .map_err(elsewhere)?)
            }
        }
    }

    /// The checks of one lens of one tenant observed in `(from, until]`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn briefs(
        &self,
        claims: &Value,
        (tenant, lens): (Uuid, &LensId),
        (from, until): (Timestamp, Timestamp),
        samples: bool,
    ) -> Result<Vec<Brief>, StoreError> {
        match self {
            Self::Embedded(journal) => {
                let rows = sqlx::query(
                    "SELECT id, status, p95_latency_ms, error_rate_percent, sample_size, observed_at, \
                     CASE WHEN json_extract(notes, '$.paused') IS NOT NULL THEN '{\"why\":\"paused\",\"reason\":\"\"}' \
                     ELSE json_extract(notes, '$.muted') END AS muted, \
                     CASE WHEN $5 THEN json_extract(notes, '$.samples_us') END AS samples \
                     FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
                     AND observed_at > $3 AND observed_at <= $4 ORDER BY observed_at, id",
                )
                .bind(tenant.to_string())
                .bind(lens.as_str())
                .bind(time_text(from))
                .bind(time_text(until))
                .bind(samples)
                .fetch_all(&journal.reader)
                .await?;
                Ok(rows.iter().map(brief_here).collect::<Result<_, _>>()?)
            }
            Self::Database(pool, _) => {
                let question = Question::Briefs((tenant, lens), (from, until), samples);
                let rows = self.ask(pool, claims, &question).await?;
                Ok(rows
                    .iter()
                    .map(brief_there)
                    .collect::<Result<_, _>>()
                    .map_err(elsewhere)?)
            }
        }
    }

    /// Switched flags and features of one lens of one tenant in `(from, until]`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn marks(
        &self,
        claims: &Value,
        (tenant, lens): (Uuid, &LensId),
        (from, until): (Timestamp, Timestamp),
    ) -> Result<Vec<Mark>, StoreError> {
        match self {
            Self::Embedded(journal) => {
                let rows = sqlx::query(
                    "SELECT c.observed_at, json_extract(e.detail_json, '$.reason') AS reason FROM pms_health_checks c \
                     JOIN pms_health_events e ON e.check_id = c.id WHERE c.yacht_id = $1 AND c.lens_id = $2 \
                     AND c.observed_at > $3 AND c.observed_at <= $4 AND e.level = 'warning' \
                     AND json_extract(e.detail_json, '$.kind') IN ($5, $6) ORDER BY c.observed_at, e.id",
                )
                .bind(tenant.to_string())
                .bind(lens.as_str())
                .bind(time_text(from))
                .bind(time_text(until))
                .bind(MARKED[0])
                .bind(MARKED[1])
                .fetch_all(&journal.reader)
                .await?;
                let mark = |row: &SqliteRow| -> Result<Mark, sqlx::Error> {
                    let what: Option<String> = row.try_get("reason")?;
                    Ok(Mark {
                        at: parsed(row, "observed_at")?,
                        what: what.unwrap_or_default(),
                    })
                };
                Ok(rows.iter().map(mark).collect::<Result<_, _>>()?)
            }
            Self::Database(pool, _) => {
                let rows = self
                    .ask(pool, claims, &Question::Marks((tenant, lens), (from, until)))
                    .await?;
                let mark = |row: &PgRow| -> Result<Mark, sqlx::Error> {
                    let what: Option<String> = row.try_get("reason")?;
                    Ok(Mark {
                        at: from_ms(row.try_get("observed_ms")?),
                        what: what.unwrap_or_default(),
                    })
                };
                Ok(rows.iter().map(mark).collect::<Result<_, _>>().map_err(elsewhere)?)
            }
        }
    }

    /// Checks by id, the newest slot first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn page(&self, claims: &Value, query: &CheckQuery) -> Result<Vec<StoredCheck>, StoreError> {
        match self {
            Self::Embedded(journal) => {
                let rows = sqlx::query(
                    "SELECT * FROM pms_health_checks WHERE ($1 IS NULL OR lens_id = $1) \
                     AND ($2 IS NULL OR yacht_id = $2) AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4",
                )
                .bind(query.lens.as_ref().map(LensId::as_str))
                .bind(query.tenant.map(|tenant| tenant.to_string()))
                .bind(query.before.map(|before| before.to_string()))
                .bind(query.limit)
                .fetch_all(&journal.reader)
                .await?;
                rows.iter().map(journal::stored).collect()
            }
            Self::Database(pool, _) => {
                let rows = self.ask(pool, claims, &Question::Page(query)).await?;
                Ok(rows
                    .iter()
                    .map(postgres::stored)
                    .collect::<Result<_, _>>()
                    .map_err(elsewhere)?)
            }
        }
    }

    /// The check `id` with the level and detail of each of its events; `None` where there is none
    /// that this user may see.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn check(&self, claims: &Value, id: Uuid) -> Result<Option<Exported>, StoreError> {
        match self {
            Self::Embedded(journal) => {
                let row = sqlx::query("SELECT * FROM pms_health_checks WHERE id = $1")
                    .bind(id.to_string())
                    .fetch_optional(&journal.reader)
                    .await?;
                let Some(row) = row else { return Ok(None) };
                Ok(Some((journal::stored(&row)?, journal.events(id).await?)))
            }
            Self::Database(pool, _) => {
                let rows = self.ask(pool, claims, &Question::Check(id)).await?;
                let Some(row) = rows.first() else { return Ok(None) };
                let check = postgres::stored(row).map_err(elsewhere)?;
                let rows = self.ask(pool, claims, &Question::Events(id)).await?;
                let event = |row: &PgRow| -> Result<(String, Value), sqlx::Error> {
                    let detail: &str = row.try_get("detail")?;
                    Ok((
                        row.try_get("level")?,
                        serde_json::from_str(detail).unwrap_or(Value::Null),
                    ))
                };
                let events = rows.iter().map(event).collect::<Result<_, _>>().map_err(elsewhere)?;
                Ok(Some((check, events)))
            }
        }
    }

    /// Tenant, lens and time of the newest check of each of `pairs`, for whoever watches on behalf
    /// of all users. On PostgreSQL it is asked as the login itself, and nothing else of a check is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn newest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<(Uuid, String, String)>, StoreError> {
        match self {
            Self::Embedded(journal) => {
                let mut newest = Vec::with_capacity(pairs.len());
                for (tenant, lens) in pairs {
                    let id: Option<String> = sqlx::query_scalar(
                        "SELECT id FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
                         ORDER BY observed_at DESC, id DESC LIMIT 1",
                    )
                    .bind(tenant.to_string())
                    .bind(lens.as_str())
                    .fetch_optional(&journal.reader)
                    .await?;
                    newest.extend(id.map(|id| (*tenant, lens.to_string(), id)));
                }
                Ok(newest)
            }
            Self::Database(_, watcher) => {
                let newest = watcher.latest(pairs).await?.into_iter();
                Ok(newest
                    .map(|check| (check.yacht_id, check.lens_id.to_string(), check.id.to_string()))
                    .collect())
            }
        }
    }
}

enum Question<'a> {
    Latest(&'a [(Uuid, LensId)]),
    Briefs((Uuid, &'a LensId), (Timestamp, Timestamp), bool),
    Marks((Uuid, &'a LensId), (Timestamp, Timestamp)),
    Page(&'a CheckQuery),
    Check(Uuid),
    Events(Uuid),
}

impl Question<'_> {
    async fn rows(&self, connection: &mut PgConnection) -> Result<Vec<PgRow>, sqlx::Error> {
        match self {
            Self::Latest(pairs) => postgres::latest(connection, pairs).await,
            Self::Briefs((tenant, lens), (from, until), samples) => {
                sqlx::query(
                    "SELECT id, status, p95_latency_ms, error_rate_percent::float8 AS error_rate_percent, sample_size, \
                     (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, \
                     CASE WHEN notes ? 'paused' THEN '{\"why\":\"paused\",\"reason\":\"\"}' ELSE (notes -> 'muted')::text END AS muted, \
                     CASE WHEN $5 THEN (notes -> 'samples_us')::text END AS samples \
                     FROM public.pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
                     AND observed_at > $3::timestamptz AND observed_at <= $4::timestamptz ORDER BY observed_at, id",
                )
                .bind(tenant)
                .bind(lens.as_str())
                .bind(postgres::bound(*from))
                .bind(postgres::bound(*until))
                .bind(samples)
                .fetch_all(connection)
                .await
            }
            Self::Marks((tenant, lens), (from, until)) => {
                sqlx::query(
                    "SELECT (extract(epoch FROM c.observed_at) * 1000)::bigint AS observed_ms, \
                     e.detail_json ->> 'reason' AS reason FROM public.pms_health_checks c \
                     JOIN public.pms_health_events e ON e.check_id = c.id WHERE c.yacht_id = $1 AND c.lens_id = $2 \
                     AND c.observed_at > $3::timestamptz AND c.observed_at <= $4::timestamptz AND e.level = 'warning' \
                     AND e.detail_json ->> 'kind' = ANY($5) ORDER BY c.observed_at, e.id",
                )
                .bind(tenant)
                .bind(lens.as_str())
                .bind(postgres::bound(*from))
                .bind(postgres::bound(*until))
                .bind(MARKED.map(ToOwned::to_owned).to_vec())
                .fetch_all(connection)
                .await
            }
            Self::Page(query) => {
                sqlx::query(
                    "SELECT id, yacht_id, lens_id, status, p95_latency_ms, \
                     error_rate_percent::float8 AS error_rate_percent, sample_size, \
                     (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, notes::text AS notes \
                     FROM public.pms_health_checks WHERE ($1::text IS NULL OR lens_id = $1) \
                     AND ($2::uuid IS NULL OR yacht_id = $2) AND ($3::uuid IS NULL OR id < $3) \
                     ORDER BY id DESC LIMIT $4",
                )
                .bind(query.lens.as_ref().map(LensId::as_str))
                .bind(query.tenant)
                .bind(query.before)
                .bind(i64::from(query.limit))
                .fetch_all(connection)
                .await
            }
            Self::Check(id) => {
                sqlx::query(
                    "SELECT id, yacht_id, lens_id, status, p95_latency_ms, \
                     error_rate_percent::float8 AS error_rate_percent, sample_size, \
                     (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, notes::text AS notes \
                     FROM public.pms_health_checks WHERE id = $1",
                )
                .bind(id)
                .fetch_all(connection)
                .await
            }
            Self::Events(check) => {
                sqlx::query(
                    "SELECT level, detail_json::text AS detail FROM public.pms_health_events \
                     WHERE check_id = $1 ORDER BY created_at, id",
                )
                .bind(check)
                .fetch_all(connection)
                .await
            }
        }
    }
}

fn muted(text: Option<&str>) -> Option<MutedWhy> {
    let muted: Value = serde_json::from_str(text?).ok()?;
    Muted::of_notes(&json!({ "muted": muted })).map(|muted| muted.why)
}

fn samples(text: Option<&str>) -> Vec<u64> {
    // Checks that others wrote have none.
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

fn brief_here(row: &SqliteRow) -> Result<Brief, sqlx::Error> {
    let status: &str = row.try_get("status")?;
    Ok(Brief {
        id: parsed(row, "id")?,
        status: Status::parse(status).ok_or_else(|| decode_error("status", status))?,
        p95_latency_ms: row.try_get("p95_latency_ms")?,
        error_rate_percent: row.try_get("error_rate_percent")?,
        sample_size: row.try_get::<Option<i64>, _>("sample_size")?.unwrap_or(0),
        observed_at: parsed(row, "observed_at")?,
        muted: muted(row.try_get("muted")?),
        samples_us: samples(row.try_get("samples")?),
    })
}

fn brief_there(row: &PgRow) -> Result<Brief, sqlx::Error> {
    let status: &str = row.try_get("status")?;
    Ok(Brief {
        id: row.try_get("id")?,
        status: Status::parse(status).ok_or_else(|| decode_error("status", status))?,
        p95_latency_ms: row.try_get::<Option<i32>, _>("p95_latency_ms")?.map(i64::from),
        error_rate_percent: row.try_get("error_rate_percent")?,
        sample_size: row.try_get::<Option<i32>, _>("sample_size")?.map_or(0, i64::from),
        observed_at: from_ms(row.try_get("observed_ms")?),
        muted: muted(row.try_get("muted")?),
        samples_us: samples(row.try_get("samples")?),
    })
}
