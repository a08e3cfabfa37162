//! The figures of a check: what its timed probes measured, and the window of the SLO with it.

use jiff::Timestamp;

use crate::stats::histogram::Latencies;
use crate::verdict::probe::ProbeReport;

/// What the timed probes of a check measured.
pub(super) struct Figures {
    /// Samples that were taken, those that failed among them.
    pub(super) taken: u64,
    /// Samples that failed.
    pub(super) failed: u64,
    /// The share that failed, in hundredths of a percent; `None` when no sample was taken.
    pub(super) error_rate_hundredths: Option<i64>,
    /// The latencies of this check.
    pub(super) pooled: Latencies,
    /// The latencies of this check and of earlier ones within the window of the SLO.
    pub(super) window: Latencies,
}

impl Figures {
    pub(super) fn of(probes: &[ProbeReport], earlier: &Latencies) -> Self {
        let pooled: Latencies = samples_us(probes).collect();
        let (taken, failed) = timed(probes).fold((0, 0), |(taken, failed), probe| {
            (taken + probe.taken, failed + probe.failed)
        });
        let error_rate_hundredths = (taken > 0)
            .then(|| (failed * 10_000 + taken / 2) / taken)
            .and_then(|rate| i64::try_from(rate).ok());
        let mut window = earlier.clone();
        window.merge(&pooled);
        Self {
            taken,
            failed,
            error_rate_hundredths,
            pooled,
            window,
        }
    }
}

/// The latencies of the timed probes, in the order in which they were taken.
pub(super) fn samples_us(probes: &[ProbeReport]) -> impl Iterator<Item = u64> {
    timed(probes).flat_map(|probe| probe.samples_us.iter().copied())
}

/// The probes that count for the SLO.
pub(super) fn timed(probes: &[ProbeReport]) -> impl Iterator<Item = &ProbeReport> {
    probes.iter().filter(|probe| probe.timed)
}

/// When the first of the certificates expires that the probes met.
pub(super) fn certificate_expires(probes: &[ProbeReport]) -> Option<Timestamp> {
    probes.iter().filter_map(|probe| probe.certificate_expires).min()
}
