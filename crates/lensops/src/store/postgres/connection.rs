//! A connection to PostgreSQL: its address, and the role that a transaction runs as.

use std::str::FromStr;

use lensops_core::secret::Secret;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgConnection, Postgres as Database};
use sqlx::{ConnectOptions, Connection, Row, Transaction};

use super::statement;
use crate::store::StoreError;

/// An open connection.
pub(crate) struct Held {
    connection: PgConnection,
    /// Whether its user may become `service_role`.
    becomes_service: bool,
}

impl Held {
    pub(crate) async fn open(options: &PgConnectOptions) -> Result<Self, sqlx::Error> {
        let mut connection = options.connect().await?;
        // In the simple protocol it is one message, and needs no transaction behind a pooler.
        let row = sqlx::raw_sql(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles \
             WHERE rolname = 'service_role' AND pg_catalog.pg_has_role(current_user, oid, 'MEMBER'))",
        )
        .fetch_one(&mut connection)
        .await?;
        let becomes_service = row.try_get(0)?;
        Ok(Self {
            connection,
            becomes_service,
        })
    }

    pub(crate) async fn begin(&mut self) -> Result<Transaction<'_, Database>, sqlx::Error> {
        let mut transaction = self.connection.begin().await?;
        if self.becomes_service {
            statement::query("SET LOCAL ROLE service_role")
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
pub(crate) fn options(url: &Secret) -> Result<PgConnectOptions, StoreError> {
    const RULE: &str = "the database's address must look like postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    let text = url.expose();
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(StoreError::Address(RULE));
    }
    let options = PgConnectOptions::from_str(text).map_err(|_| StoreError::Address(RULE))?;
    // A pooler takes no startup parameter that it does not know, and numbers travel in binary.
    let options = options.extra_float_digits(None);
    Ok(options.application_name("lensops").statement_cache_capacity(0))
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
pub(crate) async fn become_user(connection: &mut PgConnection, claims: &Value) -> Result<(), sqlx::Error> {
    statement::query("SELECT set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)")
        .bind(claims.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn connect(url: &Secret) -> Result<PgConnection, StoreError> {
    options(url)?.connect().await.map_err(|error| refused(&error))
}

pub(crate) fn refused(error: &sqlx::Error) -> StoreError {
    StoreError::Elsewhere(match error {
        sqlx::Error::Database(said) => {
            let code = said.code().unwrap_or_default();
            let mend = match &*code {
                "42501" => "; run it as the owner of the database's tables",
                _ => "",
            };
            format!("{code} - {}{mend}", said.message())
        }
        other => other.to_string(),
    })
}
