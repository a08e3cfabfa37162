//! Criteria over what is usual for a lens: medians that fall or rise at once, a trend over days, checks without
//! any answer, and the master flag.

use std::ops::Range;

use super::answer::Criterion;
use super::constants::{DARK_ROW, FAST, HOUR_MS, MOST_DARK, NOISE, SLOW, SLOW_SHARE, TREND_RISE, TREND_T, USUAL_FROM};
use super::decision::Decision;
use super::errors::percent;
use super::history::{History, Kind, Seen};

const DAY_MS: i64 = 24 * HOUR_MS;

fn investigate(id: &'static str, bound: f64, sentence: String) -> Criterion {
    Criterion {
        id,
        met: true,
        otherwise: Decision::Investigate,
        value: None,
        bound,
        sample: 0,
        at_ms: None,
        sentence,
    }
}

/// Whether two of the last three medians, the newest among them, are `odd`; a check without a median leaves
/// them as they are.
#[derive(Default)]
struct TwoOfThree([bool; 2]);

impl TwoOfThree {
    fn take(&mut self, odd: bool) -> bool {
        let [before, last] = self.0;
        self.0 = [last, odd];
        odd && (before || last)
    }
}

/// Fast answers of something that was switched off: medians far below what was usual until then.
pub(super) fn fast(history: &History, range: Range<usize>, known: &Range<usize>) -> Criterion {
    let bound = FAST.max(NOISE * history.median_noise(known).unwrap_or(0.0));
    let week = week_of(history, &range);
    let mut criterion = investigate("fast", -bound, "no answers are unusually fast".to_owned());
    let mut odd = TwoOfThree::default();
    for index in range {
        let Some(slot) = history.seen.get(index) else { break };
        let Some(ln) = slot.median_ln else { continue };
        let until = index.saturating_sub(2);
        let Some(usual) = history.mean_median(until.saturating_sub(week)..until, USUAL_FROM) else {
            continue;
        };
        let change = ln - usual;
        criterion.sample += 1;
        if criterion.value.is_none_or(|least| change < least) {
            criterion.value = Some(change);
        }
        if odd.take(change < -bound) && criterion.met {
            criterion.met = false;
            criterion.at_ms = Some(slot.due_ms);
            criterion.sentence = format!(
                "answers became {:.1} times as fast as usual: is something switched off?",
                (-change).exp()
            );
        }
    }
    criterion
}

/// Answers that became slow at once: medians far above what is usual, and many requests over the target.
pub(super) fn slow_at_once(history: &History, range: Range<usize>, known: &Range<usize>) -> Criterion {
    let bound = SLOW.max(NOISE * history.median_noise(known).unwrap_or(0.0));
    let day = slots_of(history, &range, DAY_MS);
    let mut criterion = investigate("slower", bound, "answers did not become slow at once".to_owned());
    let mut odd = TwoOfThree::default();
    for index in range {
        let Some(slot) = history.seen.get(index) else { break };
        let Some(ln) = slot.median_ln else { continue };
        let until = index.saturating_sub(2);
        let Some(usual) = history.mean_median(until.saturating_sub(day)..until, USUAL_FROM) else {
            continue;
        };
        let change = ln - usual;
        criterion.sample += 1;
        if criterion.value.is_none_or(|most| change > most) {
            criterion.value = Some(change);
        }
        let three = history.part(until..index + 1);
        let (late, timed) = three
            .iter()
            .fold((0, 0), |(late, timed), slot| (late + slot.late, timed + slot.timed));
        let share = if timed == 0 {
            0.0
        } else {
            f64::from(late) / f64::from(timed)
        };
        if odd.take(change > bound && share > SLOW_SHARE) && criterion.met {
            criterion.met = false;
            criterion.at_ms = Some(slot.due_ms);
            criterion.sentence = format!(
                "answers became {:.1} times as slow as usual, {} of them over the target",
                change.exp(),
                percent(share)
            );
        }
    }
    criterion
}

fn slots_of(history: &History, range: &Range<usize>, span_ms: i64) -> usize {
    let every_ms = range
        .end
        .checked_sub(1)
        .and_then(|last| history.seen.get(last))
        .map_or(900_000, |slot| slot.every_ms);
    usize::try_from(span_ms / every_ms.max(1)).unwrap_or(1).max(12)
}

fn week_of(history: &History, range: &Range<usize>) -> usize {
    slots_of(history, range, 7 * DAY_MS)
}

/// The trend of daily medians over a window of seven days. Where the week before is known, each day is compared
/// with the same day then, so that a weekend is no trend.
pub(super) fn trend(history: &History, at_ms: i64, window_ms: i64) -> Option<Criterion> {
    if window_ms < 7 * DAY_MS {
        return None;
    }
    let day = |back: i64| {
        let until = at_ms - back * DAY_MS;
        let range = history.range(until - DAY_MS, until);
        let least = range.len() as u64 / 2;
        history.mean_median(range, least.max(6))
    };
    let days: Vec<f64> = (0..7).rev().map_while(day).collect();
    let before: Vec<f64> = (7..14).rev().map_while(day).collect();
    let is_compared = before.len() == 7;
    if days.len() < 7 {
        return None;
    }
    let values: Vec<f64> = if is_compared {
        days.iter().zip(&before).map(|(now, then)| now - then).collect()
    } else {
        days
    };
    let bound = if is_compared { TREND_RISE } else { 2.0 * TREND_RISE };
    let (rise, t) = slope(&values);
    let mut criterion = investigate("trend", bound, "no trend over the days".to_owned());
    criterion.value = Some(rise);
    criterion.sample = 7;
    criterion.met = !(rise > bound && t > TREND_T);
    if !criterion.met {
        criterion.sentence = format!(
            "answers become slower day by day: {} within the window (t = {t:.1}, {TREND_T} is 1 % by chance)",
            percent(rise.exp() - 1.0)
        );
    }
    Some(criterion)
}

/// The rise from first to last on the fitted line, and the t of its slope.
fn slope(values: &[f64]) -> (f64, f64) {
    let n = super::errors::count(values.len());
    let mean = values.iter().sum::<f64>() / n;
    let middle = (n - 1.0) / 2.0;
    let places = || (0_u32..).map(|place| f64::from(place) - middle);
    let across: f64 = places().zip(values).map(|(x, _)| x * x).sum();
    let slope = places().zip(values).map(|(x, value)| x * (value - mean)).sum::<f64>() / across;
    let squares: f64 = places()
        .zip(values)
        .map(|(x, value)| (value - mean - slope * x).powi(2))
        .sum();
    let error = (squares / (n - 2.0) / across).sqrt();
    let t = if error > 0.0 {
        slope / error
    } else {
        f64::INFINITY * slope.signum()
    };
    (slope * (n - 1.0), t)
}

/// Checks without any answer: how many, and how many in a row.
pub(super) fn dark(window: &[Seen]) -> [Criterion; 2] {
    let (mut all, mut row, mut longest, mut at_ms) = (0_u64, 0_u64, 0_u64, 0);
    for slot in window {
        match slot.kind {
            Kind::Dark => {
                all += 1;
                row += 1;
                if row > longest {
                    (longest, at_ms) = (row, slot.due_ms);
                }
            }
            Kind::Sample => row = 0,
            Kind::LeftOut(_) | Kind::Uncovered => {}
        }
    }
    let checks = window
        .iter()
        .filter(|slot| matches!(slot.kind, Kind::Dark | Kind::Sample))
        .count() as u64;
    let criterion = |id, found: u64, bound: u64, what: &str, at_ms: Option<i64>| {
        #[expect(clippy::cast_precision_loss, reason = "checks of a window")]
        let (value, bound_f) = (found as f64, bound as f64);
        Criterion {
            value: Some(value),
            sample: checks,
            met: found < bound,
            at_ms: at_ms.filter(|_| found >= bound),
            ..investigate(
                id,
                bound_f,
                format!(
                    "{found} checks{what} had no answer to half of their requests or more; {bound} are worth a look"
                ),
            )
        }
    };
    [
        criterion("dark", all, MOST_DARK.max(checks / 100 + 2), "", None),
        criterion("dark_in_a_row", longest, DARK_ROW, " in a row", Some(at_ms)),
    ]
}

/// Whether the master flag was on throughout, as far as it was read.
pub(super) fn flags(window: &[Seen]) -> Criterion {
    let off = window.iter().filter(|slot| slot.flag_off).count();
    let mut criterion = investigate("flags", 1.0, "the master flag was never seen off".to_owned());
    criterion.sample = window
        .iter()
        .filter(|slot| matches!(slot.kind, Kind::Dark | Kind::Sample))
        .count() as u64;
    criterion.value = Some(super::errors::count(off));
    if off > 0 {
        criterion.met = false;
        criterion.sentence =
            format!("the master flag was off in {off} checks: they say nothing of what it switches on");
    }
    criterion
}
