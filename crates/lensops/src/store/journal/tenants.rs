//! The tenants last known, in the journal: a worker starts with them while the tenant query does not
//! answer.

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::parsed;
use crate::store::StoreError;

/// Replaces the tenants last known.
struct PutTenants(Vec<Uuid>);

impl WriteJob for PutTenants {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            sqlx::query("DELETE FROM lensops_tenants").execute(&mut *writer).await?;
            for tenant in &self.0 {
                sqlx::query("INSERT INTO lensops_tenants (yacht_id) VALUES ($1) ON CONFLICT DO NOTHING")
                    .bind(tenant.to_string())
                    .execute(&mut *writer)
                    .await?;
            }
            Ok(AfterCommit::default())
        })
    }
}

impl Journal {
    /// Keeps `tenants` as those last known.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn put_tenants(&self, tenants: Vec<Uuid>) -> Result<(), StoreError> {
        self.write(PutTenants(tenants)).await
    }

    /// The tenants last known, by id; none where none were ever known.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn tenants(&self) -> Result<Vec<Uuid>, StoreError> {
        let rows = sqlx::query("SELECT yacht_id FROM lensops_tenants ORDER BY yacht_id")
            .fetch_all(&self.reader)
            .await?;
        rows.iter().map(|row| Ok(parsed(row, "yacht_id")?)).collect()
    }
}
