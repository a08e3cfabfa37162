//! How a lens of a tenant stands now. One definition for the terminal, the pages and the read API.
//!
//! A check that is overdue says nothing about now: such a lens is unknown, whatever its last check found.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::duration::Every;
use crate::lens::mute::MutedWhy;
use crate::verdict::record::Status;

/// How a lens of a tenant stands. Ordered worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Broken for users.
    Unhealthy,
    /// Never checked, or two intervals went by without a check.
    Unknown,
    /// The monitor itself cannot ask, and never could.
    CannotJudge,
    /// Worth a look.
    Degraded,
    /// In a maintenance window.
    Maintenance,
    /// Rolled back on purpose.
    Paused,
    /// As it should be.
    Healthy,
}

impl Standing {
    /// All of them, worst first.
    pub const ALL: [Self; 7] = [
        Self::Unhealthy,
        Self::Unknown,
        Self::CannotJudge,
        Self::Degraded,
        Self::Maintenance,
        Self::Paused,
        Self::Healthy,
    ];

    /// The mark and the word for people.
    #[must_use]
    pub fn tell(self) -> (&'static str, &'static str) {
        match self {
            Self::Unhealthy => ("❌", "Unhealthy"),
            Self::Unknown => ("❔", "Unknown"),
            Self::CannotJudge => ("❔", "Cannot judge"),
            Self::Degraded => ("⚠️", "Degraded"),
            Self::Maintenance => ("🔧", "Maintenance"),
            Self::Paused => ("⏸", "Paused"),
            Self::Healthy => ("✅", "Healthy"),
        }
    }

    /// How a lens stands that is checked `every`, was last found `last` so long ago (`age`; both
    /// `None` before the first check), muted by that check for `muted`, and paused now or not.
    #[must_use]
    pub fn of(
        every: Every,
        paused: bool,
        last: Option<Status>,
        muted: Option<MutedWhy>,
        age: Option<SignedDuration>,
    ) -> Self {
        // Two intervals without a check: nobody knows.
        let overdue = age.is_none_or(|age| age > SignedDuration::from_millis(2 * every.as_ms()));
        match last {
            _ if overdue => Self::Unknown,
            None => Self::Unknown,
            // What is paused now is shown so at once; a window is over only when a check says so.
            Some(_) if paused => Self::Paused,
            Some(_) if muted == Some(MutedWhy::Maintenance) => Self::Maintenance,
            Some(_) if muted == Some(MutedWhy::CannotJudge) => Self::CannotJudge,
            // What the newest check found was taken back.
            Some(_) if muted == Some(MutedWhy::Annulled) => Self::Unknown,
            // Made while it was paused: of what is now nothing was checked yet.
            Some(_) if muted.is_some() => Self::Paused,
            Some(Status::Unhealthy) => Self::Unhealthy,
            Some(Status::Degraded) => Self::Degraded,
            Some(Status::Healthy) => Self::Healthy,
        }
    }
}

/// How long ago: `2 min ago`. `now` for what is less than a second ago or ahead.
#[must_use]
pub fn tell_age(age: SignedDuration) -> String {
    match age.as_secs() {
        ..=0 => "now".to_owned(),
        seconds @ 1..=59 => format!("{seconds} s ago"),
        seconds @ 60..=7_199 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

/// How long before `now` it was; zero for what lies ahead.
#[must_use]
pub fn age_at(now: Timestamp, then: Timestamp) -> SignedDuration {
    now.duration_since(then).max(SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_overdue_is_unknown_whatever_the_last_check_found() {
        let minutes = |n| Some(SignedDuration::from_mins(n));
        let every = Every::QUARTER_HOUR;
        for (case, paused, last, muted, age, expected) in [
            ("never checked", false, None, None, None, Standing::Unknown),
            (
                "on time",
                false,
                Some(Status::Healthy),
                None,
                minutes(30),
                Standing::Healthy,
            ),
            (
                "overdue",
                false,
                Some(Status::Healthy),
                None,
                minutes(31),
                Standing::Unknown,
            ),
            (
                "overdue and paused",
                true,
                Some(Status::Healthy),
                None,
                minutes(31),
                Standing::Unknown,
            ),
            (
                "paused",
                true,
                Some(Status::Unhealthy),
                None,
                minutes(1),
                Standing::Paused,
            ),
            (
                "in a window",
                false,
                Some(Status::Unhealthy),
                Some(MutedWhy::Maintenance),
                minutes(1),
                Standing::Maintenance,
            ),
            (
                "no longer paused",
                false,
                Some(Status::Unhealthy),
                Some(MutedWhy::Paused),
                minutes(1),
                Standing::Paused,
            ),
            (
                "degraded",
                false,
                Some(Status::Degraded),
                None,
                minutes(0),
                Standing::Degraded,
            ),
        ] {
            assert_eq!(Standing::of(every, paused, last, muted, age), expected, "{case}");
        }
    }

    #[test]
    fn an_age_is_told_in_the_unit_that_fits() {
        for (seconds, told) in [
            (-3, "now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (7_200, "2 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(tell_age(SignedDuration::from_secs(seconds)), told);
        }
    }
}
