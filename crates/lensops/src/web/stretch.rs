//! Stretches of time, and the checks within one. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::store::Point;

/// Those of `points`, which are oldest first, that were observed after `from`.
pub(super) fn since(points: &[Point], from: Timestamp) -> &[Point] {
    let first = points.partition_point(|point| point.observed_at <= from);
    points.get(first..).unwrap_or_default()
}

/// The time that is `length` before `now`.
pub(super) fn before(now: Timestamp, length: SignedDuration) -> Timestamp {
    now.checked_sub(length).unwrap_or(Timestamp::MIN)
}

/// Those of `points` that were observed after `from` and not after `until`.
pub(super) fn until_and_since(points: &[Point], from: Timestamp, until: Timestamp) -> &[Point] {
    let end = points.partition_point(|point| point.observed_at <= until);
    since(points.get(..end).unwrap_or_default(), from)
}
