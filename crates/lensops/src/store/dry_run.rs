//! Whether a store would take a check, tried without leaving one behind.
//!
//! SQL: a real insert, rolled back. REST has no rollback: there a row that violates the CHECK on `status`
//! is sent. A server that answers `23514` has checked key, grant and table first.

use jiff::Timestamp;
use lensops_core::exchange::{Method, Sender};
use lensops_core::history::schedule::from_ms;
use lensops_core::secret::Secret;
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use super::postgres::{Held, options, statement};
use super::rest::Rest;
use super::{STORE_TIMEOUT, StoreError};

/// Why a store would not take a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The key or password is not known.
    Key(String),
    /// What it may do does not suffice.
    Grant(String),
    /// A table, or its CHECK, is not there.
    Missing(String),
    /// This row; its tenant is not known.
    Row(String),
    /// It did not come so far.
    Unjudged(String),
}

/// Inserts a check of `tenant` with an event as the worker does, and rolls it back.
///
/// # Errors
/// Why it would not be taken.
pub async fn insert_sql(url: &Secret, tenant: Uuid) -> Result<(), Refusal> {
    let options = options(url).map_err(|error| Refusal::Unjudged(error.to_string()))?;
    let tried = async {
        let mut held = Held::open(&options).await?;
        let mut transaction = held.begin().await?;
        let id = Uuid::new_v4();
        statement::query(
            "INSERT INTO public.pms_health_checks (id, yacht_id, lens_id, status) VALUES ($1, $2, 'doctor', 'healthy')",
        )
        .bind(id)
        .bind(tenant)
        .execute(&mut *transaction)
        .await?;
        statement::query(
            "INSERT INTO public.pms_health_events (id, check_id, level, detail_json) VALUES ($1, $2, 'info', '{}')",
        )
        .bind(Uuid::new_v4())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        transaction.rollback().await
    };
    let late = |_| Refusal::Unjudged(format!("no answer within {} s", STORE_TIMEOUT.as_secs()));
    let result: Result<(), sqlx::Error> = tokio::time::timeout(STORE_TIMEOUT, tried).await.map_err(late)?;
    result.map_err(|error| {
        let sqlx::Error::Database(said) = &error else {
            return Refusal::Unjudged(error.to_string());
        };
        let (code, told) = (said.code().unwrap_or_default().into_owned(), said.message().to_owned());
        match (code.as_str(), code.get(..2)) {
            ("42501", _) => Refusal::Grant(told),
            (_, Some("28")) => Refusal::Key(told),
            (_, Some("42" | "3F")) => Refusal::Missing(told),
            (_, Some("23")) => Refusal::Row(told),
            _ => Refusal::Unjudged(told),
        }
    })
}

/// Sends a row that no table takes.
///
/// # Errors
/// Why a good one would not be taken.
pub async fn insert_rest<S: Sender>(rest: &Rest<S>) -> Result<(), Refusal> {
    let row =
        json!([{"id": Uuid::new_v4(), "yacht_id": Uuid::new_v4(), "lens_id": "doctor", "status": "lensops doctor"}]);
    let request = rest
        .request(Method::Post, "pms_health_checks")
        .header("Prefer", "return=minimal")
        .json(&row);
    let response = rest
        .answer(request)
        .await
        .map_err(|error| Refusal::Unjudged(error.to_string()))?;
    let said = response.json().unwrap_or(Value::Null);
    let code = said["code"].as_str().unwrap_or_default();
    let told = format!(
        "{} {code} {}",
        response.status,
        said["message"].as_str().unwrap_or_default()
    );
    let told = told.trim_end().to_owned();
    match (response.status, code) {
        (_, "23514") => Ok(()),
        (_, "42501") => Err(Refusal::Grant(told)),
        (401, _) => Err(Refusal::Key(told)),
        (403, _) => Err(Refusal::Grant(told)),
        (404, _) | (_, "PGRST205" | "42P01") => Err(Refusal::Missing(told)),
        (200..300, _) => Err(Refusal::Missing(
            "pms_health_checks takes any status: its CHECK is missing, and a row of lens `doctor` was left in it"
                .to_owned(),
        )),
        _ => Err(Refusal::Unjudged(told)),
    }
}

/// The time at the database.
///
/// # Errors
/// When it cannot be asked.
pub async fn now(url: &Secret) -> Result<Timestamp, StoreError> {
    let asked = async {
        let mut connection = options(url)?.connect().await?;
        let mut transaction = connection.begin().await?;
        let ms: i64 = statement::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
            .fetch_one(&mut *transaction)
            .await?;
        transaction.commit().await?;
        connection.close().await.ok();
        Ok(from_ms(ms))
    };
    let late = |_| StoreError::Elsewhere(format!("no answer within {} s", STORE_TIMEOUT.as_secs()));
    tokio::time::timeout(STORE_TIMEOUT, asked).await.map_err(late)?
}
