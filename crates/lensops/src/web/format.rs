//! Numbers, times and names as pages show them. Pure.

use jiff::Timestamp;
use lensops_core::history::status::{age_at, tell_age};

/// Samples from which a P95 is supported.
const SUPPORTED: i64 = 20;

/// `867 ms (n=21)`: the sample size is said with the figure, as everywhere.
pub(super) fn p95(p95_ms: Option<i64>, samples: i64) -> String {
    match p95_ms {
        None => "none".to_owned(),
        Some(ms) => {
            // Kept in whole milliseconds: 0 is less than half of one.
            let figure = if ms == 0 {
                "<1 ms".to_owned()
            } else {
                format!("{ms} ms")
            };
            let only = if samples < SUPPORTED { "only " } else { "" };
            format!("{figure} ({only}n={samples})")
        }
    }
}

/// `1.25 %`; `none` where no rate is known.
pub(super) fn error_rate(percent: Option<f64>) -> String {
    percent.map_or_else(|| "none".to_owned(), |percent| format!("{percent:.2} %"))
}

/// A limit in milliseconds as a person writes it: `2 s`, `850 ms`, `1.5 s`.
pub(super) fn limit(ms: f64) -> String {
    if ms < 1000.0 {
        format!("{ms} ms")
    } else {
        format!("{} s", ms / 1000.0)
    }
}

/// `2026-01-28 15:00:00 UTC`
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time as pages show it: how long ago, and exactly when for who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// For machines.
    pub(super) iso: String,
    /// `2026-01-28 15:00:00 UTC`
    pub(super) utc: String,
    /// `15:00`, with the day where that is most of a day away: `27 Jan 15:00`.
    pub(super) clock: String,
    /// `2 min ago`
    pub(super) ago: String,
}

impl Moment {
    /// `at`, looked at `now`.
    pub(super) fn of(at: Timestamp, now: Timestamp) -> Self {
        // Within a day the clock alone is clear.
        let is_near = now.duration_since(at).as_hours().abs() < 20;
        let form = if is_near { "%H:%M" } else { "%-d %b %H:%M" };
        Self {
            iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            utc: time(at),
            clock: at.strftime(form).to_string(),
            ago: tell_age(age_at(now, at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_the_clock_and_with_its_day_where_that_is_far() {
        let now: Timestamp = "2026-01-28T15:00:00Z".parse().unwrap();
        let moment = |at: &str| Moment::of(at.parse().unwrap(), now);
        assert_eq!(moment("2026-01-28T14:32:10Z").clock, "14:32");
        assert_eq!(moment("2026-01-27T23:59:00Z").clock, "23:59");
        let before = moment("2026-01-27T13:59:00Z");
        assert_eq!(before.clock, "27 Jan 13:59");
        assert_eq!(
            (before.ago.as_str(), before.iso.as_str()),
            ("25 h ago", "2026-01-27T13:59:00Z")
        );
    }

    #[test]
    fn limits_read_as_a_person_writes_them() {
        for (ms, expected) in [(850.0, "850 ms"), (2000.0, "2 s"), (1500.0, "1.5 s")] {
            assert_eq!(limit(ms), expected);
        }
    }
}
