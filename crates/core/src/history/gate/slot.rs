//! A slot as the statistical policy looks at it: when it was due, and what was counted in it.

use std::cmp::Ordering;

use crate::lens::Slo;
use crate::lens::mute::MutedWhy;
use crate::verdict::notes::CheckNotes;
use crate::verdict::record::Status;

use super::constants::NEAR;

/// How far over the median of its check a latency may lie, in logarithms: the steps by which the shape of
/// latencies is kept.
pub const TAIL_STEPS: [f64; 12] = [0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.1, 1.3, 1.5, 1.75, 2.0, 2.5];

/// A slot of a lens of a tenant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slot {
    /// When it was due, in milliseconds since the epoch.
    pub due_ms: i64,
    /// The interval that stood then, in milliseconds.
    pub every_ms: i64,
    /// Whether it is one of the timetable; a check made by hand fills none.
    pub fills: bool,
    /// What became of it.
    pub state: State,
}

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum State {
    /// It has no check.
    Missing,
    /// Its check counts for nothing.
    LeftOut(MutedWhy),
    /// Its check could not judge: the monitor's own trouble. Never healthy, never bad.
    Unjudged,
    /// Its check.
    Checked(Counts),
}

/// What a check counted. Times are against the service level of its own time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Requests sent.
    pub requests: u32,
    /// Requests that failed, those without an answer among them.
    pub failed: u32,
    /// Requests without any answer.
    pub unanswered: u32,
    /// Requests answered with 429.
    pub limited: u32,
    /// Requests answered with 500 or above.
    pub server_errors: u32,
    /// Requests with a latency.
    pub timed: u32,
    /// Of these, over the target.
    pub over_target: u32,
    /// Of these, over 97 % of the target.
    pub near_target: u32,
    /// Of these, over the limit of failure.
    pub over_fail: u32,
    /// The logarithm of the median latency in milliseconds; `None` without a latency.
    pub median_ln: Option<f64>,
    /// Of the latencies, how many lie over the median by each step of [`TAIL_STEPS`].
    pub tail: [u16; TAIL_STEPS.len()],
    /// Whether the master flag was off at the provider; `false` where it is not known.
    pub flag_off: bool,
}

/// The figures that stand in the row of a check, beside its notes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowFigures {
    /// The status.
    pub status: Status,
    /// Samples taken.
    pub sample_size: i64,
    /// Failed samples in percent.
    pub error_rate_percent: Option<f64>,
    /// P95 in milliseconds.
    pub p95_latency_ms: Option<i64>,
}

impl State {
    /// What became of the slot of a check, from its row and its notes.
    #[must_use]
    pub fn of(row: &RowFigures, notes: &CheckNotes, slo: &Slo) -> Self {
        match notes.muted_why() {
            Some(MutedWhy::CannotJudge) => Self::Unjudged,
            Some(why) => Self::LeftOut(why),
            None => Self::Checked(Counts::of(row, notes, slo)),
        }
    }
}

impl Counts {
    /// What a check counted. A row of another tool, without notes, is read by its figures alone.
    #[must_use]
    pub fn of(row: &RowFigures, notes: &CheckNotes, slo: &Slo) -> Self {
        let mut counts = Self::of_endpoints(notes).unwrap_or_else(|| Self::of_row(row));
        counts.time(row, notes, slo);
        counts.flag_off = notes.flags.values().next().is_some_and(|on| !on);
        let is_slow = |ms: Option<f64>| ms.is_some_and(|ms| ms > slo.p95_ms.fail);
        let window_ms = notes.window.and_then(|window| window.p95_us).map(ms_of);
        let slow = is_slow(row.p95_latency_ms.map(ms_of_row)) || is_slow(window_ms);
        if row.status == Status::Unhealthy && counts.failed == 0 && !slow {
            // What no timed request shows, a probe beside them or a 5xx that a retry got past, failed all the same.
            counts.requests += 1;
            counts.failed += 1;
        }
        counts
    }

    fn of_endpoints(notes: &CheckNotes) -> Option<Self> {
        let mut counts = Self::default();
        for endpoint in notes.endpoints.values() {
            let n = small(endpoint.n.unwrap_or(0));
            let answered = small(endpoint.statuses.values().sum());
            // Others write no statuses: what has a latency was answered.
            let is_told = answered > 0 || endpoint.p50_us.is_none();
            let failed = small(endpoint.failed.unwrap_or(0)).min(n);
            counts.requests += n;
            counts.failed += failed;
            counts.unanswered += if is_told {
                n.saturating_sub(answered).min(failed)
            } else {
                0
            };
            let server_errors = endpoint.statuses.range(500..).map(|(_, count)| count).sum();
            counts.server_errors += small(server_errors).min(failed);
            counts.limited += small(endpoint.statuses.get(&429).copied().unwrap_or(0)).min(n);
        }
        (counts.requests > 0).then_some(counts)
    }

    fn of_row(row: &RowFigures) -> Self {
        let requests = u32::try_from(row.sample_size).unwrap_or(0);
        let share = row.error_rate_percent.unwrap_or(0.0) / 100.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "kept within the requests"
        )]
        let failed = (share * f64::from(requests)).round().clamp(0.0, f64::from(requests)) as u32;
        Self {
            requests,
            failed,
            ..Self::default()
        }
    }

    fn time(&mut self, row: &RowFigures, notes: &CheckNotes, slo: &Slo) {
        let over = |ms: f64| small(notes.samples_us.iter().filter(|us| ms_of(**us) > ms).count() as u64);
        if notes.samples_us.is_empty() {
            let Some(p95) = row.p95_latency_ms.map(ms_of_row) else {
                return;
            };
            // A P95 alone says which side of a limit 5 % lie on, and nothing finer.
            self.timed = self.requests.saturating_sub(self.unanswered);
            let tail = self.timed / 20 + 1;
            let side = |ms: f64| if p95 > ms { tail.min(self.timed) } else { 0 };
            (self.over_target, self.near_target, self.over_fail) = (
                side(slo.p95_ms.warn),
                side(slo.p95_ms.warn * NEAR),
                side(slo.p95_ms.fail),
            );
            return;
        }
        self.timed = small(notes.samples_us.len() as u64);
        self.over_target = over(slo.p95_ms.warn);
        self.near_target = over(slo.p95_ms.warn * NEAR);
        self.over_fail = over(slo.p95_ms.fail);
        let mut logarithms: Vec<f64> = notes.samples_us.iter().map(|us| ms_of((*us).max(1)).ln()).collect();
        self.shape_of(&mut logarithms);
    }

    /// Takes median and tail from the logarithms of latencies, whose order changes.
    pub fn shape_of(&mut self, logarithms: &mut [f64]) {
        let middle = logarithms.len() / 2;
        if middle >= logarithms.len() {
            return;
        }
        let (_, median, above) = logarithms.select_nth_unstable_by(middle, f64::total_cmp);
        let median = *median;
        self.median_ln = Some(median);
        for ln in above {
            let over = *ln - median;
            for (held, _) in self
                .tail
                .iter_mut()
                .zip(TAIL_STEPS)
                .take_while(|(_, step)| over > *step)
            {
                *held = held.saturating_add(1);
            }
        }
    }

    /// Failed requests that were answered: what the API did wrong. A 429 is no error of it, whether the
    /// writer of the row counted it as failed or not.
    #[must_use]
    pub fn errors(&self) -> u32 {
        let told = self.failed.saturating_sub(self.unanswered).saturating_sub(self.limited);
        told.max(self.server_errors.min(self.failed)).min(self.answered())
    }

    /// Requests that say something of the API.
    pub(in crate::history) fn answered(&self) -> u32 {
        self.requests
            .saturating_sub(self.unanswered)
            .saturating_sub(self.limited)
    }

    /// Whether half or more of the requests had no answer: the way there, or the whole API, was away.
    pub(in crate::history) fn is_dark(&self) -> bool {
        self.requests > 0 && 2 * u64::from(self.unanswered) >= u64::from(self.requests)
    }

    /// Whether half or more of the requests say nothing, since the API let them not in.
    pub(super) fn is_starved(&self) -> bool {
        !self.is_dark() && 2 * u64::from(self.answered()) <= u64::from(self.requests)
    }
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX / 4).min(u32::MAX / 4)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a latency")]
fn ms_of(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a latency")]
fn ms_of_row(ms: i64) -> f64 {
    ms as f64
}

/// The order of slots: by due time, and at equal times by what they are, so that the order in which they
/// were written changes nothing.
pub(super) fn order(a: &Slot, b: &Slot) -> Ordering {
    let key = |slot: &Slot| {
        let (kind, counts) = match &slot.state {
            State::Missing => (0, Counts::default()),
            State::LeftOut(why) => (1 + *why as u8, Counts::default()),
            State::Unjudged => (200, Counts::default()),
            State::Checked(counts) => (201, *counts),
        };
        let all = [
            counts.requests,
            counts.failed,
            counts.unanswered,
            counts.limited,
            counts.server_errors,
            counts.timed,
            counts.over_target,
            counts.near_target,
            counts.over_fail,
        ];
        (
            slot.due_ms,
            slot.fills,
            kind,
            all,
            counts.flag_off,
            counts.tail,
            counts.median_ln.map(f64::to_bits),
            slot.every_ms,
        )
    };
    key(a).cmp(&key(b))
}

/// Slots with those between them that have no check, in `(from_ms, until_ms]`: as many as the interval of the
/// slot before leaves room for. For histories without a timetable; one that is due at the end is pending.
#[must_use]
pub fn fill(mut slots: Vec<Slot>, from_ms: i64, until_ms: i64) -> Vec<Slot> {
    slots.retain(|slot| slot.due_ms > from_ms && slot.due_ms <= until_ms);
    slots.sort_by(order);
    let Some(first) = slots.first().copied() else {
        return slots;
    };
    let mut filled = Vec::with_capacity(slots.len());
    let missing = |due_ms: i64, every_ms: i64| Slot {
        due_ms,
        every_ms,
        fills: true,
        state: State::Missing,
    };
    let every = first.every_ms.max(1);
    let before = (first.due_ms - from_ms - 1) / every;
    filled.extend((1..=before).rev().map(|n| missing(first.due_ms - n * every, every)));
    let mut last = first;
    for slot in slots {
        if slot.fills {
            let every = last.every_ms.max(1);
            let steps = (slot.due_ms - last.due_ms + every / 2) / every;
            filled.extend((1..steps).map(|n| missing(last.due_ms + n * every, every)));
            last = slot;
        }
        filled.push(slot);
    }
    let every = last.every_ms.max(1);
    let after = (until_ms - last.due_ms) / every;
    filled.extend((1..after).map(|n| missing(last.due_ms + n * every, every)));
    filled
}
