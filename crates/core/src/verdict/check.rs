//! The status of a check: probes and service level folded, worst wins.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::probe::{ProbeReport, ProbeResult};
use crate::ident::LensId;
use crate::lens::mute::Muted;
use crate::lens::{Limits, Slo};
use crate::redaction::Redactor;
use crate::stats::histogram::{Latencies, Quantile, ms};
use crate::verdict::outcome::Why;
use crate::verdict::record::{CheckRecord, EventRecord, Level, Status, event_id};

/// The most of a response that an event carries, in characters.
const EXCERPT: usize = 2_000;

/// What a check is, besides its probes.
#[derive(Debug, Clone)]
pub struct CheckContext {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub tenant: Uuid,
    /// The lens.
    pub lens: LensId,
    /// When it was observed.
    pub observed_at: Timestamp,
    /// What the lens promises.
    pub slo: Slo,
    /// The samples of earlier checks within the window of the SLO.
    pub earlier: Latencies,
    /// Probes that an earlier check found switched off; `None` without an earlier check.
    pub disabled_before: Option<Vec<String>>,
    /// Flags at the provider, where they could be read.
    pub flags: Vec<(String, bool)>,
    /// Flags as an earlier check read them; empty without one.
    pub flags_before: BTreeMap<String, bool>,
    /// Why the check counts for nothing.
    pub muted: Option<Muted>,
    /// Whether the clock was a virtual one.
    pub virtual_clock: bool,
    /// Whether the plan was as generated, edited or foreign.
    pub plan_origin: &'static str,
}

/// A judged check.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// The status.
    pub status: Status,
    /// Whether anything required could be judged.
    pub judged: bool,
    /// Why it counts for nothing.
    pub muted: Option<Muted>,
    /// Each probe.
    pub probes: Vec<ProbeReport>,
    /// The lines a person reads, with their level.
    pub lines: Vec<(Level, String)>,
    /// What is kept.
    pub record: CheckRecord,
}

struct Slice {
    status: Status,
    level: Level,
    detail: Value,
    line: Option<String>,
}

/// Judges a check from its probes.
#[must_use]
pub fn judge_check(context: &CheckContext, probes: Vec<ProbeReport>, redactor: &Redactor) -> CheckReport {
    let pooled: Latencies = timed(&probes)
        .flat_map(|probe| probe.samples_us.iter().copied())
        .collect();
    let (taken, failed) = timed(&probes).fold((0, 0), |(taken, failed), probe| {
        (taken + probe.taken, failed + probe.failed)
    });
    let error_rate = (taken > 0)
        .then(|| (failed * 10_000 + taken / 2) / taken)
        .and_then(|rate| i64::try_from(rate).ok());
    let mut window = context.earlier.clone();
    window.merge(&pooled);

    let mut slices: Vec<Slice> = probes.iter().filter_map(probe_slice).collect();
    slices.extend(error_rate.and_then(|rate| error_rate_slice(rate, failed, taken, context.slo.error_rate_percent)));
    slices.extend(p95_slice(&window, context.slo.p95_ms));
    slices.extend(transition_slices(context, &probes));
    slices.extend(toggle_slices(context));
    let status = slices.iter().map(|slice| slice.status).max().unwrap_or(Status::Healthy);
    let judged = probes
        .iter()
        .any(|probe| probe.required && !matches!(probe.result, ProbeResult::Unjudged(_)));
    // A check without anything judged says nothing good.
    let status = if judged { status } else { status.max(Status::Degraded) };

    let flag_line = |(name, on): &(String, bool)| {
        (
            Level::Info,
            format!("[FeatureFlags] {name}={}", if *on { "True" } else { "False" }),
        )
    };
    let mut lines: Vec<(Level, String)> = context.flags.iter().map(flag_line).collect();
    lines.extend(probes.iter().map(probe_line));
    lines.extend(
        slices
            .iter()
            .filter_map(|slice| Some((slice.level, slice.line.clone()?))),
    );
    let record = CheckRecord {
        id: context.id,
        yacht_id: context.tenant,
        lens_id: context.lens.clone(),
        status,
        p95_latency_ms: pooled
            .at(Quantile::P95)
            .and_then(|us| i64::try_from((us + 500) / 1000).ok()),
        error_rate_hundredths: error_rate,
        sample_size: i64::try_from(taken).unwrap_or(i64::MAX),
        observed_at: context.observed_at,
        notes: redactor.json(notes(context, &probes, &window)),
        events: slices
            .iter()
            .enumerate()
            .map(|(index, slice)| EventRecord {
                id: event_id(context.id, index),
                level: slice.level,
                detail: redactor.json(slice.detail.clone()),
            })
            .collect(),
    };
    for (_, line) in &mut lines {
        *line = redactor.text(line).as_str().to_owned();
    }
    CheckReport {
        status,
        judged,
        muted: context.muted.clone(),
        probes,
        lines,
        record,
    }
}

fn timed(probes: &[ProbeReport]) -> impl Iterator<Item = &ProbeReport> {
    probes.iter().filter(|probe| probe.timed)
}

/// The line of a probe with its mark.
fn probe_line(probe: &ProbeReport) -> (Level, String) {
    let (level, mark) = match &probe.result {
        ProbeResult::Healthy => (Level::Info, "✅"),
        ProbeResult::Unjudged(_) if !probe.required => (Level::Info, "❔"),
        ProbeResult::Warned(_) | ProbeResult::Flaky(_) | ProbeResult::Unjudged(_) => (Level::Warning, "⚠️"),
        ProbeResult::Broken(_) => (Level::Error, "❌"),
    };
    (level, format!("{mark} {}", probe.line()))
}

fn probe_slice(probe: &ProbeReport) -> Option<Slice> {
    let (status, level, kind, why) = match &probe.result {
        ProbeResult::Healthy if probe.retries == 0 => return None,
        ProbeResult::Healthy => (Status::Healthy, Level::Info, "retried", None),
        ProbeResult::Warned(why) => (Status::Degraded, Level::Warning, "warning", Some(why)),
        // The error rate of the check decides what some failures among the samples mean.
        ProbeResult::Flaky(why) => (Status::Healthy, Level::Warning, "samples_failed", Some(why)),
        ProbeResult::Broken(why @ Why::Disabled { .. }) => {
            (Status::Unhealthy, Level::Error, "feature_disabled", Some(why))
        }
        ProbeResult::Broken(why) => (Status::Unhealthy, Level::Error, "broken", Some(why)),
        ProbeResult::Unjudged(_) if probe.required => (Status::Degraded, Level::Warning, "unjudged", None),
        ProbeResult::Unjudged(_) => (Status::Healthy, Level::Info, "unjudged", None),
    };
    let mut detail = json!({"kind": kind, "probe": probe.name, "reason": probe.line(), "samples": probe.taken, "failed": probe.failed, "retries": probe.retries});
    if let Some(class) = why.and_then(Why::class) {
        detail["class"] = json!(class);
    }
    if let Some(transcript) = &probe.transcript {
        detail["request"] = json!(excerpt(transcript.request.as_str()));
        detail["response"] = json!(excerpt(transcript.response.as_str()));
    }
    Some(Slice {
        status,
        level,
        detail,
        line: None,
    })
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}

fn error_rate_slice(hundredths: i64, failed: u64, taken: u64, limits: Limits) -> Option<Slice> {
    let rate = hundredths_to_f64(hundredths);
    limit_slice(
        "error_rate",
        rate,
        limits,
        format!("error rate {rate:.2} % ({failed} of {taken} samples)"),
        "%",
    )
}

fn p95_slice(window: &Latencies, limits: Limits) -> Option<Slice> {
    let us = window.at(Quantile::P95)?;
    if window.len() < Quantile::P95.supported_from() {
        let reason = format!(
            "P95 not judged: {} samples within the window, 20 are needed",
            window.len()
        );
        let detail = json!({"kind": "unjudged", "figure": "p95", "reason": reason, "samples": window.len()});
        return Some(Slice {
            status: Status::Healthy,
            level: Level::Info,
            detail,
            line: None,
        });
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds, far below 2^52")]
    let value = us as f64 / 1000.0;
    limit_slice(
        "p95",
        value,
        limits,
        format!("P95 {} (n={})", ms(us), window.len()),
        "ms",
    )
}

fn limit_slice(figure: &str, value: f64, limits: Limits, told: String, unit: &str) -> Option<Slice> {
    let (status, level, limit) = match value {
        v if v > limits.fail => (Status::Unhealthy, Level::Error, limits.fail),
        v if v > limits.warn => (Status::Degraded, Level::Warning, limits.warn),
        _ => return None,
    };
    let reason = format!("{told} above {limit}{unit}");
    let detail = json!({"kind": "slo", "figure": figure, "value": value, "limit": limit, "reason": reason});
    Some(Slice {
        status,
        level,
        detail,
        line: Some(format!("{} SLO: {reason}", status.mark())),
    })
}

fn transition_slices(context: &CheckContext, probes: &[ProbeReport]) -> Vec<Slice> {
    let Some(before) = &context.disabled_before else {
        return Vec::new();
    };
    let change = |probe: &ProbeReport| {
        let was = before.contains(&probe.name);
        // A probe that failed otherwise says nothing about the switch.
        let (from, to) = match (was, probe.disabled) {
            (false, true) => (200, 503),
            (true, false) if probe.failed == 0 && probe.taken > 0 => (503, 200),
            _ => return None,
        };
        let reason = format!("{}: {from}→{to} FEATURE_DISABLED", probe.name);
        let detail = json!({"kind": "transition", "probe": probe.name, "from": from, "to": to, "reason": reason});
        Some(Slice {
            status: Status::Healthy,
            level: Level::Warning,
            detail,
            line: Some(format!("⚠️ {reason}")),
        })
    };
    probes.iter().filter_map(change).collect()
}

/// A flag that is not at the provider as an earlier check found it.
fn toggle_slices(context: &CheckContext) -> impl Iterator<Item = Slice> + '_ {
    context.flags.iter().filter_map(|(flag, to)| {
        let from = context.flags_before.get(flag).filter(|from| *from != to)?;
        let word = |on: bool| if on { "on" } else { "off" };
        let reason = format!("flag {flag} was switched {}→{} at the provider", word(*from), word(*to));
        let detail = json!({"kind": "flag_toggled", "flag": flag, "from": from, "to": to, "reason": reason});
        Some(Slice {
            status: Status::Healthy,
            level: Level::Warning,
            detail,
            line: Some(format!("⚠️ {reason}")),
        })
    })
}

fn hundredths_to_f64(hundredths: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a percentage in hundredths is at most 10 000")]
    let value = hundredths as f64 / 100.0;
    value
}

fn notes(context: &CheckContext, probes: &[ProbeReport], window: &Latencies) -> Value {
    let mut notes = Map::new();
    let samples: Vec<u64> = timed(probes)
        .flat_map(|probe| probe.samples_us.iter().copied())
        .collect();
    notes.insert("samples_us".to_owned(), json!(samples));
    let endpoints: Map<String, Value> = timed(probes)
        .map(|probe| (probe.name.clone(), endpoint_note(probe)))
        .collect();
    notes.insert("endpoints".to_owned(), Value::Object(endpoints));
    notes.insert(
        "window".to_owned(),
        json!({"p95_us": window.at(Quantile::P95), "n": window.len()}),
    );
    let names = |keep: &dyn Fn(&&ProbeReport) -> bool| {
        probes
            .iter()
            .filter(keep)
            .map(|probe| probe.name.clone())
            .collect::<Vec<_>>()
    };
    let disabled = names(&|probe| probe.disabled);
    let unjudged = names(&|probe| matches!(probe.result, ProbeResult::Unjudged(_)));
    for (key, list) in [("disabled", disabled), ("unjudged", unjudged)] {
        if !list.is_empty() {
            notes.insert(key.to_owned(), json!(list));
        }
    }
    if !context.flags.is_empty() {
        let flags: Map<String, Value> = context
            .flags
            .iter()
            .map(|(name, on)| (name.clone(), json!(on)))
            .collect();
        notes.insert("flags".to_owned(), Value::Object(flags));
    }
    if let Some(muted) = &context.muted {
        notes.insert("muted".to_owned(), json!(muted));
    }
    if context.virtual_clock {
        notes.insert("clock".to_owned(), json!("virtual"));
    }
    if context.plan_origin != "generated" {
        notes.insert("plan".to_owned(), json!(context.plan_origin));
    }
    Value::Object(notes)
}

fn endpoint_note(probe: &ProbeReport) -> Value {
    let window: Latencies = probe.samples_us.iter().copied().collect();
    json!({
        "n": probe.taken,
        "failed": probe.failed,
        "retries": probe.retries,
        "p50_us": window.at(Quantile::P50),
        "p95_us": window.at(Quantile::P95),
        "statuses": probe.statuses,
    })
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
