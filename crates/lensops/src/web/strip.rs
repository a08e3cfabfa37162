//! The last checks of a lens as a strip: a bar a check, its height and outline by status, so that colour
//! alone says nothing. Pure.
//!
//! One path a status and not one element a check: a page of a hundred lenses holds 4,800 of them.

use std::fmt::Write as _;

use jiff::Timestamp;
use lensops_core::history::schedule::from_ms;
use lensops_core::history::uptime::missed_between;
use uuid::Uuid;

use crate::store::Point;

/// Checks in a strip.
pub(super) const CHECKS: usize = 48;

/// How far one check lies from the next, and how tall the strip is.
const STEP: usize = 6;
const HEIGHT: usize = 24;

/// The size of a strip.
pub(super) const STRIP: (usize, usize) = (CHECKS * STEP, HEIGHT);

/// A check of a strip, or a slot without one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    /// The check; `None` where the slot was missed.
    pub(super) check: Option<Uuid>,
    /// When it was observed, or should have been.
    pub(super) at: Timestamp,
    /// Its status, why it counts for nothing, or `missed`.
    pub(super) class: &'static str,
    /// P95 in milliseconds.
    pub(super) p95_ms: Option<i64>,
}

/// A strip, ready to be drawn.
#[derive(Debug, Clone, Default)]
pub(super) struct Strip {
    /// A path a class.
    pub(super) paths: Vec<(&'static str, String)>,
    /// How many of each there are, in words.
    pub(super) told: String,
}

/// The last cells of `points` (oldest first) at `now`, oldest first; slots without a check stand among them.
pub(super) fn cells(points: &[Point], every_ms: i64, now: Timestamp) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut next_ms = now.as_millisecond();
    for point in points.iter().rev() {
        let at_ms = point.observed_at.as_millisecond();
        let gone = i64::try_from(missed_between(at_ms, next_ms, every_ms)).unwrap_or(i64::MAX);
        let room = i64::try_from(CHECKS.saturating_sub(cells.len())).unwrap_or(0);
        // The newest first, as the walk goes.
        cells.extend((1..=gone).rev().take(usize::try_from(room).unwrap_or(0)).map(|n| Cell {
            check: None,
            at: from_ms(at_ms.saturating_add(n.saturating_mul(every_ms))),
            class: "missed",
            p95_ms: None,
        }));
        if cells.len() >= CHECKS {
            break;
        }
        cells.push(Cell {
            check: Some(point.id),
            at: point.observed_at,
            class: point.muted.map_or(point.status.as_str(), |muted| muted.as_str()),
            p95_ms: point.p95_latency_ms,
        });
        next_ms = at_ms;
    }
    cells.truncate(CHECKS);
    cells.reverse();
    cells
}

/// The outline of a class in its place: healthy is low, degraded has a pointed top, unhealthy is full height,
/// missed is hollow, and what counts for nothing is a dash.
fn outline(class: &str, x: usize) -> String {
    match class {
        "healthy" => format!("M{x} 12h4v12h-4z"),
        "degraded" => format!("M{x} 24v-15l2-4 2 4v15z"),
        "unhealthy" => format!("M{x} 0h5v24h-5z"),
        "missed" => format!("M{x} 12h4v12h-4zM{} 13v10h2v-10z", x + 1),
        _ => format!("M{x} 21h4v3h-4z"),
    }
}

/// The class by which a cell is drawn.
pub(super) fn drawn_as(class: &'static str) -> &'static str {
    match class {
        "healthy" | "degraded" | "unhealthy" | "missed" => class,
        _ => "muted",
    }
}

/// The strip of `cells`, the newest at the right end.
pub(super) fn strip(cells: &[Cell]) -> Strip {
    let mut strip = Strip::default();
    let first = CHECKS.saturating_sub(cells.len());
    for class in ["healthy", "degraded", "unhealthy", "missed", "muted"] {
        let own = cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| drawn_as(cell.class) == class);
        let path: String = own
            .clone()
            .map(|(place, _)| outline(class, (first + place) * STEP))
            .collect();
        if path.is_empty() {
            continue;
        }
        strip.paths.push((class, path));
        let separator = if strip.told.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        write!(strip.told, "{separator}{} {class}", own.count()).ok();
    }
    if strip.told.is_empty() {
        strip.told.push_str("no check");
    }
    strip
}

#[cfg(test)]
mod tests {
    use lensops_core::lens::mute::MutedWhy;
    use lensops_core::verdict::record::Status;

    use super::*;

    fn point(minute: i64, status: Status, muted: Option<MutedWhy>) -> Point {
        Point {
            id: Uuid::from_u128(minute.unsigned_abs().into()),
            status,
            p95_latency_ms: Some(5),
            observed_at: from_ms(minute * 60_000),
            muted,
        }
    }

    fn classes(points: &[Point], now: i64) -> Vec<&'static str> {
        let cells = cells(points, 900_000, from_ms(now * 60_000));
        cells.iter().map(|cell| cell.class).collect()
    }

    #[test]
    fn slots_without_a_check_stand_between_checks_and_at_the_end() {
        let points = [
            point(0, Status::Healthy, None),
            point(15, Status::Unhealthy, None),
            point(60, Status::Degraded, Some(MutedWhy::Paused)),
        ];
        assert_eq!(
            classes(&points, 61),
            ["healthy", "unhealthy", "missed", "missed", "paused"]
        );
        assert_eq!(classes(&points[..2], 50), ["healthy", "unhealthy", "missed"]);
        assert!(classes(&[], 50).is_empty());
        // A worker that was away for weeks leaves a strip of missed slots and no more.
        let away = classes(&points, 40_000);
        assert_eq!((away.len(), away[0], away[47]), (CHECKS, "missed", "missed"));
    }

    #[test]
    fn the_newest_check_stands_at_the_right_end_and_every_class_has_its_outline() {
        let points: Vec<Point> = (0..60).map(|n| point(n * 15, Status::Healthy, None)).collect();
        let cells = cells(&points, 900_000, from_ms(59 * 15 * 60_000));
        assert_eq!((cells.len(), cells[47].check), (CHECKS, Some(Uuid::from_u128(59 * 15))));
        let whole = strip(&cells);
        assert_eq!(whole.told, "48 healthy");
        let one = strip(&cells[47..]);
        assert_eq!(one.paths, [("healthy", format!("M{} 12h4v12h-4z", 47 * STEP))]);
        let outlines: std::collections::BTreeSet<String> = ["healthy", "degraded", "unhealthy", "missed", "muted"]
            .map(|class| outline(class, 0))
            .into();
        assert_eq!(outlines.len(), 5);
    }
}
