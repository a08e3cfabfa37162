//! Criteria over latency: the share of requests over the target in moving windows and in the whole one, and
//! the share over the limit of failure.
//!
//! A percentile against a target is the share of requests over the target against 5 %: shares of different
//! checks add up, percentiles do not.

use std::ops::Range;

use super::answer::Criterion;
use super::constants::{
    HEALTHY_LATE, HOUR_MS, LATE_SCANS, LEAST_NEAR_HOURS, LEAST_SHAPE, LEVEL_BOUND, NEAR, SLOW_ALPHA, Scan, TAIL,
};
use super::decision::Decision;
use super::errors::{alpha, count, length, mean_requests, percent};
use super::history::{History, Kind, Seen};
use crate::stats::exact::poisson_bound;

/// A share over a moving window: the most that it came to.
struct Most {
    share: f64,
    sample: u32,
    at_ms: i64,
}

/// The largest share of `bad` among `of` within `slots` slots, half of which at least have a sample. Stretches of
/// `whole_from` slots and more must be whole.
fn most(
    window: &[Seen],
    slots: usize,
    whole_from: usize,
    bad: impl Fn(&Seen) -> u32,
    of: impl Fn(&Seen) -> u32,
) -> Option<Most> {
    let (mut hits, mut sample, mut checks) = (0_u32, 0_u32, 0_usize);
    let mut found: Option<Most> = None;
    for (index, slot) in window.iter().enumerate() {
        hits += bad(slot);
        sample += of(slot);
        checks += usize::from(of(slot) > 0);
        if let Some(gone) = index.checked_sub(slots).and_then(|old| window.get(old)) {
            hits -= bad(gone);
            sample -= of(gone);
            checks -= usize::from(of(gone) > 0);
        }
        // Long stretches are whole days: part of one may be all peak.
        let is_long = slots >= whole_from;
        if checks * 2 < slots || sample == 0 || (is_long && !is_whole(index + 1, slots)) {
            continue;
        }
        let share = f64::from(hits) / f64::from(sample);
        if found.as_ref().is_none_or(|most| share > most.share) {
            found = Some(Most {
                share,
                sample,
                at_ms: slot.due_ms,
            });
        }
    }
    found
}

/// Whether `found` of `slots` slots are all of them, but for one in twenty.
fn is_whole(found: usize, slots: usize) -> bool {
    found * 20 >= slots * 19
}

/// The slots of a day.
fn whole_from(every_ms: i64) -> usize {
    usize::try_from(24 * HOUR_MS / every_ms.max(1)).unwrap_or(1).max(12)
}

/// Shares over the target in moving windows.
pub(super) fn scans(window: &[Seen], target_ms: f64) -> Vec<Criterion> {
    let every_ms = window.last().map_or(900_000, |slot| slot.every_ms);
    let requests = mean_requests(window, |slot| slot.timed);
    let one = |scan: &Scan| {
        let slots = length(scan, every_ms);
        let most = most(window, slots, whole_from(every_ms), |slot| slot.late, |slot| slot.timed)?;
        let sample = requests * count(slots);
        let chance = f64::from(poisson_bound(HEALTHY_LATE * sample, alpha(scan, every_ms))) / sample.max(1.0);
        let bound = scan.share.max(chance);
        let met = most.share <= bound;
        Some(Criterion {
            id: scan.id,
            met,
            otherwise: Decision::Investigate,
            value: Some(most.share),
            bound,
            sample: u64::from(most.sample),
            at_ms: (!met).then_some(most.at_ms),
            sentence: format!(
                "{}{} of {} requests within {} h were over {target_ms} ms or failed; more than {} are worth a look",
                if met { "at most " } else { "" },
                percent(most.share),
                most.sample,
                scan.hours,
                percent(bound)
            ),
        })
    };
    LATE_SCANS.iter().filter_map(one).collect()
}

/// The P95 of 24 h as the level and the shape of latencies have it: the level of those 24 h, and how far a P95
/// lies over the median in the weeks that are known. Where all requests become slower alike it is several times as
/// exact as counting the few requests over the target, which heavy tails scatter. `None` below nine requests a check.
pub(super) fn level(
    history: &History,
    range: &Range<usize>,
    known: &Range<usize>,
    target_ms: f64,
) -> Option<Criterion> {
    let window = history.part(range.clone());
    let every_ms = window.last().map_or(900_000, |slot| slot.every_ms);
    if mean_requests(window, |slot| slot.timed) < LEAST_SHAPE {
        return None;
    }
    let tail = history.tail_length(known)?;
    let day = whole_from(every_ms);
    let (mut most, mut at_ms) = (None::<f64>, 0);
    for until in range.start + 1..range.end + 1 {
        // A whole day: by hours alone the peak of a day would be its level.
        let from = until.saturating_sub(day).max(range.start);
        if !is_whole(until - from, day) {
            continue;
        }
        let Some(level) = history.mean_median(from..until, day as u64 / 2) else {
            continue;
        };
        if most.is_none_or(|most| level > most) {
            most = Some(level);
            at_ms = history.seen.get(until - 1).map_or(0, |slot| slot.due_ms);
        }
    }
    let share = (most? + tail - target_ms.ln()).exp();
    let met = share <= LEVEL_BOUND;
    Some(Criterion {
        id: "level_24h",
        met,
        otherwise: Decision::Investigate,
        value: Some(share),
        bound: LEVEL_BOUND,
        sample: window.iter().filter(|slot| slot.median_ln.is_some()).count() as u64,
        at_ms: (!met).then_some(at_ms),
        sentence: format!(
            "by the level of latency the P95 of the slowest 24 h is {:.0} ms, {} of the target; more than {} are worth a look",
            share * target_ms,
            percent(share),
            percent(LEVEL_BOUND)
        ),
    })
}

/// The P95 of the whole window, held to a little below the target: within a few percent of it nobody can tell.
/// `None` for windows under three days, which the scan of 24 h judges.
pub(super) fn near(window: &[Seen], window_ms: i64, target_ms: f64) -> Option<Criterion> {
    if window_ms < LEAST_NEAR_HOURS * HOUR_MS {
        return None;
    }
    let (hits, sample) = window.iter().fold((0_u64, 0_u64), |(hits, sample), slot| {
        (hits + u64::from(slot.near), sample + u64::from(slot.timed))
    });
    if sample == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "requests of a window")]
    let share = hits as f64 / sample as f64;
    let met = share <= TAIL;
    let near_ms = (target_ms * NEAR).round();
    Some(Criterion {
        id: "p95",
        met,
        otherwise: Decision::Investigate,
        value: Some(share),
        bound: TAIL,
        sample,
        at_ms: None,
        sentence: format!(
            "{} of {sample} requests were over {near_ms} ms or failed: the P95 of the window is {} 97 % of its target",
            percent(share),
            if met { "within" } else { "over" }
        ),
    })
}

/// The share over the limit of failure within an hour.
pub(super) fn slow(window: &[Seen], fail_ms: f64) -> Option<Criterion> {
    let every_ms = window.last().map_or(900_000, |slot| slot.every_ms);
    let scan = LATE_SCANS.first()?;
    let slots = length(scan, every_ms);
    let most = most(window, slots, whole_from(every_ms), |slot| slot.slow, |slot| slot.timed)?;
    let sample = mean_requests(window, |slot| slot.timed) * count(slots);
    let bound = f64::from(poisson_bound(TAIL * sample, SLOW_ALPHA)) / sample.max(1.0);
    let met = most.share <= bound;
    Some(Criterion {
        id: "slow_1h",
        met,
        otherwise: Decision::Investigate,
        value: Some(most.share),
        bound,
        sample: u64::from(most.sample),
        at_ms: (!met).then_some(most.at_ms),
        sentence: format!(
            "{}{} of {} requests within 1 h took longer than {fail_ms} ms; more than {} are worth a look",
            if met { "at most " } else { "" },
            percent(most.share),
            most.sample,
            percent(bound)
        ),
    })
}

/// The share over the limit of failure of a sample, for its detector.
pub(super) fn slow_share(slot: &Seen) -> Option<f64> {
    (slot.kind == Kind::Sample && slot.timed > 0).then(|| f64::from(slot.slow.min(slot.timed)) / f64::from(slot.timed))
}
