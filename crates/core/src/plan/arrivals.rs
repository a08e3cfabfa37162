//! When the requests of an open shape are due: a timetable made before the first is sent.
//!
//! Latency counts from these times, not from when a connection was free, so that a server that
//! stalls cannot hide the requests that it kept from being sent. The timetable is exact: each due
//! time follows from the ramps, not from the due time before it, so that rounding never adds up.

use std::time::Duration;

use crate::plan::load_shape::{Arrival, Load};

/// The due times of one of `workers` senders, as offsets from the start of the load.
#[derive(Debug, Clone)]
pub struct Timetable {
    ramps: Vec<(f64, f64, f64)>,
    arrivals: Arrival,
    /// Where the next request stands on the axis on which requests are one apart.
    position: f64,
    workers: f64,
    random: u64,
    /// The ramp in force, the requests due before it, and when it begins in seconds.
    at: (usize, f64, f64),
}

impl Timetable {
    /// The share of sender `worker` (from 0) of `workers` in `load`. Empty for shapes that are not open.
    #[must_use]
    pub fn new(load: &Load, worker: u32, workers: u32, seed: u64) -> Self {
        let arrivals = match load {
            Load::Open(open) => open.arrivals,
            _ => Arrival::Constant,
        };
        let mut timetable = Self {
            ramps: load
                .ramps()
                .into_iter()
                .map(|(from, to, time)| (from, to, time.as_secs_f64()))
                .collect(),
            arrivals,
            position: f64::from(worker),
            workers: f64::from(workers.max(1)),
            random: seed ^ (u64::from(worker) << 32),
            at: (0, 0.0, 0.0),
        };
        if arrivals == Arrival::Poisson {
            timetable.position = timetable.gap();
        }
        timetable
    }

    /// How far apart two requests of this sender stand.
    fn gap(&mut self) -> f64 {
        match self.arrivals {
            Arrival::Constant => self.workers,
            // A Poisson stream dealt out to senders is a Poisson stream for each.
            Arrival::Poisson => -(1.0 - self.unit()).ln() * self.workers,
        }
    }

    /// SplitMix64, as a number in 0.0..1.0: good enough for gaps, and the same on every machine.
    fn unit(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0;
        unit
    }
}

/// When, from the start of a ramp, the `due`-th request of it leaves; the rate moves from `from` to `to` in `time`.
fn within(from: f64, to: f64, time: f64, due: f64) -> f64 {
    if due <= 0.0 {
        return 0.0;
    }
    let slope = (to - from) / time;
    if slope.abs() < 1e-12 {
        return due / from;
    }
    // The solution of `from·t + slope·t²/2 = due` in the form that does not cancel.
    2.0 * due / (from + (from * from + 2.0 * slope * due).max(0.0).sqrt())
}

impl Iterator for Timetable {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        loop {
            let (index, before, begins) = self.at;
            let &(from, to, time) = self.ramps.get(index)?;
            let in_ramp = f64::midpoint(from, to) * time;
            let due = self.position - before;
            if due < in_ramp {
                self.position += self.gap();
                let offset = begins + within(from, to, time, due).clamp(0.0, time);
                return Some(Duration::from_secs_f64(offset));
            }
            self.at = (index + 1, before + in_ramp, begins + time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Load {
        crate::yaml::read("plan.yml", text).unwrap()
    }

    fn due(text: &str, workers: u32) -> Vec<u128> {
        let load = load(text);
        let mut all: Vec<u128> = (0..workers)
            .flat_map(|worker| Timetable::new(&load, worker, workers, 7))
            .map(|offset| offset.as_micros())
            .collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn constant_arrivals_are_evenly_spaced_however_many_send_them() {
        for workers in [1, 2, 3] {
            assert_eq!(
                due("open: {rate: 4, for: 2s}", workers),
                [0, 250_000, 500_000, 750_000, 1_000_000, 1_250_000, 1_500_000, 1_750_000],
                "{workers} workers"
            );
        }
    }

    #[test]
    fn a_ramp_holds_the_area_under_its_line() {
        let all = due(
            "stages: [{rate: 100, for: 2s}, {rate: 100, for: 1s}, {rate: 0, for: 2s}]",
            2,
        );
        assert_eq!(all.len(), 300);
        let count = |from: u128, to: u128| all.iter().filter(|at| (from..to).contains(*at)).count();
        // One is due right at each of these ends, give or take the last bit of a number.
        assert_eq!((count(0, 999_990), count(1_999_990, 2_999_990)), (25, 100));
        assert_eq!(count(0, 1_999_990), 100);
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_exponential_gaps() {
        for workers in [1, 2] {
            let all = due("open: {rate: 1000, for: 20s, arrivals: poisson}", workers);
            assert!((19_400..20_600).contains(&all.len()), "{}", all.len());
            // Of exponential gaps 63.2 % are below their mean.
            let short = all.windows(2).filter(|pair| pair[1] - pair[0] < 1_000).count();
            assert!(
                (60..66).contains(&(short * 100 / all.len())),
                "{short} of {}",
                all.len()
            );
        }
    }

    #[test]
    fn shapes_that_are_not_open_have_no_timetable() {
        assert!(due("burst: 5", 1).is_empty());
    }
}
