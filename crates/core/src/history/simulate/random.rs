//! Seeded randomness that is the same everywhere: xoshiro256++ (Blackman and Vigna), seeded by splitmix64.

/// A source of random numbers.
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
}

fn splitmix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The source of `seed`; `stream` keeps sources of one seed apart.
    #[must_use]
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95).rotate_left(17);
        Self {
            state: std::array::from_fn(|_| splitmix(&mut mixed)),
        }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// Evenly in [0, 1).
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// Evenly in [low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with a chance of `share`.
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Below `n`; 0 where `n` is 0.
    #[expect(clippy::cast_possible_truncation, reason = "below n")]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// One of `items`.
    pub fn pick<T: Copy>(&mut self, items: &[T], otherwise: T) -> T {
        let index = self.below(items.len());
        items.get(index).copied().unwrap_or(otherwise)
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Exponential of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Gamma of shape `shape` and scale 1 (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let power = self.unit().max(1e-300).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * power;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// A share of mean `mean` whose draws cluster by `icc`: 0 is always the mean, 1 always none or all.
    pub fn clustered(&mut self, mean: f64, icc: f64) -> f64 {
        if mean <= 0.0 || icc <= 0.0 {
            return mean.max(0.0);
        }
        let size = (1.0 - icc) / icc;
        let (a, b) = (self.gamma(mean * size), self.gamma((1.0 - mean) * size));
        if a + b > 0.0 { a / (a + b) } else { 0.0 }
    }

    /// How many events of rate `mean` happen.
    pub fn poisson(&mut self, mean: f64) -> u32 {
        let (mut count, mut left) = (0, mean);
        loop {
            left -= self.exponential();
            if left < 0.0 {
                return count;
            }
            count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_history_and_streams_differ() {
        let draw = |seed, stream| Random::new(seed, stream).bits();
        assert_eq!(draw(1, 2), draw(1, 2));
        assert_ne!(draw(1, 2), draw(1, 3));
        assert_ne!(draw(1, 2), draw(2, 2));
    }

    #[test]
    fn draws_have_the_means_they_should() {
        let mut random = Random::new(7, 0);
        let mut mean =
            |of: &mut dyn FnMut(&mut Random) -> f64| (0..40_000).map(|_| of(&mut random)).sum::<f64>() / 40_000.0;
        for (found, expected) in [
            (mean(&mut |r| r.unit()), 0.5),
            (mean(&mut |r| r.normal().powi(2)), 1.0),
            (mean(&mut |r| r.gamma(0.3)), 0.3),
            (mean(&mut |r| r.gamma(4.0)), 4.0),
            (mean(&mut |r| r.clustered(0.2, 0.05)), 0.2),
            (mean(&mut |r| f64::from(r.poisson(1.5))), 1.5),
        ] {
            assert!(
                (found - expected).abs() < 0.04 * expected.max(0.5),
                "{found} for {expected}"
            );
        }
    }
}
