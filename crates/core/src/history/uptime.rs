//! How much of a stretch of checks was usable. One definition for every page.
//!
//! Uptime is the share of judged checks that were not unhealthy. A check that counts for nothing (paused,
//! in a maintenance window, annulled, not judged) is not judged, and a slot without a check is missed: both
//! stand outside the share, so that a worker that was down never looks like an API that was up.

use jiff::Timestamp;

use crate::verdict::record::Status;

/// The judged checks of a stretch, and those of them that were not unhealthy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uptime {
    /// Checks that were judged.
    pub judged: u64,
    /// Judged checks that were healthy or degraded.
    pub up: u64,
}

impl Uptime {
    /// Adds `count` judged checks that found `status`.
    pub fn add(&mut self, status: Status, count: u64) {
        self.judged += count;
        if status != Status::Unhealthy {
            self.up += count;
        }
    }

    /// `99.85 %`. Never rounded up: only a stretch without an unhealthy check is `100 %`. `none` where
    /// nothing was judged.
    #[must_use]
    pub fn tell(self) -> String {
        if self.judged == 0 {
            return "none".to_owned();
        }
        let hundredths = u128::from(self.up) * 10_000 / u128::from(self.judged);
        match (hundredths / 100, hundredths % 100) {
            (100, _) => "100 %".to_owned(),
            (whole, part) => format!("{whole}.{part:02} %"),
        }
    }
}

/// Slots without a check between the first of `checked` (oldest first) and `now`, at a check every `every_ms`.
/// What lies before the first check is not counted: the lens may not have been there.
#[must_use]
pub fn missed(checked: &[Timestamp], every_ms: i64, now: Timestamp) -> u64 {
    let every_ms = every_ms.max(1);
    let at = checked.iter().map(|at| at.as_millisecond());
    let ends = at.clone().skip(1).map(Some).chain([None]);
    at.zip(ends)
        .map(|(from, until)| match until {
            // A check may be late by half an interval and is still the next one.
            Some(until) => missed_between(from, until, every_ms),
            // The next one after the last may be due and running.
            None => missed_between(from, now.as_millisecond(), every_ms),
        })
        .sum()
}

/// Whole slots that lie between two checks at `from_ms` and `until_ms`.
#[must_use]
pub fn missed_between(from_ms: i64, until_ms: i64, every_ms: i64) -> u64 {
    let every_ms = every_ms.max(1);
    let steps = (until_ms - from_ms + every_ms / 2) / every_ms;
    u64::try_from(steps - 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::schedule::from_ms;

    #[test]
    fn uptime_is_the_share_of_judged_checks_and_never_rounds_up_to_all() {
        for (up, judged, expected) in [
            (0, 0, "none"),
            (0, 5, "0.00 %"),
            (95, 96, "98.95 %"),
            (9_999_999, 10_000_000, "99.99 %"),
            (96, 96, "100 %"),
        ] {
            assert_eq!(Uptime { judged, up }.tell(), expected, "{up} of {judged}");
        }
        let mut uptime = Uptime::default();
        uptime.add(Status::Degraded, 2);
        uptime.add(Status::Unhealthy, 1);
        assert_eq!(uptime, Uptime { judged: 3, up: 2 });
    }

    #[test]
    fn slots_without_a_check_are_counted_from_the_first_check_on() {
        for (case, minutes, now, expected) in [
            ("never checked", vec![], 600, 0),
            ("on time", vec![0, 15, 31, 44], 50, 0),
            ("the next one is due", vec![0, 15], 37, 0),
            ("one slot is gone", vec![0, 30], 31, 1),
            ("an hour is gone, and the end", vec![0, 15, 90], 120, 5),
        ] {
            let at: Vec<_> = minutes
                .into_iter()
                .map(|minute: i64| from_ms(minute * 60_000))
                .collect();
            assert_eq!(missed(&at, 900_000, from_ms(now * 60_000)), expected, "{case}");
        }
    }
}
