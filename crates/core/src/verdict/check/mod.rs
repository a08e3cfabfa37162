//! The status of a check: probes and service level folded, worst wins.

mod context;
mod figures;
mod findings;
mod notes;

pub use context::CheckContext;
use figures::Figures;
use findings::{Finding, findings, own_finding};
use notes::notes;

use super::note_rows::RecordNotes;
use super::notes::CheckNotes;
use super::own_fault::{excused, own_fault, reached};
use super::probe::{ProbeReport, ProbeResult};
use super::record::{CheckRecord, EventRecord, Level, Status, event_id};
use crate::lens::mute::{Muted, MutedWhy};
use crate::redaction::Redactor;
use crate::stats::histogram::Quantile;

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

/// Judges a check from its probes.
#[must_use]
pub fn judge_check(context: &CheckContext, probes: Vec<ProbeReport>, redactor: &Redactor) -> CheckReport {
    let reached = reached(&probes, &context.host, context.credential.as_deref());
    let cause = own_fault(&probes, context.worked);
    let probes = match cause {
        Some(cause) => excused(probes, cause),
        None => probes,
    };
    // What the monitor could not ask has no figures.
    let counted: &[ProbeReport] = if cause.is_some() { &[] } else { &probes };
    let figures = Figures::of(counted, &context.earlier);
    let mut findings = findings(context, &probes, &figures);
    findings.extend(cause.map(|cause| own_finding(cause, &context.host)));
    let muted = context
        .muted
        .clone()
        .or_else(|| cause.map(|cause| Muted::new(MutedWhy::CannotJudge, cause.as_str())));
    let worst = findings.iter().map(|finding| finding.status).max();
    let status = worst.unwrap_or(Status::Healthy);
    let judged = cause.is_none()
        && probes
            .iter()
            .any(|probe| probe.required && !matches!(probe.result, ProbeResult::Unjudged(_)));
    // A check without anything judged says nothing good.
    let status = if judged { status } else { status.max(Status::Degraded) };
    let event = |(index, finding): (usize, &Finding)| EventRecord {
        id: event_id(context.id, index),
        level: finding.level,
        detail: redactor.json(finding.detail.clone()),
    };
    let record = CheckRecord {
        id: context.id,
        yacht_id: context.tenant,
        lens_id: context.lens.clone(),
        status,
        p95_latency_ms: figures
            .pooled
            .at(Quantile::P95)
            .and_then(|us| i64::try_from((us + 500) / 1000).ok()),
        error_rate_hundredths: figures.error_rate_hundredths,
        sample_size: i64::try_from(figures.taken).unwrap_or(i64::MAX),
        observed_at: context.observed_at,
        notes: RecordNotes::new(
            &CheckNotes {
                muted: muted.clone(),
                reached,
                ..notes(context, &probes, &figures.window, cause)
            },
            redactor,
        ),
        events: findings.iter().enumerate().map(event).collect(),
    };
    let mut lines = lines(context, &probes, &findings);
    for (_, line) in &mut lines {
        *line = redactor.text(line).as_str().to_owned();
    }
    CheckReport {
        status,
        judged,
        muted,
        probes,
        lines,
        record,
    }
}

/// The lines a person reads: flags, probes, then what was found besides.
fn lines(context: &CheckContext, probes: &[ProbeReport], findings: &[Finding]) -> Vec<(Level, String)> {
    let found = |finding: &Finding| Some((finding.level, finding.line.clone()?));
    let flags = context.flags.iter().map(|(name, on)| flag_line(name, *on));
    flags
        .chain(probes.iter().map(probe_line))
        .chain(findings.iter().filter_map(found))
        .collect()
}

/// The line of a flag at the provider.
#[must_use]
pub fn flag_line(name: &str, on: bool) -> (Level, String) {
    let state = if on { "True" } else { "False" };
    (Level::Info, format!("[FeatureFlags] {name}={state}"))
}

/// The line of a probe with its mark.
#[must_use]
pub fn probe_line(probe: &ProbeReport) -> (Level, String) {
    let (level, mark) = match &probe.result {
        ProbeResult::Healthy => (Level::Info, "✅"),
        ProbeResult::Unjudged(_) if !probe.required => (Level::Info, "❔"),
        ProbeResult::Warned(_) | ProbeResult::Flaky(_) | ProbeResult::Unjudged(_) => (Level::Warning, "⚠️"),
        ProbeResult::Broken(_) => (Level::Error, "❌"),
    };
    (level, format!("{mark} {}", probe.line()))
}

#[cfg(test)]
pub(super) mod tests;
