//! What a running worker knows of itself: which pairs it watches, when each was checked last, and
//! the figures that it tells. Everything here is counted since the start; nothing is kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lensops_core::alert::{Finding, Rule, Seen, Subject};
use lensops_core::ident::LensId;
use lensops_core::verdict::record::{CheckRecord, Status};
use serde_json::Value;
use uuid::Uuid;

use super::check::Monitor;
use super::openmetrics::{Histogram, Metrics};

/// Intervals without a check from which on a pair is late.
const LATE_AFTER: i64 = 2;

/// The health of a running worker: its pairs and counters.
#[derive(Debug)]
pub struct Health {
    tenant_label: bool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pairs: HashMap<(Uuid, LensId), Pair>,
    figures: BTreeMap<(String, Option<Uuid>), Figures>,
    lateness: Histogram,
    missed: BTreeMap<(String, String), u64>,
    unrecorded: u64,
}

#[derive(Debug)]
struct Pair {
    every_ms: i64,
    /// The last check, or the time from which on it was waited for.
    last: Timestamp,
    status: Option<Status>,
    /// Intervals without a check that were told of.
    told: i64,
}

#[derive(Debug, Default)]
struct Figures {
    by_status: [u64; 3],
    samples: u64,
    failed: u64,
    latency: Histogram,
    length: Histogram,
    last: Option<Timestamp>,
}

impl Health {
    /// Nothing is known yet. With `tenant_label` figures are told tenant by tenant.
    #[must_use]
    pub fn new(tenant_label: bool) -> Arc<Self> {
        Arc::new(Self {
            tenant_label,
            inner: Mutex::default(),
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From `now` on checks of these pairs are waited for, and of no others. What is known of a pair
    /// that was watched before stays.
    pub fn watch(&self, wanted: &[(Arc<Monitor>, Uuid)], now: Timestamp) {
        let mut inner = self.inner();
        let mut before = std::mem::take(&mut inner.pairs);
        for (monitor, tenant) in wanted {
            let key = (*tenant, monitor.lens().clone());
            let every_ms = monitor.plan.every.as_ms();
            let known = before.remove(&key).map(|pair| Pair { every_ms, ..pair });
            inner.pairs.insert(
                key,
                known.unwrap_or(Pair {
                    every_ms,
                    last: now,
                    status: None,
                    told: 0,
                }),
            );
        }
    }

    /// A check started so long after its slot was due.
    pub fn started(&self, late: SignedDuration) {
        self.inner().lateness.add_us(micros(late));
    }

    /// A check was made, ended at `ended`, and is recorded.
    pub fn checked(&self, check: &CheckRecord, ended: Timestamp) {
        let notes = check.notes.to_value();
        let samples = notes["samples_us"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_u64);
        let failed = notes["endpoints"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, endpoint)| endpoint["failed"].as_u64())
            .sum::<u64>();
        let mut inner = self.inner();
        if let Some(pair) = inner.pairs.get_mut(&(check.yacht_id, check.lens_id.clone())) {
            (pair.last, pair.status, pair.told) = (check.observed_at, Some(check.status), 0);
        }
        let key = (
            check.lens_id.as_str().to_owned(),
            self.tenant_label.then_some(check.yacht_id),
        );
        let figures = inner.figures.entry(key).or_default();
        figures.by_status[place(check.status)] += 1;
        figures.samples += u64::try_from(check.sample_size).unwrap_or(0);
        figures.failed += failed;
        samples.for_each(|us| figures.latency.add_us(us));
        figures.length.add_us(micros(ended.duration_since(check.observed_at)));
        figures.last = Some(check.observed_at);
    }

    /// A slot went by without a check.
    pub fn missed(&self, lens: &LensId, reason: &str) {
        *self
            .inner()
            .missed
            .entry((lens.as_str().to_owned(), reason.to_owned()))
            .or_default() += 1;
    }

    /// A check could not be recorded and is lost.
    pub fn unrecorded(&self) {
        self.inner().unrecorded += 1;
    }

    /// Pairs that had no check for two intervals at `now`, told once for each further interval.
    #[must_use]
    pub fn late(&self, now: Timestamp) -> Vec<(Rule, Subject, Seen)> {
        let mut late = Vec::new();
        for ((tenant, lens), pair) in &mut self.inner().pairs {
            let intervals = pair.without(now);
            if intervals < LATE_AFTER || intervals <= pair.told {
                continue;
            }
            pair.told = intervals;
            let reason = format!(
                "no check since {} ({intervals} intervals)",
                pair.last.strftime("%Y-%m-%dT%H:%M:%SZ")
            );
            let seen = Seen::Broken(Finding { reason, response: None });
            late.push((Rule::NoCheck, Subject::Lens(*tenant, lens.clone()), seen));
        }
        late
    }

    /// How many pairs had no check for two intervals at `now`, with one of them.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> Option<(usize, String)> {
        let inner = self.inner();
        let mut overdue = inner.pairs.iter().filter(|(_, pair)| pair.without(now) >= LATE_AFTER);
        let ((tenant, lens), _) = overdue.next()?;
        Some((1 + overdue.count(), format!("{lens} {tenant}")))
    }

    /// Writes the figures.
    pub fn write(&self, metrics: &mut Metrics, now: Timestamp) {
        let inner = self.inner();
        inner.write_figures(metrics);
        inner.write_pairs(metrics, now);
        metrics.family(
            "lensops_start_lateness_seconds",
            "histogram",
            "From the due time of a slot to the start of its check",
        );
        metrics.histogram("lensops_start_lateness_seconds", &[], &inner.lateness);
        metrics.family(
            "lensops_missed_slots",
            "counter",
            "Slots without a check since the start, by reason",
        );
        for ((lens, reason), count) in &inner.missed {
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
        metrics.sample("lensops_unrecorded_checks_total", &[], inner.unrecorded);
    }
}

impl Pair {
    fn without(&self, now: Timestamp) -> i64 {
        let age = i64::try_from(now.duration_since(self.last).as_millis()).unwrap_or(i64::MAX);
        age / self.every_ms
    }
}

/// Writes the samples of one family.
type Write<'a> = &'a dyn Fn(&mut Metrics, &mut Vec<(&str, &str)>, &Figures);

impl Inner {
    fn write_figures(&self, metrics: &mut Metrics) {
        let each = |metrics: &mut Metrics, write: Write<'_>| {
            for ((lens, tenant), figures) in &self.figures {
                let tenant = tenant.map(|tenant| tenant.to_string());
                let mut labels = vec![("lens", lens.as_str())];
                labels.extend(tenant.as_deref().map(|tenant| ("tenant", tenant)));
                write(metrics, &mut labels, figures);
            }
        };
        metrics.family("lensops_checks", "counter", "Checks since the start, by status");
        each(metrics, &|metrics, labels, figures| {
            for status in STATUSES {
                let mut labels = labels.clone();
                labels.push(("status", status.as_str()));
                metrics.sample("lensops_checks_total", &labels, figures.by_status[place(status)]);
            }
        });
        metrics.family("lensops_samples", "counter", "Samples of timed probes since the start");
        each(metrics, &|metrics, labels, figures| {
            metrics.sample("lensops_samples_total", labels, figures.samples)
        });
        metrics.family("lensops_failed_samples", "counter", "Those of them that failed");
        each(metrics, &|metrics, labels, figures| {
            metrics.sample("lensops_failed_samples_total", labels, figures.failed);
        });
        metrics.family(
            "lensops_probe_latency_seconds",
            "histogram",
            "Latency of the samples of timed probes",
        );
        each(metrics, &|metrics, labels, figures| {
            metrics.histogram("lensops_probe_latency_seconds", labels, &figures.latency);
        });
        metrics.family(
            "lensops_check_duration_seconds",
            "histogram",
            "From the start of a check to its end",
        );
        each(metrics, &|metrics, labels, figures| {
            metrics.histogram("lensops_check_duration_seconds", labels, &figures.length);
        });
        metrics.family(
            "lensops_last_check_timestamp_seconds",
            "gauge",
            "When the last check was made",
        );
        each(metrics, &|metrics, labels, figures| {
            if let Some(last) = figures.last {
                metrics.sample("lensops_last_check_timestamp_seconds", labels, last.as_second());
            }
        });
    }

    /// Pairs by the status of their last check; one that is late is unknown, whatever it was.
    fn write_pairs(&self, metrics: &mut Metrics, now: Timestamp) {
        let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for ((_, lens), pair) in &self.pairs {
            for status in ["healthy", "degraded", "unhealthy", "unknown"] {
                pairs.entry((lens.as_str(), status)).or_default();
            }
            let late = pair.without(now) >= LATE_AFTER;
            let status = pair.status.filter(|_| !late).map_or("unknown", Status::as_str);
            *pairs.entry((lens.as_str(), status)).or_default() += 1;
        }
        metrics.family(
            "lensops_tenants",
            "gauge",
            "Tenants by the status of the last check of a lens",
        );
        for ((lens, status), count) in pairs {
            metrics.sample("lensops_tenants", &[("lens", lens), ("status", status)], count);
        }
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
