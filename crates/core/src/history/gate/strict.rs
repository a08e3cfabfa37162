//! The strict policy: a window of checks becomes a decision by their status.
//!
//! First match wins: any unhealthy check rolls back; too little coverage or too
//! long a gap is not enough data; any degraded check is to be investigated; else proceed. A slot
//! without a check is missed, never healthy; the newest one is pending until the next is due. A
//! slot whose check is muted (paused, maintenance) is neither missed nor bad: it is left out, and told.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::coverage::{CheckPoint, Slots, coverage, due};
use super::decision::Decision;
use super::slot::{Slot, State};
use crate::history::schedule::Schedule;
use crate::lens::mute::MutedWhy;
use crate::verdict::record::Status;

/// Slots that must have been checked, in hundredths of a percent: 99 %.
const LEAST_COVERAGE: u64 = 9_900;

/// The most consecutive missed slots: a gap of more than two intervals is too long.
const LONGEST_GAP: u64 = 2;

/// Checks named in a reason; the rest is counted.
const NAMED: usize = 5;

/// What the gate looked at and what it says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GateReport {
    /// The tenant.
    pub tenant: Uuid,
    /// The decision.
    pub decision: Decision,
    /// Why, one line.
    pub reason: String,
    /// The start of the window.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// Its end.
    #[schemars(with = "String")]
    pub until: Timestamp,
    /// Slots due in the window; a pending one and muted ones are not among them.
    pub slots: u64,
    /// Slots with a check.
    pub covered: u64,
    /// The longest run of missed slots.
    pub longest_gap: u64,
    /// Healthy checks.
    pub healthy: u64,
    /// Degraded checks.
    pub degraded: u64,
    /// Unhealthy checks.
    pub unhealthy: u64,
    /// Checks left out because the lens was paused.
    pub paused: u64,
    /// Checks left out because they fell into a maintenance window.
    pub maintenance: u64,
    /// Checks left out because a person annulled them.
    pub annulled: u64,
    /// Checks that could judge nothing by a fault of the monitor; their slots are not covered.
    pub could_not_judge: u64,
    /// Checks without a slot's id, of another tool or made by hand: they are judged and fill no slot.
    pub without_slot: u64,
    /// The worst checks, newest first: the unhealthy ones, else the degraded ones.
    pub named: Vec<Named>,
}

/// A check that a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Named {
    /// Its id.
    pub id: Uuid,
    /// When it was observed.
    #[schemars(with = "String")]
    pub observed_at: Timestamp,
    /// Its status.
    pub status: Status,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.observed_at.strftime("%Y-%m-%dT%H:%M:%SZ");
        write!(f, "{at} {} ({})", self.status.as_str(), self.id)
    }
}

/// Decides for one tenant over the window that ends at `at`, as it looks at `now`: a slot whose
/// next one is not due yet may still be running.
#[must_use]
pub fn decide(
    schedule: &Schedule<'_>,
    window: SignedDuration,
    at: Timestamp,
    now: Timestamp,
    checks: &[CheckPoint],
) -> GateReport {
    let from = at.checked_sub(window).unwrap_or(Timestamp::MIN);
    let within = checks
        .iter()
        .filter(|check| check.observed_at > from && check.observed_at <= at);
    let (own_fault, within): (Vec<&CheckPoint>, Vec<&CheckPoint>) = within.partition(|check| check.is_own_fault());
    let (muted, judged): (Vec<&CheckPoint>, Vec<&CheckPoint>) =
        within.into_iter().partition(|check| check.muted.is_some());
    let muted_for = |why: MutedWhy| muted.iter().filter(|check| check.muted == Some(why)).count() as u64;
    // A slot is covered by the check with its id, whenever that check was observed.
    // What the monitor could not judge covers nothing: its slot is as good as missed.
    let covering = checks.iter().filter(|check| !check.is_own_fault());
    let mut ids: Vec<(Uuid, bool)> = covering.map(|check| (check.id, check.muted.is_some())).collect();
    ids.sort_unstable();
    let slots = coverage(schedule, &due(schedule, from, at, checks), now, &ids);
    let count = |status: Status| judged.iter().filter(|check| check.status == status).count() as u64;
    let unhealthy = count(Status::Unhealthy);
    let worst = if unhealthy > 0 {
        Status::Unhealthy
    } else {
        Status::Degraded
    };
    let named = newest_first(judged.iter().filter(|check| check.status == worst));
    let without_slot = judged.iter().filter(|check| !schedule.made(check.id)).count();
    let (decision, mut reason) = policy(&slots, &named, muted.len(), schedule);
    if decision == Decision::NotEnoughData && !own_fault.is_empty() {
        reason.push_str(&format!(
            "; {} checks could judge nothing by a fault of the monitor itself",
            own_fault.len()
        ));
    }
    if decision == Decision::NotEnoughData && slots.due > 0 && without_slot > 0 {
        reason.push_str(&format!(
            "; {without_slot} checks without a slot's id, of another tool or made by hand, fill no slot"
        ));
    }
    GateReport {
        tenant: schedule.tenant(),
        decision,
        reason,
        from,
        until: at,
        slots: slots.due,
        covered: slots.covered,
        longest_gap: slots.longest_gap,
        healthy: count(Status::Healthy),
        degraded: count(Status::Degraded),
        unhealthy,
        paused: muted_for(MutedWhy::Paused),
        maintenance: muted_for(MutedWhy::Maintenance),
        annulled: muted_for(MutedWhy::Annulled),
        could_not_judge: own_fault.len() as u64,
        without_slot: without_slot as u64,
        named,
    }
}

fn newest_first<'a>(checks: impl Iterator<Item = &'a &'a CheckPoint>) -> Vec<Named> {
    let mut checks: Vec<_> = checks.collect();
    checks.sort_by_key(|check| std::cmp::Reverse(check.observed_at));
    let name = |check: &&CheckPoint| Named {
        id: check.id,
        observed_at: check.observed_at,
        status: check.status,
    };
    checks.into_iter().map(name).collect()
}

/// The policy. `worst` holds the unhealthy checks; the degraded ones where no check is unhealthy.
fn policy(slots: &Slots, worst: &[Named], muted: usize, schedule: &Schedule<'_>) -> (Decision, String) {
    let any = |status: Status| worst.first().is_some_and(|check| check.status == status);
    if any(Status::Unhealthy) {
        (Decision::RollBack, reason_of("unhealthy", worst))
    } else if let Some(reason) = too_thin(slots, muted, Some(schedule)) {
        (Decision::NotEnoughData, reason)
    } else if any(Status::Degraded) {
        (Decision::Investigate, reason_of("degraded", worst))
    } else {
        (Decision::Proceed, all_healthy(slots))
    }
}

/// Why the slots of a window are not enough data; `None` where they are. Minutes are told where there is a timetable.
fn too_thin(slots: &Slots, muted: usize, schedule: Option<&Schedule<'_>>) -> Option<String> {
    let Slots {
        due,
        covered,
        longest_gap,
    } = *slots;
    if due == 0 && muted == 0 {
        return Some("no slot was due in the window".to_owned());
    }
    if due == 0 {
        return Some(format!(
            "all {muted} checks of the window are left out: paused, in maintenance or annulled"
        ));
    }
    if covered * 10_000 < due * LEAST_COVERAGE {
        return Some(format!("{covered} of {due} slots were checked, 99 % are needed"));
    }
    let minutes = schedule.map_or_else(String::new, |schedule| {
        format!(
            " ({} minutes)",
            longest_gap * schedule.every_ms().unsigned_abs() / 60_000
        )
    });
    (longest_gap > LONGEST_GAP)
        .then(|| format!("{longest_gap} slots in a row{minutes} were missed, two intervals are the most"))
}

fn all_healthy(slots: &Slots) -> String {
    format!("{} of {} slots were checked, all healthy", slots.covered, slots.due)
}

/// How many checks are `what`, and the first of them by name.
fn reason_of(what: &str, checks: &[Named]) -> String {
    let first: Vec<String> = checks.iter().take(NAMED).map(Named::to_string).collect();
    let more = match checks.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} {what}: {}{more}", checks.len(), first.join(", "))
}

/// The strict decision over slots of a history without a timetable, oldest first, each with the status of its
/// check; a check that is left out has none.
#[must_use]
pub fn strict_of_slots(slots: &[(Slot, Option<Status>)]) -> (Decision, String) {
    let (mut found, mut gap, mut muted) = (
        Slots {
            due: 0,
            covered: 0,
            longest_gap: 0,
        },
        0,
        0_usize,
    );
    let (mut unhealthy, mut degraded) = (0_u64, 0_u64);
    for (slot, status) in slots {
        unhealthy += u64::from(*status == Some(Status::Unhealthy));
        degraded += u64::from(*status == Some(Status::Degraded));
        match slot.state {
            State::LeftOut(_) => {
                muted += 1;
                gap = 0;
            }
            State::Missing | State::Unjudged => {
                found.due += 1;
                gap += 1;
                found.longest_gap = found.longest_gap.max(gap);
            }
            State::Checked(_) => {
                found.due += 1;
                found.covered += 1;
                gap = 0;
            }
        }
    }
    if unhealthy > 0 {
        (Decision::RollBack, counted(unhealthy, "unhealthy"))
    } else if let Some(reason) = too_thin(&found, muted, None) {
        (Decision::NotEnoughData, reason)
    } else if degraded > 0 {
        (Decision::Investigate, counted(degraded, "degraded"))
    } else {
        (Decision::Proceed, all_healthy(&found))
    }
}

fn counted(checks: u64, word: &str) -> String {
    let noun = if checks == 1 { "check" } else { "checks" };
    format!("{checks} {word} {noun}")
}

/// The decision that stands for all tenants; not enough data where there is none.
#[must_use]
pub fn worst(reports: &[GateReport]) -> Decision {
    reports
        .iter()
        .map(|report| report.decision)
        .max_by_key(|decision| decision.precedence())
        .unwrap_or(Decision::NotEnoughData)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::Every;
    use crate::ident::LensId;

    const TENANT: Uuid = Uuid::from_u128(0x53fb_df09);

    fn faults() -> LensId {
        "faults".parse().unwrap()
    }

    fn week(lens: &LensId) -> (Schedule<'_>, Timestamp, Vec<CheckPoint>) {
        let schedule = Schedule::new(Every::QUARTER_HOUR, lens, TENANT);
        let at: Timestamp = "2026-01-08T00:00:00Z".parse().unwrap();
        let check = |due| CheckPoint {
            id: schedule.slot_id(due),
            status: Status::Healthy,
            observed_at: due,
            muted: None,
            every: None,
        };
        let checks = schedule
            .between(at - SignedDuration::from_hours(168), at)
            .map(check)
            .collect();
        (schedule, at, checks)
    }

    fn decision(change: impl Fn(&mut Vec<CheckPoint>)) -> GateReport {
        decision_at(change, SignedDuration::ZERO)
    }

    /// W16: "0 of 671 slots were checked … healthy 672" said nothing of why.
    #[test]
    fn w16_rows_of_another_tool_fill_no_slot_and_the_reason_says_so() {
        let report = decision(|checks| {
            for (check, n) in checks.iter_mut().zip(1..) {
                check.id = Uuid::from_u128(n);
            }
        });
        assert_eq!((report.covered, report.healthy, report.without_slot), (0, 672, 672));
        assert!(
            report.reason.ends_with(
                "slots were checked, 99 % are needed; 672 checks without a slot's id, of another tool or made by hand, \
                 fill no slot"
            ),
            "{}",
            report.reason
        );
        assert_eq!(decision(|_| ()).without_slot, 0);
    }

    /// The decision as it looks `later`.
    fn decision_at(change: impl Fn(&mut Vec<CheckPoint>), later: SignedDuration) -> GateReport {
        let lens = faults();
        let (schedule, at, mut checks) = week(&lens);
        change(&mut checks);
        let now = at + later;
        decide(&schedule, SignedDuration::from_hours(168), at, now, &checks)
    }

    fn status(checks: &mut [CheckPoint], index: usize, status: Status) {
        checks[index].status = status;
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use Decision::{Investigate, NotEnoughData, Proceed, RollBack};
        type Change = fn(&mut Vec<CheckPoint>);
        let table: [(&str, Change, Decision); 11] = [
            ("all healthy", |_| {}, Proceed),
            ("one unhealthy", |c| status(c, 300, Status::Unhealthy), RollBack),
            ("one degraded", |c| status(c, 300, Status::Degraded), Investigate),
            (
                "unhealthy beside degraded",
                |c| {
                    status(c, 300, Status::Degraded);
                    status(c, 301, Status::Unhealthy)
                },
                RollBack,
            ),
            (
                "unhealthy though hardly any data",
                |c| {
                    c.truncate(3);
                    status(c, 0, Status::Unhealthy)
                },
                RollBack,
            ),
            ("no check at all", Vec::clear, NotEnoughData),
            (
                "six missed, not in a row",
                |c| {
                    for n in 0..6 {
                        c.remove(n * 100 + 50);
                    }
                },
                Proceed,
            ),
            (
                "seven missed is under 99 %",
                |c| {
                    for n in 0..7 {
                        c.remove(n * 90 + 50);
                    }
                },
                NotEnoughData,
            ),
            (
                "two missed in a row",
                |c| {
                    c.drain(300..302);
                },
                Proceed,
            ),
            (
                "three missed in a row",
                |c| {
                    c.drain(300..303);
                },
                NotEnoughData,
            ),
            (
                "the newest slot is still pending",
                |c| {
                    c.pop();
                },
                Proceed,
            ),
        ];
        for (what, change, expected) in table {
            let report = decision(change);
            assert_eq!(report.decision, expected, "{what}: {}", report.reason);
        }
    }

    #[test]
    fn a_slot_without_a_check_is_pending_only_until_the_next_is_due() {
        let drop_newest = |checks: &mut Vec<CheckPoint>| checks.truncate(671);
        assert_eq!(decision_at(drop_newest, SignedDuration::ZERO).slots, 671);
        assert_eq!(decision_at(drop_newest, SignedDuration::from_mins(15)).slots, 672);
    }

    #[test]
    fn a_week_has_672_slots_and_unhealthy_checks_are_named() {
        let report = decision(|checks| status(checks, 300, Status::Unhealthy));
        assert_eq!((report.slots, report.covered), (672, 672));
        assert!(
            report.reason.starts_with("1 unhealthy: 2026-01-04T"),
            "{}",
            report.reason
        );
    }

    #[test]
    fn checks_of_a_paused_lens_count_neither_way() {
        let report = decision(|checks| {
            for check in checks.iter_mut() {
                check.muted = Some(MutedWhy::Paused);
                check.status = Status::Unhealthy
            }
        });
        assert_eq!((report.decision, report.paused), (Decision::NotEnoughData, 672));
        assert!(report.reason.starts_with("all 672 checks"), "{}", report.reason);
    }

    #[test]
    fn muted_slots_are_neither_missed_nor_bad_and_are_counted() {
        let report = decision(|checks| {
            for check in &mut checks[10..40] {
                check.muted = Some(MutedWhy::Maintenance);
                check.status = Status::Unhealthy;
            }
        });
        assert_eq!(
            (report.decision, report.slots, report.covered, report.longest_gap),
            (Decision::Proceed, 642, 642, 0)
        );
        assert_eq!((report.maintenance, report.paused, report.unhealthy), (30, 0, 0));
    }

    #[test]
    fn an_ad_hoc_check_does_not_cover_a_slot_but_its_failure_counts() {
        let lens = faults();
        let (schedule, at, _) = week(&lens);
        let extra = CheckPoint {
            id: schedule.ad_hoc_id(at, 1),
            status: Status::Unhealthy,
            observed_at: at,
            muted: None,
            every: None,
        };
        assert_eq!(
            decision(|checks| checks.push(extra.clone())).decision,
            Decision::RollBack
        );
        let report = decision(|checks| {
            *checks = vec![CheckPoint {
                status: Status::Healthy,
                ..extra.clone()
            }]
        });
        assert_eq!((report.decision, report.covered), (Decision::NotEnoughData, 0));
    }

    #[test]
    fn over_tenants_a_roll_back_wins_and_no_tenant_is_no_data() {
        let good = decision(|_| {});
        let bad = decision(|checks| status(checks, 1, Status::Unhealthy));
        assert_eq!(worst(&[good.clone(), bad]), Decision::RollBack);
        assert_eq!(
            (worst(&[good]), worst(&[])),
            (Decision::Proceed, Decision::NotEnoughData)
        );
    }

    /// Fault F4: slots of the past were counted again with the interval of today.
    #[test]
    fn f4_slots_of_the_past_are_those_of_the_interval_that_stood_then() {
        let lens = faults();
        let at: Timestamp = "2026-01-08T00:00:00Z".parse().unwrap();
        let hours = SignedDuration::from_hours;
        for (before, after) in [("15m", "5m"), ("5m", "15m"), ("15m", "7m")] {
            let (before, after): (Every, Every) = (before.parse().unwrap(), after.parse().unwrap());
            let made = |every: Every, from, until| {
                let schedule = Schedule::new(every, &lens, TENANT);
                let check = |due| CheckPoint {
                    id: schedule.slot_id(due),
                    status: Status::Healthy,
                    observed_at: due,
                    muted: None,
                    every: Some(every),
                };
                schedule.between(from, until).map(check).collect::<Vec<_>>()
            };
            let mut checks = made(before, at - hours(168), at - hours(24));
            checks.extend(made(after, at - hours(24), at));
            let (schedule, count) = (Schedule::new(after, &lens, TENANT), checks.len() as u64);
            let report = decide(&schedule, hours(168), at, at, &checks);
            assert_eq!((report.slots, report.covered), (count, count), "{before} to {after}");
            assert_eq!(report.decision, Decision::Proceed, "{before} to {after}");
            // A gap before the change is counted by the interval of then.
            let missed = checks
                .iter()
                .skip(100)
                .take(9)
                .map(|check| check.id)
                .collect::<Vec<_>>();
            checks.retain(|check| !missed.contains(&check.id));
            let report = decide(&schedule, hours(168), at, at, &checks);
            assert_eq!(
                (report.slots, report.covered, report.longest_gap),
                (count, count - 9, 9),
                "{before} to {after}"
            );
        }
    }
}
