//! The stretches of a chart's time axis that were not healthy, or not looked at. Pure.

use lensops_core::stats::chart::Frame;

/// A stretch of a chart.
#[derive(Debug, Clone)]
pub(super) struct Stripe {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// A status, why checks counted for nothing, or `gap`.
    pub(super) class: &'static str,
}

/// How long a check stands for its lens where no other follows: it may be late by half an interval.
pub(super) fn stands_ms(every_ms: i64) -> i64 {
    every_ms * 3 / 2
}

/// The stretches of `frame` that were not healthy or not looked at, each with a shape of its own, so that
/// colour alone says nothing: unhealthy is full height, degraded half, muted a strip, a gap is hatched.
pub(super) fn stripes(frame: &Frame, states: &[(i64, &'static str)], every_ms: i64) -> Vec<Stripe> {
    let share = |class: &str| match class {
        "degraded" => 0.5,
        "paused" | "maintenance" | "annulled" | "cannot_judge" => 0.15,
        _ => 1.0,
    };
    let at: Vec<i64> = states.iter().map(|(at, _)| *at).collect();
    let gaps = frame.gaps(&at, stands_ms(every_ms));
    let gaps = gaps.into_iter().map(|gap| (gap.x, gap.width, "gap"));
    let bands = frame.bands(states, stands_ms(every_ms)).into_iter();
    let bands = bands.filter(|band| band.what != "healthy");
    bands
        .map(|band| (band.x, band.width, band.what))
        .chain(gaps)
        .map(|(x, width, class)| Stripe {
            x,
            width,
            height: frame.height * share(class),
            y: frame.height * (1.0 - share(class)),
            class,
        })
        .collect()
}
