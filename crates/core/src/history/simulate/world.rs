//! What is true of a lens before anything happens to it: its latency, how that varies, and its background.

use super::random::Random;

/// Checks of a day at 15 minutes.
pub(super) const DAY: usize = 96;

/// Checks of a history: 14 days.
pub(super) const LENGTH: usize = 14 * DAY;

/// Quantiles that a shape is kept as.
const STEPS: usize = 8_192;

/// Draws that a shape is made of.
const DRAWS: usize = 32 * STEPS;

/// The distribution of one latency around its level, in logarithms: quantiles in ascending order.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    quantiles: Vec<f32>,
}

/// The families of latencies: light and heavy tails, two modes, and a floor.
const FAMILIES: usize = 12;

impl Shape {
    fn of(family: usize) -> Self {
        let mut random = Random::new(0x5ea5_0000, family as u64);
        let mut draws: Vec<f32> = (0..DRAWS).map(|_| Self::draw(family, &mut random) as f32).collect();
        draws.sort_by(f32::total_cmp);
        let step = DRAWS / STEPS;
        let quantiles = draws.iter().skip(step / 2).step_by(step).copied().collect();
        Self { quantiles }
    }

    fn draw(family: usize, random: &mut Random) -> f64 {
        match family {
            // Log-normal, from steady to wide.
            0 => 0.2 * random.normal(),
            1 => 0.3 * random.normal(),
            2 => 0.4 * random.normal(),
            3 => 0.5 * random.normal(),
            4 => 0.65 * random.normal(),
            5 => 0.8 * random.normal(),
            // With a Pareto tail above: exponent 2.5, 2, and 1.6 for a part of the requests.
            6 => 0.3 * random.normal() + random.exponential() / 2.5,
            7 => 0.25 * random.normal() + random.exponential() / 2.0,
            8 => {
                0.3 * random.normal()
                    + if random.chance(0.3) {
                        random.exponential() / 1.6
                    } else {
                        0.0
                    }
            }
            // A slow mode: misses of a cache.
            9 => 0.25 * random.normal() + if random.chance(0.10) { 1.1 } else { 0.0 },
            10 => 0.3 * random.normal() + if random.chance(0.03) { 1.5 } else { 0.0 },
            // Gamma: sums of waits.
            _ => (random.gamma(3.0) / 3.0).ln(),
        }
    }

    /// Every family, made once.
    pub(super) fn all() -> Vec<Self> {
        (0..FAMILIES).map(Self::of).collect()
    }

    /// One draw.
    pub(super) fn sample(&self, random: &mut Random) -> f64 {
        let index = random.below(self.quantiles.len());
        self.quantiles.get(index).map_or(0.0, |value| f64::from(*value))
    }

    /// The share above `value`.
    #[expect(clippy::cast_precision_loss, reason = "some thousand quantiles")]
    fn above(&self, value: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, reason = "as the quantiles are kept")]
        let below = self.quantiles.partition_point(|quantile| *quantile <= value as f32);
        1.0 - below as f64 / self.quantiles.len().max(1) as f64
    }
}

/// A lens, before anything happens to it.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// Which family its latencies are of.
    pub(super) family: usize,
    /// Requests of each endpoint in a check.
    pub(super) samples: usize,
    /// How each endpoint differs in latency, in logarithms.
    pub(super) endpoints: Vec<f64>,
    /// The level of latency at each slot, in logarithms of milliseconds.
    pub(super) level: Vec<f64>,
    /// P95 target and limit of failure in milliseconds.
    pub(super) target_ms: f64,
    pub(super) fail_ms: f64,
    /// Failed requests in the background: a share, and how they cluster within a check.
    pub(super) background: f64,
    pub(super) icc: f64,
    /// Checks a week that lose the way to the API, and the chance that the next one does too.
    pub(super) network: f64,
    pub(super) persistence: f64,
    /// The share of slots that have no check.
    pub(super) missing: f64,
    /// The place in the week at which the history begins, in slots.
    pub(super) weekday: usize,
}

/// How a world is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draw {
    /// The true P95 of the worse week, as a share of the target: from, to.
    pub(super) p95: (f64, f64),
    /// Requests a check where all lenses have as many; else it is drawn.
    pub(super) samples: Option<(usize, usize)>,
    pub(super) persistence: f64,
    pub(super) network: (f64, f64),
}

impl World {
    pub(super) fn draw(random: &mut Random, shapes: &[Shape], draw: &Draw) -> Self {
        let family = random.below(shapes.len());
        let (endpoints, samples) = draw
            .samples
            .unwrap_or_else(|| random.pick(&[(3, 7), (3, 7), (3, 7), (2, 11), (5, 5), (4, 6)], (3, 7)));
        let target_ms = random.pick(&[200.0, 500.0, 1_000.0, 2_000.0], 500.0);
        let mut world = Self {
            family,
            samples,
            endpoints: (0..endpoints).map(|_| 0.15 * random.normal()).collect(),
            level: Vec::new(),
            target_ms,
            fail_ms: target_ms * random.pick(&[3.0, 4.0, 5.0], 4.0),
            background: if random.chance(0.4) {
                0.0
            } else {
                random.between(0.0, 0.0003)
            },
            icc: random.pick(&[0.0, 0.02, 0.05, 0.1], 0.05),
            network: random.between(draw.network.0, draw.network.1),
            persistence: draw.persistence,
            missing: random.pick(&[0.0, 0.0, 0.002, 0.01], 0.0),
            weekday: random.below(7 * DAY),
        };
        world.vary(random);
        let (low, high) = draw.p95;
        let p95_ms = target_ms * random.between(low, high);
        let shift = [0, 7 * DAY]
            .into_iter()
            .map(|from| world.shift_to(shapes, from..from + 7 * DAY, p95_ms, 0.0))
            .fold(f64::INFINITY, f64::min);
        for level in &mut world.level {
            *level += shift;
        }
        world
    }

    /// The level of latency over time: the hours of a day, weekends, and autocorrelated noise, in part of
    /// heavy tails.
    fn vary(&mut self, random: &mut Random) {
        let daily = random.between(0.0, 0.15);
        let peak = random.unit();
        let weekend = random.between(-0.30, 0.05).min(0.0);
        let rho = random.between(0.8, 0.95);
        let noise = random.between(0.02, 0.10);
        let heavy = random.chance(0.3);
        let step = noise * (1.0 - rho * rho).sqrt();
        let mut state = noise * random.normal();
        self.level = (0..LENGTH)
            .map(|slot| {
                let shock = random.normal();
                // Student's t with 4 degrees of freedom has shocks of twice the size now and then.
                let shock = if heavy {
                    shock / (random.gamma(2.0) / 2.0).sqrt() / 2.0_f64.sqrt()
                } else {
                    shock
                };
                state = rho * state + step * shock;
                let of_week = (self.weekday + slot) % (7 * DAY);
                #[expect(clippy::cast_precision_loss, reason = "a slot of a day")]
                let of_day = (of_week % DAY) as f64 / DAY as f64;
                let dip = if of_week >= 5 * DAY { weekend } else { 0.0 };
                daily * (std::f64::consts::TAU * (of_day - peak)).sin() + dip + state
            })
            .collect();
    }

    /// By how much the levels of `slots` must rise for their true P95 to be `p95_ms`; `tail` of the requests
    /// that are counted fail otherwise and are not over it.
    #[expect(clippy::cast_precision_loss, reason = "slots of a history")]
    pub(super) fn shift_to(&self, shapes: &[Shape], slots: std::ops::Range<usize>, p95_ms: f64, tail: f64) -> f64 {
        let Some(shape) = shapes.get(self.family) else {
            return 0.0;
        };
        let every = (slots.len() / 84).max(1);
        let levels: Vec<f64> = self
            .level
            .get(slots)
            .unwrap_or_default()
            .iter()
            .step_by(every)
            .copied()
            .collect();
        let line = p95_ms.ln();
        let (mut low, mut high) = (-40.0, 40.0);
        for _ in 0..36 {
            let shift = f64::midpoint(low, high);
            let over: f64 = levels
                .iter()
                .flat_map(|level| self.endpoints.iter().map(move |endpoint| level + endpoint))
                .map(|level| shape.above(line - level - shift))
                .sum();
            let share = over / (levels.len() * self.endpoints.len()).max(1) as f64;
            if share > 0.05 + tail {
                high = shift;
            } else {
                low = shift;
            }
        }
        f64::midpoint(low, high)
    }
}
