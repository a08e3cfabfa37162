//! Statements that work behind a pooler in transaction mode.
//!
//! A statement that is not persistent has no name on the server, so it meets none of another client. sqlx parses it and
//! runs it in two steps; both reach the same connection only within a transaction, so every statement needs one.

use sqlx::postgres::{PgArguments, PgRow, Postgres as Database};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{FromRow, SqlSafeStr};

/// As `sqlx::query`, without a name on the server.
pub(in crate::store) fn query<'q>(sql: impl SqlSafeStr) -> Query<'q, Database, PgArguments> {
    sqlx::query(sql).persistent(false)
}

/// As `sqlx::query_as`, without a name on the server.
pub(in crate::store) fn query_as<'q, O>(sql: impl SqlSafeStr) -> QueryAs<'q, Database, O, PgArguments>
where
    O: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(sql).persistent(false)
}

/// As `sqlx::query_scalar`, without a name on the server.
pub(in crate::store) fn query_scalar<'q, O>(sql: impl SqlSafeStr) -> QueryScalar<'q, Database, O, PgArguments>
where
    (O,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(sql).persistent(false)
}
