//! The results of a stress run as text: a line for the terminal, Markdown for the evidence.

use std::fmt::Write as _;

use jiff::Timestamp;
use lensops_core::stats::confidence::Interval;
use lensops_core::stats::histogram::{Latencies, Quantile, ms};
use lensops_core::verdict::tally::{FIGURES, Tally};

use super::{Ran, Stress};
use crate::commands::evidence::bundle::fenced;
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
            plan.tenants[0],
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

/// What kept requests from being sent in time, how many had not the asserted answer, and what tells
/// status classes and connections apart.
pub(crate) fn notes(tally: &Tally) -> String {
    let rate = tally.error_rate_percent();
    let mut text = format!(
        "{} left late, {} were never sent, {} found no socket; error rate {}.",
        tally.late,
        tally.unsent,
        tally.own_faults,
        rate.map_or_else(|| "n/a".to_owned(), |rate| format!("{rate:.2} %")),
    );
    if tally.classes.len() > 1 {
        for (class, window) in &tally.classes {
            let _infallible = write!(text, " {class}xx: {}.", window.tell(Quantile::P95));
        }
    }
    if !tally.connects.is_empty() {
        let (count, p95) = (tally.connects.len(), tally.connects.tell(Quantile::P95));
        let _infallible = write!(text, " {count} connections were opened under load: {p95}.");
    }
    text
}

/// Load and answers: `burst of 50: 50 of 50 answered (50 × 200), 0 without an answer.`
pub(crate) fn answered(tally: &Tally) -> String {
    format!(
        "{}: {} of {} answered ({}), {} without an answer.",
        tally.load,
        tally.completed(),
        tally.planned,
        statuses(tally),
        failures(tally)
    )
}

/// The figure alone: `867ms`, with its mark where the sample is too small.
pub(crate) fn told(window: &Latencies, quantile: Quantile) -> String {
    window
        .tell(quantile)
        .split_once(' ')
        .map(|(_, figure)| figure.to_owned())
        .unwrap_or_default()
}

pub(crate) fn latency(us: Option<u64>) -> String {
    us.map_or_else(|| "n/a".to_owned(), ms)
}

fn statuses(tally: &Tally) -> String {
    let counts: Vec<String> = tally
        .statuses
        .iter()
        .map(|(status, count)| format!("{count} × {status}"))
        .collect();
    if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    }
}

fn failures(tally: &Tally) -> String {
    let mut counts: Vec<String> = tally
        .failures
        .iter()
        .map(|(class, count)| format!("{count} × {}", class.as_str()))
        .collect();
    if tally.unsent > 0 {
        counts.push(format!("{} × unsent", tally.unsent));
    }
    if counts.is_empty() {
        "0".to_owned()
    } else {
        counts.join(", ")
    }
}

/// One line a target.
#[must_use]
pub(crate) fn line(tally: &Tally) -> String {
    let figure = |quantile| tally.latencies.tell(quantile);
    let spread = match (tally.latencies.min(), tally.latencies.max()) {
        (Some(min), Some(max)) => format!("min {} max {}", ms(min), ms(max)),
        _ => "no answer was timed".to_owned(),
    };
    format!(
        "{}: {} of {} answered ({}), {} without an answer, {} {} {} {spread}",
        tally.name,
        tally.completed(),
        tally.planned,
        statuses(tally),
        failures(tally),
        figure(Quantile::P50),
        figure(Quantile::P95),
        figure(Quantile::P99),
    )
}
