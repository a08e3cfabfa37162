//! The statistical policy: every criterion over one window, and the decision.

use super::answer::{Answer, Criterion};
use super::constants::{CLUSTER, LEAST_COVERAGE, LEAST_JUDGED, LONGEST_GAP_MS, RULE_OF_THREE};
use super::decision::Decision;
use super::errors::{self, count, detector, error_share, percent};
use super::history::{History, Kind, Seen};
use super::{latency, shape};
use crate::lens::Slo;

/// What the gate is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What the lens promises.
    pub slo: &'a Slo,
    /// How long the window is, in milliseconds.
    pub window_ms: i64,
    /// Where it ends, in milliseconds since the epoch.
    pub at_ms: i64,
}

/// Decides over the window that the question names. The history before it says what is usual: a week of it
/// is looked at, where it is there.
#[must_use]
pub fn judge(history: &History, question: &Question<'_>) -> Answer {
    let Question { slo, window_ms, at_ms } = *question;
    let from_ms = at_ms.saturating_sub(window_ms.max(1));
    let range = history.range(from_ms, at_ms);
    let window = history.part(range.clone());
    let before = history.part(history.range(from_ms.saturating_sub(7 * 86_400_000), from_ms));
    let (target, fail) = (
        share_of(slo.error_rate_percent.warn),
        share_of(slo.error_rate_percent.fail),
    );
    let background = errors::background(before, target);

    let mut criteria = vec![
        detector("errors", "fail", target, window, error_share),
        detector("errors_severe", "fail", fail, window, error_share),
        detector(
            "slow",
            &format!("take longer than {} ms", slo.p95_ms.fail),
            super::constants::TAIL,
            window,
            latency::slow_share,
        ),
    ];
    let coverage = Coverage::of(window);
    criteria.extend(coverage.criteria(window, from_ms, at_ms));
    criteria.push(sample(window, target));
    criteria.extend(errors::scans(window, background));
    criteria.extend(errors::day(window, target));
    criteria.push(errors::share(window, target));
    criteria.extend(latency::scans(window, slo.p95_ms.warn));
    let known = history.range(from_ms.saturating_sub(7 * 86_400_000), at_ms);
    criteria.extend(latency::level(history, &range, &known, slo.p95_ms.warn));
    criteria.extend(latency::near(window, window_ms, slo.p95_ms.warn));
    criteria.extend(latency::slow(window, slo.p95_ms.fail));
    criteria.push(shape::slow_at_once(history, range.clone(), &known));
    criteria.push(shape::fast(history, range, &known));
    criteria.extend(shape::trend(history, at_ms, window_ms));
    criteria.extend(shape::dark(window));
    criteria.push(shape::flags(window));

    let (decision, reason) = Answer::decided(&criteria);
    let sum = |of: fn(&Seen) -> u32| window.iter().map(|slot| u64::from(of(slot))).sum();
    Answer {
        decision,
        reason,
        slots: coverage.due,
        covered: coverage.covered,
        left_out: coverage.left_out,
        requests: sum(|slot| slot.answered),
        failed: sum(|slot| slot.errors),
        background,
        criteria,
    }
}

fn share_of(percent: f64) -> f64 {
    (percent / 100.0).clamp(1e-6, 0.999)
}

struct Coverage {
    due: u64,
    covered: u64,
    left_out: u64,
    longest_gap_ms: i64,
}

impl Coverage {
    fn of(window: &[Seen]) -> Self {
        let mut coverage = Self {
            due: 0,
            covered: 0,
            left_out: 0,
            longest_gap_ms: 0,
        };
        let mut gap_ms = 0;
        for slot in window {
            match slot.kind {
                Kind::LeftOut(_) => {
                    coverage.left_out += 1;
                    gap_ms = 0;
                }
                _ if !slot.fills => {}
                Kind::Uncovered => {
                    coverage.due += 1;
                    gap_ms += slot.every_ms;
                    coverage.longest_gap_ms = coverage.longest_gap_ms.max(gap_ms);
                }
                Kind::Dark | Kind::Sample => {
                    coverage.due += 1;
                    coverage.covered += 1;
                    gap_ms = 0;
                }
            }
        }
        coverage
    }

    #[expect(clippy::cast_precision_loss, reason = "slots and hours of a window")]
    fn criteria(&self, window: &[Seen], from_ms: i64, at_ms: i64) -> [Criterion; 3] {
        let Self {
            due,
            covered,
            left_out,
            longest_gap_ms,
        } = *self;
        let every_ms = window.last().map_or(1, |slot| slot.every_ms);
        let share = (due > 0).then(|| covered as f64 / due as f64);
        let criterion = |id, value: Option<f64>, bound, met, sentence| Criterion {
            id,
            met,
            otherwise: Decision::NotEnoughData,
            value,
            bound,
            sample: due,
            at_ms: None,
            sentence,
        };
        let coverage = match share {
            Some(_) => format!(
                "{covered} of {due} slots were checked, {} are needed",
                percent(LEAST_COVERAGE)
            ),
            None if left_out > 0 => {
                format!("all {left_out} checks of the window are left out: paused, in maintenance or annulled")
            }
            None => "no slot was due in the window".to_owned(),
        };
        let longest = LONGEST_GAP_MS.max(2 * every_ms);
        let gap_hours = longest_gap_ms as f64 / 3_600_000.0;
        // The whole window must be there, but for one slot at each end.
        let due_ms: i64 = window
            .iter()
            .filter(|slot| slot.fills && !matches!(slot.kind, Kind::LeftOut(_)))
            .map(|slot| slot.every_ms)
            .sum();
        let span_ms = at_ms.saturating_sub(from_ms).max(1);
        let judged = (due_ms + 2 * every_ms) as f64 / span_ms as f64;
        let known = window
            .iter()
            .filter(|slot| slot.fills)
            .map(|slot| slot.every_ms)
            .sum::<i64>();
        let starts = (known + 2 * every_ms) as f64 / span_ms as f64;
        let (part, least, what) = if starts < LEAST_COVERAGE {
            (starts, LEAST_COVERAGE, "the history reaches over")
        } else {
            (judged, LEAST_JUDGED, "what is not left out makes up")
        };
        [
            criterion(
                "coverage",
                share,
                LEAST_COVERAGE,
                share.is_some_and(|share| share >= LEAST_COVERAGE),
                coverage,
            ),
            criterion(
                "gap",
                Some(gap_hours),
                longest as f64 / 3_600_000.0,
                longest_gap_ms <= longest,
                format!(
                    "the longest stretch without a check was {gap_hours:.1} h, {:.0} h are the most",
                    longest as f64 / 3_600_000.0
                ),
            ),
            criterion(
                "window",
                Some(part.min(1.0)),
                least,
                part >= least,
                format!(
                    "{what} {} of the window, {} are needed",
                    percent(part.min(1.0)),
                    percent(least)
                ),
            ),
        ]
    }
}

/// Whether the window has requests enough to show the error target if none of them fails.
fn sample(window: &[Seen], target: f64) -> Criterion {
    let requests: u64 = window.iter().map(|slot| u64::from(slot.answered)).sum();
    let needed = (RULE_OF_THREE * CLUSTER / target).ceil();
    let requests_f = count(usize::try_from(requests).unwrap_or(usize::MAX));
    Criterion {
        id: "sample",
        met: requests_f > needed,
        otherwise: Decision::NotEnoughData,
        value: Some(requests_f),
        bound: needed,
        sample: requests,
        at_ms: None,
        sentence: format!(
            "{requests} requests; to show an error share below {} takes more than {needed}",
            percent(target)
        ),
    }
}
