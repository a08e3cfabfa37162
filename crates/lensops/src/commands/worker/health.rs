//! The health of a running worker: the pairs it watches, when each was checked last and which are
//! overdue, with its counters. All of it starts with the worker; none of it is stored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use lensops_core::alert::{Finding, Rule, Seen, Subject};
use lensops_core::ident::LensId;
use lensops_core::lens::mute::{MutedWhy, Paused};
use lensops_core::verdict::record::CheckRecord;
use uuid::Uuid;

use super::check::Monitor;
use super::counters::Counters;
use super::openmetrics::Metrics;

/// Intervals without a check from which on a pair is late.
const LATE_AFTER: i64 = 2;

/// The health of a running worker: its pairs and counters.
#[derive(Debug)]
pub struct Health {
    inner: Mutex<Inner>,
}

/// How a fleet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetFigures {
    /// Pairs that have a job.
    pub pairs: i64,
    /// Pairs without a check for two intervals.
    pub late: i64,
    /// Jobs that were parked.
    pub parked: usize,
    /// Workers that were heard of in the last minute.
    pub machines: usize,
}

#[derive(Debug)]
struct Inner {
    /// Its pairs are a fleet's: another machine may have the next check of any of them.
    shared: bool,
    /// How that fleet stood when it was looked at last.
    fleet: Option<FleetFigures>,
    pairs: HashMap<(Uuid, LensId), Pair>,
    counters: Counters,
}

#[derive(Debug)]
struct Pair {
    monitor: Arc<Monitor>,
    /// The end of the last check, or the time from which on it was waited for.
    last: Timestamp,
    /// When the check that runs began; `None` while none runs.
    running: Option<Timestamp>,
    /// The status of its last check; `cannot_judge` where that could judge nothing.
    status: Option<&'static str>,
    /// When the certificate expires that was met last.
    certificate_expires: Option<Timestamp>,
    /// Intervals without a check that were told of.
    told: i64,
}

impl Health {
    /// Nothing is known yet. With `tenant_label` metrics are counted tenant by tenant.
    #[must_use]
    pub fn new(tenant_label: bool) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                shared: false,
                fleet: None,
                pairs: HashMap::new(),
                counters: Counters::new(tenant_label),
            }),
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
            let monitor = monitor.clone();
            let known = before.remove(&key).map(|pair| Pair {
                monitor: monitor.clone(),
                ..pair
            });
            inner
                .pairs
                .insert(key, known.unwrap_or_else(|| Pair::new(&monitor, now)));
        }
        let Inner { pairs, counters, .. } = &mut *inner;
        let lenses: HashSet<&str> = pairs.keys().map(|(_, lens)| lens.as_str()).collect();
        let watched: HashSet<(Uuid, &str)> = pairs.keys().map(|(tenant, lens)| (*tenant, lens.as_str())).collect();
        counters.keep(|lens, tenant| match tenant {
            Some(tenant) => watched.contains(&(tenant, lens)),
            None => lenses.contains(lens),
        });
    }

    /// From now on its pairs are a fleet's: none of them is late here, for another machine may check it.
    pub fn share(&self) {
        self.inner().shared = true;
    }

    /// How the fleet stands, for metrics.
    pub fn fleet_stands(&self, figures: FleetFigures) {
        self.inner().fleet = Some(figures);
    }

    /// A pair of a fleet is watched here while it is checked here: another machine may have its next check, so that
    /// it is late for nobody, and is forgotten when it does not come back.
    pub fn add(&self, monitor: &Arc<Monitor>, tenant: Uuid, now: Timestamp) {
        let mut inner = self.inner();
        let pair = inner
            .pairs
            .entry((tenant, monitor.lens().clone()))
            .or_insert_with(|| Pair::new(monitor, now));
        pair.monitor = monitor.clone();
    }

    /// Forgets the pairs that had no check here for two intervals: those of a fleet that other machines check.
    pub fn forget_others(&self, now: Timestamp) {
        let inner = &mut *self.inner();
        inner
            .pairs
            .retain(|_, pair| pair.running.is_some() || pair.without(now) < LATE_AFTER);
    }

    /// A check of a pair began.
    pub fn begun(&self, tenant: Uuid, lens: &LensId, at: Timestamp) {
        if let Some(pair) = self.inner().pairs.get_mut(&(tenant, lens.clone())) {
            pair.running = Some(at);
        }
    }

    /// The check of a pair that was running ended, recorded or not.
    pub fn ended(&self, tenant: Uuid, lens: &LensId) {
        if let Some(pair) = self.inner().pairs.get_mut(&(tenant, lens.clone())) {
            pair.running = None;
        }
    }

    /// A check started so long after its slot was due.
    pub fn started(&self, late: SignedDuration) {
        self.inner().counters.started(late);
    }

    /// A check was made, ended at `ended`, and is recorded.
    pub fn checked(&self, check: &CheckRecord, ended: Timestamp) {
        let mut inner = self.inner();
        // What is watched no more has no series either.
        let Some(pair) = inner.pairs.get_mut(&(check.yacht_id, check.lens_id.clone())) else {
            return;
        };
        let why = check.notes.read().muted_why();
        let own_fault = why.filter(|why| *why == MutedWhy::CannotJudge);
        let status = own_fault.map_or(check.status.as_str(), MutedWhy::as_str);
        (pair.last, pair.status, pair.told) = (ended.max(check.observed_at), Some(status), 0);
        pair.running = None;
        pair.certificate_expires = check.notes.read().certificate_expires.or(pair.certificate_expires);
        inner.counters.checked(check, ended);
    }

    /// A slot went by without a check.
    pub fn missed(&self, lens: &LensId, reason: &str) {
        self.inner().counters.missed(lens, reason);
    }

    /// A check could not be recorded and is lost.
    pub fn unrecorded(&self) {
        self.inner().counters.unrecorded();
    }

    /// Pairs that had no check for two intervals at `now`, told once for each further interval. One that is paused, in
    /// a maintenance window or `rolled_back` pages nobody.
    #[must_use]
    pub fn late(&self, now: Timestamp, rolled_back: &HashMap<LensId, Paused>) -> Vec<(Rule, Subject, Seen)> {
        let mut late = Vec::new();
        let mut inner = self.inner();
        if inner.shared {
            return late;
        }
        for ((tenant, lens), pair) in &mut inner.pairs {
            let intervals = pair.without(now);
            let muted = || pair.monitor.muted(now, rolled_back.get(lens)).is_some();
            if intervals < LATE_AFTER || intervals <= pair.told || muted() {
                continue;
            }
            pair.told = intervals;
            let text = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let mut reason = format!("no check since {} ({intervals} intervals)", text(pair.last));
            if let Some(begun) = pair.running {
                reason.push_str(&format!("; one has been running since {}", text(begun)));
            }
            let seen = Seen::Broken(Finding {
                reason,
                response: None,
                urgency: None,
            });
            late.push((Rule::NoCheck, Subject::Lens(*tenant, lens.clone()), seen));
        }
        late
    }

    /// How many pairs had no check for two intervals at `now`, with one of them.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> Option<(usize, String)> {
        let inner = self.inner();
        if inner.shared {
            return None;
        }
        let mut overdue = inner.pairs.iter().filter(|(_, pair)| pair.without(now) >= LATE_AFTER);
        let ((tenant, lens), _) = overdue.next()?;
        Some((1 + overdue.count(), format!("{lens} {tenant}")))
    }

    /// Writes the metrics of counters and pairs.
    pub fn write(&self, metrics: &mut Metrics, now: Timestamp) {
        let inner = self.inner();
        let name = |lens: &str, tenant: Uuid| {
            let pair = lens.parse().ok().and_then(|lens| inner.pairs.get(&(tenant, lens)));
            pair.map_or_else(|| tenant.to_string(), |pair| pair.monitor.plan.tenants.name(tenant))
        };
        inner.counters.write_checks(metrics, &name);
        inner.write_pairs(metrics, now);
        inner.counters.write_slots(metrics);
        if let Some(fleet) = inner.fleet {
            write_fleet(metrics, fleet);
        }
    }
}

fn write_fleet(metrics: &mut Metrics, fleet: FleetFigures) {
    metrics.family(
        "lensops_fleet_pairs",
        "gauge",
        "Pairs of the whole fleet, by how they stand",
    );
    let parked = i64::try_from(fleet.parked).unwrap_or(i64::MAX);
    for (state, count) in [("scheduled", fleet.pairs), ("late", fleet.late), ("parked", parked)] {
        metrics.sample("lensops_fleet_pairs", &[("state", state)], count);
    }
    metrics.family(
        "lensops_fleet_machines",
        "gauge",
        "Workers of the fleet that were heard of in the last minute",
    );
    metrics.sample("lensops_fleet_machines", &[], fleet.machines);
}

impl Pair {
    fn new(monitor: &Arc<Monitor>, now: Timestamp) -> Self {
        Self {
            monitor: monitor.clone(),
            last: now,
            running: None,
            status: None,
            certificate_expires: None,
            told: 0,
        }
    }

    fn without(&self, now: Timestamp) -> i64 {
        let age = i64::try_from(now.duration_since(self.last).as_millis()).unwrap_or(i64::MAX);
        age / self.monitor.plan.every.as_ms()
    }
}

impl Inner {
    /// Pairs by the status of their last check; one that is late is unknown, whatever it was.
    fn write_pairs(&self, metrics: &mut Metrics, now: Timestamp) {
        let mut pairs: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for ((_, lens), pair) in &self.pairs {
            for status in ["healthy", "degraded", "unhealthy", "cannot_judge", "unknown"] {
                pairs.entry((lens.as_str(), status)).or_default();
            }
            let late = pair.without(now) >= LATE_AFTER;
            let status = pair.status.filter(|_| !late).unwrap_or("unknown");
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
        self.write_certificates(metrics);
    }
    /// When the first certificate of a lens expires; lenses without TLS have none.
    fn write_certificates(&self, metrics: &mut Metrics) {
        let mut expire: BTreeMap<&str, Timestamp> = BTreeMap::new();
        for ((_, lens), pair) in &self.pairs {
            let Some(expires) = pair.certificate_expires else {
                continue;
            };
            let first = expire.entry(lens.as_str()).or_insert(expires);
            *first = expires.min(*first);
        }
        metrics.family(
            "lensops_certificate_expires_timestamp_seconds",
            "gauge",
            "When the server's certificate expires, as seen by the last check of a lens",
        );
        for (lens, expires) in expire {
            metrics.sample(
                "lensops_certificate_expires_timestamp_seconds",
                &[("lens", lens)],
                expires.as_second(),
            );
        }
    }
}
