//! Checks as a store returns them, and the stores that can be asked for them.

use std::collections::HashMap;
use std::future::Future;

use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::verdict::notes::StoredNotes;
use lensops_core::verdict::record::Status;
use serde_json::Value;
use uuid::Uuid;

use super::error::StoreError;

/// A check as history gives it back.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCheck {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub yacht_id: Uuid,
    /// The lens.
    pub lens_id: LensId,
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
    /// Its notes.
    pub notes: StoredNotes,
}

/// A check with the level and detail of each of its events.
pub type Exported = (StoredCheck, Vec<(String, Value)>);

/// What was checked. Implemented by every store that can be read.
pub trait History: Send + Sync {
    /// The latest check of each of `pairs` of tenant and lens, in no order; none where there is none.
    fn latest(&self, pairs: &[(Uuid, LensId)]) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;

    /// The checks of one lens of one tenant observed in `(from, until]`, oldest first.
    fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;
}

/// Each check with its events.
pub(crate) fn with_events(checks: Vec<StoredCheck>, events: Vec<(Uuid, String, Value)>) -> Vec<Exported> {
    let mut of: HashMap<Uuid, Vec<(String, Value)>> = HashMap::new();
    for (check, level, detail) in events {
        of.entry(check).or_default().push((level, detail));
    }
    let take = |check: StoredCheck| {
        let events = of.remove(&check.id).unwrap_or_default();
        (check, events)
    };
    checks.into_iter().map(take).collect()
}
