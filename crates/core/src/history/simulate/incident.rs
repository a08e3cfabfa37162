//! The kinds of histories: healthy ones, incidents, and troubles of the monitor's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::random::Random;
use super::world::{DAY, Draw, LENGTH, Shape, World};

/// What a history is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is told by `what`")]
pub enum Kind {
    Healthy,
    HealthyLimit,
    HealthyOtherSamples,
    HealthyBackground,
    Errors20,
    Errors5,
    Errors2,
    Errors105,
    Errors105Day,
    LatencyX4,
    LatencyX2,
    Latency110Day,
    Latency105Week,
    Flap,
    OneEndpoint,
    SlowLeak,
    SwitchedOff,
    ErrorSpike,
    LatencySpike,
    WeakSpike,
    LateErrors,
    LateLatency,
    Missing30,
    NetworkPersists,
    NoAnswers,
    RateLimited,
    DeployBlips,
    Maintenance,
}

/// What the gate should say of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Proceed.
    Healthy,
    /// Anything but proceed.
    Broken,
    /// Anything but roll back: the monitor's own trouble.
    Own,
    /// Nobody can say: reported, held to nothing.
    Told,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::Healthy,
        Self::HealthyLimit,
        Self::HealthyOtherSamples,
        Self::HealthyBackground,
        Self::Errors20,
        Self::Errors5,
        Self::Errors2,
        Self::Errors105,
        Self::Errors105Day,
        Self::LatencyX4,
        Self::LatencyX2,
        Self::Latency110Day,
        Self::Latency105Week,
        Self::Flap,
        Self::OneEndpoint,
        Self::SlowLeak,
        Self::SwitchedOff,
        Self::ErrorSpike,
        Self::LatencySpike,
        Self::WeakSpike,
        Self::LateErrors,
        Self::LateLatency,
        Self::Missing30,
        Self::NetworkPersists,
        Self::NoAnswers,
        Self::RateLimited,
        Self::DeployBlips,
        Self::Maintenance,
    ];

    /// As written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::HealthyLimit => "healthy_limit",
            Self::HealthyOtherSamples => "healthy_other_samples",
            Self::HealthyBackground => "healthy_background",
            Self::Errors20 => "errors_20",
            Self::Errors5 => "errors_5",
            Self::Errors2 => "errors_2",
            Self::Errors105 => "errors_105",
            Self::Errors105Day => "errors_105_day",
            Self::LatencyX4 => "latency_x4",
            Self::LatencyX2 => "latency_x2",
            Self::Latency110Day => "latency_110_day",
            Self::Latency105Week => "latency_105_week",
            Self::Flap => "flap",
            Self::OneEndpoint => "one_endpoint",
            Self::SlowLeak => "slow_leak",
            Self::SwitchedOff => "switched_off",
            Self::ErrorSpike => "error_spike",
            Self::LatencySpike => "latency_spike",
            Self::WeakSpike => "weak_spike",
            Self::LateErrors => "late_errors",
            Self::LateLatency => "late_latency",
            Self::Missing30 => "missing_30",
            Self::NetworkPersists => "network_persists",
            Self::NoAnswers => "no_answers",
            Self::RateLimited => "rate_limited",
            Self::DeployBlips => "deploy_blips",
            Self::Maintenance => "maintenance",
        }
    }

    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What it is, for people.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::Healthy => "healthy: P95 at 40 to 90 % of the target, failed requests below 0.03 %",
            Self::HealthyLimit => "healthy at the limit: P95 at 85 to 90 % of the target",
            Self::HealthyOtherSamples => "healthy, 3 to 50 requests a check",
            Self::HealthyBackground => "healthy, 0.05 to 0.1 % of requests always fail",
            Self::Errors20 => "20 to 60 % of requests fail",
            Self::Errors5 => "5 % of requests fail",
            Self::Errors2 => "2 % of requests fail",
            Self::Errors105 => "1.05 % of requests fail, for 1 to 7 days",
            Self::Errors105Day => "1.05 % of requests fail, for the last 24 h alone",
            Self::LatencyX4 => "latency ×4, from a P95 at 50 to 90 % of the target",
            Self::LatencyX2 => "latency ×2, from a P95 at 60 to 90 % of the target",
            Self::Latency110Day => "P95 at 110 % of the target, for the last 24 h alone",
            Self::Latency105Week => "P95 at 105 % of the target, for the week",
            Self::Flap => "every second check, half of the requests fail",
            Self::OneEndpoint => "one endpoint fails half of its requests or more",
            Self::SlowLeak => "latency grows over the week to a P95 at 130 to 200 % of the target",
            Self::SwitchedOff => "the feature is off: answers are good and 4 to 20 times as fast",
            Self::ErrorSpike => "30 to 100 % of requests fail for an hour",
            Self::LatencySpike => "latency ×4 for an hour",
            Self::WeakSpike => "5 to 20 % of requests fail for an hour",
            Self::LateErrors => "2 % of requests fail in the last 6 h",
            Self::LateLatency => "latency ×2 in the last 6 h",
            Self::Missing30 => "30 % of the checks are missing",
            Self::NetworkPersists => {
                "the way to the API is lost 1 to 3 times a week, and 20 % of the time for the next check too"
            }
            Self::NoAnswers => "nothing answers for 1 to 8 h",
            Self::RateLimited => "429 for hours, 10 to 100 % of requests",
            Self::DeployBlips => "a deployment a day: one check up to 3 times as slow, with up to 2 failed requests",
            Self::Maintenance => "a maintenance window in which everything fails",
        }
    }

    /// What the gate should say of it.
    #[must_use]
    pub fn truth(self) -> Truth {
        match self {
            Self::Healthy | Self::HealthyLimit | Self::HealthyOtherSamples | Self::Maintenance => Truth::Healthy,
            Self::HealthyBackground
            | Self::DeployBlips
            | Self::WeakSpike
            | Self::LateErrors
            | Self::LateLatency
            | Self::Missing30 => Truth::Told,
            Self::NetworkPersists | Self::NoAnswers | Self::RateLimited => Truth::Own,
            _ => Truth::Broken,
        }
    }

    pub(super) fn draw(self) -> Draw {
        let draw = |low, high| Draw {
            p95: (low, high),
            samples: None,
            persistence: 0.0,
            network: (0.1, 0.5),
        };
        match self {
            Self::HealthyLimit => draw(0.85, 0.90),
            Self::LatencyX4 => draw(0.50, 0.90),
            Self::LatencyX2 => draw(0.60, 0.90),
            Self::NetworkPersists => Draw {
                persistence: 0.2,
                network: (1.0, 3.0),
                ..draw(0.4, 0.9)
            },
            _ => draw(0.4, 0.9),
        }
    }
}

/// What happens to a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Effect {
    /// Latency, in logarithms.
    pub(super) slower: f64,
    /// The share of requests that fail, and how they cluster within the check.
    pub(super) errors: f64,
    /// Which endpoint fails, where it is one.
    pub(super) endpoint: Option<usize>,
    /// The share of requests without an answer.
    pub(super) unanswered: f64,
    /// The share of requests answered with 429.
    pub(super) limited: f64,
    pub(super) missing: bool,
    pub(super) muted: bool,
    /// The feature is off: answers are as fast as one constant.
    pub(super) off: bool,
}

/// What happens in a history of `kind`, slot by slot, and since which slot it is broken.
pub(super) fn effects(
    kind: Kind,
    world: &World,
    shapes: &[Shape],
    random: &mut Random,
) -> (Vec<Effect>, Option<usize>) {
    let mut effects = vec![Effect::default(); LENGTH];
    background(world, &mut effects, random);
    let week = 7 * DAY;
    let any = LENGTH - DAY - random.below(week - DAY);
    let onset = match kind {
        Kind::Healthy
        | Kind::HealthyLimit
        | Kind::HealthyOtherSamples
        | Kind::HealthyBackground
        | Kind::NetworkPersists => return (effects, None),
        Kind::Latency105Week | Kind::SlowLeak | Kind::Missing30 | Kind::DeployBlips => week,
        Kind::Errors105Day | Kind::Latency110Day => LENGTH - DAY,
        Kind::LateErrors | Kind::LateLatency => LENGTH - DAY / 4 + random.below(DAY / 8),
        _ => any,
    };
    let shift = match kind {
        Kind::LatencyX4 | Kind::LatencySpike => 4.0_f64.ln(),
        Kind::LatencyX2 | Kind::LateLatency => 2.0_f64.ln(),
        Kind::Latency110Day => world.shift_to(shapes, onset..LENGTH, world.target_ms * 1.10, 0.0),
        Kind::Latency105Week => world.shift_to(shapes, onset..LENGTH, world.target_ms * 1.05, 0.0),
        Kind::SlowLeak => {
            let last = LENGTH - DAY..LENGTH;
            world.shift_to(shapes, last, world.target_ms * random.between(1.3, 2.0), 0.0)
        }
        _ => 0.0,
    };
    let share = match kind {
        Kind::Errors20 => random.between(0.2, 0.6),
        Kind::Errors5 => 0.05,
        Kind::Errors2 | Kind::LateErrors => 0.02,
        Kind::Errors105 | Kind::Errors105Day => 0.0105,
        Kind::Flap => 0.5,
        Kind::OneEndpoint | Kind::RateLimited => random.between(0.5, 1.0),
        Kind::ErrorSpike => random.between(0.3, 1.0),
        Kind::WeakSpike => random.between(0.05, 0.2),
        Kind::SwitchedOff => random.between(4.0_f64.ln(), 20.0_f64.ln()),
        _ => 0.0,
    };
    let lasts = match kind {
        Kind::ErrorSpike | Kind::LatencySpike | Kind::WeakSpike => 4,
        Kind::NoAnswers | Kind::Maintenance => 4 + random.below(28),
        Kind::RateLimited => 4 + random.below(DAY),
        _ => LENGTH,
    };
    let endpoint = random.below(world.endpoints.len());
    for (index, effect) in effects.iter_mut().enumerate().skip(onset).take(lasts) {
        happen(
            kind,
            effect,
            &Happening {
                index,
                onset,
                shift,
                share,
                endpoint,
            },
            random,
        );
    }
    (effects, Some(onset))
}

struct Happening {
    index: usize,
    onset: usize,
    shift: f64,
    share: f64,
    endpoint: usize,
}

fn happen(kind: Kind, effect: &mut Effect, what: &Happening, random: &mut Random) {
    let Happening {
        index,
        onset,
        shift,
        share,
        endpoint,
    } = *what;
    match kind {
        Kind::Errors20
        | Kind::Errors5
        | Kind::Errors2
        | Kind::LateErrors
        | Kind::Errors105
        | Kind::Errors105Day
        | Kind::ErrorSpike
        | Kind::WeakSpike => {
            effect.errors = share;
        }
        Kind::LatencyX4
        | Kind::LatencyX2
        | Kind::LateLatency
        | Kind::Latency110Day
        | Kind::Latency105Week
        | Kind::LatencySpike => effect.slower = shift,
        Kind::SlowLeak => {
            #[expect(clippy::cast_precision_loss, reason = "slots of a week")]
            let part = (index - onset) as f64 / (6 * DAY) as f64;
            effect.slower = shift * part.min(1.0);
        }
        Kind::Flap => effect.errors = if index % 2 == 0 { share } else { 0.0 },
        Kind::OneEndpoint => (effect.errors, effect.endpoint) = (share, Some(endpoint)),
        Kind::SwitchedOff => (effect.slower, effect.off) = (-share, true),
        Kind::Missing30 => effect.missing |= random.chance(0.3),
        Kind::NoAnswers => effect.unanswered = random.pick(&[0.6, 0.9, 1.0, 1.0], 1.0),
        Kind::RateLimited => effect.limited = random.between(0.1, 1.0).max(share - 0.4),
        Kind::DeployBlips if (index - onset) % DAY == 40 => {
            effect.slower = random.between(0.3, 1.1);
            effect.errors = random.between(0.0, 0.1);
        }
        Kind::Maintenance => (effect.muted, effect.errors) = (true, 0.9),
        _ => {}
    }
}

/// What happens to every lens: checks that lose the way, and checks that are missing.
fn background(world: &World, effects: &mut [Effect], random: &mut Random) {
    #[expect(clippy::cast_precision_loss, reason = "slots of a week")]
    let rate = world.network / (7 * DAY) as f64;
    let mut is_away = false;
    for effect in effects {
        is_away = if is_away && world.persistence > 0.0 {
            random.chance(world.persistence)
        } else {
            random.chance(rate)
        };
        if is_away {
            effect.unanswered = random.pick(&[0.3, 0.7, 1.0, 1.0], 1.0);
        }
        effect.missing = random.chance(world.missing);
    }
}
