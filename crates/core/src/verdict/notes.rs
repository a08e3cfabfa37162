//! The notes of a check: what later checks, the dashboard and the statistics read of it.
//!
//! [`CheckNotes`] is the one type that is written and read. A row may come from another version or another
//! tool, so reading is lenient: a field that is not as expected counts as absent, and never fails the row.
//! How they are written into a row and read from one stands in `note_rows`.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::duration::Every;
use crate::exchange::{Cause, Timings};
use crate::lens::Slo;
use crate::lens::mute::{Muted, MutedWhy};
use crate::lens::rollback::Rollback;
use crate::named::Named;
use crate::plan::header::PlanOrigin;

/// What a check notes besides its figures. Written in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "AnyNotes")]
pub struct CheckNotes {
    /// Latencies of the samples of timed probes in microseconds, in the order in which they were taken.
    pub samples_us: Vec<u64>,
    /// What each timed probe measured, by its name.
    pub endpoints: IndexMap<String, EndpointNotes>,
    /// The window of the SLO; `None` in checks of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowNotes>,
    /// Probes whose feature the API called switched off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disabled: Vec<String>,
    /// What could not be judged.
    #[serde(skip_serializing_if = "UnjudgedNotes::is_empty")]
    pub unjudged: UnjudgedNotes,
    /// Flags at the provider, where they could be read.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub flags: IndexMap<String, bool>,
    /// Why the check counts for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub muted: Option<Muted>,
    /// The clock, where it was not the real one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// How the plan stands to what is generated; absent where it is as generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Named<PlanOrigin>>,
    /// The rollback or restore that the check makes known to other machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// When the server's certificate expires; `None` where none was met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_expires: Option<Timestamp>,
    /// How far the monitor came; `None` where not even the host was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<Reached>,
    /// How often the lens was checked then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<Every>,
    /// What the lens promised then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
}

/// What could not be judged: probes by name, and where the monitor itself could not ask, why. A list of names
/// where there is no cause, as earlier versions wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AnyUnjudged", into = "AnyUnjudged")]
pub struct UnjudgedNotes {
    /// Names of probes.
    pub probes: Vec<String>,
    /// Why the whole check says nothing about the API.
    pub cause: Option<Named<Cause>>,
}

impl UnjudgedNotes {
    fn is_empty(&self) -> bool {
        self.probes.is_empty() && self.cause.is_none()
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum AnyUnjudged {
    Caused { cause: Named<Cause>, probes: Vec<String> },
    Probes(#[serde(deserialize_with = "lenient_list")] Vec<String>),
}

impl From<AnyUnjudged> for UnjudgedNotes {
    fn from(any: AnyUnjudged) -> Self {
        match any {
            AnyUnjudged::Probes(probes) => Self { probes, cause: None },
            AnyUnjudged::Caused { cause, probes } => Self {
                probes,
                cause: Some(cause),
            },
        }
    }
}

impl From<UnjudgedNotes> for AnyUnjudged {
    fn from(unjudged: UnjudgedNotes) -> Self {
        let UnjudgedNotes { probes, cause } = unjudged;
        match cause {
            None => Self::Probes(probes),
            Some(cause) => Self::Caused { cause, probes },
        }
    }
}

/// How far a check came: the host was found, it answered, it let the credential in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The host that was found.
    pub host: String,
    /// Whether it answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// The digest of the credential that was let in; `None` where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// What a timed probe measured. A figure that is not there was not written, or not measured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointNotes {
    /// Samples taken.
    #[serde(deserialize_with = "lenient")]
    pub n: Option<u64>,
    /// Samples that failed.
    #[serde(deserialize_with = "lenient")]
    pub failed: Option<u64>,
    /// Attempts after the first, over all samples.
    #[serde(deserialize_with = "lenient")]
    pub retries: Option<u64>,
    /// Attempts that were sent again over a new connection; left out where there were none.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub reconnected: Option<u64>,
    /// The median in microseconds.
    #[serde(deserialize_with = "lenient")]
    pub p50_us: Option<u64>,
    /// The P95 in microseconds.
    #[serde(deserialize_with = "lenient")]
    pub p95_us: Option<u64>,
    /// The phases of its slowest sample; `None` in checks of earlier versions, and where nothing was answered.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub slowest: Option<PhaseNotes>,
    /// Answers by status.
    #[serde(deserialize_with = "lenient")]
    pub statuses: BTreeMap<u16, u64>,
    /// Which samples failed, counted from 0 in the order in which they were taken.
    #[serde(deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    pub failed_at: Vec<u64>,
    /// Which samples have no latency that counts.
    #[serde(deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    pub untimed_at: Vec<u64>,
}

/// Where the time of a sample went, in microseconds. A phase that there was not is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhaseNotes {
    /// The name lookup.
    #[serde(skip_serializing_if = "is_zero")]
    pub lookup_us: u64,
    /// TCP, and the proxy's consent.
    #[serde(skip_serializing_if = "is_zero")]
    pub connect_us: u64,
    /// The TLS handshake.
    #[serde(skip_serializing_if = "is_zero")]
    pub tls_us: u64,
    /// From the request to the first byte of the answer.
    #[serde(skip_serializing_if = "is_zero")]
    pub wait_us: u64,
    /// From the first byte of the answer to its last.
    #[serde(skip_serializing_if = "is_zero")]
    pub body_us: u64,
}

fn is_zero(us: &u64) -> bool {
    *us == 0
}

impl From<Timings> for PhaseNotes {
    fn from(timings: Timings) -> Self {
        let lookup_us = timings.dns_us.unwrap_or(0);
        Self {
            lookup_us,
            connect_us: timings.connect_us.unwrap_or(0).saturating_sub(lookup_us),
            tls_us: timings.tls_us.unwrap_or(0),
            wait_us: timings.first_byte_us.unwrap_or(0),
            body_us: timings.receive_us.unwrap_or(0),
        }
    }
}

/// One sample of a timed probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SampleNotes {
    /// Its latency in microseconds; `None` without one that counts.
    pub us: Option<u64>,
    /// Whether it failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// The latencies of this check and of earlier ones within the window of the SLO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowNotes {
    /// Their P95 in microseconds; `None` when nothing answered.
    pub p95_us: Option<u64>,
    /// How many there are.
    pub n: u64,
}

/// A clock that is not the real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// One that tests and demonstrations set.
    Virtual,
}

impl CheckNotes {
    /// What `value` says; nothing where it is not an object.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }

    /// The samples of each timed probe in the order in which they were taken: latency in microseconds, and whether
    /// the sample failed. Of rows of earlier versions, which do not say which sample failed, only endpoints whose
    /// samples all have a latency are known, and none of them counts as failed.
    #[must_use]
    pub fn samples(&self) -> IndexMap<&str, Vec<SampleNotes>> {
        let mut latencies = self.samples_us.iter().copied();
        let mut samples = IndexMap::new();
        let timed = |endpoint: &EndpointNotes| {
            let n = endpoint.n.unwrap_or(0);
            n.saturating_sub(endpoint.untimed_at.len() as u64)
        };
        if self.endpoints.values().map(timed).sum::<u64>() != self.samples_us.len() as u64 {
            return samples;
        }
        for (name, endpoint) in &self.endpoints {
            let sample = |index| SampleNotes {
                us: if endpoint.untimed_at.contains(&index) {
                    None
                } else {
                    latencies.next()
                },
                failed: endpoint.failed_at.contains(&index),
            };
            samples.insert(name.as_str(), (0..endpoint.n.unwrap_or(0)).map(sample).collect());
        }
        samples
    }

    /// Whether the check was made under a virtual clock.
    #[must_use]
    pub fn is_virtual(&self) -> bool {
        self.clock == Some(Clock::Virtual)
    }

    /// The check that this one takes back, where it is no check of its own.
    #[must_use]
    pub fn annuls(&self) -> Option<Uuid> {
        self.muted.as_ref()?.annuls
    }

    /// Why the check counts for nothing, if it does.
    #[must_use]
    pub fn muted_why(&self) -> Option<MutedWhy> {
        self.muted.as_ref().map(|muted| muted.why)
    }
}

/// Notes as any version or tool may have written them. Each field is read by itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct AnyNotes {
    #[serde(deserialize_with = "lenient_list")]
    samples_us: Vec<u64>,
    #[serde(deserialize_with = "lenient_map")]
    endpoints: IndexMap<String, EndpointNotes>,
    #[serde(deserialize_with = "lenient")]
    window: Option<WindowNotes>,
    #[serde(deserialize_with = "lenient_list")]
    disabled: Vec<String>,
    #[serde(deserialize_with = "lenient")]
    unjudged: UnjudgedNotes,
    #[serde(deserialize_with = "lenient_map")]
    flags: IndexMap<String, bool>,
    #[serde(deserialize_with = "lenient")]
    muted: Option<Muted>,
    /// The reason of a pause, as earlier versions wrote it.
    #[serde(deserialize_with = "lenient")]
    paused: Option<String>,
    #[serde(deserialize_with = "lenient")]
    clock: Option<Clock>,
    #[serde(deserialize_with = "lenient")]
    plan: Option<Named<PlanOrigin>>,
    #[serde(deserialize_with = "lenient")]
    rollback: Option<Rollback>,
    #[serde(deserialize_with = "lenient")]
    certificate_expires: Option<Timestamp>,
    #[serde(deserialize_with = "lenient")]
    reached: Option<Reached>,
    #[serde(deserialize_with = "lenient")]
    every: Option<Every>,
    #[serde(deserialize_with = "lenient")]
    slo: Option<Slo>,
}

impl From<AnyNotes> for CheckNotes {
    fn from(any: AnyNotes) -> Self {
        let paused = any.paused.map(|reason| Muted::new(MutedWhy::Paused, reason));
        Self {
            samples_us: any.samples_us,
            endpoints: any.endpoints,
            window: any.window,
            disabled: any.disabled,
            unjudged: any.unjudged,
            flags: any.flags,
            muted: paused.or(any.muted),
            clock: any.clock,
            plan: any.plan,
            rollback: any.rollback,
            certificate_expires: any.certificate_expires,
            reached: any.reached,
            every: any.every,
            slo: any.slo,
        }
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

/// What is there, if it can be read.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(from: D) -> Result<T, D::Error> {
    Value::deserialize(from).map(|value| read(value).unwrap_or_default())
}

/// The items of a list that can be read.
fn lenient_list<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Vec<T>, D::Error> {
    let items: Vec<Value> = lenient(from)?;
    Ok(items.into_iter().filter_map(read).collect())
}

/// The entries of an object that can be read.
fn lenient_map<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<IndexMap<String, T>, D::Error> {
    let entries: Map<String, Value> = lenient(from)?;
    let entry = |(name, value)| Some((name, read(value)?));
    Ok(entries.into_iter().filter_map(entry).collect())
}
