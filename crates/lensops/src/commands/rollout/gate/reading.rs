//! What files are asked, and a tenant's history ready to be asked at any time.

use jiff::Timestamp;
use lensops_core::duration::{Every, parse_span};
use lensops_core::history::gate::{Gated, History, Otherwise, Question, Recorded, Slot, fill, judge, strict_of_slots};
use lensops_core::ident::LensId;
use lensops_core::lens::{Policy, Slo};
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::verdict::record::Status;

use super::asked::{Asked, Form};
use super::judged::{LEAD, millis, policy};
use crate::commands::context::monitor_plan;
use crate::commands::error::Result;
use crate::commands::plans::{Plan as _, Which, load};
use crate::config::Settings;

/// What files are asked.
pub(super) struct Reading<'a> {
    pub(super) lens: LensId,
    pub(super) policy: Policy,
    pub(super) otherwise: Otherwise,
    pub(super) window: &'a str,
    pub(super) window_ms: i64,
    pub(super) at: Option<Timestamp>,
    pub(super) form: Form,
}

/// What is asked of files, with what the settings say of the lens.
///
/// # Errors
/// A name or a window that makes no sense, or a plan that is not valid.
pub(super) fn reading<'a>(settings: &Settings, asked: &Asked<'a>) -> Result<Reading<'a>> {
    let lens = LensId::from_human(asked.lens)?;
    let path = settings
        .root
        .join(MonitorPlan::FOLDER)
        .join(format!("{lens}{}", MonitorPlan::ENDING));
    // A history may come from elsewhere: its lens need not be here, and then nobody is used to another policy.
    let plan = if path.exists() {
        Some(monitor_plan(settings, load(settings, &Which::Lens(asked.lens))?)?.plan)
    } else {
        None
    };
    let project = settings.project.gate.map(|gate| gate.policy);
    Ok(Reading {
        policy: plan.as_ref().map_or(project.unwrap_or(Policy::Statistical), policy),
        otherwise: Otherwise {
            every: plan.as_ref().map_or(Every::QUARTER_HOUR, |plan| plan.every),
            slo: plan.map_or_else(Slo::default, |plan| plan.slo),
        },
        lens,
        window: asked.window,
        window_ms: millis(parse_span(asked.window)?),
        at: asked.at,
        form: asked.form,
    })
}

/// A tenant's history, ready to be asked.
pub(super) struct Asking<'a> {
    reading: &'a Reading<'a>,
    tenant: &'a Recorded,
    slots: Vec<Slot>,
    history: History,
}

impl<'a> Asking<'a> {
    /// The history that ends at `until`.
    pub(super) fn new(tenant: &'a Recorded, until: Timestamp, reading: &'a Reading<'a>) -> Self {
        let first_ms = tenant.slots.first().map_or(0, |slot| slot.due_ms);
        let until_ms = until.as_millisecond();
        // What comes before the first check is missing as far as the window reaches, and is not asked beyond.
        let from_ms = (until_ms - reading.window_ms - millis(LEAD))
            .min(first_ms - 1)
            .max(first_ms - reading.window_ms);
        let slots = fill(tenant.slots.clone(), from_ms, until_ms);
        Self {
            reading,
            tenant,
            history: History::new(slots.clone()),
            slots,
        }
    }

    /// What both policies say of the window that ends at `at`.
    pub(super) fn at(&self, at: Timestamp) -> Gated {
        let (until_ms, window_ms) = (at.as_millisecond(), self.reading.window_ms);
        let from_ms = until_ms.saturating_sub(window_ms);
        let statuses = &self.tenant.statuses;
        let status = |slot: &Slot| -> Option<Status> {
            let place = statuses.partition_point(|(due, _)| *due < slot.due_ms);
            statuses
                .get(place)
                .filter(|(due, _)| *due == slot.due_ms)
                .and_then(|(_, status)| *status)
        };
        let within = self
            .slots
            .iter()
            .filter(|slot| slot.due_ms > from_ms && slot.due_ms <= until_ms);
        let with_status: Vec<(Slot, Option<Status>)> = within.map(|slot| (*slot, status(slot))).collect();
        Gated {
            policy: self.reading.policy,
            strict: strict_of_slots(&with_status),
            statistical: judge(
                &self.history,
                &Question {
                    slo: &self.tenant.slo,
                    window_ms,
                    at_ms: until_ms,
                },
            ),
        }
    }
}
