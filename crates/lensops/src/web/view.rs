//! What pages and the read API show, made from checks at a given time. Pure.

use jiff::Timestamp;
use lensops_core::history::gate::{CheckPoint, Decision, GateReport};
use lensops_core::history::status::{Standing, age_at, tell_age};
use lensops_core::lens::mute::Muted;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::stats::chart::{Frame, round_top};
use lensops_core::verdict::record::Status;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::series::statuses;
use crate::store::{Alert, Point, StoredCheck};

/// Samples from which a P95 is supported.
const SUPPORTED: i64 = 20;

/// The size of a sparkline.
pub(super) const SPARK: (f64, f64) = (120.0, 24.0);

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
    /// What the gate says over seven days: `proceed`, `investigate`, `roll_back`, `not_enough_data`.
    #[schemars(with = "Option<String>")]
    pub(super) gate: Option<Decision>,
    /// Rules that fire.
    pub(super) firing: Vec<String>,
    /// Whether the latest check was made under a virtual clock.
    pub(super) virtual_clock: bool,
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

/// A stretch of a chart.
#[derive(Debug, Clone)]
pub(super) struct Stripe {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// A status, why checks counted for nothing, or `gap`.
    pub(super) class: &'static str,
}

/// A day of checks in a line.
#[derive(Debug, Clone, Default)]
pub(super) struct Spark {
    /// The path of P95.
    pub(super) path: String,
    /// Stretches that were not healthy, or not looked at.
    pub(super) stripes: Vec<Stripe>,
    /// The same in words.
    pub(super) told: String,
}

/// The path data of a standing's shape in a square of 16: each has an outline of its own.
pub(super) fn shape(standing: Standing) -> &'static str {
    match standing {
        Standing::Healthy => "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM7 11 4 8l1-1 2 2 4-4 1 1z",
        Standing::Degraded => "M8 1 15.500 15H.500zM7 6v4h2V6zm0 5v2h2v-2z",
        Standing::Unhealthy => "M5 1h6l4 4v6l-4 4H5l-4-4V5zM5 6l2 2-2 2 1 1 2-2 2 2 1-1-2-2 2-2-1-1-2 2-2-2z",
        Standing::Unknown => "M8 .500 15.500 8 8 15.500.500 8zM7 4v5h2V4zm0 6v2h2v-2z",
        Standing::Paused => "M2 1h12v14H2zM5 4v8h2V4zm4 0v8h2V4z",
        Standing::Maintenance => "M1 4h14v8H1zM4 7v2h8V7z",
    }
}

/// The same for what one check found.
pub(super) fn shape_of(status: Status) -> &'static str {
    shape(match status {
        Status::Healthy => Standing::Healthy,
        Status::Degraded => Standing::Degraded,
        Status::Unhealthy => Standing::Unhealthy,
    })
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
        told_p95(self.p95_latency_ms, self.sample_size)
    }

    pub(super) fn errors(&self) -> String {
        told_rate(self.error_rate_percent)
    }

    pub(super) fn gate_word(&self) -> &'static str {
        self.gate.map_or("reading\u{2026}", decision_word)
    }

    pub(super) fn flags_on(&self) -> usize {
        self.flags.iter().filter(|flag| flag.on).count()
    }

    pub(super) fn observed(&self) -> String {
        self.observed_at.map_or_else(|| "never".to_owned(), told_time)
    }
}

/// `867 ms (n=21)`: the sample size is said with the figure, as everywhere.
pub(super) fn told_p95(p95_ms: Option<i64>, samples: i64) -> String {
    match p95_ms {
        None => "none".to_owned(),
        Some(ms) if samples < SUPPORTED => format!("{ms} ms (only n={samples})"),
        Some(ms) => format!("{ms} ms (n={samples})"),
    }
}

pub(super) fn told_rate(percent: Option<f64>) -> String {
    percent.map_or_else(|| "none".to_owned(), |percent| format!("{percent:.2} %"))
}

pub(super) fn told_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The gate's decision in words, without a mark.
pub(super) fn decision_word(decision: Decision) -> &'static str {
    match decision {
        Decision::Proceed => "proceed",
        Decision::Investigate => "investigate",
        Decision::RollBack => "roll back",
        Decision::NotEnoughData => "not enough data",
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
    let muted = latest
        .and_then(|check| Muted::of_notes(&check.notes))
        .map(|muted| muted.why);
    let flags = latest.and_then(|check| check.notes["flags"].as_object());
    let flags = flags.into_iter().flatten().map(|(name, on)| Flag {
        name: name.clone(),
        on: on == true,
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
            muted,
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
        virtual_clock: latest.is_some_and(|check| check.notes["clock"] == "virtual"),
        spark: spark(plan, found.day, now),
        age: age.map_or_else(|| "never".to_owned(), tell_age),
    }
}

pub(super) fn whole(ms: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a latency are far below 2^52")]
    let value = ms as f64;
    value
}

/// How long a check stands for its lens where no other follows: it may be late by half an interval.
pub(super) fn stands_ms(every_ms: i64) -> i64 {
    every_ms * 3 / 2
}

/// The stretches of `frame` that were not healthy or not looked at, each with a shape of its own, so that
/// colour alone says nothing: unhealthy is full height, degraded half, muted a strip, a gap is hatched.
pub(super) fn stripes(frame: &Frame, states: &[(i64, &'static str)], every_ms: i64) -> Vec<Stripe> {
    let share = |class: &str| match class {
        "degraded" => 0.5,
        "paused" | "maintenance" => 0.15,
        _ => 1.0,
    };
    let at: Vec<i64> = states.iter().map(|(at, _)| *at).collect();
    let gaps = frame.gaps(&at, stands_ms(every_ms));
    let gaps = gaps.into_iter().map(|gap| (gap.x, gap.width, "gap"));
    let bands = frame.bands(states, stands_ms(every_ms)).into_iter();
    let bands = bands.filter(|band| band.what != "healthy");
    bands
        .map(|band| (band.x, band.width, band.what))
        .chain(gaps)
        .map(|(x, width, class)| Stripe {
            x,
            width,
            height: frame.height * share(class),
            y: frame.height * (1.0 - share(class)),
            class,
        })
        .collect()
}

fn spark(plan: &MonitorPlan, points: &[Point], now: Timestamp) -> Spark {
    let highest = points
        .iter()
        .filter_map(|check| check.p95_latency_ms)
        .max()
        .unwrap_or(0);
    let frame = Frame {
        from_ms: now.as_millisecond() - 86_400_000,
        until_ms: now.as_millisecond(),
        width: SPARK.0,
        height: SPARK.1,
        top: round_top(whole(highest)),
    };
    let every_ms = plan.every.as_ms();
    let line: Vec<_> = points
        .iter()
        .map(|check| (check.observed_at.as_millisecond(), check.p95_latency_ms.map(whole)))
        .collect();
    let count = |status: Status| points.iter().filter(|check| check.status == status).count();
    let told = match points.len() {
        0 => "24 h: no check".to_owned(),
        checks => format!(
            "24 h: {checks} checks, {} degraded, {} unhealthy, highest P95 {highest} ms",
            count(Status::Degraded),
            count(Status::Unhealthy)
        ),
    };
    Spark {
        path: frame.line(&line, stands_ms(every_ms)),
        stripes: stripes(&frame, &statuses(points, &[], every_ms), every_ms),
        told,
    }
}

/// A check as the gate looks at it.
pub(super) fn point(check: &Point) -> CheckPoint {
    CheckPoint {
        id: check.id,
        status: check.status,
        observed_at: check.observed_at,
        muted: check.muted,
    }
}

/// A criterion of the gate.
#[derive(Debug, Clone)]
pub(super) struct Criterion {
    pub(super) what: &'static str,
    pub(super) met: bool,
    pub(super) found: String,
}

/// The gate's criteria in the order in which it looks at them.
pub(super) fn criteria(report: &GateReport) -> Vec<Criterion> {
    let left_out = report.paused + report.maintenance;
    vec![
        Criterion {
            what: "No check is unhealthy (else roll back)",
            met: report.unhealthy == 0,
            found: format!("{} unhealthy", report.unhealthy),
        },
        Criterion {
            what: "99 % of the slots were checked (else not enough data)",
            met: report.slots > 0 && report.covered * 100 >= report.slots * 99,
            found: format!(
                "{} of {} slots; {left_out} left out as muted",
                report.covered, report.slots
            ),
        },
        Criterion {
            what: "No gap is longer than two intervals (else not enough data)",
            met: report.longest_gap <= 2,
            found: format!("longest gap: {} slots", report.longest_gap),
        },
        Criterion {
            what: "No check is degraded (else investigate)",
            met: report.degraded == 0,
            found: format!("{} degraded", report.degraded),
        },
    ]
}
