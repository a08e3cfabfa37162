//! When a lens is checked and its checks count for nothing: paused on purpose, or in a maintenance
//! window. Times are in UTC; a calendar with time zones was left out, for nobody who is on call
//! should have to ask which night an hour was skipped in.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Why a lens is rolled back on purpose, and since when. A text alone is a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Written")]
#[schemars(with = "Written")]
pub struct Paused {
    /// Why.
    pub reason: String,
    /// Since when, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "write `paused: {reason: …, since: TIME}`"
)]
enum Written {
    Reason(String),
    Whole {
        reason: String,
        #[serde(default)]
        #[schemars(with = "Option<String>")]
        since: Option<Timestamp>,
    },
}

impl From<Written> for Paused {
    fn from(written: Written) -> Self {
        match written {
            Written::Reason(reason) => Self { reason, since: None },
            Written::Whole { reason, since } => Self { reason, since },
        }
    }
}

/// A time in which something is expected to be down: once (`from`, `until`) or again and again
/// (`every: "sun 02:00-04:00 UTC"`, `every: "day 02:00-04:00 UTC"`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// What is done.
    pub reason: String,
    /// When it starts, together with `until`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub from: Option<Timestamp>,
    /// When it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// The hours of a weekday, or of every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Recurring>,
}

impl Maintenance {
    /// Checks what one field says against another.
    ///
    /// # Errors
    /// What is wrong with it, one line.
    pub fn validate(&self) -> Result<(), String> {
        let reason = &self.reason;
        if reason.trim().is_empty() {
            return Err("a maintenance window needs a `reason`".to_owned());
        }
        match (self.from, self.until, self.every) {
            (Some(from), Some(until), None) if from < until => Ok(()),
            (Some(_), Some(_), None) => Err(format!("maintenance {reason:?}: `from` must be before `until`")),
            (None, None, Some(_)) => Ok(()),
            _ => Err(format!(
                "maintenance {reason:?} needs `from` and `until`, or `every` alone"
            )),
        }
    }

    /// Whether `at` lies within it. The end does not.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        match (self.from, self.until, self.every) {
            (Some(from), Some(until), None) => from <= at && at < until,
            (None, None, Some(every)) => every.covers(at),
            _ => false,
        }
    }
}

/// The hours of a weekday, or of every day, in UTC; from 23:00 to 01:00 goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recurring {
    /// Monday is 0; `None` is every day.
    weekday: Option<u8>,
    start_minute: u16,
    end_minute: u16,
}

crate::text_form::text_form!(
    Recurring,
    "recurring hours",
    "^(mon|tue|wed|thu|fri|sat|sun|day) [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}( UTC)?$",
    "sun 02:00-04:00 UTC, or day 02:00-04:00 UTC"
);

/// Hours that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no hours: write \"sun 02:00-04:00 UTC\" or \"day 02:00-04:00 UTC\"")]
pub struct RecurringError(String);

impl Recurring {
    fn covers(self, at: Timestamp) -> bool {
        let (start, end) = (i64::from(self.start_minute) * 60, i64::from(self.end_minute) * 60);
        let length = (end - start).rem_euclid(DAY);
        let since_start = at.as_second() - start;
        // The first of January 1970 was a Thursday.
        let weekday = (since_start.div_euclid(DAY) + 3).rem_euclid(7);
        since_start.rem_euclid(DAY) < length && self.weekday.is_none_or(|day| i64::from(day) == weekday)
    }
}

impl FromStr for Recurring {
    type Err = RecurringError;
    fn from_str(text: &str) -> Result<Self, RecurringError> {
        let refuse = || RecurringError(text.to_owned());
        let mut words = text.split_ascii_whitespace();
        let day = words.next().ok_or_else(refuse)?;
        let weekday = match WEEKDAYS.iter().position(|name| *name == day) {
            Some(at) => Some(u8::try_from(at).map_err(|_| refuse())?),
            None if day == "day" => None,
            None => return Err(refuse()),
        };
        let (start, end) = words
            .next()
            .and_then(|hours| hours.split_once('-'))
            .ok_or_else(refuse)?;
        let (start_minute, end_minute) = (
            minute(start).ok_or_else(refuse)?,
            minute(end).ok_or_else(refuse)? % 1440,
        );
        if start_minute == end_minute || start_minute == 1440 || !matches!(words.next(), None | Some("UTC")) {
            return Err(refuse());
        }
        match words.next() {
            None => Ok(Self {
                weekday,
                start_minute,
                end_minute,
            }),
            Some(_) => Err(refuse()),
        }
    }
}

/// `02:30` in minutes; 24:00 is the end of a day.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 || !text.bytes().all(|b| b.is_ascii_digit() || b == b':') {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60 && (hours < 24 || (hours, minutes) == (24, 0))).then_some(hours * 60 + minutes)
}

impl fmt::Display for Recurring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self
            .weekday
            .and_then(|day| WEEKDAYS.get(usize::from(day)))
            .unwrap_or(&"day");
        let (start, end) = (self.start_minute, self.end_minute);
        write!(
            f,
            "{day} {:02}:{:02}-{:02}:{:02} UTC",
            start / 60,
            start % 60,
            end / 60,
            end % 60
        )
    }
}

impl TryFrom<String> for Recurring {
    type Error = RecurringError;
    fn try_from(text: String) -> Result<Self, RecurringError> {
        text.parse()
    }
}

impl From<Recurring> for String {
    fn from(recurring: Recurring) -> String {
        recurring.to_string()
    }
}

/// Why a check counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MutedWhy {
    /// Rolled back on purpose.
    Paused,
    /// In a maintenance window.
    Maintenance,
    /// Left out by a person, with a reason.
    Annulled,
    /// The monitor itself could not ask; its slot has no check.
    CannotJudge,
}

impl MutedWhy {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Maintenance => "maintenance",
            Self::Annulled => "annulled",
            Self::CannotJudge => "cannot_judge",
        }
    }
}

/// Why a check counts for nothing: `notes.muted` of the check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Muted {
    /// Which kind of reason.
    pub why: MutedWhy,
    /// Its reason.
    pub reason: String,
    /// The check that this one annuls: a row that is there is never changed, so that what takes a check back is a
    /// row of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annuls: Option<Uuid>,
}

impl Muted {
    /// Muted for `why`, with a reason.
    #[must_use]
    pub fn new(why: MutedWhy, reason: impl Into<String>) -> Self {
        Self {
            why,
            reason: reason.into(),
            annuls: None,
        }
    }

    /// Whether and why a check at `at` is muted. A pause goes before maintenance.
    pub fn at<'a>(
        at: Timestamp,
        paused: Option<&Paused>,
        windows: impl IntoIterator<Item = &'a Maintenance>,
    ) -> Option<Self> {
        if let Some(paused) = paused {
            return Some(Self::new(MutedWhy::Paused, paused.reason.clone()));
        }
        let window = windows.into_iter().find(|window| window.covers(at))?;
        Some(Self::new(MutedWhy::Maintenance, window.reason.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn every(text: &str) -> Maintenance {
        crate::yaml::read("x", &format!("reason: x\nevery: {text:?}\n")).unwrap()
    }

    #[test]
    fn a_recurring_window_covers_its_hours_and_not_its_end() {
        // 2026-02-01 is a Sunday.
        for (hours, moment, covered) in [
            ("sun 02:00-04:00 UTC", "2026-02-01T02:00:00Z", true),
            ("sun 02:00-04:00", "2026-02-01T03:59:59Z", true),
            ("sun 02:00-04:00 UTC", "2026-02-01T04:00:00Z", false),
            ("sun 02:00-04:00 UTC", "2026-02-02T03:00:00Z", false),
            ("sun 23:00-01:00 UTC", "2026-02-02T00:30:00Z", true),
            ("sun 23:00-01:00 UTC", "2026-02-01T00:30:00Z", false),
            ("day 02:00-04:00 UTC", "2026-02-03T03:00:00Z", true),
            ("day 22:00-24:00 UTC", "2026-02-03T23:59:00Z", true),
            ("day 00:00-01:00 UTC", "1969-12-31T00:30:00Z", true),
        ] {
            assert_eq!(every(hours).covers(at(moment)), covered, "{hours} {moment}");
        }
    }

    #[test]
    fn hours_that_are_none_are_refused_and_good_ones_are_written_as_read() {
        for bad in [
            "",
            "sunday 02:00-04:00",
            "sun",
            "sun 2:00-4:00",
            "sun 02:00-02:00",
            "sun 02:60-04:00",
            "sun 25:00-26:00",
            "sun 02:00-04:00 CET",
            "sun 02:00-04:00 UTC x",
            "day 24:00-01:00",
        ] {
            assert!(bad.parse::<Recurring>().is_err(), "{bad:?}");
        }
        for good in ["sun 02:00-04:00 UTC", "day 23:00-01:30 UTC"] {
            assert_eq!(good.parse::<Recurring>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn a_window_is_once_or_again_and_again_and_has_a_reason() {
        let read = |text: &str| {
            crate::yaml::read::<Maintenance>("x", text)
                .unwrap()
                .validate()
                .map_err(|why| (text.to_owned(), why))
        };
        read("{reason: move, from: 2026-02-01T00:00:00Z, until: 2026-02-01T06:00:00Z}").unwrap();
        for bad in [
            "{reason: move, from: 2026-02-01T06:00:00Z, until: 2026-02-01T00:00:00Z}",
            "{reason: move, from: 2026-02-01T00:00:00Z}",
            "{reason: move}",
            "{reason: '', every: day 02:00-04:00}",
            "{reason: x, until: 2026-02-01T00:00:00Z, every: day 02:00-04:00}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pause_is_a_reason_or_a_reason_and_a_time() {
        let short: Paused = crate::yaml::read("x", "too slow").unwrap();
        assert_eq!((short.reason.as_str(), short.since), ("too slow", None));
        let long: Paused = crate::yaml::read("x", "{reason: too slow, since: 2026-02-01T00:00:00Z}").unwrap();
        assert_eq!(long.since, Some(at("2026-02-01T00:00:00Z")));
        assert!(crate::yaml::read::<Paused>("x", "{since: 2026-02-01T00:00:00Z}").is_err());
        assert!(crate::yaml::read::<Paused>("x", "{reason: a, until: 2026-02-01T00:00:00Z}").is_err());
    }

    #[test]
    fn a_pause_goes_before_maintenance() {
        let window = every("day 00:00-23:59");
        let paused = Paused {
            reason: "off".to_owned(),
            since: None,
        };
        let now = at("2026-02-01T02:00:00Z");
        let muted = Muted::at(now, Some(&paused), [&window]).unwrap();
        assert_eq!(muted.why, MutedWhy::Paused);
        assert_eq!(Muted::at(now, None, [&window]).unwrap().why, MutedWhy::Maintenance);
        assert_eq!(Muted::at(now, None, []), None);
    }
}
