//! What other policies say of the same histories: lensops' strict one, two bad checks in a row, and burn rates.

use crate::history::gate::{Counts, Decision, Slot, State};

/// A policy beside the statistical one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rival {
    /// Any unhealthy check rolls back, any degraded one is investigated.
    Strict,
    /// Two in a row do.
    TwoInARow,
    /// Multi-window burn rates of 99 % (The Site Reliability Workbook, chapter 5): 14.4 over 1 h and 6 over 6 h roll
    /// back, 3 over a day and 1 over 3 days are investigated.
    BurnRates,
}

impl Rival {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Strict, Self::TwoInARow, Self::BurnRates];
}

/// How bad a slot is by itself: what each rival latches.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// 2 unhealthy, 1 degraded.
    pub(super) status: u8,
    pub(super) twice: u8,
    pub(super) burning: u8,
    pub(super) is_missed: bool,
}

fn status(counts: &Counts) -> u8 {
    let (failed, requests) = (f64::from(counts.failed), f64::from(counts.requests.max(1)));
    // The P95 of a check is its nearest rank: it lies over a limit when more than 5 % of the latencies do.
    let over = |count: u32| f64::from(count) > 0.05 * f64::from(counts.timed.max(1));
    let rate = failed / requests;
    if counts.server_errors > 0 || rate > 0.05 || over(counts.over_fail) {
        2
    } else {
        u8::from(rate > 0.01 || counts.limited > 0 || over(counts.over_target))
    }
}

/// What each rival latches at each slot.
pub(super) fn marks(slots: &[Slot]) -> Vec<Marks> {
    let mut sums = vec![(0.0, 0.0)];
    let mut before = 0;
    let mut marks = Vec::with_capacity(slots.len());
    for slot in slots {
        let last = sums.last().copied().unwrap_or((0.0, 0.0));
        let mut mark = Marks::default();
        let counts = match slot.state {
            State::Checked(counts) => Some(counts),
            State::Missing | State::Unjudged => {
                mark.is_missed = true;
                None
            }
            State::LeftOut(_) => None,
        };
        if let Some(counts) = counts {
            mark.status = status(&counts);
            mark.twice = mark.status.min(before);
            before = mark.status;
        }
        let (failed, requests) = counts.map_or((0.0, 0.0), |counts| {
            (f64::from(counts.failed), f64::from(counts.requests))
        });
        sums.push((last.0 + failed, last.1 + requests));
        mark.burning = burning(&sums);
        marks.push(mark);
    }
    marks
}

/// How the budget of 1 % burns at the last of `sums`: 2 pages, 1 is a ticket.
fn burning(sums: &[(f64, f64)]) -> u8 {
    let rate = |slots: usize| {
        let now = sums.last().copied().unwrap_or((0.0, 0.0));
        let then = sums
            .len()
            .checked_sub(slots + 1)
            .and_then(|at| sums.get(at))
            .or(sums.first())
            .copied()
            .unwrap_or((0.0, 0.0));
        let requests = now.1 - then.1;
        if requests > 0.0 {
            (now.0 - then.0) / requests / 0.01
        } else {
            0.0
        }
    };
    let both = |long: usize, short: usize, limit: f64| rate(long) > limit && rate(short) > limit;
    if both(4, 1, 14.4) || both(24, 2, 6.0) {
        2
    } else {
        u8::from(both(96, 8, 3.0) || both(288, 24, 1.0))
    }
}

/// What a rival says of a window of marks.
pub(super) fn decide(rival: Rival, window: &[Marks]) -> Decision {
    let of = |mark: &Marks| match rival {
        Rival::Strict => mark.status,
        Rival::TwoInARow => mark.twice,
        Rival::BurnRates => mark.burning,
    };
    let worst = window.iter().map(of).max().unwrap_or(0);
    if worst == 2 {
        return Decision::RollBack;
    }
    let missed = window.iter().filter(|mark| mark.is_missed).count();
    let (mut row, mut longest) = (0, 0);
    for mark in window {
        row = if mark.is_missed { row + 1 } else { 0 };
        longest = longest.max(row);
    }
    // 99 % of the slots and no gap over two, as the strict policy asks; the others ask the same.
    if window.is_empty() || missed * 100 > window.len() || longest > 2 {
        Decision::NotEnoughData
    } else if worst == 1 {
        Decision::Investigate
    } else {
        Decision::Proceed
    }
}
