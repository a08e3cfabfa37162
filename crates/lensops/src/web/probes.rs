//! The probes of a check as its page lists them: what each came to, what was expected and seen, and where the time of
//! its slowest sample went. Pure.

use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::stats::histogram::ms;
use lensops_core::verdict::notes::{CheckNotes, EndpointNotes, PhaseNotes};
use serde_json::Value;

/// A probe of a check.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) name: String,
    /// `✓`, `⚠`, `✗` or `–`.
    pub(super) mark: &'static str,
    /// The same as a word and as a class of the style sheet.
    pub(super) word: &'static str,
    pub(super) class: &'static str,
    /// What it says, or what was expected of it.
    pub(super) told: String,
    pub(super) p50: String,
    pub(super) p95: String,
    /// `7`, `2 of 7 failed`.
    pub(super) samples: String,
    pub(super) phases: Option<Phases>,
}

/// Where the time of a sample went, as a bar of 100 units.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phases {
    /// Class, start and width of each phase that took time.
    pub(super) parts: Vec<(&'static str, u64, u64)>,
    /// `3.1 ms: lookup 0.1 ms, first byte 2.8 ms`.
    pub(super) told: String,
}

/// The probes of a check with `notes` and `events`: those of `plan` where it is known, else those that are noted.
pub(super) fn probes(plan: Option<&MonitorPlan>, notes: &CheckNotes, events: &[(String, Value)]) -> Vec<Probe> {
    let planned = plan.into_iter().flat_map(|plan| &plan.probes);
    let mut found: Vec<Probe> = planned
        .map(|probe| {
            let expected = if probe.flags.is_empty() {
                format!("expected {}", probe.expect.tell())
            } else {
                "expected all flags on".to_owned()
            };
            of(&probe.name, Some(expected), notes, events)
        })
        .collect();
    // A plan may have changed since: what the check noted stands there all the same.
    for name in notes.endpoints.keys() {
        if !found.iter().any(|probe| probe.name == *name) {
            found.push(of(name, None, notes, events));
        }
    }
    found
}

fn of(name: &str, expected: Option<String>, notes: &CheckNotes, events: &[(String, Value)]) -> Probe {
    let measured = notes.endpoints.get(name);
    let event = |level: &str| {
        let mut own = events
            .iter()
            .filter(|(own, detail)| own == level && detail["probe"] == name);
        own.find(|(_, detail)| detail["kind"] != "transition")
            .map(|(_, detail)| detail)
    };
    let reason = |detail: &Value| {
        let reason = detail["reason"].as_str().unwrap_or_default();
        reason.strip_prefix(&format!("{name}: ")).unwrap_or(reason).to_owned()
    };
    let is_unjudged = notes.unjudged.probes.iter().any(|own| own == name);
    let (mark, word, class, told) = match (event("error"), event("warning")) {
        (Some(detail), _) => ("\u{2717}", "broken", "unhealthy", Some(reason(detail))),
        (None, detail) if is_unjudged => ("\u{2013}", "not judged", "unknown", detail.map(reason)),
        (None, Some(detail)) => ("\u{26a0}", "warning", "degraded", Some(reason(detail))),
        (None, None) => ("\u{2713}", "as expected", "healthy", None),
    };
    let figure = |us: Option<u64>| us.map_or_else(|| "none".to_owned(), ms);
    Probe {
        name: name.to_owned(),
        mark,
        word,
        class,
        told: told.or(expected).unwrap_or_default(),
        p50: measured.map_or_else(String::new, |measured| figure(measured.p50_us)),
        p95: measured.map_or_else(String::new, |measured| figure(measured.p95_us)),
        samples: measured.map_or_else(String::new, samples),
        phases: measured.and_then(|measured| measured.slowest).and_then(phases),
    }
}

fn samples(measured: &EndpointNotes) -> String {
    let n = measured.n.map_or_else(|| "none".to_owned(), |n| n.to_string());
    match measured.failed.unwrap_or(0) {
        0 => n,
        failed => format!("{failed} of {n} failed"),
    }
}

/// The bar of `phases`; `None` where none took any time.
fn phases(phases: PhaseNotes) -> Option<Phases> {
    let all = [
        ("lookup", "lookup", phases.lookup_us),
        ("connect", "TCP", phases.connect_us),
        ("tls", "TLS", phases.tls_us),
        ("wait", "first byte", phases.wait_us),
        ("body", "body", phases.body_us),
    ];
    let total: u64 = all.iter().map(|(_, _, us)| us).sum();
    if total == 0 {
        return None;
    }
    let mut before = 0;
    let mut parts = Vec::new();
    let mut named = Vec::new();
    for (class, name, us) in all.into_iter().filter(|(_, _, us)| *us > 0) {
        let end = before + us;
        let (from, until) = (before * 100 / total, end * 100 / total);
        parts.push((class, from, (until - from).max(1)));
        named.push(format!("{name} {}", ms(us)));
        before = end;
    }
    Some(Phases {
        parts,
        told: format!("{}: {}", ms(total), named.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_probe_has_its_mark_and_a_broken_one_says_why() {
        let notes = CheckNotes::of(&json!({
            "endpoints": {"List": {"n": 7, "failed": 2, "p50_us": 2000, "p95_us": 3000}, "Read": {"n": 7}},
            "unjudged": ["Read"],
        }));
        let events = [(
            "error".to_owned(),
            json!({"kind": "broken", "probe": "List", "reason": "List: Expected 200, got 500"}),
        )];
        let found = probes(None, &notes, &events);
        let told: Vec<_> = found
            .iter()
            .map(|probe| (probe.mark, probe.told.as_str(), probe.samples.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("\u{2717}", "Expected 200, got 500", "2 of 7 failed"),
                ("\u{2013}", "", "7")
            ]
        );
    }

    #[test]
    fn the_bar_of_phases_is_whole_and_leaves_out_what_took_no_time() {
        let bar = phases(PhaseNotes {
            connect_us: 1000,
            wait_us: 2000,
            body_us: 1000,
            ..PhaseNotes::default()
        })
        .unwrap();
        assert_eq!(bar.parts, [("connect", 0, 25), ("wait", 25, 50), ("body", 75, 25)]);
        assert!(
            bar.told.ends_with("TCP 1.00ms, first byte 2.00ms, body 1.00ms") || bar.told.contains("TCP"),
            "{}",
            bar.told
        );
        assert_eq!(phases(PhaseNotes::default()), None);
    }
}
