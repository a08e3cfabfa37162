//! What the dashboard reads of a check: little enough that a week of them is cheap.

use std::collections::HashMap;

use jiff::Timestamp;
use lensops_core::history::uptime::Uptime;
use lensops_core::ident::LensId;
use lensops_core::lens::mute::{Muted, MutedWhy};
use lensops_core::verdict::record::Status;
use uuid::Uuid;

/// The kinds of events that are marked in charts.
pub(crate) const MARKED: [&str; 2] = ["flag_toggled", "transition"];

/// A check as a sparkline, the bands of a chart and the gate look at it. A week of them is cheap: every
/// store reads them from an index, and none of a check's notes.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its id.
    pub id: Uuid,
    /// The status.
    pub status: Status,
    /// Pooled P95 in milliseconds.
    pub p95_latency_ms: Option<i64>,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// Whether and why it counts for nothing.
    pub muted: Option<MutedWhy>,
}

/// The points of each lens of each tenant, oldest first. A lens without any has none, or is not there.
pub type Points = HashMap<(Uuid, LensId), Vec<Point>>;

/// What was up of each lens of each tenant.
pub type Uptimes = HashMap<(Uuid, LensId), Uptime>;

/// Why a check is not healthy: what one of its events says, without what was asked and answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// `warning` or `error`.
    pub level: String,
    /// The kind of the event.
    pub kind: String,
    /// The probe it is about; `None` where it is about the whole check.
    pub probe: Option<String>,
    /// One line.
    pub told: String,
}

/// The reasons of checks, by check; the gravest first, and what a probe saw before what follows from it.
pub type Reasons = HashMap<Uuid, Vec<Reason>>;

/// Orders reasons: errors first, then what a probe saw itself.
pub(super) fn gravest_first(reasons: &mut Reasons) {
    for told in reasons.values_mut() {
        told.sort_by_key(|reason| (reason.level != "error", reason.probe.is_none()));
    }
}

/// Counts of checks by status, as rows of a query give them.
pub(super) fn uptime(counts: impl Iterator<Item = (Status, i64)>) -> Uptime {
    let mut by_status = [(Status::Healthy, 0), (Status::Degraded, 0), (Status::Unhealthy, 0)];
    for (status, count) in counts {
        let own = by_status.iter_mut().find(|(own, _)| *own == status);
        own.into_iter().for_each(|(_, sum)| *sum += count);
    }
    let mut uptime = Uptime::default();
    for (status, count) in by_status {
        uptime.add(status, u64::try_from(count).unwrap_or(0));
    }
    uptime
}

/// A check with its samples, without its notes.
#[derive(Debug, Clone, PartialEq)]
pub struct Brief {
    /// Its id.
    pub id: Uuid,
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
    /// Whether and why it counts for nothing.
    pub muted: Option<Muted>,
    /// Latencies of its samples in microseconds; empty where others than lensops wrote it.
    pub samples_us: Vec<u64>,
}

/// Something that happened at a time, as a chart marks it.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// What, one line.
    pub what: String,
}

/// A lens of a tenant.
pub type Pair<'a> = (Uuid, &'a LensId);

/// A stretch of time: without its start, with its end.
pub type Stretch = (Timestamp, Timestamp);

/// Which checks a page of the read API holds.
#[derive(Debug, Clone, Default)]
pub struct CheckQuery {
    /// Of this lens alone.
    pub lens: Option<LensId>,
    /// Of this tenant alone.
    pub tenant: Option<Uuid>,
    /// With ids below this one.
    pub before: Option<Uuid>,
    /// So many at most.
    pub limit: u32,
}

/// The status that begins with `letter`.
pub(crate) fn initial(letter: &str) -> Option<Status> {
    [Status::Healthy, Status::Degraded, Status::Unhealthy]
        .into_iter()
        .find(|status| !letter.is_empty() && status.as_str().starts_with(letter))
}

pub(crate) fn muted(text: Option<&str>) -> Option<Muted> {
    serde_json::from_str(text?).ok()
}

pub(crate) fn samples(text: Option<&str>) -> Vec<u64> {
    // Checks that others wrote have none.
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
