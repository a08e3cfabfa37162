//! E-detectors: evidence that a mean has risen over a bound, valid at any time and for any clustering.
//!
//! The unit is a check, `x` its share of bad requests. For a bet `l` below 1/m, `R ← (R + 1)(1 + l(x − m))`. Where
//! E[x | past] ≤ m, R − t is a supermartingale, so that R exceeds c within T checks with a chance of T/c at most,
//! whenever one looks, and however requests of one check depend on one another (Shin, Ramdas, Rinaldo: E-detectors,
//! 2024; bets of Waudby-Smith and Ramdas, 2023). A check without a sample leaves R as it is.

use super::constants::{BETS, MOST_EVIDENCE};

/// What a detector found in a stretch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    /// The most that the mean over the bets came to.
    pub(super) most: f64,
    /// When, in milliseconds since the epoch.
    pub(super) at_ms: i64,
    /// Over how many checks.
    pub(super) checks: u64,
}

/// Bets that the mean of `x` is at most `mean`, over (due time, x) of the checks that have a sample.
pub(super) fn detect(mean: f64, samples: impl Iterator<Item = (i64, f64)>) -> Evidence {
    let mean = mean.clamp(1e-6, 0.999);
    let bets = BETS.map(|share| share / mean);
    let mut evidence = [0.0_f64; BETS.len()];
    let mut found = Evidence {
        most: 0.0,
        at_ms: 0,
        checks: 0,
    };
    for (at_ms, x) in samples {
        let mut sum = 0.0;
        for (held, bet) in evidence.iter_mut().zip(bets) {
            *held = ((*held + 1.0) * (1.0 + bet * (x - mean))).min(MOST_EVIDENCE);
            sum += *held;
        }
        let now = sum / 4.0;
        found.checks += 1;
        if now > found.most {
            (found.most, found.at_ms) = (now, at_ms);
        }
    }
    found
}
