//! The plans and tenants that all machines run.

use jiff::Timestamp;
use lensops_core::crypto::digest::sha256_hex;
use lensops_core::history::schedule::from_ms;
use lensops_core::ident::LensId;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::handle::{Fleet, failed};
use crate::store::StoreError;
use crate::store::postgres::statement;

/// Revisions that are kept.
const KEPT: i64 = 20;

/// A plan as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPlan {
    /// The lens.
    pub lens: LensId,
    /// The monitor plan, as its file has it.
    pub text: String,
    /// The interval in milliseconds: the environment may give another than the file.
    pub every_ms: i64,
    /// Its tenants.
    pub tenants: Vec<Uuid>,
}

/// The plans in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Counts up.
    pub revision: i64,
    /// When it was published.
    pub at: Timestamp,
    /// By which machine.
    pub by: String,
    /// Of the plans.
    pub digest: String,
    /// The plans.
    pub plans: Vec<PublishedPlan>,
}

impl PublishedPlan {
    /// The digest of `plans`, whatever their order.
    #[must_use]
    pub fn digest(plans: &[Self]) -> String {
        let mut lines: Vec<String> = plans.iter().map(|plan| serde_json::json!(plan).to_string()).collect();
        lines.sort();
        sha256_hex(lines.join("\n").as_bytes())
    }
}

impl Fleet {
    /// The plans in force; `None` where none were ever published. Those of revision `known` are not read again.
    ///
    /// # Errors
    /// When the database does not answer, or holds what this version cannot read.
    pub async fn plans(&self, known: Option<i64>) -> Result<Option<Published>, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let found = newest(&mut transaction, known).await?;
            transaction.commit().await?;
            Ok(found)
        };
        let found = work.await.map_err(|error: sqlx::Error| failed(&error))?;
        found.map(read).transpose()
    }

    /// The revision in force, if any.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn revision(&self) -> Result<Option<i64>, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let revision = statement::query_scalar("SELECT max(revision) FROM public.lensops_plans")
                .fetch_one(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(revision)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// Publishes `plans` for all machines and says what is in force then. With `only_first` where none were published
    /// before; two machines that start at once publish one.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn publish(&self, plans: &[PublishedPlan], by: &str, only_first: bool) -> Result<Published, StoreError> {
        let (digest, body) = (PublishedPlan::digest(plans), serde_json::json!(plans).to_string());
        let work = async {
            let mut transaction = self.gate.begin().await?;
            statement::query("SELECT pg_advisory_xact_lock(hashtext('lensops_plans'))")
                .execute(&mut *transaction)
                .await?;
            let there = newest(&mut transaction, None).await?;
            let same = there.as_ref().is_some_and(|there| there.digest == digest);
            if !(same || only_first && there.is_some()) {
                statement::query("INSERT INTO public.lensops_plans (published_by, digest, body) VALUES ($1, $2, $3)")
                    .bind(by)
                    .bind(&digest)
                    .bind(&body)
                    .execute(&mut *transaction)
                    .await?;
                statement::query(
                    "DELETE FROM public.lensops_plans WHERE revision <= (SELECT max(revision) - $1 FROM public.lensops_plans)",
                )
                .bind(KEPT)
                .execute(&mut *transaction)
                .await?;
            }
            let found = newest(&mut transaction, None).await?;
            transaction.commit().await?;
            Ok(found)
        };
        let found = work.await.map_err(|error: sqlx::Error| failed(&error))?;
        found.map_or_else(
            || Err(StoreError::Elsewhere("the published plans are gone".to_owned())),
            read,
        )
    }
}

/// A row of plans, its body not read yet.
struct Raw {
    revision: i64,
    at_ms: i64,
    by: String,
    digest: String,
    body: String,
}

async fn newest(connection: &mut PgConnection, known: Option<i64>) -> Result<Option<Raw>, sqlx::Error> {
    let row = statement::query(
        "SELECT revision, (extract(epoch FROM published_at) * 1000)::bigint AS at_ms, published_by, digest, body \
         FROM public.lensops_plans WHERE revision > $1 ORDER BY revision DESC LIMIT 1",
    )
    .bind(known.unwrap_or(i64::MIN))
    .fetch_optional(connection)
    .await?;
    let raw = |row: sqlx::postgres::PgRow| {
        Ok(Raw {
            revision: row.try_get("revision")?,
            at_ms: row.try_get("at_ms")?,
            by: row.try_get("published_by")?,
            digest: row.try_get("digest")?,
            body: row.try_get("body")?,
        })
    };
    row.map(raw).transpose()
}

fn read(raw: Raw) -> Result<Published, StoreError> {
    let plans = serde_json::from_str(&raw.body).map_err(|error| {
        StoreError::Elsewhere(format!(
            "the published plans of revision {} cannot be read: {error}",
            raw.revision
        ))
    })?;
    Ok(Published {
        revision: raw.revision,
        at: from_ms(raw.at_ms),
        by: raw.by,
        digest: raw.digest,
        plans,
    })
}
