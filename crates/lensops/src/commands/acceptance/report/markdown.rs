//! The run as Markdown: the evidence page, and the summary for CI.

use std::fmt::Write as _;

use lensops_core::redaction::Redacted;
use lensops_core::verdict::acceptance::{Case, CaseResult};

use super::escape::cell;
use super::run_report::Report;
use crate::commands::evidence::markdown::fenced;

impl Report {
    /// The run as Markdown, every transcript included.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# {}\n\n{}: {}\n\n| | |\n| --- | --- |\n",
            self.title,
            self.verdict.tell(),
            self.reason
        );
        // Writing to a String cannot fail, here and below.
        for (name, value) in &self.facts {
            let _infallible = writeln!(text, "| {name} | `{value}` |");
        }
        let _infallible = write!(
            text,
            "| plan is | {} |\n| finished | {} |\n\n## Cases\n\n",
            self.plan_origin, self.finished_at
        );
        let lines: Vec<String> = self.cases.iter().map(Case::line).collect();
        text.push_str(&fenced(&lines.join("\n")));
        for case in &self.cases {
            let _infallible = write!(text, "\n## {}\n\n", case.heading());
            for proof in &case.proofs {
                let before = proof
                    .before
                    .map_or_else(|| "not asked".to_owned(), |rows| rows.to_string());
                let verdict = proof.broken.as_deref().unwrap_or("as expected");
                let (name, after, sql) = (&proof.name, proof.after, fenced(&proof.sql));
                let _infallible = writeln!(
                    text,
                    "Database, {name}: rows before: {before}, after: {after}, {verdict}\n\n{sql}"
                );
            }
            for reason in &case.proofs_skipped {
                let _infallible = writeln!(text, "Database proof not looked at: {reason}.\n");
            }
            text.push_str(&transcripts(case));
        }
        text
    }

    /// A table for the summary page of a CI run.
    pub(super) fn summary(&self) -> String {
        let mut text = format!(
            "### {} · {}\n\n{}: {}\n\n| test | result |\n| --- | --- |\n",
            self.lens,
            self.kind,
            self.verdict.tell(),
            self.reason
        );
        // The page may be cut: what somebody has to look at stands first.
        let (bad, good): (Vec<&Case>, Vec<&Case>) = self.cases.iter().partition(|case| is_bad(case));
        for case in bad.into_iter().chain(good) {
            let (mark, told) = outcome(case);
            let _infallible = writeln!(text, "| {} | {mark} {} |", cell(&case.heading()), cell(told.as_str()));
        }
        text
    }
}

fn transcripts(case: &Case) -> String {
    if case.transcripts.is_empty() {
        return "No request was sent.\n".to_owned();
    }
    let mut text = String::new();
    for transcript in &case.transcripts {
        text.push_str(&fenced(transcript.request.as_str()));
        // Writing to a String cannot fail.
        if let Some(claims) = &transcript.claims {
            let _infallible = write!(text, "\nClaims of the token:\n\n{}", fenced(claims.as_str()));
        }
        let _infallible = write!(text, "\n{}", fenced(transcript.response.as_str()));
        let (sent_at, took) = (&transcript.sent_at, transcript.timings.total_us);
        let _infallible = writeln!(text, "\nSent {sent_at}, answered in {took} µs.\n");
    }
    text
}

fn is_bad(case: &Case) -> bool {
    matches!(case.result, CaseResult::Failed { .. } | CaseResult::Unjudged { .. })
}

fn outcome(case: &Case) -> (&'static str, &Redacted) {
    match &case.result {
        CaseResult::Passed { told } => ("✅", told),
        CaseResult::Failed { why } => ("❌", why),
        CaseResult::Unjudged { reason } => ("❔ unjudged:", reason),
        CaseResult::Skipped { reason } => ("⏭ skipped:", reason),
    }
}
