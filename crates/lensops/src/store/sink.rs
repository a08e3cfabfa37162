//! Stores that take checks from the journal, and the entries that they take.

use std::future::Future;
use std::time::Duration;

use lensops_core::verdict::record::{CheckRecord, EventRecord};
use uuid::Uuid;

use super::error::SinkError;

/// A check that waits for delivery, as the journal holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub(crate) seq: i64,
    pub(crate) id: Uuid,
    pub(crate) yacht_id: Uuid,
    pub(crate) lens_id: String,
    pub(crate) status: String,
    pub(crate) p95_latency_ms: Option<i64>,
    pub(crate) error_rate_percent: Option<f64>,
    pub(crate) sample_size: Option<i64>,
    pub(crate) observed_at: String,
    pub(crate) notes: String,
    pub(crate) events: Vec<EntryEvent>,
}

/// An event of an entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EntryEvent {
    pub(crate) id: Uuid,
    pub(crate) level: String,
    pub(crate) detail: String,
    pub(crate) created_at: String,
}

impl Entry {
    /// The entry of `record`, which is in no outbox.
    pub(crate) fn of(record: &CheckRecord) -> Self {
        let observed_at = record.observed_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
        let event = |event: &EventRecord| EntryEvent {
            id: event.id,
            level: event.level.as_str().to_owned(),
            detail: event.detail.as_str().to_owned(),
            created_at: observed_at.clone(),
        };
        Self {
            seq: 0,
            id: record.id,
            yacht_id: record.yacht_id,
            lens_id: record.lens_id.to_string(),
            status: record.status.as_str().to_owned(),
            p95_latency_ms: record.p95_latency_ms,
            error_rate_percent: record.error_rate_percent(),
            sample_size: Some(record.sample_size),
            events: record.events.iter().map(event).collect(),
            notes: record.notes.text().as_str().to_owned(),
            observed_at,
        }
    }

    /// Its place in the order of recording.
    #[must_use]
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// The check's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The check's lens.
    #[must_use]
    pub fn lens(&self) -> &str {
        &self.lens_id
    }
}

/// A store that takes what the journal holds. Delivering a batch twice must be harmless: ids are
/// slots, and a sink ignores an id it has.
pub trait Sink: Send + Sync {
    /// Delivers `batch`, checks with their events, oldest first. `Ok` means that all of it is there.
    fn deliver(&self, batch: &[Entry]) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// How long a store elsewhere may take over one batch or one question.
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_secs(15);
