//! What a check says to each rule: broken, clear, or nothing.

use serde_json::Value;

use super::rule::{Rule, Urgency};
use crate::history::gate::{Counts, RowFigures};
use crate::history::page::PageCounts;
use crate::lens::mute::MutedWhy;
use crate::verdict::record::{CheckRecord, Status};

/// What an alert shows of why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Finding {
    /// One line.
    pub reason: String,
    /// The answer that shows it, where there is one, redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// How much it matters, where that is more than its rule says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Urgency>,
}

/// One observation of a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// As it should be.
    Clear,
    /// Not as it should be.
    Broken(Finding),
    /// It could not be told: this neither fires nor resolves.
    Unknown,
    /// What a check counted, and the share of requests that may fail: what the rule remembers says the rest.
    Counted(PageCounts, f64),
}

impl Seen {
    /// Whether a rule that saw nothing before has something to remember of it.
    #[must_use]
    pub fn is_news(&self) -> bool {
        match self {
            Self::Broken(_) => true,
            Self::Counted(counts, _) => !counts.is_quiet(),
            Self::Clear | Self::Unknown => false,
        }
    }
}

/// The rules that a check speaks to, besides that there is one.
const OF_A_CHECK: [Rule; 7] = [
    Rule::CannotJudge,
    Rule::Unhealthy,
    Rule::P95AboveSlo,
    Rule::ErrorRateAboveSlo,
    Rule::ServerError,
    Rule::FlagToggled,
    Rule::CertificateExpires,
];

/// Whether `check` was made while its lens was paused or in a maintenance window: then it fires and
/// resolves nothing, and nobody is reminded.
#[must_use]
pub fn is_muted(check: &CheckRecord) -> bool {
    let why = check.notes.read().muted_why();
    why.is_some_and(|why| why != MutedWhy::CannotJudge)
}

/// What `check` says to each rule; nothing where it is muted, or was made under a virtual clock,
/// except that there is a check.
#[must_use]
pub fn observe(check: &CheckRecord) -> Vec<(Rule, Seen)> {
    if check.notes.read().annuls().is_some() {
        return Vec::new();
    }
    let mut seen = vec![(Rule::NoCheck, Seen::Clear)];
    if is_muted(check) || check.notes.read().is_virtual() {
        return seen;
    }
    let events: Vec<Value> = check.events.iter().map(|event| event.detail.to_value()).collect();
    seen.extend(OF_A_CHECK.into_iter().map(|rule| (rule, look(rule, check, &events))));
    let over_checks = Rule::ALL.into_iter().filter(|rule| rule.over_checks().is_some());
    let counted = counted(check);
    seen.extend(over_checks.map(|rule| (rule, counted.clone())));
    seen
}

#[expect(clippy::cast_precision_loss, reason = "at most 10,000 hundredths of a percent")]
fn percent(hundredths: i64) -> f64 {
    hundredths as f64 / 100.0
}

/// What a check counted, for the rules over several.
fn counted(check: &CheckRecord) -> Seen {
    let notes = check.notes.read();
    let slo = notes.slo.clone().unwrap_or_default();
    let row = RowFigures {
        status: check.status,
        sample_size: check.sample_size,
        error_rate_percent: check.error_rate_hundredths.map(percent),
        p95_latency_ms: check.p95_latency_ms,
    };
    let counts = PageCounts::of(&Counts::of(&row, notes, &slo));
    counts.map_or(Seen::Unknown, |counts| {
        Seen::Counted(counts, slo.error_rate_percent.warn / 100.0)
    })
}

fn look(rule: Rule, check: &CheckRecord, events: &[Value]) -> Seen {
    let first = |wanted: &dyn Fn(&Value) -> bool| events.iter().find(|event| wanted(event)).map(finding);
    let (found, judged) = match rule {
        Rule::Unhealthy => {
            let unhealthy = check.status == Status::Unhealthy;
            (unhealthy.then(|| worst(events)), check.sample_size > 0 || unhealthy)
        }
        Rule::P95AboveSlo => {
            let unjudged = events
                .iter()
                .any(|event| event["kind"] == "unjudged" && event["figure"] == "p95");
            let found = first(&|event| event["kind"] == "slo" && event["figure"] == "p95");
            (found, !unjudged && check.p95_latency_ms.is_some())
        }
        Rule::ErrorRateAboveSlo => {
            let found = first(&|event| event["kind"] == "slo" && event["figure"] == "error_rate");
            (found, check.error_rate_hundredths.is_some())
        }
        Rule::ServerError => {
            let found = first(&|event| event["class"] == "server_5xx" && event["kind"] != "feature_disabled");
            (found, check.sample_size > 0)
        }
        Rule::CannotJudge => (first(&|event| event["kind"] == "cannot_judge"), check.sample_size > 0),
        Rule::FlagToggled => (toggled(events), true),
        // Where none was seen, it may be the one that has expired.
        Rule::CertificateExpires => (
            first(&|event| event["kind"] == "certificate"),
            check.notes.read().certificate_expires.is_some(),
        ),
        Rule::StoreFailing | Rule::NoCheck | Rule::XOfY | Rule::Cusum | Rule::Dark | Rule::BurnRate => (None, false),
    };
    match found {
        Some(finding) => Seen::Broken(finding),
        None if judged => Seen::Clear,
        None => Seen::Unknown,
    }
}

fn is_toggle(event: &Value) -> bool {
    matches!(
        event["kind"].as_str(),
        Some("flag_toggled" | "transition" | "flag_transition")
    )
}

fn toggled(events: &[Value]) -> Option<Finding> {
    let reasons: Vec<String> = events.iter().filter(|event| is_toggle(event)).map(told).collect();
    (!reasons.is_empty()).then(|| Finding {
        reason: reasons.join("; "),
        response: None,
        urgency: None,
    })
}

fn told(event: &Value) -> String {
    event["reason"].as_str().map_or_else(
        || {
            let text = |key: &str| {
                event[key]
                    .as_str()
                    .map_or_else(|| event[key].to_string(), str::to_owned)
            };
            format!("{}: {} → {}", text("name"), text("from"), text("to"))
        },
        str::to_owned,
    )
}

fn finding(event: &Value) -> Finding {
    Finding {
        reason: told(event),
        response: event["response"].as_str().map(str::to_owned),
        urgency: (event["critical"] == true).then_some(Urgency::Critical),
    }
}

/// Why a check is unhealthy: its broken probe, else the limit that it is above.
fn worst(events: &[Value]) -> Finding {
    let kinds = ["broken", "feature_disabled", "slo"];
    let found = kinds
        .iter()
        .find_map(|kind| events.iter().find(|event| event["kind"] == *kind));
    found.map_or_else(
        || Finding {
            reason: "the check is unhealthy".to_owned(),
            response: None,
            urgency: None,
        },
        finding,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::redaction::Redactor;
    use crate::verdict::note_rows::RecordNotes;
    use crate::verdict::record::{EventRecord, Level};

    fn check(status: Status, notes: &Value, events: &[Value]) -> CheckRecord {
        let redactor = Redactor::default();
        CheckRecord {
            id: Uuid::from_u128(1),
            yacht_id: Uuid::from_u128(2),
            lens_id: "faults".parse().unwrap(),
            status,
            p95_latency_ms: Some(100),
            error_rate_hundredths: Some(0),
            sample_size: 21,
            observed_at: "2026-01-28T15:00:00Z".parse().unwrap(),
            notes: RecordNotes::of_json(notes.clone(), &redactor),
            events: events
                .iter()
                .map(|detail| EventRecord {
                    id: Uuid::nil(),
                    level: Level::Error,
                    detail: redactor.json(detail.clone()),
                })
                .collect(),
        }
    }

    fn broken(check: &CheckRecord) -> Vec<(Rule, String)> {
        let seen = observe(check).into_iter();
        seen.filter_map(|(rule, seen)| match seen {
            Seen::Broken(finding) => Some((rule, finding.reason)),
            _ => None,
        })
        .collect()
    }

    #[test]
    fn each_rule_sees_what_it_is_for_and_nothing_else() {
        let list = json!({"kind": "broken", "class": "server_5xx", "reason": "List: 500", "response": "HTTP/1.1 500"});
        let refused = json!({"kind": "broken", "class": "connectivity", "reason": "List: refused"});
        let flaky = json!({"kind": "samples_failed", "class": "server_5xx", "reason": "List: 1 of 7"});
        let off = json!({"kind": "feature_disabled", "class": "server_5xx", "reason": "List: 503 FEATURE_DISABLED"});
        let p95 = json!({"kind": "slo", "figure": "p95", "reason": "P95 900ms above 500ms"});
        let rate = json!({"kind": "slo", "figure": "error_rate", "reason": "error rate 4.76 % above 1%"});
        let toggle = json!({"kind": "flag_toggled", "name": "A", "from": true, "to": false});
        let change = json!({"kind": "transition", "reason": "List: 200→503"});
        let soon = json!({"kind": "certificate", "reason": "the certificate expires in 12 days"});
        use Rule::{CertificateExpires, ErrorRateAboveSlo, FlagToggled, P95AboveSlo, ServerError, Unhealthy};
        for (case, status, events, expected) in [
            ("nothing", Status::Healthy, vec![], vec![]),
            (
                "5xx",
                Status::Unhealthy,
                vec![&list],
                vec![(Unhealthy, "List: 500"), (ServerError, "List: 500")],
            ),
            (
                "refused",
                Status::Unhealthy,
                vec![&refused],
                vec![(Unhealthy, "List: refused")],
            ),
            (
                "one 5xx",
                Status::Degraded,
                vec![&flaky],
                vec![(ServerError, "List: 1 of 7")],
            ),
            (
                "flag off",
                Status::Unhealthy,
                vec![&off],
                vec![(Unhealthy, "List: 503 FEATURE_DISABLED")],
            ),
            (
                "slow",
                Status::Degraded,
                vec![&p95],
                vec![(P95AboveSlo, "P95 900ms above 500ms")],
            ),
            (
                "errors",
                Status::Degraded,
                vec![&rate],
                vec![(ErrorRateAboveSlo, "error rate 4.76 % above 1%")],
            ),
            (
                "toggle",
                Status::Healthy,
                vec![&toggle, &change],
                vec![(FlagToggled, "A: true → false; List: 200→503")],
            ),
            (
                "certificate",
                Status::Healthy,
                vec![&soon],
                vec![(CertificateExpires, "the certificate expires in 12 days")],
            ),
        ] {
            let events: Vec<Value> = events.into_iter().cloned().collect();
            let expected: Vec<(Rule, String)> =
                expected.into_iter().map(|(rule, why)| (rule, why.to_owned())).collect();
            assert_eq!(broken(&check(status, &json!({}), &events)), expected, "{case}");
        }
    }

    /// W17: what is critical is told as such; a check without a certificate says nothing of one.
    #[test]
    fn w17_a_certificate_is_critical_in_its_last_days_and_unknown_where_none_was_seen() {
        let rule = |notes: Value, events: &[Value]| {
            let seen = observe(&check(Status::Healthy, &notes, events));
            seen.into_iter()
                .find(|(rule, _)| *rule == Rule::CertificateExpires)
                .map(|(_, seen)| seen)
        };
        let expires = json!({"certificate_expires": "2026-01-29T15:00:00Z"});
        let event = json!({"kind": "certificate", "reason": "tomorrow", "critical": true});
        let Some(Seen::Broken(finding)) = rule(expires.clone(), &[event]) else {
            panic!("not broken");
        };
        assert_eq!(finding.urgency, Some(Urgency::Critical));
        assert_eq!(rule(expires, &[]), Some(Seen::Clear));
        assert_eq!(rule(json!({}), &[]), Some(Seen::Unknown));
    }

    #[test]
    fn a_check_made_while_paused_or_in_maintenance_says_only_that_it_is_there() {
        let list = json!({"kind": "broken", "class": "server_5xx", "reason": "List: 500"});
        for notes in [
            json!({"muted": {"why": "maintenance", "reason": "database upgrade"}}),
            json!({"paused": "rolled back"}),
            json!({"clock": "virtual"}),
        ] {
            let seen = observe(&check(Status::Unhealthy, &notes, std::slice::from_ref(&list)));
            assert_eq!(seen, [(Rule::NoCheck, Seen::Clear)], "{notes}");
        }
    }

    #[test]
    fn what_could_not_be_judged_neither_fires_nor_resolves() {
        let event = json!({"kind": "unjudged", "figure": "p95", "reason": "P95 not judged: 7 samples"});
        let seen = observe(&check(Status::Healthy, &json!({}), &[event]));
        assert!(seen.contains(&(Rule::P95AboveSlo, Seen::Unknown)), "{seen:?}");
        let mut silent = check(Status::Degraded, &json!({}), &[]);
        (silent.sample_size, silent.error_rate_hundredths, silent.p95_latency_ms) = (0, None, None);
        for rule in [
            Rule::Unhealthy,
            Rule::ErrorRateAboveSlo,
            Rule::ServerError,
            Rule::P95AboveSlo,
        ] {
            assert!(observe(&silent).contains(&(rule, Seen::Unknown)), "{rule}");
        }
    }
}
