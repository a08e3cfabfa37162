//! Slots: when a lens of a tenant is due, and the id of the check that fills it.
//!
//! Slots are counted from the Unix epoch, not from process start, so that a restart keeps the
//! timetable and two machines agree on it. Each pair of lens and tenant has an offset within the
//! interval, a hash of both, so that a thousand pairs do not start in the same second.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::uuid_v8;
use crate::ident::LensId;

/// How often a lens is checked: whole seconds, 1 s to 24 h. Written `30s`, `15m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Every {
    seconds: u32,
}

crate::schema::text_form!(
    Every,
    "interval",
    "^[0-9]+[smhd]$",
    "whole seconds, 1 s to 24 h: 30s, 15m or 1h"
);

/// A duration that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a valid duration: {rule}")]
pub struct DurationError {
    given: String,
    rule: &'static str,
}

impl Every {
    /// The default of the product: 15 minutes.
    pub const QUARTER_HOUR: Self = Self { seconds: 900 };

    /// The interval in milliseconds.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        i64::from(self.seconds) * 1000
    }

    /// The interval in whole minutes, at least 1, as `HEALTH_CHECK_INTERVAL_MINUTES` carries it.
    #[must_use]
    pub fn minutes(self) -> u32 {
        (self.seconds / 60).max(1)
    }

    /// For people: `15 minutes`, `1 minute`, `30 seconds`.
    #[must_use]
    pub fn tell(self) -> String {
        let (count, unit) = if self.seconds.is_multiple_of(60) {
            (self.seconds / 60, "minute")
        } else {
            (self.seconds, "second")
        };
        format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// Parses `90s`, `15m`, `24h` or `7d`.
///
/// # Errors
/// When the number or the unit is missing, or the span is zero or beyond ten years.
pub fn parse_span(text: &str) -> Result<SignedDuration, DurationError> {
    let refuse = || DurationError {
        given: text.to_owned(),
        rule: "write a whole number and s, m, h or d, such as 15m",
    };
    let unit_at = text
        .len()
        .checked_sub(1)
        .filter(|at| text.is_char_boundary(*at))
        .ok_or_else(refuse)?;
    let (number, unit) = text.split_at(unit_at);
    let number: i64 = number.parse().map_err(|_| refuse())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(refuse()),
    };
    match number.checked_mul(seconds) {
        Some(total) if (1..=315_360_000).contains(&total) => Ok(SignedDuration::from_secs(total)),
        _ => Err(refuse()),
    }
}

impl FromStr for Every {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let seconds = parse_span(text)?.as_secs();
        match u32::try_from(seconds) {
            Ok(seconds) if (1..=86_400).contains(&seconds) => Ok(Self { seconds }),
            _ => Err(DurationError {
                given: text.to_owned(),
                rule: "an interval is 1s to 24h",
            }),
        }
    }
}

impl TryFrom<String> for Every {
    type Error = DurationError;
    fn try_from(text: String) -> Result<Self, DurationError> {
        text.parse()
    }
}

impl From<Every> for String {
    fn from(every: Every) -> String {
        every.to_string()
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            s if s.is_multiple_of(3_600) => write!(f, "{}h", s / 3_600),
            s if s.is_multiple_of(60) => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

/// The timetable of one lens for one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    every_ms: i64,
    offset_ms: i64,
}

impl Schedule {
    /// The timetable of `lens` for `tenant`: every `every`, at this pair's offset.
    #[must_use]
    pub fn new(every: Every, lens: &LensId, tenant: Uuid) -> Self {
        let every_ms = every.as_ms();
        let hash = uuid_v8(0, &[b"offset", lens.as_str().as_bytes(), tenant.as_bytes()]).as_u128();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "62 bits of a hash, taken modulo the interval"
        )]
        let offset_ms = (hash as u64 >> 2) as i64 % every_ms;
        Self { every_ms, offset_ms }
    }

    /// The interval in milliseconds.
    #[must_use]
    pub fn every_ms(&self) -> i64 {
        self.every_ms
    }

    /// The latest slot at or before `at`.
    #[must_use]
    pub fn latest(&self, at: Timestamp) -> Timestamp {
        let ms = at.as_millisecond();
        from_ms(ms - (ms - self.offset_ms).rem_euclid(self.every_ms))
    }

    /// The first slot strictly after `at`.
    #[must_use]
    pub fn next(&self, at: Timestamp) -> Timestamp {
        from_ms(self.latest(at).as_millisecond() + self.every_ms)
    }

    /// The slots in `(after, until]`, oldest first.
    pub fn between(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let (every_ms, last) = (self.every_ms, until.as_millisecond());
        let mut due = self.next(after).as_millisecond();
        std::iter::from_fn(move || {
            let slot = (due <= last).then(|| from_ms(due));
            due += every_ms;
            slot
        })
    }
}

/// A time from milliseconds since the epoch; clamped at the ends of the calendar.
#[must_use]
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// The id of the check that fills a slot: 48 bits of due time in ms and a hash of all three.
/// The same slot has the same id on every machine, so a second delivery is the same row.
#[must_use]
pub fn slot_id(tenant: Uuid, lens: &LensId, due: Timestamp) -> Uuid {
    check_id(tenant, lens, due, b"")
}

/// The id of a check outside the timetable; `nonce` keeps two of the same millisecond apart.
#[must_use]
pub fn ad_hoc_id(tenant: Uuid, lens: &LensId, at: Timestamp, nonce: u64) -> Uuid {
    check_id(tenant, lens, at, &nonce.to_be_bytes())
}

fn check_id(tenant: Uuid, lens: &LensId, at: Timestamp, nonce: &[u8]) -> Uuid {
    let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    uuid_v8(
        ms,
        &[tenant.as_bytes(), lens.as_str().as_bytes(), &ms.to_be_bytes(), nonce],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn lens(text: &str) -> LensId {
        text.parse().unwrap()
    }

    const TENANT: Uuid = Uuid::from_u128(0x53fb_df09_b709_509d_aad0_3a6f_5023_9a5d);

    #[test]
    fn a_week_at_fifteen_minutes_has_672_slots() {
        let schedule = Schedule::new(Every::QUARTER_HOUR, &lens("faults"), TENANT);
        let slots: Vec<_> = schedule
            .between(at("2026-01-01T00:00:00Z"), at("2026-01-08T00:00:00Z"))
            .collect();
        assert_eq!(slots.len(), 672);
        assert!(slots.iter().all(|slot| schedule.latest(*slot) == *slot));
    }

    #[test]
    fn the_timetable_does_not_depend_on_when_one_looks() {
        let schedule = Schedule::new(Every::QUARTER_HOUR, &lens("faults"), TENANT);
        let due = schedule.next(at("2026-01-01T00:00:00Z"));
        assert_eq!(schedule.next(due - SignedDuration::from_millis(1)), due);
        assert_eq!(schedule.latest(due + SignedDuration::from_secs(899)), due);
        assert_eq!(schedule.next(due).duration_since(due), SignedDuration::from_mins(15));
    }

    #[test]
    fn pairs_are_spread_over_the_interval() {
        let mut minutes = [0_u32; 15];
        for n in 0..1_500_u128 {
            let schedule = Schedule::new(Every::QUARTER_HOUR, &lens("faults"), Uuid::from_u128(n));
            minutes[usize::try_from(schedule.offset_ms / 60_000).unwrap()] += 1;
        }
        assert!(minutes.iter().all(|count| (60..=140).contains(count)), "{minutes:?}");
    }

    #[test]
    fn a_slot_has_one_id_and_ids_sort_by_time() {
        let (early, late) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:15:00Z"));
        let id = slot_id(TENANT, &lens("faults"), early);
        assert_eq!(id, slot_id(TENANT, &lens("faults"), early));
        assert!(id < slot_id(TENANT, &lens("faults"), late));
        assert_ne!(id, slot_id(TENANT, &lens("parts"), early));
        assert_ne!(id, ad_hoc_id(TENANT, &lens("faults"), early, 0));
        assert_eq!(
            (id.get_version_num(), id.as_u128() >> 80),
            (8, u128::try_from(early.as_millisecond()).unwrap())
        );
    }

    #[test]
    fn an_interval_is_read_and_written_alike() {
        for text in ["30s", "15m", "1h", "24h"] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), text);
        }
        for bad in ["", "m", "15", "0m", "-1m", "25h", "1.5h", "15 m", "é"] {
            assert!(bad.parse::<Every>().is_err(), "{bad:?}");
        }
        assert_eq!(Every::QUARTER_HOUR.tell(), "15 minutes");
    }
}
