//! `lensops gate --backtest`: what the gate would have said at every hour, beside what was recorded in it.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use lensops_core::history::gate::{Gated, History as Slots, Question, Recorded, Slot, State, judge};
use lensops_core::history::schedule::{Schedule, from_ms};
use lensops_core::lens::Policy;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::verdict::record::Status;
use serde_json::json;

use super::asked::Form;
use super::judged::{LEAD, millis, policy, slots};
use super::reading::{Asking, Reading};
use crate::commands::error::Result;
use crate::commands::exit::Exit;
use crate::store::{History, StoredCheck};

const HOUR_MS: i64 = 3_600_000;

/// What was recorded in an hour.
#[derive(Debug, Default, Clone, Copy)]
struct Recording {
    checks: u64,
    unhealthy: u64,
    degraded: u64,
    left_out: u64,
}

impl Recording {
    fn add(&mut self, status: Option<Status>) {
        self.checks += 1;
        match status {
            Some(Status::Unhealthy) => self.unhealthy += 1,
            Some(Status::Degraded) => self.degraded += 1,
            Some(Status::Healthy) => {}
            None => self.left_out += 1,
        }
    }

    fn tell(self) -> String {
        let mut told = String::new();
        for (count, what) in [
            (self.unhealthy, "unhealthy"),
            (self.degraded, "degraded"),
            (self.left_out, "left out"),
        ] {
            if count > 0 {
                told.push_str(&format!(" · {count} {what}"));
            }
        }
        told
    }
}

/// The hours of `(from, until]`.
fn hours(from_ms: i64, until_ms: i64) -> impl Iterator<Item = i64> {
    let first = from_ms.div_euclid(HOUR_MS) + 1;
    (first..=until_ms.div_euclid(HOUR_MS)).map(|hour| hour * HOUR_MS)
}

/// Every hour of the tenants of a file for which a whole window is there.
pub(super) fn file(path: &Path, tenants: &[Recorded], reading: &Reading<'_>) {
    let end_ms = tenants.iter().map(|tenant| tenant.end_ms).max().unwrap_or(0);
    let until = reading.at.unwrap_or_else(|| from_ms(end_ms));
    for tenant in tenants {
        let asking = Asking::new(tenant, until, reading);
        let first_ms = tenant.slots.first().map_or(0, |slot| slot.due_ms - slot.every_ms);
        for hour in hours(first_ms + reading.window_ms - 1, until.as_millisecond()) {
            let mut recording = Recording::default();
            let of_hour = tenant
                .statuses
                .iter()
                .filter(|(due, _)| *due > hour - HOUR_MS && *due <= hour);
            of_hour.for_each(|(_, status)| recording.add(*status));
            let gated = asking.at(from_ms(hour));
            let (decision, reason) = gated.decided();
            if reading.form == Form::Json {
                let line = json!({"file": path.display().to_string(), "lens": reading.lens, "tenant": tenant.tenant,
                    "at": from_ms(hour), "decision": decision, "reason": reason, "checks": recording.checks,
                    "unhealthy": recording.unhealthy, "degraded": recording.degraded, "left_out": recording.left_out});
                say!("{line}");
            } else {
                say_hour(hour, &gated, recording);
            }
        }
    }
}

fn say_hour(hour: i64, gated: &Gated, recording: Recording) {
    let (decision, reason) = gated.decided();
    let at = from_ms(hour).strftime("%Y-%m-%dT%H:%MZ").to_string();
    say!("{at} {}{}: {reason}", decision.tell(), recording.tell());
}

/// Every hour of the window that ends at `at`, from the store; each is asked over the window before it.
///
/// # Errors
/// When history cannot be read.
pub(super) async fn store<H: History>(
    history: &H,
    plan: &MonitorPlan,
    window: SignedDuration,
    at: Timestamp,
    form: Form,
) -> Result<Exit> {
    let from = at.checked_sub(window).unwrap_or(Timestamp::MIN);
    let lead = from.checked_sub(window + LEAD).unwrap_or(Timestamp::MIN);
    for tenant in plan.tenants.iter() {
        let checks = history.between(*tenant, &plan.monitor, lead, at).await?;
        let schedule = Schedule::new(plan.every, &plan.monitor, *tenant);
        let slots = slots(&schedule, plan, &checks, (lead, at));
        let ready = Slots::new(slots.clone());
        for hour in hours(from.as_millisecond(), at.as_millisecond()) {
            let answer = judge(
                &ready,
                &Question {
                    slo: &plan.slo,
                    window_ms: millis(window),
                    at_ms: hour,
                },
            );
            let strict = strict(&slots, &checks, (hour - millis(window), hour));
            let gated = Gated {
                policy: policy(plan),
                strict,
                statistical: answer,
            };
            let mut recording = Recording::default();
            for check in of(&checks, hour - HOUR_MS, hour) {
                recording.add(check.notes.read().muted_why().is_none().then_some(check.status));
            }
            if form == Form::Json {
                let (decision, reason) = gated.decided();
                let line = json!({"lens": plan.monitor, "tenant": tenant, "at": from_ms(hour), "decision": decision,
                    "reason": reason, "checks": recording.checks, "unhealthy": recording.unhealthy,
                    "degraded": recording.degraded, "left_out": recording.left_out});
                say!("{line}");
            } else {
                say_hour(hour, &gated, recording);
            }
        }
        if policy(plan) == Policy::Strict && form != Form::Json {
            say!("(by the strict policy, which this lens has)");
        }
    }
    Ok(Exit::Good)
}

/// The checks observed in `(from_ms, until_ms]` that are no record of another's annulment.
fn of(checks: &[StoredCheck], from_ms: i64, until_ms: i64) -> impl Iterator<Item = &StoredCheck> {
    checks.iter().filter(move |check| {
        let ms = check.observed_at.as_millisecond();
        ms > from_ms && ms <= until_ms && check.notes.read().annuls().is_none()
    })
}

/// The strict decision over the slots and the checks of a stretch.
fn strict(
    slots: &[Slot],
    checks: &[StoredCheck],
    (from_ms, until_ms): (i64, i64),
) -> (lensops_core::history::gate::Decision, String) {
    let within = slots
        .iter()
        .filter(|slot| slot.due_ms > from_ms && slot.due_ms <= until_ms);
    let empty = within
        .filter(|slot| !matches!(slot.state, State::Checked(_)))
        .map(|slot| (*slot, None));
    let checked = of(checks, from_ms, until_ms).filter(|check| check.notes.read().muted_why().is_none());
    let checked = checked.map(|check| {
        let slot = Slot {
            due_ms: check.observed_at.as_millisecond(),
            every_ms: 0,
            fills: true,
            state: State::Checked(lensops_core::history::gate::Counts::default()),
        };
        (slot, Some(check.status))
    });
    let mut all: Vec<(Slot, Option<Status>)> = empty.chain(checked).collect();
    all.sort_by_key(|(slot, _)| slot.due_ms);
    lensops_core::history::gate::strict_of_slots(&all)
}
