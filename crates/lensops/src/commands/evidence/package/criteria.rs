//! The parts of the document: what each kind of run proves, and whether it is enough.

use lensops_core::history::gate::Decision;
use lensops_core::ident::LensId;
use lensops_core::stats::histogram::ms;
use lensops_core::verdict::Verdict;

use super::results::{Finished, case_rows, is_flag_case, is_idempotency, outcome, text};
use super::section::Section;
use crate::commands::rollout::gate::Gated;

/// What the gate said over the two windows that matter.
#[derive(Debug)]
pub struct Gates {
    /// Over 24 hours.
    pub day: Gated,
    /// Over 7 days.
    pub week: Gated,
}

pub(crate) fn signatures(lens: &LensId, run: Option<&Finished>) -> Section {
    const TITLE: &str = "Signature validation";
    let Some(run) = run else {
        return Section::missing(TITLE, "no acceptance run", &format!("lensops accept {lens}"));
    };
    let mut section = Section::new(TITLE);
    section.text.push(outcome(run));
    section.text.push(format!(
        "Dialect {}, tenant {}, API {}, plan {}.",
        text(&run.results["dialect"]),
        text(&run.results["tenant"]),
        text(&run.results["api"]),
        run.manifest.plan_origin
    ));
    section.head = vec!["case", "result", "what came"];
    section.rows = case_rows(run, |case| case["signed_flow"] == true);
    if section.rows.is_empty() {
        section
            .text
            .push("The run holds no case of a signed action.".to_owned());
    }
    section
}

pub(crate) fn stress_section(lens: &LensId, run: Option<&Finished>) -> Section {
    const TITLE: &str = "Stress";
    let Some(run) = run else {
        return Section::missing(TITLE, "no stress run", &format!("lensops stress {lens}"));
    };
    let mut section = Section::new(TITLE);
    section.text.push(outcome(run));
    section.head = vec!["target", "answered", "P50", "P95", "P99", "n"];
    let targets = run.results["targets"].as_array().into_iter().flatten();
    section.rows = targets
        .map(|target| {
            // A figure that its sample does not support carries the sample's size.
            let mark = |key: &str| {
                if target[format!("{key}_supported")] == false {
                    format!(" (n={})", target["n"])
                } else {
                    String::new()
                }
            };
            let latency = |key: &str| {
                target["latency_us"][key]
                    .as_u64()
                    .map_or_else(|| "n/a".to_owned(), |us| format!("{}{}", ms(us), mark(key)))
            };
            let answered = format!("{} of {}", target["completed"], target["planned"]);
            vec![
                text(&target["name"]),
                answered,
                latency("p50"),
                latency("p95"),
                latency("p99"),
                target["n"].to_string(),
            ]
        })
        .collect();
    section
}

pub(crate) fn flags(lens: &LensId, run: Option<&Finished>) -> Section {
    const TITLE: &str = "Feature flags";
    let rows = run.map(|run| case_rows(run, is_flag_case)).unwrap_or_default();
    if rows.is_empty() {
        return Section::missing(
            TITLE,
            "no run has switched the master flag",
            &format!("lensops accept {lens} --flag-proof"),
        );
    }
    let mut section = Section::new(TITLE);
    section.text.push(
        "Off at the provider must be 503 FEATURE_DISABLED at the API, on must be 200; what was found was put back."
            .to_owned(),
    );
    (section.head, section.rows) = (vec!["state", "result", "what came"], rows);
    section
}

pub(crate) fn idempotency(run: Option<&Finished>) -> Section {
    const TITLE: &str = "Idempotency";
    let rows = run.map(|run| case_rows(run, is_idempotency)).unwrap_or_default();
    let mut section = Section::new(TITLE);
    if rows.is_empty() {
        section.text.push("Not there yet: the acceptance plan holds no scenario whose name says idempotency. Add one to the lens's `overrides`.".to_owned());
        return section;
    }
    (section.head, section.rows) = (vec!["case", "result", "what came"], rows);
    section
}

pub(crate) fn roles(lens: &LensId, run: Option<&Finished>) -> Section {
    const TITLE: &str = "Roles";
    let Some(run) = run else {
        return Section::missing(TITLE, "no role matrix", &format!("lensops matrix {lens}"));
    };
    let mut section = Section::new(TITLE);
    section.text.push(outcome(run));
    section.text.push("Where the API differs from its registry:".to_owned());
    section.head = vec!["cell", "result", "what came"];
    section.rows = case_rows(run, |case| case["result"] == "failed");
    if section.rows.is_empty() {
        section.text.push("Nowhere.".to_owned());
    }
    section
}

pub(crate) fn scripts(lens: &LensId) -> Section {
    let mut section = Section::new("Scripts reference");
    section.head = vec!["command", "what it proves"];
    section.rows = [
        (format!("lensops accept {lens}"), "the signed flow, case by case"),
        (
            format!("lensops accept {lens} --flag-proof"),
            "that the master flag switches the lens",
        ),
        (
            format!("lensops matrix {lens}"),
            "who may do what, held to the registry",
        ),
        (format!("lensops stress {lens}"), "that load brings no 5xx"),
        (format!("lensops gate {lens} --window 7d"), "what a week of checks says"),
        (
            "lensops evidence verify verification_handoff/runs/RUN_ID".to_owned(),
            "that a run's files are as it left them",
        ),
    ]
    .map(|(command, what)| vec![format!("`{command}`"), what.to_owned()])
    .to_vec();
    section
}

pub(crate) fn readiness(
    acceptance: Option<&Finished>,
    stress: Option<&Finished>,
    matrix: Option<&Finished>,
    gates: &Gates,
) -> Section {
    let mut section = Section::new("Rollout readiness");
    let run = |run: Option<&Finished>| {
        run.map_or_else(
            || "not there yet".to_owned(),
            |run| format!("{} ({})", run.manifest.verdict, run.whose),
        )
    };
    let gate = |gated: &Gated| {
        let reason = gated
            .reports
            .first()
            .map_or("no tenant", |report| report.reason.as_str());
        let clock = if gated.virtual_clock {
            " (under a virtual clock)"
        } else {
            ""
        };
        format!("{}: {reason}{clock}", gated.decision.tell())
    };
    section.head = vec!["criterion", "needed", "found"];
    section.rows = [
        ("acceptance", "pass", run(acceptance)),
        ("stress", "pass", run(stress)),
        ("role matrix", "pass", run(matrix)),
        ("gate over 24 h", "proceed", gate(&gates.day)),
        ("gate over 7 d", "proceed", gate(&gates.week)),
    ]
    .map(|(criterion, needed, found)| vec![criterion.to_owned(), needed.to_owned(), found])
    .to_vec();
    let passed = [acceptance, stress, matrix]
        .iter()
        .all(|run| run.is_some_and(|run| run.manifest.verdict.is(Verdict::Pass)));
    let ready = passed && gates.day.decision == Decision::Proceed && gates.week.decision == Decision::Proceed;
    section.text.push(if ready {
        "✅ Every criterion is met.".to_owned()
    } else {
        "❌ Not every criterion is met.".to_owned()
    });
    section
}
