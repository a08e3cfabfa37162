//! PostgreSQL as sink and history.

use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::secret::Secret;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgRow};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::connection::{Held, options};
use super::insert::insert;
use super::question::{Question, stored};
use crate::store::{
    Entry, Exported, History, STORE_TIMEOUT, Sink, SinkError, StoreError, StoredCheck, Trace, with_annulled,
    with_events,
};

/// A PostgreSQL server. Clones share one connection.
#[derive(Clone)]
pub struct Postgres {
    options: Arc<PgConnectOptions>,
    kept: Arc<Mutex<Option<Held>>>,
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
    pub(crate) async fn newest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<(Uuid, String, Uuid)>, StoreError> {
        let rows = self.rows(Question::Newest(pairs)).await?;
        let newest = |row: &PgRow| Ok((row.try_get("yacht_id")?, row.try_get("lens_id")?, row.try_get("id")?));
        rows.iter().map(newest).collect::<Result<_, _>>().map_err(unreadable)
    }

    pub(crate) async fn page(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Exported>, StoreError> {
        let checks = self.read(Question::Page(after.unwrap_or_default(), limit)).await?;
        let ids: Vec<Uuid> = checks.iter().map(|check| check.id).collect();
        let rows = self.rows(Question::Events(&ids)).await?;
        let event = |row: &PgRow| {
            let detail: &str = row.try_get("detail")?;
            let detail = serde_json::from_str(detail).unwrap_or(Value::Null);
            Ok((row.try_get("check_id")?, row.try_get("level")?, detail))
        };
        let events = rows.iter().map(event).collect::<Result<_, _>>().map_err(unreadable)?;
        Ok(with_events(checks, events))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
pub(crate) fn unreadable(error: sqlx::Error) -> StoreError {
    StoreError::Elsewhere(error.to_string())
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

/// What a failure means for the batch, by its SQLSTATE.
pub(crate) fn sink_error(error: &sqlx::Error) -> SinkError {
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

impl History for Postgres {
    async fn latest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<StoredCheck>, StoreError> {
        self.read(Question::Latest(pairs)).await
    }

    async fn shows(&self, tenant: Uuid, lens: &LensId, trace: Trace<'_>) -> Result<bool, StoreError> {
        let rows = self.rows(Question::Shows(tenant, lens, trace)).await?;
        Ok(!rows.is_empty())
    }

    async fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<StoredCheck>, StoreError> {
        let checks = self.read(Question::Between(tenant, lens, from, until)).await?;
        Ok(with_annulled(checks))
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
