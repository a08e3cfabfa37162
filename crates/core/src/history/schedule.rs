//! Slots: when a lens of a tenant is due, and the id of the check that fills it.
//!
//! Slots are counted from the Unix epoch, not from process start, so that a restart keeps the
//! timetable and two machines agree on it. Each pair of lens and tenant has an offset within the
//! interval, a hash of both, so that a thousand pairs do not start in the same second.

use jiff::Timestamp;
use uuid::Uuid;

use crate::crypto::digest::uuid_v8;
use crate::duration::Every;
use crate::ident::LensId;

/// The timetable of one lens for one tenant, with the ids of its checks: a slot of one pair never gets
/// the id of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule<'a> {
    lens: &'a LensId,
    tenant: Uuid,
    every_ms: i64,
    offset_ms: i64,
}

impl<'a> Schedule<'a> {
    /// The timetable of `lens` for `tenant`: every `every`, at this pair's offset.
    #[must_use]
    pub fn new(every: Every, lens: &'a LensId, tenant: Uuid) -> Self {
        let every_ms = every.as_ms();
        let hash = uuid_v8(0, &[b"offset", lens.as_str().as_bytes(), tenant.as_bytes()]).as_u128();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "62 bits of a hash, taken modulo the interval"
        )]
        let offset_ms = (hash as u64 >> 2) as i64 % every_ms;
        Self {
            lens,
            tenant,
            every_ms,
            offset_ms,
        }
    }

    /// Whose timetable it is.
    #[must_use]
    pub fn lens(&self) -> &'a LensId {
        self.lens
    }

    /// For which tenant.
    #[must_use]
    pub fn tenant(&self) -> Uuid {
        self.tenant
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

    /// Whether `id` is that of a slot of this lens and tenant, whatever the interval was.
    #[must_use]
    pub fn made(&self, id: Uuid) -> bool {
        // A UUIDv8 of a slot begins with its due time.
        let ms = i64::try_from(id.as_u128() >> 80).unwrap_or(0);
        self.slot_id(from_ms(ms)) == id
    }

    /// The id of the check that fills the slot at `due`: 48 bits of due time in ms and a hash of lens, tenant
    /// and time. The same slot has the same id on every machine, so a second delivery is the same row.
    #[must_use]
    pub fn slot_id(&self, due: Timestamp) -> Uuid {
        self.check_id(due, b"")
    }

    /// The id of a check outside the timetable; `nonce` keeps two of the same millisecond apart.
    #[must_use]
    pub fn ad_hoc_id(&self, at: Timestamp, nonce: u64) -> Uuid {
        self.check_id(at, &nonce.to_be_bytes())
    }

    fn check_id(&self, at: Timestamp, nonce: &[u8]) -> Uuid {
        let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
        let (tenant, lens) = (self.tenant.as_bytes(), self.lens.as_str().as_bytes());
        uuid_v8(ms, &[tenant, lens, &ms.to_be_bytes(), nonce])
    }
}

/// A time from milliseconds since the epoch; clamped at the ends of the calendar.
#[must_use]
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

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
        let faults = lens("faults");
        let schedule = Schedule::new(Every::QUARTER_HOUR, &faults, TENANT);
        let slots: Vec<_> = schedule
            .between(at("2026-01-01T00:00:00Z"), at("2026-01-08T00:00:00Z"))
            .collect();
        assert_eq!(slots.len(), 672);
        assert!(slots.iter().all(|slot| schedule.latest(*slot) == *slot));
    }

    #[test]
    fn the_timetable_does_not_depend_on_when_one_looks() {
        let faults = lens("faults");
        let schedule = Schedule::new(Every::QUARTER_HOUR, &faults, TENANT);
        let due = schedule.next(at("2026-01-01T00:00:00Z"));
        assert_eq!(schedule.next(due - SignedDuration::from_millis(1)), due);
        assert_eq!(schedule.latest(due + SignedDuration::from_secs(899)), due);
        assert_eq!(schedule.next(due).duration_since(due), SignedDuration::from_mins(15));
    }

    #[test]
    fn pairs_are_spread_over_the_interval() {
        let (faults, mut minutes) = (lens("faults"), [0_u32; 15]);
        for n in 0..1_500_u128 {
            let schedule = Schedule::new(Every::QUARTER_HOUR, &faults, Uuid::from_u128(n));
            minutes[usize::try_from(schedule.offset_ms / 60_000).unwrap()] += 1;
        }
        assert!(minutes.iter().all(|count| (60..=140).contains(count)), "{minutes:?}");
    }

    #[test]
    fn a_slot_has_one_id_and_ids_sort_by_time() {
        let (early, late) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T00:15:00Z"));
        let (faults, parts) = (lens("faults"), lens("parts"));
        let schedule = Schedule::new(Every::QUARTER_HOUR, &faults, TENANT);
        let id = schedule.slot_id(early);
        // As every version has made it: rows of all of them lie beside one another.
        assert_eq!(id.to_string(), "019b76da-a800-86ca-bc35-05c4d9b3ea68");
        assert_eq!(
            schedule.ad_hoc_id(early, 7).to_string(),
            "019b76da-a800-80bd-80dd-f7575f6597ad"
        );
        // The interval has no part in an id.
        assert_eq!(id, Schedule::new("1s".parse().unwrap(), &faults, TENANT).slot_id(early));
        assert!(id < schedule.slot_id(late));
        assert_ne!(id, Schedule::new(Every::QUARTER_HOUR, &parts, TENANT).slot_id(early));
        assert_ne!(
            id,
            Schedule::new(Every::QUARTER_HOUR, &faults, Uuid::nil()).slot_id(early)
        );
        assert_ne!(id, schedule.ad_hoc_id(early, 0));
        assert_eq!(
            (id.get_version_num(), id.as_u128() >> 80),
            (8, u128::try_from(early.as_millisecond()).unwrap())
        );
    }
}
