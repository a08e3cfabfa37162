//! A lens of a tenant as pages and the read API show it, made from its checks at a given time. Pure.

use jiff::{SignedDuration, Timestamp};
use lensops_core::alert::Rule;
use lensops_core::history::gate::Decision;
use lensops_core::history::status::{Standing, age_at, tell_age};
use lensops_core::history::uptime::{Uptime, missed};
use lensops_core::lens::Policy;
use lensops_core::named::Named;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::verdict::notes::CheckNotes;
use lensops_core::verdict::record::Status;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::decision_cache::Decided;
use super::format::{self, Moment};
use super::gate::{decision_class, decision_word};
use super::status_icon::shape;
use super::strip::{Strip, cells, strip};
use crate::store::{Alert, Point, Reason, StoredCheck};

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
    /// What only pages show.
    #[serde(skip)]
    pub(super) shown: Shown,
}

/// What pages show of a lens besides what the read API sends.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    /// How long ago the latest check was.
    pub(super) age: String,
    /// The latest check.
    pub(super) check: Option<Uuid>,
    /// When that was.
    pub(super) at: Option<Moment>,
    /// Why the lens stands as it does, one line; empty where it is healthy.
    pub(super) why: String,
    /// Since when it is not healthy.
    pub(super) since: Option<Moment>,
    /// Checks since then.
    pub(super) streak: usize,
    /// Whether it was so before the stretch that was read.
    pub(super) is_longer: bool,
    /// The last healthy check, where one was read.
    pub(super) last_good: Option<(Uuid, Moment)>,
    /// Unhealthy checks of 24 h, and when the last of them was.
    pub(super) broken: Option<(usize, Moment)>,
    pub(super) strip: Strip,
    /// Of 24 h.
    pub(super) day: Uptime,
    /// Slots of 24 h without a check.
    pub(super) missed: u64,
    /// Of 7 and of 30 days, where they were read.
    pub(super) longer: Option<(Uptime, Uptime)>,
    /// The P95 above which the lens is degraded, in milliseconds.
    pub(super) limit_ms: f64,
    /// Whole days until the server's certificate ends.
    pub(super) certificate_days: Option<i64>,
    pub(super) tenant_name: String,
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

    /// Its page.
    pub(super) fn address(&self) -> String {
        format!("/lens/{}?tenant={}", self.lens, self.tenant)
    }

    /// Where its checks are listed.
    pub(super) fn checks_address(&self) -> String {
        format!("{}#checks", self.address())
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

    /// P95 against its limit: `867 ms of 2 s (n=21)`.
    pub(super) fn p95_of_limit(&self) -> String {
        match self.p95().split_once(' ') {
            Some((figure, rest)) if self.p95_latency_ms.is_some() => {
                let (unit, n) = rest.split_once(' ').unwrap_or((rest, ""));
                format!("{figure} {unit} of {} {n}", self.limit())
            }
            _ => "none".to_owned(),
        }
    }

    pub(super) fn limit(&self) -> String {
        format::limit(self.shown.limit_ms)
    }

    pub(super) fn is_slow(&self) -> bool {
        self.p95_latency_ms
            .is_some_and(|ms| super::series::whole(ms) > self.shown.limit_ms)
    }

    /// How much of a meter of 48 units P95 fills.
    pub(super) fn meter(&self) -> u32 {
        let share = super::series::whole(self.p95_latency_ms.unwrap_or(0)) / self.shown.limit_ms.max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 48"
        )]
        let units = (share * 48.0).clamp(1.0, 48.0) as u32;
        units
    }

    pub(super) fn gate_class(&self) -> &'static str {
        self.gate.map_or("pending", decision_class)
    }

    /// Flags that the latest check found off.
    pub(super) fn flags_off(&self) -> usize {
        self.flags.len() - self.flags_on()
    }

    /// Takes what the gate says and what the longer windows hold.
    pub(super) fn decided(&mut self, decided: Option<&Decided>) {
        self.gate = decided.map(|decided| decided.decision);
        self.shown.longer = decided.map(|decided| (decided.week, decided.month));
    }

    pub(super) fn gate_word(&self) -> String {
        match self.gate.map(decision_word) {
            None => "reading\u{2026}".to_owned(),
            Some(word) if self.decided_elsewhere => format!("{word} (strict)"),
            Some(word) => word.to_owned(),
        }
    }

    pub(super) fn firing_rules(&self) -> String {
        let title = |rule: &Named<Rule>| {
            rule.known()
                .map_or_else(|| rule.to_string(), |rule| rule.title().to_owned())
        };
        let rules: Vec<String> = self.firing.iter().map(title).collect();
        rules.join(", ")
    }

    pub(super) fn flags_on(&self) -> usize {
        self.flags.iter().filter(|flag| flag.on).count()
    }
}

/// What a row is made from, but for the plan.
#[derive(Default)]
pub(super) struct Found<'a> {
    /// The latest check.
    pub(super) latest: Option<StoredCheck>,
    /// The checks of a day or more, oldest first.
    pub(super) points: &'a [Point],
    /// Why the latest check is not healthy, the gravest first.
    pub(super) reasons: &'a [Reason],
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
    let standing = Standing::of(
        plan.every,
        plan.paused.is_some(),
        latest.map(|check| check.status),
        notes.and_then(CheckNotes::muted_why),
        age,
    );
    Row {
        lens: plan.monitor.to_string(),
        title: plan.monitor.title(),
        tenant,
        standing,
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
        shown: shown(plan, tenant, standing, found, now),
    }
}

fn shown(plan: &MonitorPlan, tenant: Uuid, standing: Standing, found: &Found<'_>, now: Timestamp) -> Shown {
    let latest = found.latest.as_ref();
    let notes = latest.map(|check| check.notes.read());
    let age = latest.map(|check| age_at(now, check.observed_at));
    let day = super::stretch::since(
        found.points,
        super::stretch::before(now, SignedDuration::from_hours(24)),
    );
    let mut uptime = Uptime::default();
    let judged = |point: &&Point| point.muted.is_none();
    day.iter().filter(judged).for_each(|point| uptime.add(point.status, 1));
    let checked: Vec<Timestamp> = day.iter().map(|point| point.observed_at).collect();
    let every_ms = plan.every.as_ms();
    let is_bad = |point: &&Point| point.status != Status::Healthy;
    let backwards = || found.points.iter().rev().filter(judged);
    let streak: Vec<&Point> = backwards().take_while(is_bad).collect();
    let last_good = backwards().find(|point| !is_bad(point));
    let moment = |at: Timestamp| Moment::of(at, now);
    let broken = || {
        day.iter()
            .filter(judged)
            .filter(|point| point.status == Status::Unhealthy)
    };
    let expires = notes.and_then(|notes| notes.certificate_expires);
    Shown {
        age: age.map_or_else(|| "never".to_owned(), tell_age),
        check: latest.map(|check| check.id),
        at: latest.map(|check| moment(check.observed_at)),
        why: why(plan, standing, found, now),
        since: match standing {
            Standing::Paused => plan.paused.as_ref().and_then(|paused| paused.since).map(moment),
            _ => streak.last().map(|point| moment(point.observed_at)),
        },
        streak: streak.len(),
        is_longer: standing != Standing::Paused && last_good.is_none(),
        last_good: last_good.map(|point| (point.id, moment(point.observed_at))),
        broken: broken()
            .next_back()
            .map(|last| (broken().count(), moment(last.observed_at))),
        strip: strip(&cells(found.points, every_ms, now)),
        day: uptime,
        missed: missed(&checked, every_ms, now),
        longer: None,
        limit_ms: plan.slo.p95_ms.warn,
        certificate_days: expires.map(|expires| expires.duration_since(now).as_hours().div_euclid(24)),
        tenant_name: plan.tenants.name(tenant).to_string(),
    }
}

/// Why a lens stands as it does, one line; empty where it is healthy.
fn why(plan: &MonitorPlan, standing: Standing, found: &Found<'_>, now: Timestamp) -> String {
    let latest = found.latest.as_ref();
    let muted = latest.and_then(|check| check.notes.read().muted.as_ref());
    let muted = muted.map_or_else(String::new, |muted| muted.reason.clone());
    match standing {
        Standing::Healthy => String::new(),
        Standing::Unhealthy | Standing::Degraded => found.reasons.first().map_or_else(
            || format!("the latest check is {}", standing.tell().1.to_lowercase()),
            |reason| reason.told.clone(),
        ),
        Standing::Unknown => match latest {
            None => "never checked".to_owned(),
            Some(check) => format!(
                "no check since {}, due every {}",
                Moment::of(check.observed_at, now).clock,
                plan.every
            ),
        },
        Standing::Paused => plan.paused.as_ref().map_or(muted, |paused| paused.reason.clone()),
        Standing::CannotJudge | Standing::Maintenance => muted,
    }
}
