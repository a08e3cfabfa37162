//! The lines that the worker logs.

use jiff::SignedDuration;
use lensops_core::duration::Every;
use lensops_core::lens::mute::MutedWhy;
use lensops_core::verdict::CheckReport;
use lensops_core::verdict::record::{Level, Status};

use super::check::Monitor;
use crate::store::{Rollback, Switch};

pub(super) fn announce(monitor: &Monitor, several: bool) {
    let prefix = if several {
        format!("[{}] ", monitor.lens())
    } else {
        String::new()
    };
    if let (Err(reason), false) = (&monitor.provider, monitor.plan.flags().is_empty()) {
        tracing::warn!("{prefix}⚠️ Feature flags are not judged: {reason}");
    }
    if let Some(paused) = &monitor.plan.paused {
        tracing::warn!("{prefix}⏸ Paused: {}", paused.reason);
    }
}

/// Says that a lens is rolled back, or on again, and what was cut off.
pub fn announce_rollback(entry: &Rollback) {
    let (lens, kind, who, reason) = (&entry.lens, entry.kind.as_str(), &entry.who, &entry.reason);
    if entry.is_unfinished() {
        tracing::warn!(
            "⚠️ A {kind} of {lens} by {who} ({reason}) was cut off: `lensops {kind} {lens} --reason …` goes on with it"
        );
    }
    match entry.kind {
        Switch::Rollback => tracing::warn!("⏸ {lens} is rolled back by {who}: {reason}"),
        Switch::Restore => tracing::info!("✅ {lens} was restored by {who}: {reason}"),
    }
}

/// Logs a line at its level.
pub fn tell(level: Level, line: &str) {
    match level {
        Level::Info => tracing::info!("{line}"),
        Level::Warning => tracing::warn!("{line}"),
        Level::Error => tracing::error!("{line}"),
    }
}

/// A wait for people: whole minutes from one minute up, else seconds.
pub(crate) fn span(left: SignedDuration) -> String {
    let seconds = left.as_secs().max(0);
    let rounded = if seconds >= 60 {
        (seconds + 30) / 60 * 60
    } else {
        seconds
    };
    format!("{rounded}s")
        .parse::<Every>()
        .map_or_else(|_| format!("{seconds} seconds"), Every::tell)
}

/// The line that closes a check: `✅ OVERALL: CANARY HEALTHY`.
#[must_use]
pub fn overall(report: &CheckReport) -> (Level, String) {
    let (level, word) = match report.status {
        Status::Healthy => (Level::Info, "HEALTHY"),
        Status::Degraded => (Level::Warning, "DEGRADED"),
        Status::Unhealthy => (Level::Error, "UNHEALTHY"),
    };
    let muted = report.muted.as_ref().map_or_else(String::new, |muted| match muted.why {
        MutedWhy::CannotJudge => format!(" (could not judge: {})", muted.reason.replace('_', " ")),
        why => format!(" ({}: {})", why.as_str(), muted.reason),
    });
    (level, format!("{} OVERALL: CANARY {word}{muted}", report.status.mark()))
}
