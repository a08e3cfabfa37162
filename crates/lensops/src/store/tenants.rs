//! Who the tenants are, as the store knows it: its `yacht_registry`, or a configured SELECT.
//!
//! A SELECT runs in a transaction that cannot write, as the user of the address: the registry does not
//! have to be open to `service_role`. Anything but a list of ids is an error, an empty one too.

use std::collections::BTreeSet;

use lensops_core::exchange::Sender;
use lensops_core::secret::Secret;
use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use uuid::Uuid;

use super::postgres::{options, statement};
use super::rest::Rest;
use super::rest::paging::{Ascending, PAGE};
use super::{STORE_TIMEOUT, StoreError};

/// Where tenants are read from.
#[derive(Clone)]
pub enum TenantSource<S> {
    /// A database, and the statement that answers one column of ids.
    Postgres(Secret, String),
    /// The registry behind a REST interface.
    Rest(Rest<S>),
}

/// The statement for `yacht_registry`.
pub const REGISTRY: &str = "SELECT id FROM public.yacht_registry";

impl<S: Sender> TenantSource<S> {
    /// The tenants, each once, by id; never none.
    ///
    /// # Errors
    /// Why it could not be told: unreachable, refused, not one column of ids, empty.
    pub async fn read(&self) -> Result<Vec<Uuid>, StoreError> {
        let read = async {
            match self {
                Self::Postgres(url, statement) => select(url, statement).await,
                Self::Rest(rest) => registry(rest).await,
            }
        };
        let late = || StoreError::Elsewhere(format!("no answer within {} s", STORE_TIMEOUT.as_secs()));
        let found: BTreeSet<Uuid> = tokio::time::timeout(STORE_TIMEOUT, read).await.map_err(|_| late())??;
        if found.is_empty() {
            return Err(StoreError::Elsewhere("it answers no tenant at all".to_owned()));
        }
        Ok(found.into_iter().collect())
    }
}

async fn select(url: &Secret, asked: &str) -> Result<BTreeSet<Uuid>, StoreError> {
    let told = |error: sqlx::Error| match &error {
        sqlx::Error::Database(said) => StoreError::Elsewhere(said.message().to_owned()),
        other => StoreError::Elsewhere(other.to_string()),
    };
    let mut connection = options(url)?.connect().await.map_err(told)?;
    let mut transaction = connection.begin_with("BEGIN READ ONLY").await.map_err(told)?;
    // The statement stands in a reviewed file, and the transaction reads. As a subquery it is one.
    let whole = format!("SELECT asked.* FROM ({}) AS asked", asked.trim().trim_end_matches(';'));
    let rows = statement::query(AssertSqlSafe(whole))
        .fetch_all(&mut *transaction)
        .await
        .map_err(told)?;
    transaction.rollback().await.map_err(told)?;
    connection.close().await.ok();
    let id = |row: &sqlx::postgres::PgRow| match row.len() {
        1 => {
            let id = row.try_get::<Uuid, _>(0).ok();
            id.or_else(|| row.try_get::<&str, _>(0).ok()?.parse().ok())
                .ok_or_else(|| StoreError::Elsewhere("it answers something other than tenant ids".to_owned()))
        }
        columns => Err(StoreError::Elsewhere(format!(
            "it answers {columns} columns instead of one of ids"
        ))),
    };
    rows.iter().map(id).collect()
}

async fn registry<S: Sender>(rest: &Rest<S>) -> Result<BTreeSet<Uuid>, StoreError> {
    let mut found = Ascending::new();
    loop {
        let after = found.last().unwrap_or_default();
        let tail = format!("yacht_registry?select=id&id=gt.{after}&order=id&limit={PAGE}");
        let rows = rest.rows(&tail).await?;
        if rows.is_empty() {
            return Ok(found.into_rows().into_iter().collect());
        }
        let id = |row: &Value| row["id"].as_str().and_then(|text| text.parse::<Uuid>().ok());
        let ids: Option<Vec<Uuid>> = rows.iter().map(id).collect();
        let other = || StoreError::Elsewhere("it answers something other than tenant ids".to_owned());
        found.take(ids.ok_or_else(other)?.into_iter().map(|id| (id, id)))?;
    }
}
