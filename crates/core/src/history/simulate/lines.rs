//! A simulated history in the form of `lensops export`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::generate::{EVERY_MS, SimCheck, SimResult, SimSample, Simulated};
use crate::crypto::digest::uuid_v8;
use crate::duration::Every;
use crate::history::schedule::from_ms;
use crate::ident::LensId;
use crate::lens::mute::{Muted, MutedWhy};
use crate::stats::histogram::{Latencies, Quantile};
use crate::verdict::notes::{CheckNotes, EndpointNotes};
use crate::verdict::record::Status;

/// The checks of a history as lines of an export, oldest first, for `lens` of `tenant`. A slot that has no check has
/// no line.
#[must_use]
pub fn lines(simulated: &Simulated, lens: &LensId, tenant: Uuid) -> Vec<Value> {
    let checks = simulated.checks.iter().filter(|check| !check.missing);
    checks.map(|check| line(simulated, check, lens, tenant)).collect()
}

fn us(sample: &SimSample) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "microseconds of a latency"
    )]
    let us = (sample.ms_ln.exp() * 1000.0).round().clamp(1.0, 1e15) as u64;
    matches!(sample.result, SimResult::Good | SimResult::ServerError).then_some(us)
}

fn line(simulated: &Simulated, check: &SimCheck, lens: &LensId, tenant: Uuid) -> Value {
    let due: Timestamp = from_ms(check.due_ms);
    let notes = notes(simulated, check);
    let taken = check.samples.len() as u64;
    let failed: u64 = notes.endpoints.values().filter_map(|endpoint| endpoint.failed).sum();
    let pooled: Latencies = notes.samples_us.iter().copied().collect();
    let p95_us = pooled.at(Quantile::P95);
    #[expect(clippy::cast_precision_loss, reason = "a latency and counts of a check")]
    let (p95_ms, rate) = (
        p95_us.map_or(0.0, |us| us as f64 / 1000.0),
        100.0 * failed as f64 / taken.max(1) as f64,
    );
    let limits = (simulated.slo.p95_ms, simulated.slo.error_rate_percent);
    let server_error = check
        .samples
        .iter()
        .any(|sample| sample.result == SimResult::ServerError);
    let is_limited = check.samples.iter().any(|sample| sample.result == SimResult::Limited);
    let status = if server_error || rate > limits.1.fail || p95_ms > limits.0.fail {
        Status::Unhealthy
    } else if is_limited || rate > limits.1.warn || p95_ms > limits.0.warn {
        Status::Degraded
    } else {
        Status::Healthy
    };
    let samples: BTreeMap<&str, Value> = notes
        .samples()
        .into_iter()
        .map(|(name, samples)| (name, json!(samples)))
        .collect();
    let id = uuid_v8(
        u64::try_from(check.due_ms).unwrap_or(0),
        &[
            b"simulated",
            tenant.as_bytes(),
            lens.as_str().as_bytes(),
            &check.due_ms.to_be_bytes(),
        ],
    );
    json!({
        "id": id,
        "yacht_id": tenant,
        "lens_id": lens,
        "status": status,
        "p95_latency_ms": p95_us.map(|us| (us + 500) / 1000),
        "error_rate_percent": (rate * 100.0).round() / 100.0,
        "sample_size": taken,
        "due_at": due,
        "observed_at": due,
        "every": Every::QUARTER_HOUR,
        "slo": simulated.slo,
        "samples": samples,
        "notes": notes,
        "events": [],
    })
}

fn notes(simulated: &Simulated, check: &SimCheck) -> CheckNotes {
    let mut notes = CheckNotes::default();
    debug_assert_eq!(EVERY_MS, Every::QUARTER_HOUR.as_ms());
    for endpoint in 0..simulated.endpoints {
        let samples: Vec<&SimSample> = check
            .samples
            .iter()
            .filter(|sample| sample.endpoint == endpoint)
            .collect();
        let latencies: Latencies = samples.iter().filter_map(|sample| us(sample)).collect();
        let mut statuses = BTreeMap::new();
        let (mut failed_at, mut untimed_at) = (Vec::new(), Vec::new());
        for (place, sample) in (0..).zip(&samples) {
            let status = match sample.result {
                SimResult::Good => Some(200),
                SimResult::ServerError => Some(500),
                SimResult::Limited => Some(429),
                SimResult::Unanswered => None,
            };
            if let Some(status) = status {
                *statuses.entry(status).or_default() += 1;
            }
            if matches!(sample.result, SimResult::ServerError | SimResult::Unanswered) {
                failed_at.push(place);
            }
            match us(sample) {
                Some(us) => notes.samples_us.push(us),
                None => untimed_at.push(place),
            }
        }
        notes.endpoints.insert(
            format!("Endpoint {}", endpoint + 1),
            EndpointNotes {
                n: Some(samples.len() as u64),
                failed: Some(failed_at.len() as u64),
                retries: Some(0),
                p50_us: latencies.at(Quantile::P50),
                p95_us: latencies.at(Quantile::P95),
                statuses,
                failed_at,
                untimed_at,
                ..EndpointNotes::default()
            },
        );
    }
    notes.muted = check.muted.then(|| Muted {
        why: MutedWhy::Maintenance,
        reason: "simulated".to_owned(),
        annuls: None,
    });
    notes
}
