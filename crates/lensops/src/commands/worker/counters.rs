//! What a worker counts while it runs, lens by lens, and how metrics show it. All counts start at 0
//! with the worker; none is stored.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lensops_core::ident::LensId;
use lensops_core::verdict::record::{CheckRecord, Status};
use uuid::Uuid;

use super::openmetrics::{Histogram, Metrics};

/// The counters of a worker.
#[derive(Debug)]
pub(super) struct Counters {
    /// Whether checks are counted tenant by tenant.
    tenant_label: bool,
    checks: BTreeMap<(String, Option<Uuid>), Checks>,
    lateness: Histogram,
    missed: BTreeMap<(String, String), u64>,
    unrecorded: u64,
}

/// The checks of a lens, or of a lens for one tenant.
#[derive(Debug, Default)]
struct Checks {
    by_status: [u64; 3],
    samples: u64,
    failed: u64,
    latency: Histogram,
    length: Histogram,
    last: Option<Timestamp>,
}

/// Writes the samples of one family.
type Write<'a> = &'a dyn Fn(&mut Metrics, &mut Vec<(&str, &str)>, &Checks);

impl Counters {
    /// All at 0. With `tenant_label` checks are counted tenant by tenant.
    pub(super) fn new(tenant_label: bool) -> Self {
        Self {
            tenant_label,
            checks: BTreeMap::new(),
            lateness: Histogram::default(),
            missed: BTreeMap::new(),
            unrecorded: 0,
        }
    }

    /// Forgets lenses, and tenants where they are counted, for which `stays` does not hold.
    pub(super) fn keep(&mut self, stays: impl Fn(&str, Option<Uuid>) -> bool) {
        self.checks.retain(|(lens, tenant), _| stays(lens, *tenant));
        self.missed.retain(|(lens, _), _| stays(lens, None));
    }

    /// A check started so long after its slot was due.
    pub(super) fn started(&mut self, late: SignedDuration) {
        self.lateness.add_us(micros(late));
    }

    /// A check ended at `ended` and is recorded.
    pub(super) fn checked(&mut self, check: &CheckRecord, ended: Timestamp) {
        let notes = check.notes.read();
        let failed = notes.endpoints.values().filter_map(|endpoint| endpoint.failed);
        let key = (
            check.lens_id.as_str().to_owned(),
            self.tenant_label.then_some(check.yacht_id),
        );
        let checks = self.checks.entry(key).or_default();
        checks.by_status[place(check.status)] += 1;
        checks.samples += u64::try_from(check.sample_size).unwrap_or(0);
        checks.failed += failed.sum::<u64>();
        notes.samples_us.iter().for_each(|us| checks.latency.add_us(*us));
        checks.length.add_us(micros(ended.duration_since(check.observed_at)));
        checks.last = Some(check.observed_at);
    }

    /// A slot went by without a check.
    pub(super) fn missed(&mut self, lens: &LensId, reason: &str) {
        let key = (lens.as_str().to_owned(), reason.to_owned());
        *self.missed.entry(key).or_default() += 1;
    }

    /// A check could not be recorded and is lost.
    pub(super) fn unrecorded(&mut self) {
        self.unrecorded += 1;
    }

    /// Writes what is counted of checks; `name` says what a tenant of a lens is called.
    pub(super) fn write_checks(&self, metrics: &mut Metrics, name: &dyn Fn(&str, Uuid) -> String) {
        let each = |metrics: &mut Metrics, write: Write<'_>| {
            for ((lens, tenant), checks) in &self.checks {
                let tenant = tenant.map(|tenant| name(lens, tenant));
                let mut labels = vec![("lens", lens.as_str())];
                labels.extend(tenant.as_deref().map(|tenant| ("tenant", tenant)));
                write(metrics, &mut labels, checks);
            }
        };
        metrics.family("lensops_checks", "counter", "Checks since the start, by status");
        each(metrics, &|metrics, labels, checks| {
            for status in STATUSES {
                let mut labels = labels.clone();
                labels.push(("status", status.as_str()));
                metrics.sample("lensops_checks_total", &labels, checks.by_status[place(status)]);
            }
        });
        metrics.family("lensops_samples", "counter", "Samples of timed probes since the start");
        each(metrics, &|metrics, labels, checks| {
            metrics.sample("lensops_samples_total", labels, checks.samples)
        });
        metrics.family("lensops_failed_samples", "counter", "Those of them that failed");
        each(metrics, &|metrics, labels, checks| {
            metrics.sample("lensops_failed_samples_total", labels, checks.failed);
        });
        metrics.family(
            "lensops_probe_latency_seconds",
            "histogram",
            "Latency of the samples of timed probes",
        );
        each(metrics, &|metrics, labels, checks| {
            metrics.histogram("lensops_probe_latency_seconds", labels, &checks.latency);
        });
        metrics.family(
            "lensops_check_duration_seconds",
            "histogram",
            "From the start of a check to its end",
        );
        each(metrics, &|metrics, labels, checks| {
            metrics.histogram("lensops_check_duration_seconds", labels, &checks.length);
        });
        metrics.family(
            "lensops_last_check_timestamp_seconds",
            "gauge",
            "When the last check was made",
        );
        each(metrics, &|metrics, labels, checks| {
            if let Some(last) = checks.last {
                metrics.sample("lensops_last_check_timestamp_seconds", labels, last.as_second());
            }
        });
    }

    /// Writes what is counted of slots, and the checks that are lost.
    pub(super) fn write_slots(&self, metrics: &mut Metrics) {
        metrics.family(
            "lensops_start_lateness_seconds",
            "histogram",
            "From the due time of a slot to the start of its check",
        );
        metrics.histogram("lensops_start_lateness_seconds", &[], &self.lateness);
        metrics.family(
            "lensops_missed_slots",
            "counter",
            "Slots without a check since the start, by reason",
        );
        for ((lens, reason), count) in &self.missed {
            metrics.sample(
                "lensops_missed_slots_total",
                &[("lens", lens), ("reason", reason)],
                count,
            );
        }
        metrics.family(
            "lensops_unrecorded_checks",
            "counter",
            "Checks that the journal refused and that are lost",
        );
        metrics.sample("lensops_unrecorded_checks_total", &[], self.unrecorded);
    }
}

const STATUSES: [Status; 3] = [Status::Healthy, Status::Degraded, Status::Unhealthy];

fn place(status: Status) -> usize {
    match status {
        Status::Healthy => 0,
        Status::Degraded => 1,
        Status::Unhealthy => 2,
    }
}

fn micros(span: SignedDuration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(0)
}
