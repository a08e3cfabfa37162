//! A history made ready to be asked: slots in order, and what of each the criteria look at.

use super::constants::TAIL;
use super::slot::{Slot, State, TAIL_STEPS, order};
use crate::lens::mute::MutedWhy;

/// What a criterion sees of a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    pub(super) due_ms: i64,
    pub(super) every_ms: i64,
    pub(super) fills: bool,
    pub(super) kind: Kind,
    /// Requests that say something of the API; 0 unless the slot is a [`Kind::Sample`].
    pub(super) answered: u32,
    /// Those of them that failed.
    pub(super) errors: u32,
    /// Requests with a latency, or failed.
    pub(super) timed: u32,
    /// Those that were over the target or failed: not served in time.
    pub(super) late: u32,
    /// Those over 97 % of the target or failed.
    pub(super) near: u32,
    /// Those over the limit of failure.
    pub(super) slow: u32,
    pub(super) median_ln: Option<f64>,
    pub(super) flag_off: bool,
}

/// What a slot is to the criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Due, and nothing is known of it.
    Uncovered,
    /// Counts for nothing.
    LeftOut(MutedWhy),
    /// Checked, and half or more of its requests had no answer: no sample.
    Dark,
    /// Checked.
    Sample,
}

impl Seen {
    fn of(slot: &Slot) -> Self {
        let empty = |kind| Self {
            due_ms: slot.due_ms,
            every_ms: slot.every_ms.max(1),
            fills: slot.fills,
            kind,
            answered: 0,
            errors: 0,
            timed: 0,
            late: 0,
            near: 0,
            slow: 0,
            median_ln: None,
            flag_off: false,
        };
        match slot.state {
            State::Missing | State::Unjudged => empty(Kind::Uncovered),
            State::LeftOut(why) => empty(Kind::LeftOut(why)),
            State::Checked(counts) if counts.is_dark() => Self {
                flag_off: counts.flag_off,
                ..empty(Kind::Dark)
            },
            State::Checked(counts) if counts.requests == 0 || counts.is_starved() => Self {
                flag_off: counts.flag_off,
                ..empty(Kind::Uncovered)
            },
            State::Checked(counts) => {
                let answered = counts.answered();
                let errors = counts.errors();
                let timed = counts.timed.max(errors);
                Self {
                    answered,
                    errors,
                    timed,
                    // A request that failed was not served in time, however fast it failed.
                    late: counts.over_target.max(errors),
                    near: counts.near_target.max(errors),
                    slow: counts.over_fail,
                    median_ln: counts.median_ln.filter(|ln| ln.is_finite()),
                    flag_off: counts.flag_off,
                    ..empty(Kind::Sample)
                }
            }
        }
    }
}

/// The slots of a lens of a tenant, oldest first. It is made once and asked at any hour.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub(super) seen: Vec<Seen>,
    /// Sum and number of the medians before each slot.
    pub(super) medians: Vec<(f64, u32)>,
    /// Sums of the squared differences of neighbouring medians before each slot, and their number.
    steps: Vec<(f64, u32)>,
    /// Latencies before each slot: how many, and how many of them lie over their median by each step.
    tails: Vec<(u32, [u32; TAIL_STEPS.len()])>,
}

impl History {
    /// From slots in any order.
    #[must_use]
    pub fn new(mut slots: Vec<Slot>) -> Self {
        slots.sort_by(order);
        let seen: Vec<Seen> = slots.iter().map(Seen::of).collect();
        let mut history = Self {
            medians: vec![(0.0, 0)],
            steps: vec![(0.0, 0)],
            tails: vec![(0, [0; TAIL_STEPS.len()])],
            seen,
        };
        history.sum_up(&slots);
        history
    }

    fn sum_up(&mut self, slots: &[Slot]) {
        let (mut median, mut step, mut tail) = ((0.0, 0), (0.0, 0), (0, [0_u32; TAIL_STEPS.len()]));
        let mut before: Option<f64> = None;
        for (seen, slot) in self.seen.iter().zip(slots) {
            if let (Some(ln), State::Checked(counts)) = (seen.median_ln, &slot.state) {
                median = (median.0 + ln, median.1 + 1);
                if let Some(before) = before {
                    step = (step.0 + (ln - before) * (ln - before), step.1 + 1);
                }
                before = Some(ln);
                tail.0 += counts.timed;
                for (held, new) in tail.1.iter_mut().zip(counts.tail) {
                    *held += u32::from(new);
                }
            }
            self.medians.push(median);
            self.steps.push(step);
            self.tails.push(tail);
        }
    }

    /// How much medians vary from check to check in a stretch: a standard deviation. Slow changes are not in it.
    pub(super) fn median_noise(&self, range: &std::ops::Range<usize>) -> Option<f64> {
        let (from, until) = (self.steps.get(range.start)?, self.steps.get(range.end)?);
        let count = until.1.checked_sub(from.1).filter(|count| *count >= 12)?;
        Some(((until.0 - from.0) / f64::from(count) / 2.0).max(0.0).sqrt())
    }

    /// How far the P95 of a check lies over its median in a stretch, in logarithms.
    pub(super) fn tail_length(&self, range: &std::ops::Range<usize>) -> Option<f64> {
        let (from, until) = (self.tails.get(range.start)?, self.tails.get(range.end)?);
        let all = f64::from(until.0.checked_sub(from.0).filter(|all| *all > 0)?);
        let (mut step_before, mut share_before) = (0.0, 0.5_f64);
        for (step, (from, until)) in TAIL_STEPS.iter().zip(from.1.iter().zip(until.1)) {
            // Half a request keeps the logarithm finite.
            let share = (f64::from(until - from) + 0.5) / all;
            if share <= TAIL {
                let part = (share_before / TAIL).ln() / (share_before / share).ln();
                return Some(step_before + (step - step_before) * part.clamp(0.0, 1.0));
            }
            (step_before, share_before) = (*step, share);
        }
        Some(step_before)
    }

    /// The slots due in `(after_ms, until_ms]`, by index.
    pub(super) fn range(&self, after_ms: i64, until_ms: i64) -> std::ops::Range<usize> {
        let from = self.seen.partition_point(|slot| slot.due_ms <= after_ms);
        let until = self.seen.partition_point(|slot| slot.due_ms <= until_ms);
        from..until.max(from)
    }

    pub(super) fn part(&self, range: std::ops::Range<usize>) -> &[Seen] {
        self.seen.get(range).unwrap_or_default()
    }

    /// The mean of the medians of a stretch, where at least `least` are known.
    pub(super) fn mean_median(&self, range: std::ops::Range<usize>, least: u64) -> Option<f64> {
        let (from_sum, from_count) = self.medians.get(range.start)?;
        let (until_sum, until_count) = self.medians.get(range.end)?;
        let count = until_count.checked_sub(*from_count)?;
        (count > 0 && u64::from(count) >= least).then(|| (until_sum - from_sum) / f64::from(count))
    }

    /// When the last slot was due; `None` in an empty history.
    #[must_use]
    pub fn last_due_ms(&self) -> Option<i64> {
        self.seen.last().map(|slot| slot.due_ms)
    }
}
