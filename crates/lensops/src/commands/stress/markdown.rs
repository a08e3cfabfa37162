//! The results of a stress run as Markdown, for the evidence.

use std::fmt::Write as _;

use jiff::Timestamp;
use lensops_core::stats::confidence::Interval;
use lensops_core::stats::histogram::Quantile;
use lensops_core::verdict::tally::{FIGURES, Tally};

use super::load_run::{Ran, Stress};
use super::tally_text::{failures, latency, notes, statuses, told};
use crate::commands::evidence::markdown::fenced;
use crate::load::UNASSERTED;

impl Stress {
    /// The results as Markdown.
    pub(crate) fn markdown(&self, ran: &Ran, finished_at: Timestamp) -> String {
        let plan = &self.loaded.plan;
        let mut text = format!(
            "# Stress results: {}\n\n{}: {}\n\nAPI `{}`, tenant `{}`, plan `{}` ({}), finished {finished_at}.\n\n",
            plan.stress.title(),
            ran.verdict.verdict.tell(),
            ran.verdict.reason,
            self.base,
            plan.tenants.name(plan.tenants[0]),
            self.loaded.path.display(),
            self.loaded.origin,
        );
        text.push_str("| target | load | answered | statuses | without an answer | min | P50 | P95 | P99 | max |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        for tally in &ran.tallies {
            let at = |quantile| told(&tally.latencies, quantile);
            // Writing to a String cannot fail.
            let _infallible = writeln!(
                text,
                "| {} | {} | {} of {} | {} | {} | {} | {} | {} | {} | {} |",
                tally.name,
                tally.load,
                tally.completed(),
                tally.planned,
                statuses(tally),
                failures(tally),
                latency(tally.latencies.min()),
                at(Quantile::P50),
                at(Quantile::P95),
                at(Quantile::P99),
                latency(tally.latencies.max()),
            );
        }
        text.push_str("\nLatency is from the start of writing to the last byte, over connections that were open before; in open loads it is from when a request was due. Percentiles are nearest rank; `(n=…)` marks a sample too small to support the figure.\n");
        for tally in &ran.tallies {
            percentiles(&mut text, tally);
            for (label, transcript) in &tally.transcripts {
                let which = if label.starts_with(UNASSERTED) {
                    "another"
                } else {
                    "first"
                };
                let _infallible = write!(
                    text,
                    "\n## {}: {which} {label}\n\n{}\n{}",
                    tally.name,
                    fenced(transcript.request.as_str()),
                    fenced(transcript.response.as_str())
                );
            }
        }
        text
    }
}

/// Every percentile with its confidence interval, and what kept requests from being sent in time.
fn percentiles(text: &mut String, tally: &Tally) {
    let _infallible = writeln!(
        text,
        "\n## {}: percentiles of {} latencies\n\n| | latency | 95 % confidence | service time |\n| --- | --- | --- | --- |",
        tally.name,
        tally.latencies.len()
    );
    let service = if tally.service.is_empty() {
        &tally.latencies
    } else {
        &tally.service
    };
    for (_, quantile) in FIGURES {
        let Interval { low, high } = tally.latencies.interval(quantile);
        let _infallible = writeln!(
            text,
            "| {} | {} | {} to {} | {} |",
            quantile.label(),
            told(&tally.latencies, quantile),
            latency(low),
            latency(high),
            told(service, quantile),
        );
    }
    let _infallible = writeln!(text, "\n{}", notes(tally));
}
