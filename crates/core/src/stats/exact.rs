//! Exact figures of counts: tails of the Poisson distribution, and intervals of a share.

use std::f64::consts::PI;

/// The most that is counted up to before a tail counts as zero.
const LONGEST: u32 = 100_000;

/// The smallest count that a Poisson variable of mean `mean` reaches with a probability of `alpha` at
/// most. At least 1.
#[must_use]
pub fn poisson_bound(mean: f64, alpha: f64) -> u32 {
    let mean = if mean.is_finite() { mean.max(0.0) } else { 0.0 };
    // P(X = 0), in logarithms: a mean of thousands has no e^-mean.
    let (mut log_mass, mut at_least) = (-mean, 1.0);
    for k in 0..LONGEST {
        if at_least <= alpha && k > 0 {
            return k;
        }
        at_least -= log_mass.exp();
        log_mass += (mean / f64::from(k + 1)).ln();
    }
    LONGEST
}

/// The exact 95 % interval of a share of which `hits` of `of` were seen (Clopper and Pearson 1934).
/// (0, 1) without a trial.
#[must_use]
pub fn share_interval(hits: u64, of: u64) -> (f64, f64) {
    let hits = hits.min(of);
    if of == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (count(hits), count(of));
    let low = if hits == 0 {
        0.0
    } else {
        beta_quantile(0.025, k, n - k + 1.0)
    };
    let high = if hits == of {
        1.0
    } else {
        beta_quantile(0.975, k + 1.0, n - k)
    };
    (low, high)
}

#[expect(clippy::cast_precision_loss, reason = "counts beyond 2^52 do not occur")]
fn count(n: u64) -> f64 {
    n as f64
}

/// Where the Beta distribution with `a` and `b` has `share` below it, by bisection.
fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if beta_below(middle, a, b) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The regularized incomplete beta function, by its continued fraction (Numerical Recipes, 6.4).
fn beta_below(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(x, a, b) / a
    } else {
        1.0 - front * beta_fraction(1.0 - x, b, a) / b
    }
}

fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut c, mut d) = (1.0, 1.0 / away(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..500_u32 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            step = c * d;
            fraction *= step;
        }
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    fraction
}

/// The logarithm of the gamma function for `x` above zero (Lanczos, g = 7).
fn ln_gamma(x: f64) -> f64 {
    const LANCZOS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let terms = (1_u32..)
        .zip(LANCZOS)
        .map(|(index, term)| term / (x + f64::from(index)));
    let series = 0.999_999_999_999_809_9 + terms.sum::<f64>();
    let t = x + 7.5;
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_counts_are_those_of_the_tables() {
        // P(X ≥ 3 | 0.0252) = 2.6e-6; P(X ≥ 5 | 0.1512) = 5.8e-7; P(X ≥ 8 | 0.6048) = 2.6e-7 … 2.7e-6 for 7.
        for (mean, alpha, bound) in [
            (0.0252, 3e-6, 3),
            (0.1512, 3e-6, 5),
            (0.0, 3e-6, 1),
            (100.0, 0.05, 118),
            (5_000.0, 0.025, 5_140),
        ] {
            assert_eq!(poisson_bound(mean, alpha), bound, "{mean}");
        }
    }

    #[test]
    fn intervals_are_those_of_clopper_and_pearson() {
        for (hits, of, low, high) in [
            (0, 10_942, 0.0, 0.000_337),
            (10, 100, 0.049_005, 0.176_223),
            (5, 10_000, 0.000_162, 0.001_166_4),
            (7, 7, 0.590_384, 1.0),
            (0, 0, 0.0, 1.0),
        ] {
            let (found_low, found_high) = share_interval(hits, of);
            assert!(
                (found_low - low).abs() < 2e-6 && (found_high - high).abs() < 2e-6,
                "{hits} of {of}: {found_low} {found_high}"
            );
        }
    }
}
