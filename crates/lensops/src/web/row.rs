//! A lens of a tenant as pages and the read API show it, made from its checks at a given time. Pure.

use jiff::Timestamp;
use lensops_core::alert::Rule;
use lensops_core::history::gate::Decision;
use lensops_core::history::status::{Standing, age_at, tell_age};
use lensops_core::lens::Policy;
use lensops_core::named::Named;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::verdict::notes::CheckNotes;
use lensops_core::verdict::record::Status;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::format;
use super::gate::decision_word;
use super::sparkline::{Spark, spark};
use super::status_icon::shape;
use crate::store::{Alert, Point, StoredCheck};

/// A lens of a tenant, as it stands.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct Row {
    /// The lens.
    pub(super) lens: String,
    /// Its name for people.
    pub(super) title: String,
    /// The tenant.
    pub(super) tenant: Uuid,
    /// How it stands; unknown when a check is overdue.
    pub(super) standing: Standing,
    /// What the latest check found.
    pub(super) status: Option<Status>,
    /// P95 of the latest check in milliseconds.
    pub(super) p95_latency_ms: Option<i64>,
    /// Samples of the latest check; below 20 its P95 is not supported.
    pub(super) sample_size: i64,
    /// Failed samples of the latest check in percent.
    pub(super) error_rate_percent: Option<f64>,
    /// When the latest check was observed.
    #[schemars(with = "Option<String>")]
    pub(super) observed_at: Option<Timestamp>,
    /// Flags at the provider, as the latest check found them.
    pub(super) flags: Vec<Flag>,
    /// What the strict policy of the gate says over seven days: `proceed`, `investigate`, `roll_back`,
    /// `not_enough_data`. The statistical one needs more of each check than is read here.
    #[schemars(with = "Option<String>")]
    pub(super) gate: Option<Decision>,
    /// Rules that fire.
    pub(super) firing: Vec<Named<Rule>>,
    /// Whether the latest check was made under a virtual clock.
    pub(super) virtual_clock: bool,
    /// Whether the lens is decided by another policy than the one that is shown.
    #[serde(skip)]
    pub(super) decided_elsewhere: bool,
    #[serde(skip)]
    pub(super) spark: Spark,
    #[serde(skip)]
    pub(super) age: String,
}

/// A flag.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Flag {
    /// Its name.
    pub(super) name: String,
    /// Whether it is on.
    pub(super) on: bool,
}

impl Row {
    /// The word of its standing.
    pub(super) fn word(&self) -> &'static str {
        self.standing.tell().1
    }

    /// Its class in the style sheet.
    pub(super) fn class(&self) -> String {
        self.word().to_lowercase()
    }

    pub(super) fn shape(&self) -> &'static str {
        shape(self.standing)
    }

    pub(super) fn p95(&self) -> String {
        format::p95(self.p95_latency_ms, self.sample_size)
    }

    pub(super) fn errors(&self) -> String {
        format::error_rate(self.error_rate_percent)
    }

    pub(super) fn gate_word(&self) -> String {
        match self.gate.map(decision_word) {
            None => "reading\u{2026}".to_owned(),
            Some(word) if self.decided_elsewhere => format!("{word} (strict)"),
            Some(word) => word.to_owned(),
        }
    }

    pub(super) fn firing_rules(&self) -> String {
        let rules: Vec<String> = self.firing.iter().map(ToString::to_string).collect();
        rules.join(", ")
    }

    pub(super) fn flags_on(&self) -> usize {
        self.flags.iter().filter(|flag| flag.on).count()
    }

    pub(super) fn observed(&self) -> String {
        self.observed_at.map_or_else(|| "never".to_owned(), format::time)
    }
}

/// What a row is made from, but for the plan.
#[derive(Default)]
pub(super) struct Found<'a> {
    /// The latest check.
    pub(super) latest: Option<StoredCheck>,
    /// The checks of the last 24 h, oldest first.
    pub(super) day: &'a [Point],
}

/// The row of `plan` for `tenant`.
pub(super) fn row(plan: &MonitorPlan, tenant: Uuid, found: &Found<'_>, alerts: &[Alert], now: Timestamp) -> Row {
    let latest = found.latest.as_ref();
    let age = latest.map(|check| age_at(now, check.observed_at));
    let notes = latest.map(|check| check.notes.read());
    let flags = notes.iter().flat_map(|notes| &notes.flags).map(|(name, on)| Flag {
        name: name.clone(),
        on: *on,
    });
    let fires =
        |alert: &&Alert| alert.firing && alert.tenant == Some(tenant) && alert.lens.as_ref() == Some(&plan.monitor);
    Row {
        lens: plan.monitor.to_string(),
        title: plan.monitor.title(),
        tenant,
        standing: Standing::of(
            plan.every,
            plan.paused.is_some(),
            latest.map(|check| check.status),
            notes.and_then(CheckNotes::muted_why),
            age,
        ),
        status: latest.map(|check| check.status),
        p95_latency_ms: latest.and_then(|check| check.p95_latency_ms),
        sample_size: latest.map_or(0, |check| check.sample_size),
        error_rate_percent: latest.and_then(|check| check.error_rate_percent),
        observed_at: latest.map(|check| check.observed_at),
        flags: flags.collect(),
        gate: None,
        firing: alerts.iter().filter(fires).map(|alert| alert.rule.clone()).collect(),
        virtual_clock: notes.is_some_and(CheckNotes::is_virtual),
        decided_elsewhere: plan.gate.is_some_and(|gate| gate.policy != Policy::Strict),
        spark: spark(plan, found.day, now),
        age: age.map_or_else(|| "never".to_owned(), tell_age),
    }
}
