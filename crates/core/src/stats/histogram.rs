//! The one definition of a percentile in lensops: nearest rank over a mergeable histogram.
//!
//! A window keeps values to 3 significant digits in constant memory, so that checks, roll-ups and
//! stress runs of any size agree. The rank is computed in integers: `0.95 * 20` in floating point
//! may come out above 19 and then answers the maximum.

use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

/// A quantile in thousandths: `Quantile::P95` is the smallest value that at least 95 % of the
/// samples do not exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantile(u32);

impl Quantile {
    /// The median.
    pub const P50: Self = Self(500);
    /// The 90th percentile.
    pub const P90: Self = Self(900);
    /// The 95th percentile.
    pub const P95: Self = Self(950);
    /// The 99th percentile.
    pub const P99: Self = Self(990);
    /// The 99.9th percentile.
    pub const P999: Self = Self(999);
    /// The largest.
    pub const MAX: Self = Self(1000);

    /// So many thousandths, 1000 at most.
    #[must_use]
    pub const fn thousandths(thousandths: u32) -> Self {
        Self(if thousandths > 1000 { 1000 } else { thousandths })
    }

    /// As a share of one.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// The 1-based nearest rank among `n` samples: `ceil(q × n)`.
    #[must_use]
    pub fn rank(self, n: u64) -> u64 {
        (u128::from(n) * u128::from(self.0))
            .div_ceil(1000)
            .try_into()
            .unwrap_or(u64::MAX)
    }

    /// Sample size from which the figure is supported: 2 for P50, 20 for P95, 100 for P99.
    /// Below it the percentile is the maximum by construction.
    #[must_use]
    pub fn supported_from(self) -> u64 {
        u64::from(1000_u32.div_ceil(1000 - self.0.min(999)))
    }

    /// `P95`, `P99.9`, `max`.
    #[must_use]
    pub fn label(self) -> String {
        match (self.0 / 10, self.0 % 10) {
            (100, _) => "max".to_owned(),
            (whole, 0) => format!("P{whole}"),
            (whole, tenth) => format!("P{whole}.{tenth}"),
        }
    }
}

/// The longest latency told apart: a day. It bounds the memory of a window.
const LONGEST_US: u64 = 86_400_000_000;

/// A window of latencies in microseconds.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl Latencies {
    /// An empty window.
    ///
    /// # Panics
    /// Never: three significant digits is a constant the histogram accepts.
    #[must_use]
    pub fn new() -> Self {
        #[expect(clippy::expect_used, reason = "a constant the library documents as valid")]
        Self(Histogram::new(3).expect("three significant digits are valid"))
    }

    /// Adds one latency. Zero is a latency: an answer faster than the clock's step still counts.
    pub fn record(&mut self, latency_us: u64) {
        // The histogram grows by itself, so recording cannot fail.
        let _infallible = self.0.record(latency_us.min(LONGEST_US));
    }

    /// Adds all samples of `other`, as if they had been recorded here.
    pub fn merge(&mut self, other: &Self) {
        // Both sides grow by themselves and have the same precision, so adding cannot fail.
        let _infallible = self.0.add(&other.0);
    }

    /// The window as a deflated HDR histogram, version 2 of the format.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory cannot fail, and the histogram is far from the format's limit.
        let _infallible = V2DeflateSerializer::new().serialize(&self.0, &mut bytes);
        bytes
    }

    /// A window from [`to_bytes`](Self::to_bytes); `None` when `bytes` are no such histogram.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let read: Histogram<u64> = Deserializer::new().deserialize(&mut bytes).ok()?;
        // What is read may not grow by itself; its samples are added to one that does.
        let mut window = Self::new();
        window.0.add(&read).ok()?;
        Some(window)
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Latency at `quantile` in microseconds, nearest rank, 3 significant digits.
    /// `None` when nothing was recorded: an empty window has no P99.
    #[must_use]
    pub fn at(&self, quantile: Quantile) -> Option<u64> {
        self.at_rank(quantile.rank(self.0.len()).max(1))
    }

    /// The latency that stands at the 1-based `rank` of the sorted sample; `None` beyond its ends.
    #[must_use]
    pub fn at_rank(&self, rank: u64) -> Option<u64> {
        if rank == 0 || rank > self.0.len() {
            return None;
        }
        // The library rounds `quantile × n` up: from the middle between two ranks it lands on this
        // one, whatever floating point makes of it.
        #[expect(clippy::cast_precision_loss, reason = "exact far beyond any count of samples")]
        let quantile = (rank as f64 - 0.5) / self.0.len() as f64;
        Some(self.0.value_at_quantile(quantile))
    }

    /// Smallest latency in microseconds; `None` when empty.
    #[must_use]
    pub fn min(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.0.min())
    }

    /// Largest latency in microseconds; `None` when empty.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.0.max())
    }

    /// `P95 867ms`, with ` (n=7)` behind it where the sample is too small to support the figure,
    /// and `P95 n/a` for an empty window.
    #[must_use]
    pub fn tell(&self, quantile: Quantile) -> String {
        let label = quantile.label();
        match self.at(quantile) {
            None => format!("{label} n/a"),
            Some(us) if self.len() >= quantile.supported_from() => format!("{label} {}", ms(us)),
            Some(us) => format!("{label} {} (n={})", ms(us), self.len()),
        }
    }
}

impl FromIterator<u64> for Latencies {
    fn from_iter<I: IntoIterator<Item = u64>>(latencies_us: I) -> Self {
        let mut window = Self::new();
        for us in latencies_us {
            window.record(us);
        }
        window
    }
}

/// A latency for people: whole milliseconds from 10 ms, one decimal below, two below 1 ms.
#[must_use]
pub fn ms(us: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown to two decimals")]
    let value = us as f64 / 1000.0;
    match us {
        0..1_000 => format!("{value:.2}ms"),
        1_000..10_000 => format!("{value:.1}ms"),
        _ => format!("{value:.0}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defect 15: the index was one rank high at n = 20 and n = 100.
    #[test]
    fn defect_15_the_rank_is_exact_at_20_and_100() {
        let twenty: Latencies = (1..=20).collect();
        assert_eq!(twenty.at(Quantile::P95), Some(19));
        let hundred: Latencies = (1..=100).collect();
        assert_eq!(hundred.at(Quantile::P99), Some(99));
        assert_eq!(hundred.at(Quantile::P95), Some(95));
        assert_eq!(hundred.at(Quantile::P50), Some(50));
    }

    /// Defect 4: the P95 of two samples was shown as if it meant something.
    #[test]
    fn defect_4_a_p95_of_two_samples_is_marked_as_unsupported() {
        let two: Latencies = [400_000, 867_000].into_iter().collect();
        assert_eq!(two.tell(Quantile::P95), "P95 867ms (n=2)");
        let twenty: Latencies = std::iter::repeat_n(867_000, 20).collect();
        assert_eq!(twenty.tell(Quantile::P95), "P95 867ms");
    }

    /// Defect 14: samples of 0 ms were dropped, which made the rest look slower.
    #[test]
    fn defect_14_a_sample_of_zero_is_counted() {
        let window: Latencies = [0, 0, 0, 9].into_iter().collect();
        assert_eq!(
            (window.len(), window.at(Quantile::P50), window.min()),
            (4, Some(0), Some(0))
        );
    }

    #[test]
    fn an_empty_window_has_no_percentile() {
        let window = Latencies::new();
        assert_eq!(
            (window.at(Quantile::P99), window.min(), window.max()),
            (None, None, None)
        );
        assert_eq!(window.tell(Quantile::P95), "P95 n/a");
    }

    #[test]
    fn support_begins_at_20_and_100_samples() {
        assert_eq!(Quantile::P50.supported_from(), 2);
        assert_eq!(Quantile::P95.supported_from(), 20);
        assert_eq!(Quantile::P99.supported_from(), 100);
    }

    #[test]
    fn a_window_reads_back_from_its_bytes() {
        for window in [
            Latencies::new(),
            (0..5_000).map(|n| n * n).collect(),
            [LONGEST_US].into_iter().collect(),
        ] {
            let mut read = Latencies::from_bytes(&window.to_bytes()).unwrap();
            assert_eq!(
                (read.len(), read.at(Quantile::P95)),
                (window.len(), window.at(Quantile::P95))
            );
            read.record(LONGEST_US);
            assert_eq!(read.len(), window.len() + 1);
        }
        assert!(Latencies::from_bytes(b"").is_none() && Latencies::from_bytes(b"no histogram").is_none());
    }

    #[test]
    fn merging_is_the_union_of_the_samples() {
        let (mut a, b): (Latencies, Latencies) = ((1..=10).collect(), (11..=20).collect());
        a.merge(&b);
        assert_eq!((a.len(), a.at(Quantile::P95)), (20, Some(19)));
    }

    proptest::proptest! {
        #[test]
        fn every_quantile_is_within_three_digits_of_the_sorted_sample(mut values in proptest::collection::vec(0_u64..60_000_000, 1..400)) {
            let window: Latencies = values.iter().copied().collect();
            values.sort_unstable();
            for quantile in [Quantile::P50, Quantile::P95, Quantile::P99] {
                let rank = usize::try_from(quantile.rank(values.len() as u64)).unwrap();
                let exact = values[rank - 1];
                let told = window.at(quantile).unwrap();
                proptest::prop_assert!(told >= exact && told - exact <= exact / 1000 + 1, "{quantile:?}: {told} for {exact}");
            }
        }
    }
}
