//! How far a load is: the counts of each target and its course, second by second.

use std::time::Duration;

use lensops_core::stats::histogram::Quantile;
use lensops_core::verdict::tally::Second;

use super::tally::Figures;

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Seconds since the start of the load.
    pub second: u32,
    /// The counts of each target.
    pub totals: Vec<Figures>,
    /// The course of each target, second by second.
    pub series: Vec<Vec<Second>>,
}

impl Progress {
    /// Nothing yet, of so many targets.
    pub(super) fn of(targets: usize) -> Self {
        Self {
            second: 0,
            totals: (0..targets).map(|_| Figures::default()).collect(),
            series: vec![Vec::new(); targets],
        }
    }

    /// Forgets the course. Totals stay.
    pub(super) fn clear_series(&mut self) {
        self.series = vec![Vec::new(); self.totals.len()];
    }

    /// Adds one second to the course and the totals.
    pub(super) fn add(&mut self, second: u32, sums: Vec<Figures>) {
        self.second = self.second.max(second + 1);
        let totals = self.totals.iter_mut().zip(&mut self.series);
        for ((total, series), sum) in totals.zip(sums) {
            let latencies = sum.latencies();
            series.push(Second {
                at: second,
                ended: sum.ended(),
                errors: sum.errors(),
                p50_us: latencies.at(Quantile::P50),
                p95_us: latencies.at(Quantile::P95),
                max_us: latencies.max(),
            });
            total.merge(sum);
        }
    }
}

/// What a load came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Counts and course.
    pub progress: Progress,
    /// How long the measured part took.
    pub elapsed: Duration,
    /// Processor time of the busiest thread in percent; `None` for a load of less than a second.
    pub busy_percent: Option<u32>,
}

/// Whether a load goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends before its time; requests under way are waited for.
    Stop,
}
