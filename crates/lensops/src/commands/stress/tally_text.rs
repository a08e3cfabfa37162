//! A tally in words: a line for the terminal, and the cells of the results.

use std::fmt::Write as _;

use lensops_core::stats::histogram::{Latencies, Quantile, ms};
use lensops_core::verdict::tally::Tally;

/// What kept requests from being sent in time, how many had not the asserted answer, and what tells
/// status classes and connections apart.
pub(super) fn notes(tally: &Tally) -> String {
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
    if tally.reconnected > 0 {
        let _infallible = write!(
            text,
            " {} were sent again over a new connection, since the server had ended the kept one.",
            tally.reconnected
        );
    }
    if tally.renewed > 0 {
        let _infallible = write!(
            text,
            " {} were sent again with another credential, since the API refused the first with 401.",
            tally.renewed
        );
    }
    text
}

/// Load and answers: `burst of 50: 50 of 50 answered (50 × 200), 0 without an answer.`
pub(super) fn answered(tally: &Tally) -> String {
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
pub(super) fn told(window: &Latencies, quantile: Quantile) -> String {
    window
        .tell(quantile)
        .split_once(' ')
        .map(|(_, figure)| figure.to_owned())
        .unwrap_or_default()
}

pub(super) fn latency(us: Option<u64>) -> String {
    us.map_or_else(|| "n/a".to_owned(), ms)
}

pub(super) fn statuses(tally: &Tally) -> String {
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

pub(super) fn failures(tally: &Tally) -> String {
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
pub(super) fn line(tally: &Tally) -> String {
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
