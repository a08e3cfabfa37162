//! Checks as a store returns them, and the stores that can be asked for them.

use std::collections::HashMap;
use std::future::Future;

use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::lens::mute::Muted;
use lensops_core::verdict::note_rows::StoredNotes;
use lensops_core::verdict::own_fault::Worked;
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

/// What a recorded check may show to have worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace<'a> {
    /// This host was found.
    Found(&'a str),
    /// This host answered.
    Answered(&'a str),
    /// The credential with this digest was let in.
    LetIn(&'a str),
    /// Something was measured that was not unhealthy, by a version that did not say how far it came.
    Unsaid,
}

/// A check with the level and detail of each of its events.
pub type Exported = (StoredCheck, Vec<(String, Value)>);

/// What was checked. Implemented by every store that can be read.
pub trait History: Send + Sync {
    /// The latest check of each of `pairs` of tenant and lens, in no order; none where there is none.
    fn latest(&self, pairs: &[(Uuid, LensId)]) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;

    /// Whether any check of one lens of one tenant shows `trace`.
    fn shows(
        &self,
        tenant: Uuid,
        lens: &LensId,
        trace: Trace<'_>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The checks of one lens of one tenant observed in `(from, until]`, oldest first.
    fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Vec<StoredCheck>, StoreError>> + Send;
}

/// The same checks, with those marked that another of them takes back.
pub(crate) fn with_annulled(mut checks: Vec<StoredCheck>) -> Vec<StoredCheck> {
    let by = |check: &StoredCheck| Some((check.notes.read().annuls()?, check.notes.read().muted.clone()?));
    let annulled: HashMap<Uuid, Muted> = checks.iter().filter_map(by).collect();
    if !annulled.is_empty() {
        for check in &mut checks {
            if let Some(by) = annulled.get(&check.id) {
                check.notes.annul(by);
            }
        }
    }
    checks
}

/// What checks of one lens of one tenant reached at `host` with `credential`.
pub(crate) async fn worked<H: History>(
    history: &H,
    (tenant, lens): (Uuid, &LensId),
    host: &str,
    credential: Option<&str>,
) -> Result<Worked, StoreError> {
    let shows = |trace| history.shows(tenant, lens, trace);
    let worked = Worked {
        found: shows(Trace::Found(host)).await?,
        answered: shows(Trace::Answered(host)).await?,
        let_in: match credential {
            Some(digest) => shows(Trace::LetIn(digest)).await?,
            None => true,
        },
    };
    if worked != Worked::ALL && shows(Trace::Unsaid).await? {
        return Ok(Worked::ALL);
    }
    Ok(worked)
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
