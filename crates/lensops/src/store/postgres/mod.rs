//! PostgreSQL as sink and history.
//!
//! A batch is one transaction: checks first, then their events, each as one statement over arrays.
//! Statements are not kept on the server, so that a pooler which hands out another connection every
//! transaction does no harm. Whoever may become `service_role` does so for the length of each
//! transaction: the owner then writes with no more rights than a key has, and a login that is only
//! a member gets the right to pass by row-level security, which is not inherited. One connection is held; it is let go after any failure that may have
//! left it in doubt. A pool was not taken for this: while a server refuses connections it says only
//! that it timed out.

pub(crate) mod jsonb;
pub mod migrate;
pub(crate) mod staging;

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::history::schedule::from_ms;
use lensops_core::ident::LensId;
use lensops_core::secret::Secret;
use lensops_core::verdict::record::Status;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, Postgres as Database};
use sqlx::{ConnectOptions, Connection, Row, Transaction};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::postgres::jsonb::storable;
use super::{Entry, Exported, History, STORE_TIMEOUT, Sink, SinkError, StoreError, StoredCheck, beside};

/// A PostgreSQL server. Clones share one connection.
#[derive(Clone)]
pub struct Postgres {
    options: Arc<PgConnectOptions>,
    kept: Arc<Mutex<Option<Held>>>,
}

/// An open connection.
pub(super) struct Held {
    connection: PgConnection,
    /// Whether its user may become `service_role`.
    becomes_service: bool,
}

impl Held {
    pub(super) async fn open(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        let becomes_service = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles \
             WHERE rolname = 'service_role' AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER'))",
        )
        .fetch_one(&mut connection)
        .await?;
        Ok(Self {
            connection,
            becomes_service,
        })
    }

    pub(super) async fn begin(&mut self) -> Result<Transaction<'_, Database>, sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        if self.becomes_service {
            sqlx::query("SET LOCAL ROLE service_role")
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction)
    }
}

/// Reads a database address.
///
/// # Errors
/// When it is none; the text is not repeated, for it may carry a password.
pub(super) fn options(url: &Secret) -> Result<PgConnectOptions, StoreError> {
    const RULE: &str = "the database's address must look like postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    let text = url.expose();
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(StoreError::Address(RULE));
    }
    let options = PgConnectOptions::from_str(text).map_err(|_| StoreError::Address(RULE))?;
    Ok(options.application_name("lensops").statement_cache_capacity(0))
}

impl Postgres {
    /// The server at `url`. It is connected to when it is first needed.
    ///
    /// # Errors
    /// When `url` is no address of a PostgreSQL database.
    pub fn new(url: &Secret) -> Result<Self, StoreError> {
        Ok(Self {
            options: Arc::new(options(url)?),
            kept: Arc::default(),
        })
    }

    /// Runs `work` over the held connection, or a new one, within the time a store has.
    async fn over<T, W, F>(&self, work: W) -> Result<T, SinkError>
    where
        W: FnOnce(Held) -> F + Send,
        F: Future<Output = (Option<Held>, Result<T, sqlx::Error>)> + Send,
    {
        let mut kept = self.kept.lock().await;
        let held = kept.take();
        let whole = async {
            let connection = match held {
                Some(connection) => connection,
                None => Held::open(&self.options).await.map_err(|error| sink_error(&error))?,
            };
            let (connection, result) = work(connection).await;
            Ok((connection, result.map_err(|error| sink_error(&error))))
        };
        let (connection, result) = tokio::time::timeout(STORE_TIMEOUT, whole).await.unwrap_or_else(|_| {
            Err(SinkError::later(format!(
                "no answer within {}s",
                STORE_TIMEOUT.as_secs()
            )))
        })?;
        *kept = connection;
        result
    }

    async fn rows(&self, query: Question<'_>) -> Result<Vec<PgRow>, StoreError> {
        self.over(|mut connection| async move {
            let rows = query.ask(&mut connection).await;
            (rows.is_ok().then_some(connection), rows)
        })
        .await
        .map_err(|error| StoreError::Elsewhere(error.to_string()))
    }

    async fn read(&self, query: Question<'_>) -> Result<Vec<StoredCheck>, StoreError> {
        let rows = self.rows(query).await?;
        rows.iter().map(stored).collect::<Result<_, _>>().map_err(unreadable)
    }

    /// Tenant, lens and id of the newest check of each of `pairs`, read from the index alone.
    pub(super) async fn newest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<(Uuid, String, Uuid)>, StoreError> {
        let rows = self.rows(Question::Newest(pairs)).await?;
        let newest = |row: &PgRow| Ok((row.try_get("yacht_id")?, row.try_get("lens_id")?, row.try_get("id")?));
        rows.iter().map(newest).collect::<Result<_, _>>().map_err(unreadable)
    }

    pub(super) async fn page(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Exported>, StoreError> {
        let checks = self.read(Question::Page(after.unwrap_or_default(), limit)).await?;
        let ids: Vec<Uuid> = checks.iter().map(|check| check.id).collect();
        let rows = self.rows(Question::Events(&ids)).await?;
        let event = |row: &PgRow| {
            let detail: &str = row.try_get("detail")?;
            let detail = serde_json::from_str(detail).unwrap_or(Value::Null);
            Ok((row.try_get("check_id")?, row.try_get("level")?, detail))
        };
        let events = rows.iter().map(event).collect::<Result<_, _>>().map_err(unreadable)?;
        Ok(beside(checks, events))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unreadable(error: sqlx::Error) -> StoreError {
    StoreError::Elsewhere(error.to_string())
}

/// Begins a transaction in which `connection` sees what the user of `claims` may see. Role and
/// claims end with the transaction, however it ends.
///
/// # Errors
/// When the server refuses, or may not become `authenticated`.
pub async fn begin_as<'c>(
    connection: &'c mut PgConnection,
    claims: &Value,
) -> Result<Transaction<'c, Database>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    become_user(&mut transaction, claims).await?;
    Ok(transaction)
}

/// Becomes the user of `claims` until the transaction on `connection` ends: role and claims in one
/// question, as `SET LOCAL` would set them in two.
pub(super) async fn become_user(connection: &mut PgConnection, claims: &Value) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)")
        .bind(claims.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

impl Sink for Postgres {
    async fn deliver(&self, batch: &[Entry]) -> Result<(), SinkError> {
        self.over(|mut connection| async move {
            let inserted = insert(&mut connection, batch).await;
            // A refused row leaves the connection as good as it was; anything else is in doubt.
            let sound = match &inserted {
                Ok(()) => true,
                Err(error) => matches!(sink_error(error), SinkError::Row(_)),
            };
            (sound.then_some(connection), inserted)
        })
        .await
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the column's type")]
fn narrow(number: i64) -> i32 {
    number.clamp(0, i64::from(i32::MAX)) as i32
}

async fn insert(connection: &mut Held, batch: &[Entry]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let column = |of: fn(&Entry) -> &str| batch.iter().map(of).collect::<Vec<&str>>();
    sqlx::query(
        "INSERT INTO public.pms_health_checks \
         (id, yacht_id, lens_id, status, p95_latency_ms, error_rate_percent, sample_size, observed_at, notes) \
         SELECT id, yacht_id, lens_id, status, p95, rate::numeric, samples, at::timestamptz, notes::jsonb \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::float8[], $7::int[], $8::text[], \
                     $9::text[]) AS t (id, yacht_id, lens_id, status, p95, rate, samples, at, notes) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(batch.iter().map(|entry| entry.id).collect::<Vec<Uuid>>())
    .bind(batch.iter().map(|entry| entry.yacht_id).collect::<Vec<Uuid>>())
    .bind(column(|entry| &entry.lens_id))
    .bind(column(|entry| &entry.status))
    .bind(
        batch
            .iter()
            .map(|entry| entry.p95_latency_ms.map(narrow))
            .collect::<Vec<_>>(),
    )
    .bind(batch.iter().map(|entry| entry.error_rate_percent).collect::<Vec<_>>())
    .bind(
        batch
            .iter()
            .map(|entry| entry.sample_size.map(narrow))
            .collect::<Vec<_>>(),
    )
    .bind(column(|entry| &entry.observed_at))
    .bind(
        batch
            .iter()
            .map(|entry| storable(&entry.notes).into_owned())
            .collect::<Vec<_>>(),
    )
    .execute(&mut *transaction)
    .await?;
    let events = || {
        batch
            .iter()
            .flat_map(|entry| entry.events.iter().map(move |event| (entry.id, event)))
    };
    if events().next().is_some() {
        sqlx::query(
            "INSERT INTO public.pms_health_events (id, check_id, level, detail_json, created_at) \
             SELECT id, check_id, level, detail::jsonb, at::timestamptz \
             FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) \
                  AS t (id, check_id, level, detail, at) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(events().map(|(_, event)| event.id).collect::<Vec<Uuid>>())
        .bind(events().map(|(check, _)| check).collect::<Vec<Uuid>>())
        .bind(events().map(|(_, event)| event.level.as_str()).collect::<Vec<_>>())
        .bind(
            events()
                .map(|(_, event)| storable(&event.detail).into_owned())
                .collect::<Vec<_>>(),
        )
        .bind(events().map(|(_, event)| event.created_at.as_str()).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

/// What a failure means for the batch, by its SQLSTATE.
fn sink_error(error: &sqlx::Error) -> SinkError {
    let sqlx::Error::Database(said) = error else {
        return SinkError::later(error.to_string());
    };
    let code = said.code().unwrap_or_default();
    let told = format!("{code} - {}", said.message());
    match code.get(..2).unwrap_or_default() {
        // Data exceptions, broken constraints and what a trigger raises are the row's own.
        "22" | "23" | "44" | "P0" => SinkError::row(&code, told),
        // Connection, resources, busy, operator, system, internal, read-only: these pass.
        "08" | "25" | "40" | "53" | "55" | "57" | "58" | "XX" => SinkError::later(told),
        _ => SinkError::Denied(told),
    }
}

enum Question<'a> {
    Latest(&'a [(Uuid, LensId)]),
    Newest(&'a [(Uuid, LensId)]),
    Between(Uuid, &'a LensId, Timestamp, Timestamp),
    Page(Uuid, u32),
    Events(&'a [Uuid]),
}

/// The newest check of each of `pairs`, as rows that [`stored`] reads.
pub(super) async fn latest(connection: &mut PgConnection, pairs: &[(Uuid, LensId)]) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(
        "SELECT c.id, c.yacht_id, c.lens_id, c.status, c.p95_latency_ms, \
         c.error_rate_percent::float8 AS error_rate_percent, c.sample_size, \
         (extract(epoch FROM c.observed_at) * 1000)::bigint AS observed_ms, c.notes::text AS notes \
         FROM unnest($1::uuid[], $2::text[]) AS p (yacht_id, lens_id) CROSS JOIN LATERAL (\
           SELECT * FROM public.pms_health_checks x \
           WHERE x.yacht_id = p.yacht_id AND x.lens_id = p.lens_id \
           ORDER BY x.observed_at DESC, x.id DESC LIMIT 1) AS c",
    )
    .bind(pairs.iter().map(|(tenant, _)| *tenant).collect::<Vec<Uuid>>())
    .bind(pairs.iter().map(|(_, lens)| lens.as_str()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
}

impl Question<'_> {
    async fn ask(&self, connection: &mut Held) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut transaction = connection.begin().await?;
        let rows = self.rows(&mut transaction).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    async fn rows(&self, connection: &mut PgConnection) -> Result<Vec<PgRow>, sqlx::Error> {
        match self {
            Self::Latest(pairs) => latest(connection, pairs).await,
            Self::Newest(pairs) => {
                let (tenants, lenses): (Vec<Uuid>, Vec<&str>) =
                    pairs.iter().map(|(tenant, lens)| (*tenant, lens.as_str())).unzip();
                sqlx::query(
                    "SELECT p.yacht_id, p.lens_id, c.id FROM unnest($1::uuid[], $2::text[]) AS p (yacht_id, lens_id) \
                     CROSS JOIN LATERAL (SELECT x.id FROM public.pms_health_checks x \
                       WHERE x.yacht_id = p.yacht_id AND x.lens_id = p.lens_id \
                       ORDER BY x.observed_at DESC, x.id DESC LIMIT 1) AS c",
                )
                .bind(tenants)
                .bind(lenses)
                .fetch_all(connection)
                .await
            }
            Self::Between(tenant, lens, from, until) => {
                sqlx::query(
                    "SELECT id, yacht_id, lens_id, status, p95_latency_ms, \
                     error_rate_percent::float8 AS error_rate_percent, sample_size, \
                     (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, notes::text AS notes \
                     FROM public.pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
                     AND observed_at > $3::timestamptz AND observed_at <= $4::timestamptz ORDER BY observed_at, id",
                )
                .bind(tenant)
                .bind(lens.as_str())
                .bind(bound(*from))
                .bind(bound(*until))
                .fetch_all(connection)
                .await
            }
            Self::Page(after, limit) => {
                sqlx::query(
                    "SELECT id, yacht_id, lens_id, status, p95_latency_ms, \
                     error_rate_percent::float8 AS error_rate_percent, sample_size, \
                     (extract(epoch FROM observed_at) * 1000)::bigint AS observed_ms, notes::text AS notes \
                     FROM public.pms_health_checks WHERE id > $1 AND lens_id ~ '^[a-z][a-z0-9_]{0,39}$' \
                     ORDER BY id LIMIT $2",
                )
                .bind(after)
                .bind(i64::from(*limit))
                .fetch_all(connection)
                .await
            }
            Self::Events(checks) => {
                sqlx::query(
                    "SELECT check_id, level, detail_json::text AS detail FROM public.pms_health_events \
                     WHERE check_id = ANY($1) ORDER BY created_at, id",
                )
                .bind(*checks)
                .fetch_all(connection)
                .await
            }
        }
    }
}

/// A time as text for PostgreSQL, which knows no year before 4713 BC and writes negative years
/// otherwise.
pub(super) fn bound(at: Timestamp) -> String {
    at.max(Timestamp::UNIX_EPOCH).to_string()
}

pub(super) fn stored(row: &PgRow) -> Result<StoredCheck, sqlx::Error> {
    let wrong = |column: &str, what: String| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: what.into(),
    };
    let (status, lens, notes): (&str, &str, Option<&str>) =
        (row.try_get("status")?, row.try_get("lens_id")?, row.try_get("notes")?);
    Ok(StoredCheck {
        id: row.try_get("id")?,
        yacht_id: row.try_get("yacht_id")?,
        lens_id: lens.parse().map_err(|error| wrong("lens_id", format!("{error}")))?,
        status: Status::parse(status).ok_or_else(|| wrong("status", status.to_owned()))?,
        p95_latency_ms: row.try_get::<Option<i32>, _>("p95_latency_ms")?.map(i64::from),
        error_rate_percent: row.try_get("error_rate_percent")?,
        sample_size: row.try_get::<Option<i32>, _>("sample_size")?.map_or(0, i64::from),
        observed_at: from_ms(row.try_get("observed_ms")?),
        notes: notes
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Value::Null),
    })
}

impl History for Postgres {
    async fn latest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<StoredCheck>, StoreError> {
        self.read(Question::Latest(pairs)).await
    }

    async fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<StoredCheck>, StoreError> {
        self.read(Question::Between(tenant, lens, from, until)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_without_repeating_it() {
        for bad in [
            "",
            "mysql://u:hunter22@h/d",
            "postgres://u:hunter22@h:port/d",
            "hunter22",
        ] {
            let error = Postgres::new(&Secret::new(bad)).err().map(|error| error.to_string());
            let error = error.unwrap_or_else(|| panic!("{bad:?} must be refused"));
            assert!(!error.contains("hunter22"), "{error}");
        }
        assert!(Postgres::new(&Secret::new("postgresql://u:p@h/d?sslmode=require")).is_ok());
    }
}
