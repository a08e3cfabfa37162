//! A check as it is kept: one row and its events.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::crypto::digest::uuid_v8;
use crate::ident::LensId;
use crate::redaction::Redacted;
use crate::verdict::note_rows::RecordNotes;

/// The status of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All required was judged, and nothing is broken.
    Healthy,
    /// Worth a look: a warning, or something required that could not be judged.
    Degraded,
    /// Broken for users.
    Unhealthy,
}

impl Status {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// From its stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Healthy, Self::Degraded, Self::Unhealthy]
            .into_iter()
            .find(|status| status.as_str() == text)
    }

    /// The mark that stands before it.
    #[must_use]
    pub fn mark(self) -> &'static str {
        match self {
            Self::Healthy => "✅",
            Self::Degraded => "⚠️",
            Self::Unhealthy => "❌",
        }
    }
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// Broken.
    Error,
}

impl Level {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing worth telling within a check: a row of `pms_health_events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Made from the check's id and the event's place in it, so that a repeated delivery is the same row.
    pub id: Uuid,
    /// How much it matters.
    pub level: Level,
    /// JSON.
    pub detail: Redacted,
}

/// One check: a row of `pms_health_checks` with its events.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRecord {
    /// The slot's id, or an ad-hoc one.
    pub id: Uuid,
    /// The tenant.
    pub yacht_id: Uuid,
    /// The lens.
    pub lens_id: LensId,
    /// The status.
    pub status: Status,
    /// Pooled P95 of the check's samples in whole milliseconds; `None` when nothing answered.
    pub p95_latency_ms: Option<i64>,
    /// Failed samples in hundredths of a percent; `None` when no sample was taken.
    pub error_rate_hundredths: Option<i64>,
    /// Samples taken.
    pub sample_size: i64,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// What it notes.
    pub notes: RecordNotes,
    /// Its events, in order.
    pub events: Vec<EventRecord>,
}

impl CheckRecord {
    /// Failed samples in percent; `None` when no sample was taken.
    #[must_use]
    pub fn error_rate_percent(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "hundredths of a percent are at most 10 000")]
        self.error_rate_hundredths.map(|hundredths| hundredths as f64 / 100.0)
    }
}

/// The id of the `index`-th event of check `check`. It sorts beside its check.
#[must_use]
pub fn event_id(check: Uuid, index: usize) -> Uuid {
    let due_ms = u64::try_from(check.as_u128() >> 80).unwrap_or(0);
    uuid_v8(due_ms, &[b"event", check.as_bytes(), &index.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_check_have_ids_of_their_own_that_never_change() {
        let check = Uuid::from_u128(77 << 80);
        assert_ne!(event_id(check, 0), event_id(check, 1));
        assert_eq!(event_id(check, 1), event_id(check, 1));
        assert_eq!(event_id(check, 0).as_u128() >> 80, 77);
    }

    #[test]
    fn worse_sorts_after_better() {
        assert!(Status::Healthy < Status::Degraded && Status::Degraded < Status::Unhealthy);
        assert_eq!(Status::parse("degraded"), Some(Status::Degraded));
        assert_eq!(Status::parse("fine"), None);
    }
}
