//! The constants of the statistical policy and where each comes from. docs/src/gate.md has their error rates.
//!
//! "Study" is the study of simulated weeks behind this policy; "frozen" means chosen on tuning seeds before
//! the published seeds were drawn.

/// Slots that must have been checked: a share. Study.
pub(super) const LEAST_COVERAGE: f64 = 0.90;

/// The longest stretch without a check, in milliseconds; two intervals where those are longer. Study.
pub(super) const LONGEST_GAP_MS: i64 = 12 * HOUR_MS;

/// How much of the window must not be left out: a share. What is paused for most of a week proves no week.
pub(super) const LEAST_JUDGED: f64 = 0.50;

/// The chance that a healthy window is rolled back by one of the detectors of [`DETECTORS`], at most, however
/// often it is asked: Shin, Ramdas, Rinaldo, E-detectors (2024), theorem 2.4.
pub(super) const ROLL_BACK_ALPHA: f64 = 0.0005;

/// Checks of a week at 15 minutes: the least horizon of the detectors.
pub(super) const HORIZON: f64 = 672.0;

/// How many detectors share [`ROLL_BACK_ALPHA`].
pub(super) const DETECTORS: f64 = 3.0;

/// Bets of a detector, as shares of the largest that is allowed, 1/m: Waudby-Smith and Ramdas, Estimating
/// means of bounded random variables by betting (2023). Small ones see small excesses, large ones are quick.
pub(super) const BETS: [f64; 4] = [0.02, 0.08, 0.3, 0.8];

/// The most that evidence counts up to: beyond it lies no decision.
pub(super) const MOST_EVIDENCE: f64 = 1e250;

/// The share of requests that may lie over a P95.
pub(super) const TAIL: f64 = 0.05;

/// The background of failed requests that a healthy lens may have: a share. Study. A lens whose own week
/// before the window had more is held to that, up to [`MOST_BACKGROUND`] of the target.
pub(super) const BACKGROUND: f64 = 0.0003;

/// How far the background may follow a lens's own history: a share of the error target.
pub(super) const MOST_BACKGROUND: f64 = 0.10;

/// Requests of the week before the window from which on its background is known.
pub(super) const BACKGROUND_FROM: f64 = 5_000.0;

/// What one check adds to a sum of failed requests, at most. Study: failures come in clusters.
pub(super) const CAP: u32 = 3;

/// Failed requests of 24 h counted one by one: what one check adds at most, in how many checks they must be, and
/// the part of the target that is worth a look. Frozen.
pub(super) const DAY_CAP: u32 = 15;
pub(super) const LEAST_BAD: u32 = 4;
pub(super) const DAY_PART: f64 = 0.5;

/// A window that is moved over the checks: its length, and what chance of one wrong alarm a look at it has.
pub(super) struct Scan {
    pub(super) id: &'static str,
    pub(super) hours: i64,
    /// It is never shorter than this many checks.
    pub(super) checks: usize,
    pub(super) alpha: f64,
    /// For latency: the share over the target that is too much whatever the sample.
    pub(super) share: f64,
}

/// Sums of failed requests. 3, 5 and 8 in 1, 6 and 24 h of 21 requests each 15 minutes, as in the study.
pub(super) const ERROR_SCANS: [Scan; 4] = [
    Scan {
        id: "errors_1h",
        hours: 1,
        checks: 4,
        alpha: 3e-6,
        share: 0.0,
    },
    Scan {
        id: "errors_6h",
        hours: 6,
        checks: 6,
        alpha: 3e-6,
        share: 0.0,
    },
    Scan {
        id: "errors_24h",
        hours: 24,
        checks: 12,
        alpha: 3e-5,
        share: 0.0,
    },
    Scan {
        id: "errors_72h",
        hours: 72,
        checks: 36,
        alpha: 1e-5,
        share: 0.0,
    },
];

/// Shares of requests over the target.
pub(super) const LATE_SCANS: [Scan; 4] = [
    Scan {
        id: "late_1h",
        hours: 1,
        checks: 4,
        alpha: 3e-6,
        share: 0.30,
    },
    Scan {
        id: "late_6h",
        hours: 6,
        checks: 6,
        alpha: 1e-5,
        share: 0.15,
    },
    Scan {
        id: "late_24h",
        hours: 24,
        checks: 12,
        alpha: 1e-4,
        share: 0.070,
    },
    Scan {
        id: "late_72h",
        hours: 72,
        checks: 36,
        alpha: 1e-3,
        share: 0.058,
    },
];

/// The share over the target that a healthy lens is taken to have in a latency scan: a P95 at 90 % of the target.
pub(super) const HEALTHY_LATE: f64 = 0.04;

/// The part of the target that the P95 of the whole window is held to: between 90 % (healthy) and 105 %.
pub(super) const NEAR: f64 = 0.97;

/// The chance of one wrong alarm of a look at requests over the limit of failure in 1 h.
pub(super) const SLOW_ALPHA: f64 = 1e-5;

/// Checks without any answer in the window that are worth a look: study, and 1 % of the checks where that is more.
pub(super) const MOST_DARK: u64 = 5;

/// Checks without any answer in a row that are worth a look. Study.
pub(super) const DARK_ROW: u64 = 3;

/// How much faster a median is than usual when something was switched off: logarithms. Study.
pub(super) const FAST: f64 = 1.0;

/// Medians from which on it is known what is usual.
pub(super) const USUAL_FROM: u64 = 24;

/// How much slower a median is than usual when something became slow: logarithms, and the share of requests
/// over the target that goes with it. Study.
pub(super) const SLOW: f64 = 0.5;
pub(super) const SLOW_SHARE: f64 = 0.15;

/// The trend of daily medians: t of the slope (one-sided 1 %, 5 degrees of freedom) and rise over the window in
/// logarithms. Study; twice the rise without the week before, since weekdays differ.
pub(super) const TREND_T: f64 = 3.365;
pub(super) const TREND_RISE: f64 = 0.25;

/// The upper bound of the error share: one-sided 95 % normal quantile, and what no failed request at all leaves
/// open ("rule of three") times the size of a cluster.
pub(super) const UPPER_Z: f64 = 1.645;
pub(super) const RULE_OF_THREE: f64 = 3.0;
pub(super) const CLUSTER: f64 = 2.0;

pub(super) const HOUR_MS: i64 = 3_600_000;

/// Blocks by which the error share varies, in milliseconds. Study.
pub(super) const LONGEST_BLOCK_MS: i64 = 6 * HOUR_MS;

/// The shortest window whose own P95 is judged: below it chance alone moves a P95 by more than the margin.
pub(super) const LEAST_NEAR_HOURS: i64 = 72;

/// The P95 of 24 h by level and shape, as a share of the target, that is worth a look: half way between 90 %
/// (healthy) and 110 % (broken).
pub(super) const LEVEL_BOUND: f64 = 1.02;

/// Requests a check from which on the shape of its latencies is known.
pub(super) const LEAST_SHAPE: f64 = 9.0;

/// How many times the noise of medians from check to check a change at once must be.
pub(super) const NOISE: f64 = 4.0;
