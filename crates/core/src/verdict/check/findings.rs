//! What a check found: broken probes, figures beyond the SLO, features and flags that were switched.

use serde_json::{Value, json};

use super::context::CheckContext;
use super::figures::{Figures, certificate_expires};
use crate::exchange::Cause;
use crate::lens::Limits;
use crate::stats::histogram::{Latencies, Quantile, ms};
use crate::verdict::outcome::Why;
use crate::verdict::probe::{ProbeReport, ProbeResult};
use crate::verdict::record::{Level, Status};

/// The most of a response that an event carries, in characters.
const EXCERPT: usize = 2_000;

/// Days before its end from which on a certificate is told of, and those in which that is critical.
const CERTIFICATE_WARNING_DAYS: i64 = 14;
const CERTIFICATE_CRITICAL_DAYS: i64 = 3;

/// Something that a check found: it bears on the status, becomes an event and may be a line.
pub(super) struct Finding {
    pub(super) status: Status,
    pub(super) level: Level,
    pub(super) detail: Value,
    pub(super) line: Option<String>,
}

/// Everything that the check of `probes` found, in the order of its events.
pub(super) fn findings(context: &CheckContext, probes: &[ProbeReport], figures: &Figures) -> Vec<Finding> {
    let mut findings: Vec<Finding> = probes.iter().filter_map(probe_finding).collect();
    findings.extend(error_rate_finding(figures, context.slo.error_rate_percent));
    findings.extend(p95_finding(figures, context.slo.p95_ms));
    findings.extend(transition_findings(context, probes));
    findings.extend(toggle_findings(context));
    findings.extend(certificate_finding(context, probes));
    findings
}

/// What keeps the monitor from judging, and the way out.
pub(super) fn own_finding(cause: Cause, host: &str) -> Finding {
    let reason = format!("{host}: {}", cause.tell());
    let detail = json!({"kind": "cannot_judge", "cause": cause.as_str(), "reason": reason});
    Finding {
        status: Status::Degraded,
        level: Level::Warning,
        detail,
        line: Some(format!("❔ Could not judge: {reason}")),
    }
}

fn probe_finding(probe: &ProbeReport) -> Option<Finding> {
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
    let shown = probe.transcript.as_ref();
    let (expected, seen) = why.and_then(Why::sides).unzip();
    let more = [
        ("expected", expected.map(|text| json!(text))),
        ("seen", seen.map(|text| json!(text))),
        ("class", why.and_then(Why::class).map(|class| json!(class))),
        ("request", shown.map(|shown| json!(excerpt(shown.request.as_str())))),
        ("response", shown.map(|shown| json!(excerpt(shown.response.as_str())))),
    ];
    for (key, value) in more {
        if let (Some(detail), Some(value)) = (detail.as_object_mut(), value) {
            detail.insert(key.to_owned(), value);
        }
    }
    Some(Finding {
        status,
        level,
        detail,
        line: None,
    })
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}

fn error_rate_finding(figures: &Figures, limits: Limits) -> Option<Finding> {
    let rate = hundredths_to_f64(figures.error_rate_hundredths?);
    let (failed, taken) = (figures.failed, figures.taken);
    limit_finding(
        "error_rate",
        rate,
        limits,
        format!("error rate {rate:.2} % ({failed} of {taken} samples)"),
        "%",
    )
}

/// The P95 of the check's own samples decides. That of the window degrades at most, and only while the
/// check's own samples support it: a slow check an hour ago is no finding of this one.
fn p95_finding(figures: &Figures, limits: Limits) -> Option<Finding> {
    let own_us = figures.pooled.at(Quantile::P95)?;
    let supported = |latencies: &Latencies| latencies.len() >= Quantile::P95.supported_from();
    if supported(&figures.pooled) {
        let told = format!("P95 {} (n={})", ms(own_us), figures.pooled.len());
        if let Some(finding) = limit_finding("p95", milliseconds(own_us), limits, told, "ms") {
            return Some(finding);
        }
    } else if !supported(&figures.window) {
        let reason = format!(
            "P95 not judged: {} samples within the window, 20 are needed",
            figures.window.len()
        );
        let detail = json!({"kind": "unjudged", "figure": "p95", "reason": reason, "samples": figures.window.len()});
        return Some(Finding {
            status: Status::Healthy,
            level: Level::Info,
            detail,
            line: None,
        });
    }
    let window_us = figures.window.at(Quantile::P95)?;
    if milliseconds(own_us) <= limits.warn || !supported(&figures.window) {
        return None;
    }
    let degrades = Limits {
        fail: f64::INFINITY,
        ..limits
    };
    let told = format!("P95 {} within the window (n={})", ms(window_us), figures.window.len());
    limit_finding("p95", milliseconds(window_us), degrades, told, "ms")
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds, far below 2^52")]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1000.0
}

fn limit_finding(figure: &str, value: f64, limits: Limits, told: String, unit: &str) -> Option<Finding> {
    let (status, level, limit) = match value {
        v if v > limits.fail => (Status::Unhealthy, Level::Error, limits.fail),
        v if v > limits.warn => (Status::Degraded, Level::Warning, limits.warn),
        _ => return None,
    };
    let reason = format!("{told} above {limit}{unit}");
    let detail = json!({"kind": "slo", "figure": figure, "value": value, "limit": limit, "reason": reason});
    Some(Finding {
        status,
        level,
        detail,
        line: Some(format!("{} SLO: {reason}", status.mark())),
    })
}

fn transition_findings(context: &CheckContext, probes: &[ProbeReport]) -> Vec<Finding> {
    let Some(before) = &context.disabled_before else {
        return Vec::new();
    };
    let change = |probe: &ProbeReport| {
        let was = before.contains(&probe.name);
        // A probe that failed otherwise says nothing about the switch.
        let off = probe.off.as_deref()?;
        let (status, said) = off.split_at(off.find(' ').unwrap_or(off.len()));
        let (from, to) = match (was, probe.disabled) {
            (false, true) => ("200", status),
            (true, false) if probe.failed == 0 && probe.taken > 0 => (status, "200"),
            _ => return None,
        };
        let reason = format!("{}: {from}→{to}{said}", probe.name);
        // Numbers, where the plan names one status alone.
        let code = |text: &str| text.parse::<u16>().map_or_else(|_| json!(text), |code| json!(code));
        let detail =
            json!({"kind": "transition", "probe": probe.name, "from": code(from), "to": code(to), "reason": reason});
        Some(Finding {
            status: Status::Healthy,
            level: Level::Warning,
            detail,
            line: Some(format!("⚠️ {reason}")),
        })
    };
    probes.iter().filter_map(change).collect()
}

/// A flag that is not at the provider as an earlier check found it.
fn toggle_findings(context: &CheckContext) -> impl Iterator<Item = Finding> + '_ {
    context.flags.iter().filter_map(|(flag, to)| {
        let from = context.flags_before.get(flag).filter(|from| *from != to)?;
        let word = |on: bool| if on { "on" } else { "off" };
        let reason = format!("flag {flag} was switched {}→{} at the provider", word(*from), word(*to));
        let detail = json!({"kind": "flag_toggled", "flag": flag, "from": from, "to": to, "reason": reason});
        Some(Finding {
            status: Status::Healthy,
            level: Level::Warning,
            detail,
            line: Some(format!("⚠️ {reason}")),
        })
    })
}

/// A certificate that expires soon. It bears on no status: the API is as well as it was.
fn certificate_finding(context: &CheckContext, probes: &[ProbeReport]) -> Option<Finding> {
    // A certificate expires in real time.
    let expires = certificate_expires(probes).filter(|_| !context.virtual_clock)?;
    let days = expires.duration_since(context.observed_at).as_hours().div_euclid(24);
    if days >= CERTIFICATE_WARNING_DAYS {
        return None;
    }
    let critical = days < CERTIFICATE_CRITICAL_DAYS;
    let until = match days {
        0 => "within a day".to_owned(),
        1 => "in 1 day".to_owned(),
        days => format!("in {days} days"),
    };
    let reason = format!(
        "the certificate expires {until}, {}",
        expires.strftime("%Y-%m-%d %H:%M:%SZ")
    );
    let detail = json!({"kind": "certificate", "expires": expires.to_string(), "days": days, "critical": critical, "reason": reason});
    let (level, mark) = if critical {
        (Level::Error, "❌")
    } else {
        (Level::Warning, "⚠️")
    };
    Some(Finding {
        status: Status::Healthy,
        level,
        detail,
        line: Some(format!("{mark} {reason}")),
    })
}

fn hundredths_to_f64(hundredths: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a percentage in hundredths is at most 10 000")]
    let value = hundredths as f64 / 100.0;
    value
}
