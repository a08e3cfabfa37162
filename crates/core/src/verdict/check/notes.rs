//! The notes of a check: what later checks, the dashboard and the statistics read of it.

use serde_json::{Map, Value, json};

use super::context::CheckContext;
use super::figures::{samples_us, timed};
use crate::stats::histogram::{Latencies, Quantile};
use crate::verdict::probe::{ProbeReport, ProbeResult};

/// The notes of the check of `probes`; `window` holds its latencies and the earlier ones.
pub(super) fn notes(context: &CheckContext, probes: &[ProbeReport], window: &Latencies) -> Value {
    let mut notes = Map::new();
    let samples: Vec<u64> = samples_us(probes).collect();
    notes.insert("samples_us".to_owned(), json!(samples));
    let endpoints: Map<String, Value> = timed(probes)
        .map(|probe| (probe.name.clone(), endpoint_note(probe)))
        .collect();
    notes.insert("endpoints".to_owned(), Value::Object(endpoints));
    notes.insert(
        "window".to_owned(),
        json!({"p95_us": window.at(Quantile::P95), "n": window.len()}),
    );
    let names = |keep: &dyn Fn(&&ProbeReport) -> bool| {
        probes
            .iter()
            .filter(keep)
            .map(|probe| probe.name.clone())
            .collect::<Vec<_>>()
    };
    let disabled = names(&|probe| probe.disabled);
    let unjudged = names(&|probe| matches!(probe.result, ProbeResult::Unjudged(_)));
    for (key, list) in [("disabled", disabled), ("unjudged", unjudged)] {
        if !list.is_empty() {
            notes.insert(key.to_owned(), json!(list));
        }
    }
    if !context.flags.is_empty() {
        let flags: Map<String, Value> = context
            .flags
            .iter()
            .map(|(name, on)| (name.clone(), json!(on)))
            .collect();
        notes.insert("flags".to_owned(), Value::Object(flags));
    }
    if let Some(muted) = &context.muted {
        notes.insert("muted".to_owned(), json!(muted));
    }
    if context.virtual_clock {
        notes.insert("clock".to_owned(), json!("virtual"));
    }
    if context.plan_origin != "generated" {
        notes.insert("plan".to_owned(), json!(context.plan_origin));
    }
    Value::Object(notes)
}

fn endpoint_note(probe: &ProbeReport) -> Value {
    let window: Latencies = probe.samples_us.iter().copied().collect();
    json!({
        "n": probe.taken,
        "failed": probe.failed,
        "retries": probe.retries,
        "p50_us": window.at(Quantile::P50),
        "p95_us": window.at(Quantile::P95),
        "statuses": probe.statuses,
    })
}
