//! Criteria over failed requests: detectors that roll back, sums over moving windows, and the share of the window.

use super::answer::Criterion;
use super::constants::{
    BACKGROUND, BACKGROUND_FROM, CAP, CLUSTER, DAY_CAP, DAY_PART, DETECTORS, ERROR_SCANS, HORIZON, HOUR_MS, LEAST_BAD,
    LONGEST_BLOCK_MS, MOST_BACKGROUND, ROLL_BACK_ALPHA, RULE_OF_THREE, Scan, UPPER_Z,
};
use super::decision::Decision;
use super::edetector::detect;
use super::history::{Kind, Seen};
use crate::stats::exact::poisson_bound;

/// Percent for people.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 10.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.2} %")
    }
}

/// The evidence from which on a detector rolls back, over `slots` slots.
pub(super) fn evidence_bound(slots: usize) -> f64 {
    DETECTORS * count(slots).max(HORIZON) / ROLL_BACK_ALPHA
}

#[expect(clippy::cast_precision_loss, reason = "slots of a window")]
pub(super) fn count(n: usize) -> f64 {
    n as f64
}

/// A detector as a criterion: the share that `x` gives of each sample has not risen over `mean`.
pub(super) fn detector(
    id: &'static str,
    what: &str,
    mean: f64,
    window: &[Seen],
    x: impl Fn(&Seen) -> Option<f64>,
) -> Criterion {
    let samples = window.iter().filter(|slot| slot.kind == Kind::Sample);
    let found = detect(mean, samples.filter_map(|slot| Some((slot.due_ms, x(slot)?))));
    let bound = evidence_bound(window.len());
    let met = found.most <= bound;
    let share = percent(mean);
    let sentence = if met {
        format!(
            "nothing shows that more than {share} of requests {what}: evidence {:.3}, {bound:.1e} would show it",
            found.most.min(1e9)
        )
    } else {
        format!(
            "more than {share} of requests {what}: evidence {:.1e} over {} checks, {bound:.1e} shows it",
            found.most, found.checks
        )
    };
    Criterion {
        id,
        met,
        otherwise: Decision::RollBack,
        value: Some(found.most),
        bound,
        sample: found.checks,
        at_ms: (!met).then_some(found.at_ms),
        sentence,
    }
}

/// The share of failed requests of a sample.
pub(super) fn error_share(slot: &Seen) -> Option<f64> {
    (slot.answered > 0).then(|| f64::from(slot.errors) / f64::from(slot.answered))
}

/// The background that a window is held to: that of every healthy lens, or what the lens's own history before
/// the window had, as far as that is far below the target.
pub(super) fn background(before: &[Seen], target: f64) -> f64 {
    let (errors, requests) = before.iter().fold((0.0, 0.0), |(errors, requests), slot| {
        (
            errors + f64::from(slot.errors.min(CAP)),
            requests + f64::from(slot.answered),
        )
    });
    if requests < BACKGROUND_FROM {
        return BACKGROUND;
    }
    (errors / requests).min(target * MOST_BACKGROUND).max(BACKGROUND)
}

/// How many slots a scan is long.
pub(super) fn length(scan: &Scan, every_ms: i64) -> usize {
    let slots = usize::try_from(scan.hours * HOUR_MS / every_ms.max(1)).unwrap_or(1);
    slots.max(scan.checks)
}

/// The chance of a wrong alarm a look, where there are more looks than at 15 minutes.
pub(super) fn alpha(scan: &Scan, every_ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an interval of a day at most")]
    let part = every_ms as f64 / 900_000.0;
    scan.alpha * part.min(1.0)
}

/// Requests that say something, a check that has any.
pub(super) fn mean_requests(window: &[Seen], of: impl Fn(&Seen) -> u32) -> f64 {
    let (mut sum, mut checks) = (0.0, 0_usize);
    for requests in window.iter().map(of).filter(|requests| *requests > 0) {
        sum += f64::from(requests);
        checks += 1;
    }
    if checks == 0 { 0.0 } else { sum / count(checks) }
}

/// Sums of failed requests over moving windows. Each check adds 3 at most, and the worst of a window is left
/// out: one bad check is no incident.
pub(super) fn scans(window: &[Seen], background: f64) -> Vec<Criterion> {
    let every_ms = window.last().map_or(900_000, |slot| slot.every_ms);
    let requests = mean_requests(window, |slot| slot.answered);
    let scan = |scan: &Scan| {
        let slots = length(scan, every_ms);
        let expected = background * requests * count(slots);
        let bound = poisson_bound(expected, alpha(scan, every_ms)).max(3);
        let MostErrors { errors: most, at_ms } = most_errors::<{ CAP as usize + 1 }>(window, slots, 0);
        let met = most < bound;
        let hours = scan.hours;
        Criterion {
            id: scan.id,
            met,
            otherwise: Decision::Investigate,
            value: Some(f64::from(most)),
            bound: f64::from(bound),
            sample: (requests * count(slots.min(window.len()))).round() as u64,
            at_ms: (!met).then_some(at_ms),
            sentence: if met {
                format!(
                    "at most {most} failed requests within {hours} h, beside its worst check; {bound} are worth a look"
                )
            } else {
                format!(
                    "{most} failed requests within {hours} h, beside its worst check (3 a check are counted at most); {bound} are worth a look"
                )
            },
        }
    };
    // A window that is not half as long as the scan has no such stretch.
    let fits = |scan: &&Scan| window.len() * 2 >= length(scan, every_ms);
    ERROR_SCANS.iter().filter(fits).map(scan).collect()
}

/// Failed requests within 24 h beside the worst check, counted one by one: half of what the target allows, in
/// several checks, is worth a look. Sums that count 3 a check at most miss failures that come in clusters.
pub(super) fn day(window: &[Seen], target: f64) -> Option<Criterion> {
    let every_ms = window.last().map_or(900_000, |slot| slot.every_ms);
    let slots = usize::try_from(24 * HOUR_MS / every_ms.max(1)).unwrap_or(1).max(12);
    let requests = mean_requests(window, |slot| slot.answered) * count(slots);
    if window.len() * 2 < slots {
        return None;
    }
    let bound = (requests * target * DAY_PART).ceil().max(f64::from(LEAST_BAD));
    let found = most_errors::<{ DAY_CAP as usize + 1 }>(window, slots, LEAST_BAD);
    let met = f64::from(found.errors) < bound;
    Some(Criterion {
        id: "errors_day",
        met,
        otherwise: Decision::Investigate,
        value: Some(f64::from(found.errors)),
        bound,
        sample: requests.round() as u64,
        at_ms: (!met).then_some(found.at_ms),
        sentence: format!(
            "{}{} failed requests within 24 h in {LEAST_BAD} checks or more, beside the worst of them; {bound} are worth a look",
            if met { "at most " } else { "" },
            found.errors
        ),
    })
}

/// The largest sum of failed requests of a stretch, beside its worst check.
#[derive(Default)]
struct MostErrors {
    errors: u32,
    at_ms: i64,
}

/// The largest sum within `slots` slots beside the worst check, of stretches with `least` bad checks or more.
/// A check counts as `LEVELS - 1` failed requests at most.
fn most_errors<const LEVELS: usize>(window: &[Seen], slots: usize, least: u32) -> MostErrors {
    let cap = u32::try_from(LEVELS).unwrap_or(u32::MAX).saturating_sub(1);
    let capped = |slot: &Seen| slot.errors.min(cap);
    let (mut sum, mut bad, mut with, mut most) = (0_u32, 0_u32, [0_u32; LEVELS], MostErrors::default());
    for (index, slot) in window.iter().enumerate() {
        let new = capped(slot);
        sum += new;
        bad += u32::from(new > 0);
        if let Some(held) = with.get_mut(new as usize) {
            *held += 1;
        }
        if let Some(gone) = index.checked_sub(slots).and_then(|old| window.get(old)).map(capped) {
            sum -= gone;
            bad -= u32::from(gone > 0);
            if let Some(held) = with.get_mut(gone as usize) {
                *held -= 1;
            }
        }
        if new == 0 || bad < least {
            continue;
        }
        let worst = (0..)
            .zip(with)
            .filter(|(_, held)| *held > 0)
            .map(|(errors, _)| errors)
            .last();
        let beside = sum - worst.unwrap_or(0);
        if beside > most.errors {
            most = MostErrors {
                errors: beside,
                at_ms: slot.due_ms,
            };
        }
    }
    most
}

/// The share of failed requests of the window, with an upper bound that counts blocks of 6 h as what varies, so
/// that requests that fail together count as few.
pub(super) fn share(window: &[Seen], target: f64) -> Criterion {
    let (mut errors, mut requests) = (0.0, 0.0);
    for slot in window {
        errors += f64::from(slot.errors);
        requests += f64::from(slot.answered);
    }
    let mut criterion = Criterion {
        id: "error_share",
        met: false,
        otherwise: Decision::Investigate,
        value: None,
        bound: target,
        sample: requests as u64,
        at_ms: None,
        sentence: "no request says anything of the share that fails".to_owned(),
    };
    if requests <= 0.0 {
        criterion.otherwise = Decision::NotEnoughData;
        return criterion;
    }
    let found = errors / requests;
    let upper = found + UPPER_Z * spread(window, found) / requests + RULE_OF_THREE * CLUSTER / requests;
    criterion.met = upper < target;
    criterion.value = Some(upper);
    criterion.sentence = format!(
        "{} of {requests} requests failed ({}), at most {} with 95 % confidence; the target is {}",
        errors,
        percent(found),
        percent(upper),
        percent(target)
    );
    criterion
}

/// The root of the summed squares by which blocks differ from what the share of all has them be.
fn spread(window: &[Seen], share: f64) -> f64 {
    let (mut squares, mut block, mut off) = (0.0, i64::MIN, 0.0_f64);
    for slot in window {
        let this = slot.due_ms.div_euclid(LONGEST_BLOCK_MS);
        if this != block {
            squares += off * off;
            (block, off) = (this, 0.0);
        }
        off += f64::from(slot.errors) - share * f64::from(slot.answered);
    }
    (squares + off * off).sqrt()
}
