//! One history: what is true of a lens becomes checks, request by request.

use super::incident::{Effect, Kind, effects};
use super::random::Random;
use super::world::{Shape, World};
use crate::history::gate::{Counts, Slot, State};
use crate::lens::mute::MutedWhy;
use crate::lens::{Limits, Slo};

/// The interval of the checks, in milliseconds.
pub(super) const EVERY_MS: i64 = 900_000;

/// The share of the target that the window's own P95 is held to, as the gate has it.
const NEAR_LN: f64 = -0.030_459_2;

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimResult {
    /// A good answer.
    Good,
    /// 500.
    ServerError,
    /// Nothing.
    Unanswered,
    /// 429.
    Limited,
}

/// One request of a check.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimSample {
    /// Which endpoint.
    pub endpoint: usize,
    /// The logarithm of its latency in milliseconds.
    pub ms_ln: f64,
    /// What came of it.
    pub result: SimResult,
}

/// One slot.
#[derive(Debug, Clone, PartialEq)]
pub struct SimCheck {
    /// When it was due, in milliseconds since the epoch.
    pub due_ms: i64,
    /// Whether it has no check.
    pub missing: bool,
    /// Whether it lies in a maintenance window.
    pub muted: bool,
    /// Its requests; none where it is missing.
    pub samples: Vec<SimSample>,
}

/// A history, and what is true of it.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// What it is an example of.
    pub kind: Kind,
    /// Its slots, oldest first: 14 days, the first week of them healthy.
    pub checks: Vec<SimCheck>,
    /// When it became broken, in milliseconds since the epoch; `None` in healthy ones.
    pub onset_ms: Option<i64>,
    /// What the lens promises.
    pub slo: Slo,
    /// How many endpoints there are.
    pub endpoints: usize,
}

/// The shapes of latency that histories are drawn from: made once, used by all.
#[derive(Debug, Clone)]
pub struct Shapes(pub(super) Vec<Shape>);

impl Shapes {
    /// Makes them.
    #[must_use]
    pub fn new() -> Self {
        Self(Shape::all())
    }
}

impl Default for Shapes {
    fn default() -> Self {
        Self::new()
    }
}

/// The `index`-th history of `kind` of `seed`. It begins at `start_ms`.
#[must_use]
pub fn simulate(kind: Kind, seed: u64, index: u64, start_ms: i64, shapes: &Shapes) -> Simulated {
    let mut random = Random::new(seed, index.wrapping_mul(64).wrapping_add(kind as u64));
    let mut draw = kind.draw();
    if kind == Kind::HealthyOtherSamples {
        draw.samples = Some(random.pick(&[(3, 1), (2, 2), (3, 3), (5, 3), (5, 10)], (3, 1)));
    }
    let mut world = World::draw(&mut random, &shapes.0, &draw);
    if kind == Kind::HealthyBackground {
        world.background = random.between(0.0005, 0.001);
    }
    let (effects, onset) = effects(kind, &world, &shapes.0, &mut random);
    let due = |slot: usize| start_ms + i64::try_from(slot).unwrap_or(0) * EVERY_MS;
    let mut shape = world.clone();
    let checks = effects
        .iter()
        .enumerate()
        .map(|(slot, effect)| check(&mut shape, &shapes.0, slot, due(slot), effect, &mut random))
        .collect();
    Simulated {
        kind,
        checks,
        onset_ms: onset.map(due),
        slo: Slo {
            p95_ms: Limits {
                warn: world.target_ms,
                fail: world.fail_ms,
            },
            error_rate_percent: Limits { warn: 1.0, fail: 5.0 },
            ..Slo::default()
        },
        endpoints: world.endpoints.len(),
    }
}

fn check(
    world: &mut World,
    shapes: &[Shape],
    slot: usize,
    due_ms: i64,
    effect: &Effect,
    random: &mut Random,
) -> SimCheck {
    let mut check = SimCheck {
        due_ms,
        missing: effect.missing,
        muted: effect.muted,
        samples: Vec::new(),
    };
    let Some(shape) = shapes.get(world.family).filter(|_| !effect.missing) else {
        return check;
    };
    let level = world.level.get(slot).copied().unwrap_or(0.0) + effect.slower;
    let background = if world.background > 0.0 {
        random.clustered(world.background, world.icc)
    } else {
        0.0
    };
    let errors = if effect.errors > 0.0 {
        random.clustered(effect.errors, world.icc)
    } else {
        0.0
    };
    check.samples.reserve(world.endpoints.len() * world.samples);
    for (endpoint, offset) in world.endpoints.iter().enumerate() {
        let is_hit = effect.endpoint.is_none_or(|hit| hit == endpoint);
        let share = background + if is_hit { errors } else { 0.0 };
        for _ in 0..world.samples {
            // What is off answers at once and always alike.
            let noise = if effect.off {
                0.1 * shape.sample(random)
            } else {
                shape.sample(random)
            };
            let result = match random.unit() {
                chance if chance < effect.unanswered => SimResult::Unanswered,
                chance if chance < effect.unanswered + effect.limited => SimResult::Limited,
                _ if share > 0.0 && random.chance(share) => SimResult::ServerError,
                _ => SimResult::Good,
            };
            check.samples.push(SimSample {
                endpoint,
                ms_ln: level + offset + noise,
                result,
            });
        }
    }
    check
}

impl Simulated {
    /// Its slots, as the gate looks at them.
    #[must_use]
    pub fn slots(&self) -> Vec<Slot> {
        let (target, fail) = (self.slo.p95_ms.warn.ln(), self.slo.p95_ms.fail.ln());
        let mut latencies = Vec::new();
        let slot = |check: &SimCheck| Slot {
            due_ms: check.due_ms,
            every_ms: EVERY_MS,
            fills: true,
            state: match check {
                SimCheck { missing: true, .. } => State::Missing,
                SimCheck { muted: true, .. } => State::LeftOut(MutedWhy::Maintenance),
                _ => State::Checked(counts(check, target, fail, &mut latencies)),
            },
        };
        self.checks.iter().map(slot).collect()
    }
}

fn counts(check: &SimCheck, target_ln: f64, fail_ln: f64, latencies: &mut Vec<f64>) -> Counts {
    let mut counts = Counts::default();
    latencies.clear();
    for sample in &check.samples {
        counts.requests += 1;
        match sample.result {
            SimResult::Good => {}
            SimResult::ServerError => {
                counts.failed += 1;
                counts.server_errors += 1;
            }
            SimResult::Unanswered => {
                counts.failed += 1;
                counts.unanswered += 1;
                continue;
            }
            SimResult::Limited => {
                counts.limited += 1;
                continue;
            }
        }
        latencies.push(sample.ms_ln);
        counts.timed += 1;
        counts.over_target += u32::from(sample.ms_ln > target_ln);
        counts.near_target += u32::from(sample.ms_ln > target_ln + NEAR_LN);
        counts.over_fail += u32::from(sample.ms_ln > fail_ln);
    }
    counts.shape_of(latencies);
    counts
}
