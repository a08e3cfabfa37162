//! The results of a run as JSON: what `…_EVIDENCE.json`, `…_STRESS_RESULTS.json` and `--json` hold.
//!
//! They are types and not loose values, so that the published schemas say exactly what is written.
//! Times are RFC 3339, lengths of time microseconds.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ident::LensId;
use crate::plan::header::PlanOrigin;
use crate::redaction::Transcript;
use crate::stats::confidence::{Difference, Interval};
use crate::stats::histogram::{Latencies, Quantile};
use crate::verdict::acceptance::Case;
use crate::verdict::baseline::Change;
use crate::verdict::load_generator::Generator;
use crate::verdict::tally::{FIGURES, Second, Tally};
use crate::verdict::{RunKind, Verdict};

/// What a run of cases came to: acceptance, or the role matrix.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CaseResults<'a> {
    /// `acceptance` or `matrix`.
    #[schemars(with = "String")]
    pub kind: RunKind,
    /// The lens.
    pub lens: &'a LensId,
    /// What the run was about: `api`, `dialect`, `tenant` and, by kind, more.
    #[serde(flatten)]
    pub facts: IndexMap<&'a str, &'a str>,
    /// How the plan stands to what is generated: `generated`, `edited`, `stale` or `foreign`.
    #[schemars(with = "String")]
    pub plan_origin: PlanOrigin,
    /// When it ended.
    pub finished_at: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, one line.
    pub reason: &'a str,
    /// The cases, in order.
    pub cases: &'a [Case],
}

/// What a stress run came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StressResults<'a> {
    /// The lens.
    pub lens: &'a LensId,
    /// Whose data was asked for.
    pub tenant: String,
    /// The API's address.
    pub api: String,
    /// The plan that ran.
    pub plan: PlanFile,
    /// When it ended.
    pub finished_at: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, one line.
    pub reason: &'a str,
    /// What the generator itself did.
    pub generator: Generator,
    /// The targets, in the plan's order.
    pub targets: Vec<TargetResult<'a>>,
    /// What changed since the run of `--baseline`; left out without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<FigureChange<'a>>>,
}

/// A plan's file.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PlanFile {
    /// Where it lies.
    pub path: String,
    /// `generated`, `edited`, `stale` or `foreign`.
    #[schemars(with = "String")]
    pub origin: PlanOrigin,
}

/// What the requests of a target came to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TargetResult<'a> {
    /// Its name.
    pub name: &'a str,
    /// Requests that were to be sent.
    pub planned: u64,
    /// Those that were answered.
    pub completed: u64,
    /// Answers by status.
    pub statuses: &'a BTreeMap<u16, u64>,
    /// Requests without an answer, by failure class.
    pub failures: BTreeMap<&'static str, u64>,
    /// Answers that the plan does not assert, 5xx among them.
    pub unexpected: u64,
    /// The load, for people: `burst of 50`.
    pub load: &'a str,
    /// How long the measured part of it took.
    pub elapsed_us: u64,
    /// Requests that were due and never sent.
    pub unsent: u64,
    /// Requests that left late though a connection was free.
    pub late: u64,
    /// Requests that this machine had no socket or port for.
    pub own_faults: u64,
    /// Requests that were sent again over a new connection, since a kept one had ended before its answer began.
    pub reconnected: u64,
    /// Requests that were sent again with another credential, since the API refused the first with 401.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub renewed: u64,
    /// Requests without the asserted answer in percent of all; `null` when there was none.
    pub error_rate_percent: Option<f64>,
    /// The size of the sample.
    pub n: u64,
    /// Latency: in open loads from when a request was due, in the others from when it was written.
    pub latency_us: Figures,
    /// 95 % confidence intervals of the percentiles, by name.
    pub interval_us: BTreeMap<&'static str, Interval>,
    /// From the start of writing to the last byte; empty where that is the latency.
    pub service_us: Figures,
    /// What opening connections during the load took.
    pub connect_us: Figures,
    /// Latency by class of the status: `2xx`.
    pub classes_us: BTreeMap<String, Figures>,
    /// Whether the sample is large enough for a P95.
    pub p95_supported: bool,
    /// Whether it is large enough for a P99.
    pub p99_supported: bool,
    /// Its course, second by second; empty for a burst.
    pub series: &'a [Second],
    /// The first exchange of each status and failure class.
    pub transcripts: Vec<FirstOf<'a>>,
}

/// The percentiles of a sample in microseconds, nearest rank; each `null` when it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(missing_docs, reason = "the usual names of percentiles")]
pub struct Figures {
    /// The size of the sample.
    pub n: u64,
    pub min: Option<u64>,
    pub p50: Option<u64>,
    pub p90: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
    pub p999: Option<u64>,
    pub max: Option<u64>,
}

/// A transcript with what it is the first of: a status or a failure class.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FirstOf<'a> {
    /// `200`, `timeout`.
    pub first_of: &'a str,
    /// The exchange.
    pub transcript: &'a Transcript,
}

/// A figure beside that of the earlier run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FigureChange<'a> {
    /// The target.
    pub target: &'a str,
    /// `P95`.
    pub figure: &'a str,
    /// The difference.
    pub difference: Difference,
    /// Whether it is slower than before; `null` where that may be chance.
    pub slower: Option<bool>,
}

impl Figures {
    /// The figures of `window`.
    #[must_use]
    pub fn of(window: &Latencies) -> Self {
        Self {
            n: window.len(),
            min: window.min(),
            p50: window.at(Quantile::P50),
            p90: window.at(Quantile::P90),
            p95: window.at(Quantile::P95),
            p99: window.at(Quantile::P99),
            p999: window.at(Quantile::P999),
            max: window.max(),
        }
    }
}

impl<'a> TargetResult<'a> {
    /// The results of `tally`.
    #[must_use]
    pub fn of(tally: &'a Tally) -> Self {
        let failures = tally.failures.iter().map(|(class, count)| (class.as_str(), *count));
        let classes = tally.classes.iter();
        let firsts = tally.transcripts.iter();
        let interval = |(name, quantile): &(&'static str, Quantile)| (*name, tally.latencies.interval(*quantile));
        Self {
            name: &tally.name,
            planned: tally.planned,
            completed: tally.completed(),
            statuses: &tally.statuses,
            failures: failures.collect(),
            unexpected: tally.unexpected,
            load: &tally.load,
            elapsed_us: tally.elapsed_us,
            unsent: tally.unsent,
            late: tally.late,
            own_faults: tally.own_faults,
            reconnected: tally.reconnected,
            renewed: tally.renewed,
            error_rate_percent: tally.error_rate_percent(),
            n: tally.latencies.len(),
            latency_us: Figures::of(&tally.latencies),
            interval_us: FIGURES.iter().map(interval).collect(),
            service_us: Figures::of(&tally.service),
            connect_us: Figures::of(&tally.connects),
            classes_us: classes
                .map(|(class, window)| (format!("{class}xx"), Figures::of(window)))
                .collect(),
            p95_supported: tally.latencies.len() >= Quantile::P95.supported_from(),
            p99_supported: tally.latencies.len() >= Quantile::P99.supported_from(),
            series: &tally.series,
            transcripts: firsts
                .map(|(first_of, transcript)| FirstOf { first_of, transcript })
                .collect(),
        }
    }
}

impl<'a> FigureChange<'a> {
    /// The JSON form of `change`.
    #[must_use]
    pub fn of(change: &'a Change) -> Self {
        Self {
            target: &change.target,
            figure: &change.figure,
            difference: change.difference,
            slower: change.difference.slower(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
