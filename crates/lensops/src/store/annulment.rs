//! The row that takes a check back. The check stays as it is, since no row of a store is ever changed: a row of its
//! own says that it counts for nothing, by whom and why, and goes on to the store as every check does.

use jiff::SignedDuration;
use lensops_core::crypto::digest::uuid_v8;
use lensops_core::lens::mute::{Muted, MutedWhy};
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::notes::CheckNotes;
use lensops_core::verdict::record::{CheckRecord, Status};

use super::StoredCheck;

/// The row by which `who` takes `check` back for `reason`. It has the same id however often it is asked for.
#[must_use]
pub fn annulment(check: &StoredCheck, reason: &str, who: &str, redactor: &Redactor) -> CheckRecord {
    let due_ms = u64::try_from(check.id.as_u128() >> 80).unwrap_or(0);
    let notes = CheckNotes {
        muted: Some(Muted {
            annuls: Some(check.id),
            ..Muted::new(MutedWhy::Annulled, format!("{} ({who})", reason.trim()))
        }),
        ..CheckNotes::default()
    };
    CheckRecord {
        id: uuid_v8(due_ms, &[b"annulled", check.id.as_bytes()]),
        yacht_id: check.yacht_id,
        lens_id: check.lens_id.clone(),
        status: Status::Degraded,
        p95_latency_ms: None,
        error_rate_hundredths: None,
        sample_size: 0,
        // Beside it, so that whoever reads the one reads the other.
        observed_at: check
            .observed_at
            .checked_add(SignedDuration::from_millis(1))
            .unwrap_or(check.observed_at),
        notes: RecordNotes::new(&notes, redactor),
        events: Vec::new(),
    }
}
