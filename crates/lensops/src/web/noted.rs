//! What a check notes besides its probes, in sentences; what has no sentence stays as it is. Pure.

use jiff::Timestamp;
use lensops_core::stats::histogram::ms;
use lensops_core::verdict::notes::CheckNotes;
use serde_json::Value;

use super::format;
use crate::store::StoredCheck;

/// Notes that [`sentences`] tells, or that the page tells elsewhere.
const TOLD: [&str; 12] = [
    "window",
    "disabled",
    "unjudged",
    "flags",
    "muted",
    "clock",
    "plan",
    "rollback",
    "certificate_expires",
    "reached",
    "every",
    "slo",
];

/// A name and what it says.
pub(super) type Told = (&'static str, String);

/// The notes of `check` in sentences, looked at `now`.
pub(super) fn sentences(check: &StoredCheck, now: Timestamp) -> Vec<Told> {
    let notes = check.notes.read();
    let mut told: Vec<Told> = Vec::new();
    if let Some(muted) = &notes.muted {
        let why = muted.why.as_str().replace('_', " ");
        told.push(("Counts for nothing", format!("{why}: {}", muted.reason)));
    }
    if !notes.flags.is_empty() {
        let off: Vec<&str> = notes
            .flags
            .iter()
            .filter(|(_, on)| !**on)
            .map(|(name, _)| name.as_str())
            .collect();
        told.push((
            "Flags at the provider",
            match off.len() {
                0 => format!("all {} on", notes.flags.len()),
                count => format!("{count} of {} off: {}", notes.flags.len(), off.join(", ")),
            },
        ));
    }
    if let Some(window) = notes.window {
        let p95 = window.p95_us.map_or_else(|| "none".to_owned(), ms);
        let length = notes
            .slo
            .as_ref()
            .map_or_else(String::new, |slo| format!(" of {}", slo.window));
        told.push(("P95 within the window", format!("{p95} (n={}){length}", window.n)));
    }
    told.extend(limits(notes));
    if !notes.disabled.is_empty() {
        told.push(("Switched off, said the API", notes.disabled.join(", ")));
    }
    if !notes.unjudged.probes.is_empty() || notes.unjudged.cause.is_some() {
        let cause = notes.unjudged.cause.as_ref().map(ToString::to_string);
        let all: Vec<String> = cause.into_iter().chain(notes.unjudged.probes.iter().cloned()).collect();
        told.push(("Not judged", all.join(", ")));
    }
    if let Some(expires) = notes.certificate_expires {
        let days = expires.duration_since(now).as_hours().div_euclid(24);
        told.push(("Certificate", format!("ends {}, {days} d left", format::time(expires))));
    }
    if let Some(reached) = &notes.reached {
        let answered = if reached.answered { "it answered" } else { "no answer" };
        told.push(("Host", format!("{}: {answered}", reached.host)));
    }
    if let Some(plan) = &notes.plan {
        told.push(("Plan", format!("{plan}: not as it was generated")));
    }
    if let Some(rollback) = &notes.rollback {
        told.push((
            "Switched by command",
            format!("{}: {}", rollback.kind.as_str(), rollback.lens),
        ));
    }
    if notes.is_virtual() {
        told.push(("Clock", "virtual: the check was made later than it says".to_owned()));
    }
    told
}

fn limits(notes: &CheckNotes) -> Vec<Told> {
    let slo = notes.slo.as_ref().map(|slo| {
        let (p95, errors) = (&slo.p95_ms, &slo.error_rate_percent);
        let told = format!(
            "P95 {} degraded, {} unhealthy; errors {} % degraded, {} % unhealthy",
            format::limit(p95.warn),
            format::limit(p95.fail),
            errors.warn,
            errors.fail
        );
        ("Limits then", told)
    });
    let every = notes.every.map(|every| ("Checked", format!("every {every}")));
    slo.into_iter().chain(every).collect()
}

/// Notes of other versions and tools, as they wrote them.
pub(super) fn others(check: &StoredCheck) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let others = check.notes.others().filter(|(name, _)| !TOLD.contains(&name.as_str()));
    others.map(|(name, value)| (name.clone(), text(value))).collect()
}
