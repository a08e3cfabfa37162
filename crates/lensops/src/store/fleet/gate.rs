//! The fleet's way to PostgreSQL: a small pool, and every statement in a transaction of its role.
//!
//! The queue's own driver would name its statements on the server, or send them without a transaction; behind a pooler
//! in transaction mode neither holds. Here all of it runs as the rest of the store does.

use std::any::Any;
use std::collections::HashMap;
use std::time::Duration;

use graphile_worker::{
    BoxFuture, DatabaseDriver, DbCell, DbError, DbExecutor, DbExecutorArg, DbParams, DbRow, DbTransaction, DbValue,
    NotificationStream, TransactionDriver,
};
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Column as _, PgConnection, Row as _, Transaction, TypeInfo as _};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::store::StoreError;
use crate::store::postgres::{options, statement};
use lensops_core::secret::Secret;

/// How long one statement of the queue may take, and the wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Begins a transaction as the workers' role, where the login may become it: one message in the simple protocol.
const BEGIN: &str = "BEGIN; SELECT set_config('role', 'service_role', true) WHERE EXISTS (SELECT 1 \
    FROM pg_catalog.pg_roles WHERE rolname = 'service_role' AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER'))";

/// A pool of connections that transactions of the workers' role begin on.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    pool: PgPool,
}

impl Gate {
    /// A gate to the database at `url` of at most `connections`; nothing is connected to yet.
    pub(super) fn new(url: &Secret, connections: u32) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .min_connections(0)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options(url)?);
        Ok(Self { pool })
    }

    /// A transaction of the workers' role.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.pool.begin_with(BEGIN).await
    }

    /// Drops what is connected: after an outage nobody should meet a connection that is gone.
    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection within a transaction, as the queue asks it: no statement has a name on the server.
pub(super) struct Unnamed<'a>(pub(super) &'a mut PgConnection);

fn bound<'q>(sql: &'q str, params: &DbParams) -> Query<'q, Postgres, PgArguments> {
    params
        .values()
        .iter()
        .fold(statement::query(AssertSqlSafe(sql)), |query, value| {
            match value.clone() {
                DbValue::Bool(value) => query.bind(value),
                DbValue::BoolOpt(value) => query.bind(value),
                DbValue::I16(value) => query.bind(value),
                DbValue::I16Opt(value) => query.bind(value),
                DbValue::I32(value) => query.bind(value),
                DbValue::I32Opt(value) => query.bind(value),
                DbValue::I64(value) => query.bind(value),
                DbValue::I64Opt(value) => query.bind(value),
                DbValue::Json(value) => query.bind(value),
                DbValue::JsonOpt(value) => query.bind(value),
                DbValue::Text(value) => query.bind(value),
                DbValue::TextOpt(value) => query.bind(value),
                DbValue::TextArray(value) => query.bind(value),
                DbValue::TextArrayOpt(value) => query.bind(value),
                DbValue::I32Array(value) => query.bind(value),
                DbValue::I64Array(value) => query.bind(value),
                DbValue::TimestampTz(value) => query.bind(value),
                DbValue::TimestampTzOpt(value) => query.bind(value),
            }
        })
}

fn row(row: &PgRow) -> Result<DbRow, DbError> {
    let mut cells = HashMap::with_capacity(row.columns().len());
    for (at, column) in row.columns().iter().enumerate() {
        let cell = match column.type_info().name() {
            "BOOL" => row.try_get::<Option<bool>, _>(at)?.map(DbCell::Bool),
            "INT2" => row.try_get::<Option<i16>, _>(at)?.map(DbCell::I16),
            "INT4" => row.try_get::<Option<i32>, _>(at)?.map(DbCell::I32),
            "INT8" => row.try_get::<Option<i64>, _>(at)?.map(DbCell::I64),
            "JSON" | "JSONB" => row.try_get::<Option<serde_json::Value>, _>(at)?.map(DbCell::Json),
            "TEXT" | "VARCHAR" | "BPCHAR" | "NAME" => row.try_get::<Option<String>, _>(at)?.map(DbCell::Text),
            "TIMESTAMPTZ" => row.try_get::<Option<_>, _>(at)?.map(DbCell::TimestampTz),
            // What a function that returns nothing answers.
            "VOID" => None,
            other => {
                let column = column.name();
                return Err(DbError::new(format!("column {column} has type {other}")));
            }
        };
        cells.insert(column.name().to_owned(), cell.unwrap_or(DbCell::Null));
    }
    Ok(DbRow::new(cells))
}

async fn in_time<T>(work: impl Future<Output = Result<T, DbError>> + Send) -> Result<T, DbError> {
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(DbError::new(format!("no answer within {} s", PATIENCE.as_secs()))))
}

async fn execute(connection: &mut PgConnection, sql: &str, params: &DbParams) -> Result<u64, DbError> {
    Ok(bound(sql, params).execute(connection).await?.rows_affected())
}

async fn fetch_all(connection: &mut PgConnection, sql: &str, params: &DbParams) -> Result<Vec<DbRow>, DbError> {
    bound(sql, params)
        .fetch_all(connection)
        .await?
        .iter()
        .map(row)
        .collect()
}

impl DbExecutorArg for Unnamed<'_> {
    fn execute<'a>(&'a mut self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move { execute(self.0, sql, &params).await })
    }

    fn fetch_all<'a>(&'a mut self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<Vec<DbRow>, DbError>> {
        Box::pin(async move { fetch_all(self.0, sql, &params).await })
    }
}

impl DbExecutor for Gate {
    fn execute<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(in_time(async move {
            let mut transaction = self.begin().await?;
            let done = execute(&mut transaction, sql, &params).await?;
            transaction.commit().await?;
            Ok(done)
        }))
    }

    fn fetch_all<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<Vec<DbRow>, DbError>> {
        Box::pin(in_time(async move {
            let mut transaction = self.begin().await?;
            let rows = fetch_all(&mut transaction, sql, &params).await?;
            transaction.commit().await?;
            Ok(rows)
        }))
    }
}

impl DatabaseDriver for Gate {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn begin(&self) -> BoxFuture<'_, Result<DbTransaction, DbError>> {
        Box::pin(in_time(async move {
            let transaction = Gate::begin(self).await?;
            Ok(DbTransaction::new(Box::new(Open(Mutex::new(transaction)))))
        }))
    }

    /// Nobody listens: behind a pooler a notification would reach another client.
    fn listen<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<NotificationStream>, DbError>> {
        Box::pin(async { Ok(None) })
    }
}

/// A transaction of the queue's own.
struct Open(Mutex<Transaction<'static, Postgres>>);

impl DbExecutor for Open {
    fn execute<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(in_time(async move {
            let mut transaction = self.0.lock().await;
            execute(&mut transaction, sql, &params).await
        }))
    }

    fn fetch_all<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<Vec<DbRow>, DbError>> {
        Box::pin(in_time(async move {
            let mut transaction = self.0.lock().await;
            fetch_all(&mut transaction, sql, &params).await
        }))
    }
}

impl TransactionDriver for Open {
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), DbError>> {
        Box::pin(in_time(async move {
            self.0.into_inner().commit().await?;
            Ok(())
        }))
    }
}
