//! Which slots of a window were due, and which of them have a check.

use jiff::Timestamp;
use uuid::Uuid;

use crate::duration::Every;
use crate::history::schedule::{Schedule, from_ms};
use crate::lens::mute::MutedWhy;
use crate::verdict::record::Status;

/// A check as far as the gate looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPoint {
    /// Its id.
    pub id: Uuid,
    /// Its status.
    pub status: Status,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// Whether and why it counts for nothing.
    pub muted: Option<MutedWhy>,
    /// How often the lens was checked then, where that is known.
    pub every: Option<Every>,
}

impl CheckPoint {
    pub(super) fn is_own_fault(&self) -> bool {
        self.muted == Some(MutedWhy::CannotJudge)
    }
}

/// Slots of a window; a pending one and muted ones are not among them.
pub(super) struct Slots {
    pub(super) due: u64,
    pub(super) covered: u64,
    /// The longest run of missed ones.
    pub(super) longest_gap: u64,
}

/// The slots of `(from, at]`, oldest first. A slot of the past was due by the interval that stood then, as far as
/// its checks say it; what is behind the last of them by that of today.
pub(super) fn due(schedule: &Schedule<'_>, from: Timestamp, at: Timestamp, checks: &[CheckPoint]) -> Vec<Timestamp> {
    let known = |check: &CheckPoint| {
        let every = check.every.filter(|_| schedule.made(check.id))?;
        Some((from_ms(i64::try_from(check.id.as_u128() >> 80).ok()?), every))
    };
    let mut known: Vec<(Timestamp, Every)> = checks.iter().filter_map(known).collect();
    known.sort_by_key(|(due, _)| *due);
    let (mut slots, mut since) = (Vec::new(), from);
    for (index, (check, every)) in known.iter().enumerate() {
        let next = known.get(index + 1);
        if next.is_some_and(|(_, other)| other == every) {
            continue;
        }
        // Up to its last slot; those between it and the first slot of the next interval were never due.
        let then = Schedule::new(*every, schedule.lens(), schedule.tenant());
        let until = (*check).min(at);
        slots.extend(then.between(since, until));
        since = next
            .map_or(until, |(due, _)| from_ms(due.as_millisecond() - 1))
            .max(from);
    }
    slots.extend(schedule.between(since.max(from), at));
    slots
}

/// Counts the slots that were due.
pub(super) fn coverage(schedule: &Schedule<'_>, due_at: &[Timestamp], now: Timestamp, ids: &[(Uuid, bool)]) -> Slots {
    let newest = schedule.latest(now);
    let (mut due, mut covered, mut gap, mut longest_gap) = (0, 0, 0, 0);
    for slot in due_at.iter().copied() {
        let id = schedule.slot_id(slot);
        let found = ids
            .binary_search_by_key(&id, |(id, _)| *id)
            .ok()
            .and_then(|at| ids.get(at));
        match found {
            None if slot == newest => continue,
            Some((_, true)) => {
                gap = 0;
                continue;
            }
            _ => {}
        }
        due += 1;
        if found.is_some() {
            covered += 1;
            gap = 0;
        } else {
            gap += 1;
            longest_gap = longest_gap.max(gap);
        }
    }
    Slots {
        due,
        covered,
        longest_gap,
    }
}
